"""Where the thinking ends and the answer begins, and whether the two are well-formed.

Reasoning models write ``<think>...</think>answer``. Many chat templates write the opening tag
into the prompt (it is then *prefilled*), so a completion may begin inside the thinking. The threat:
an answer that stands only inside the thinking, a tag that is opened twice or never closed, an empty
pair of tags: none of these may pass for a thought-out answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT
from referee.verifiers.records import Completion, Problem, Reason, Verdict, text_of

OPENING = "<think>"
CLOSING = "</think>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A text in its two halves. ``fault`` says what is malformed, and is empty where nothing is.

    ``thinking`` is None where there is none; ``answer`` is None where the thinking never ended.
    """

    thinking: str | None
    answer: str | None
    fault: str = ""


def split_thinking(
    text: str, *, opening: str = OPENING, closing: str = CLOSING, prefilled: bool | None = None
) -> Split:
    """Split a text into its thinking and its answer.

    ``prefilled`` True says that the prompt ended with the opening tag, False that it did not; None
    takes a closing tag without an opening one as the end of a prefilled thinking.

    >>> split_thinking("<think>2 and 2</think>4")
    Split(thinking='2 and 2', answer='4', fault='')
    >>> split_thinking("2 and 2</think>4").fault, split_thinking("2 and 2</think>4", prefilled=False).fault
    ('', 'no <think>')
    >>> split_thinking("<think>4").answer is None
    True
    """
    opens, closes = text.count(opening), text.count(closing)
    if not opens and not closes:
        if prefilled:
            return Split(thinking=text, answer=None, fault=f"no {closing}")
        return Split(thinking=None, answer=text, fault=f"no {opening}")
    last_open, last_close = text.rfind(opening), text.rfind(closing)
    start = text.find(opening) if opens and not prefilled else -1
    begin = start + len(opening) if start >= 0 else 0
    if last_open > last_close:
        fault = f"no {closing}" if not closes else f"{opening} after {closing}"
        return Split(thinking=text[begin:], answer=None, fault=fault)
    answer = text[last_close + len(closing) :]
    thinking = text[begin : text.find(closing, begin)]
    fault = _fault(text, opens, closes, start, opening, closing, prefilled)
    return Split(thinking=thinking, answer=answer, fault=fault)


def answer_part(text: str) -> str:
    """Return what stands after the thinking: all of a text without any, nothing of one that never ends it.

    >>> answer_part("<think>is it 5?</think>It is 6."), answer_part("<think>it is 5")
    ('It is 6.', '')
    """
    if "think>" not in text:
        return text
    return split_thinking(text).answer or ""


def _fault(
    text: str, opens: int, closes: int, start: int, opening: str, closing: str, prefilled: bool | None
) -> str:
    if closes > 1:
        return f"{closing} {closes} times"
    if prefilled and opens:
        return f"{opening} again, after the prompt's own"
    if opens > 1:
        return f"{opening} {opens} times"
    if not opens and prefilled is False:
        return f"no {opening}"
    if start > 0 and text[:start].strip():
        return f"text before {opening}"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkFormat(Composable):
    """Pay 1 for one well-formed, non-empty thinking that is followed by a non-empty answer.

    ``prefilled``: True where the chat template writes ``<think>`` itself, False where the model must,
    None (auto) where the prompt's end decides, and where it does not say, either is accepted.
    ``min_characters`` is the least length of the stripped thinking.

    Accepts:
        - ``<think>so 2+2=4</think>4``, with white space around any part
        - ``so 2+2=4</think>4`` where the tag is prefilled (or auto)
    Rejects:
        - ``<think></think>4`` and ``<think> </think>4``: empty thinking
        - ``<think>a</think>b</think>4``: a tag twice, of either kind
        - ``<think>4`` and ``4``: a tag missing
        - ``<think>4</think>``: no answer after the thinking
        - ``4 <think>a</think>4``: text before the thinking
        - ``</think>4<think>``: tags in the wrong order
    """

    opening: str = OPENING
    closing: str = CLOSING
    prefilled: bool | None = None
    min_characters: int = 1
    name = "think_format"
    range = UNIT

    def __post_init__(self) -> None:
        if not self.opening or not self.closing or self.opening == self.closing:
            raise ValueError(
                f"opening and closing must be two different tags, got {self.opening!r} and {self.closing!r}"
            )
        if self.min_characters < 1:
            raise ValueError(f"min_characters must be at least 1, got {self.min_characters}")

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0, with the fault in ``detail``."""
        prefilled = self.prefilled
        if prefilled is None and _ends_with(problem, self.opening):
            prefilled = True
        split = split_thinking(
            text_of(completion), opening=self.opening, closing=self.closing, prefilled=prefilled
        )
        fault = split.fault
        if not fault and len((split.thinking or "").strip()) < self.min_characters:
            fault = "empty thinking" if self.min_characters == 1 else "thinking too short"
        if not fault and not (split.answer or "").strip():
            fault = "no answer after the thinking"
        if fault:
            return Verdict(score=0.0, reason=Reason.INCORRECT, detail={"fault": fault})
        return Verdict(score=1.0, reason=Reason.CORRECT)


def _ends_with(problem: Problem, opening: str) -> bool:
    prompt = problem.prompt
    last = prompt if isinstance(prompt, str) else prompt[-1].content if prompt else ""
    return last.rstrip().endswith(opening)
