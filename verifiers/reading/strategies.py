r"""Where in a text the answer stands: extraction strategies, written as short texts.

====================  ==========================================================================
``whole``             all of the text
``last_line``         the last line that is not blank
``stated``            the last line that begins with ``Answer:``, ``A:`` or ``Final answer:``; without one,
                      what follows the last "answer is" or ``answer:`` in the last line
``last_number``       the last number (see :mod:`referee.verifiers.reading.written_numbers`)
``boxed``             the last box that is asserted (see :mod:`referee.verifiers.reading.boxes`)
``after:TEXT``        the rest of the line after the last TEXT, as in ``after:####`` or ``after:A:``
``tag:NAME``          the contents of the last ``<NAME>...</NAME>``
``regex:PATTERN``     the last match's group 1, or the whole match where there is no group
====================  ==========================================================================

Several strategies in a tuple are tried in turn; the first that finds something decides. A box, a tag or a
stated line that is there and gives no answer (boxes of different values beside each other, one never closed,
an empty one, a denied one) ends the search. A box inside a tag is what the tag says, where both strategies
are named. Every strategy takes time linear in the text. The ``regex`` strategy stops at a deadline of one
second instead of backtracking for ever.

:data:`CUES` is the order in which the verifiers of this package look for an answer by default; mathematics,
which reads a text with a parser, has the same (:mod:`referee.verifiers.reading.final_answer`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import regex

from referee.verifiers.reading.answer_lines import answer_line
from referee.verifiers.reading.box_spans import box_spans, whole_box
from referee.verifiers.reading.boxes import boxed
from referee.verifiers.reading.dress import unwrapped
from referee.verifiers.reading.final_answer import (
    ContentKind,
    answer_element,
    boxed_answer,
    is_denied_element,
    last_element,
    peeled,
)
from referee.verifiers.reading.written_numbers import NumberTooLong, last_number, parse_number

Extract: TypeAlias = "str | tuple[str, ...]"
Extractor: TypeAlias = Callable[[str], str | None]

CUES = ("tag:answer", "boxed", "after:####", "stated")

DEADLINE_S = 1.0
_ANSWER = re.compile(r"\banswer(?:\s+is|\s*[:=])\s*:?", re.IGNORECASE)


def extract(answer: str, how: Extract) -> str | None:
    r"""Return what ``how`` finds in a text whose thinking is taken off, stripped, or None.

    >>> extract("So 2+2 = 4\n#### 4", ("boxed", "after:####"))
    '4'
    """
    return search(answer, how) or None


def search(answer: str, how: Extract) -> str | None:
    """Like :func:`extract`, but an empty text where a box, a tag or a line is there and gives no answer."""
    strategies = (how,) if isinstance(how, str) else how
    for strategy in strategies:
        found = extractor(strategy)(answer)
        if found is None:
            continue
        tag = strategy.startswith("tag:")
        if tag and "boxed" in strategies and (inside := _boxed(found)) is not None:
            found = inside
        if (stripped := found.strip()) or tag or strategy in ("boxed", "stated"):
            return stripped
    return None


def readings(found: str) -> tuple[str, ...]:
    r"""Return the ways to read what was extracted: as it stands, and without the cues that enclose all of it.

    >>> readings(r"\boxed{\text{Paris}}"), readings("Paris")
    (('\\boxed{\\text{Paris}}', 'Paris'), ('Paris',))
    """
    bare = unwrapped(peeled(found))
    return (found, bare) if bare and bare != found else (found,)


def check_extract(how: Extract) -> Extract:
    """Return ``how`` as a text or a tuple; raise ValueError where a strategy is not known."""
    if isinstance(how, str):
        extractor(how)
        return how
    if not how:
        raise ValueError("extract must name at least one strategy, got ()")
    for strategy in how:
        extractor(strategy)
    return tuple(how)


@lru_cache(maxsize=1024)
def extractor(strategy: str) -> Extractor:
    """Return the function of one strategy.

    Raises:
        ValueError: where the strategy is not known, or its pattern is not a valid one.
    """
    if not isinstance(strategy, str):
        raise TypeError(f"extract must be a text or a tuple of texts, got {type(strategy).__name__}")
    kind, colon, argument = strategy.partition(":")
    if not colon and kind in _PLAIN:
        return _PLAIN[kind]
    if colon and argument:
        if kind == "after":
            return _After(argument)
        if kind == "tag" and re.fullmatch(r"[\w.-]+", argument):
            return _Tag(argument)
        if kind == "regex":
            return _Pattern(compile_pattern("extract", argument))
    raise ValueError(
        f"extract must be one of {', '.join(_PLAIN)}, after:TEXT, tag:NAME or regex:PATTERN, got {strategy!r}"
    )


def compile_pattern(argument: str, pattern: str, flags: int = 0) -> regex.Pattern[str]:
    """Compile a user's pattern for the bounded engine; raise ValueError naming ``argument``."""
    try:
        return regex.compile(pattern, flags)
    except (regex.error, OverflowError, RecursionError) as e:
        raise ValueError(f"{argument} must be a valid regular expression, got {pattern!r}: {e}") from None


