"""Where the thinking ends and the answer begins.

Reasoning models write ``<think>...</think>answer``, or another pair of marks. Many chat templates write
the opening mark into the prompt (it is then *prefilled*), so that a completion may begin inside the
thinking. The threats: an answer, code or a call that stands only in the thinking and is taken for the
model's word; and a mark that an answer merely speaks of, which hides the answer behind it.

- Known: ``<think>``, ``<thinking>``, ``<reasoning>`` and ``<thought>`` in any case, ``[THINK]``,
  ``<seed:think>``, ``◁think▷`` and the ``analysis`` channel of gpt-oss. Others are declared as
  :class:`referee.verifiers.reading.marks.Marks`.
- A mark opens thinking only at the start of the text or right behind closed thinking: never in the
  middle of an answer, so never in code, in quotes or in a box.
- Thinking that never closes has no answer behind it.
- A closing mark alone ends a thinking that the prompt opened: ``</think>``, the header of gpt-oss's
  ``final`` channel, and what was declared as prefilled. One in quotes does not, nor, behind closed
  thinking, one in code or in a box.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from referee.verifiers.reading.box_spans import box_spans
from referee.verifiers.reading.fences import code_spans
from referee.verifiers.reading.marks import Marks
from referee.verifiers.reading.special_tokens import header_end

THINK = Marks(opening="<think>", closing="</think>")

_FIRST = re.compile(r"[\s\ufeff\u200b\u200c\u200d\u2060]*[<\[◁]")
_OPENING = re.compile(
    r"(?i:<(?P<name>think|thinking|reasoning|thought|seed:think)>)"
    r"|(?P<bracket>\[THINK\])|(?P<kimi>◁think▷)|(?P<channel><\|channel\|>\s*analysis\b[^<]{0,80}<\|"
    r"message\|>)"
)
_CLOSING = {
    "bracket": re.compile(r"\[/THINK\]"),
    "kimi": re.compile(r"◁/think▷"),
    "channel": re.compile(r"<\|end\|>|(?=<\|start\|>|<\|channel\|>)"),
}
_NAMED = {
    name: re.compile(f"</{name}>", re.IGNORECASE)
    for name in ("think", "thinking", "reasoning", "thought", "seed:think")
}
_FINAL = r"<\|channel\|>\s*final\b[^<]{0,80}<\|message\|>"
_ALONE = rf"(?i:</think>)|{_FINAL}"
_ALONE_KNOWN = re.compile(_ALONE)
_QUOTES = "`\"'“‘”’"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A text in its two halves: ``thinking`` is None where there is none, ``answer`` where it never ends."""

    thinking: str | None
    answer: str | None


def split_thinking(text: str, marks: Sequence[Marks] = ()) -> Split:
    """Split a text into its thinking and its answer; ``marks`` are known beside the usual ones.

    >>> split_thinking("<think>2 and 2</think>4")
    Split(thinking='2 and 2', answer='4')
    >>> split_thinking("<think>4").answer is None
    True
    >>> split_thinking("hm</plan>4", [Marks(opening="<plan>", closing="</plan>", prefilled=True)])
    Split(thinking='hm', answer='4')
    """
    pieces: list[str] = []
    at = _blocks(text, 0, marks, pieces)
    if at is not None and not pieces:
        alone = next(_alone(text, 0, marks), None)
        if alone is None and any(m.prefilled for m in marks):
            return Split(thinking=text, answer=None)
        if alone is not None:
            pieces.append(text[: alone.start()])
            at = _blocks(text, alone.end(), marks, pieces)
    if at and pieces and (last := _last_in_prose(text, at, marks)) is not None:
        if header_end(text, at) < last.start():
            pieces.append(text[at : last.start()])
        at = _blocks(text, last.end(), marks, pieces)
    return Split(thinking="\n".join(pieces) if pieces else None, answer=None if at is None else text[at:])


def answer_part(text: str, marks: Sequence[Marks] = ()) -> str:
    """Return what stands after the thinking: all of a text without any, nothing of one that never ends it.

    >>> answer_part("<think>is it 5?</think>It is 6."), answer_part("<think>it is 5")
    ('It is 6.', '')
    """
    if (
        not marks
        and "</" not in text
        and "<|" not in text
        and (text[:1].isalnum() or _FIRST.match(text) is None)
    ):
        return text
    return split_thinking(text, marks).answer or ""


def _blocks(text: str, at: int, marks: Sequence[Marks], pieces: list[str]) -> int | None:
    """Read the blocks of thinking from a place on; return where they end, or None where one never does."""
    while (opened := _opened(text, at, marks)) is not None:
        begin, closing = opened
        if isinstance(closing, str):
            end = text.find(closing, begin)
            after = end + len(closing)
        else:
            match = closing.search(text, begin)
            end, after = match.span() if match else (-1, -1)
        if end < 0:
            pieces.append(text[begin:])
            return None
        pieces.append(text[begin:end])
        at = after
    return at


def _opened(text: str, at: int, marks: Sequence[Marks]) -> tuple[int, str | re.Pattern[str]] | None:
    """Return where a block's contents begin and what closes it, where one opens at a place."""
    for place in dict.fromkeys((header_end(text, at), at)):
        for mark in marks:
            if text.startswith(mark.opening, place):
                return place + len(mark.opening), mark.closing
        if match := _OPENING.match(text, place):
            name = match["name"]
            return match.end(), _NAMED[name.lower()] if name else _CLOSING[match.lastgroup or ""]
    return None


def _alone(text: str, at: int, marks: Sequence[Marks]) -> Iterator[re.Match[str]]:
    """Yield the closing marks behind a place that count without an opening one, but for quoted ones."""
    declared = [re.escape(m.closing) for m in marks if m.prefilled]
    if not declared and "</" not in text and "<|channel|>" not in text:
        return
    pattern = re.compile("|".join([*declared, _ALONE])) if declared else _ALONE_KNOWN
    for match in pattern.finditer(text, at):
        before = text[match.start() - 1 : match.start()]
        after = text[match.end() : match.end() + 1]
        if not (before and before in _QUOTES and after and after in _QUOTES):
            yield match


def _last_in_prose(text: str, at: int, marks: Sequence[Marks]) -> re.Match[str] | None:
    """Return the last closing mark behind a place that stands neither in code nor in a box."""
    found = list(_alone(text, at, marks))
    if not found:
        return None
    hidden = sorted([*code_spans(text, at), *box_spans(text, at)])
    last, place = None, 0
    for match in found:
        while place < len(hidden) and hidden[place][1] <= match.start():
            place += 1
        if place == len(hidden) or match.start() < hidden[place][0]:
            last = match
    return last