def _whole(text: str) -> str | None:
    return text


def _last_line(text: str) -> str | None:
    """The last line; of a box that is closed in it and began before, the last line inside."""
    text = text.rstrip()
    at = text.rfind("\n")
    if at < 0 or "}" not in text[at:]:
        return text[at + 1 :]
    start = next((start for start, end in box_spans(text) if start <= at < end), None)
    if start is None:
        return text[at + 1 :]
    line = text[text.rfind("\n", 0, start) + 1 :]
    return peeled(line).rpartition("\n")[2]


def _stated(text: str) -> str | None:
    if (found := answer_line(text, _NUMBERS)) is not None:
        return found.answer or ""
    line = text.rstrip().rpartition("\n")[2]
    if (":" not in line and "=" not in line and " is" not in line) or whole_box(line) is not None:
        return None
    cue = None
    for cue in _ANSWER.finditer(line):  # noqa: B007  # the last one is wanted
        pass
    return line[cue.end() :] if cue is not None else None


class _Numbers:
    """For this small grammar a value is a number."""

    def kind(self, text: str) -> ContentKind:
        try:
            return "value" if parse_number(text) is not None else "nothing"
        except NumberTooLong:
            return "too_big"

    def listed(self, text: str) -> str | None:
        return "value" if self.kind(text) == "value" else None


_NUMBERS = _Numbers()


def _boxed(text: str) -> str | None:
    found = boxed_answer(text, _NUMBERS)
    if found is None:
        return None
    if found.answer is not None and found.strategy == "boxes":
        together = boxed(text)
        return _one_value(together.contents) if together is not None else ""
    return found.answer or ""


def _one_value(contents: Sequence[str]) -> str:
    """Return the first of several boxes' contents where all say one value; nothing where they differ."""
    keys = set()
    for content in contents:
        bare = unwrapped(peeled(content))
        try:
            number = parse_number(bare)
        except NumberTooLong:
            number = None
        keys.add(number.value if number is not None else re.sub(r"[().\s]", "", bare).casefold())
    return contents[0] if len(keys) == 1 else ""


@dataclass(frozen=True, slots=True)
class _After:
    marker: str

    def __call__(self, text: str) -> str | None:
        at = text.rfind(self.marker)
        if at < 0:
            return None
        return text[at + len(self.marker) :].lstrip(" \t").partition("\n")[0]


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str

    def __call__(self, text: str) -> str | None:
        if "</" not in text:
            return None
        if self.name != "answer":
            return last_element(text, self.name)
        content = answer_element(text)
        return "" if content is not None and is_denied_element(text) else content


@dataclass(frozen=True, slots=True)
class _Pattern:
    pattern: regex.Pattern[str]

    def __call__(self, text: str) -> str | None:
        found: str | None = None
        try:
            for match in self.pattern.finditer(text, timeout=DEADLINE_S):
                found = match.group(1 if self.pattern.groups else 0)
        except TimeoutError:
            return None
        return found


_PLAIN: dict[str, Extractor] = {
    "whole": _whole,
    "last_line": _last_line,
    "stated": _stated,
    "last_number": last_number,
    "boxed": _boxed,
}
