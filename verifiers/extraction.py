r"""Where in a text the answer stands: extraction strategies, written as short texts.

====================  ==========================================================================
``whole``             all of the text
``last_line``         the last line that is not blank
``last_number``       the last number (see :mod:`referee.verifiers.numeric`)
``boxed``             the contents of the last ``\boxed{...}``, braces matched
``after:TEXT``        the rest of the line after the last TEXT, as in ``after:####`` or ``after:A:``
``tag:NAME``          the contents of the last ``<NAME>...</NAME>``
``regex:PATTERN``     the last match's group 1, or the whole match where there is no group
====================  ==========================================================================

Several strategies in a tuple are tried in turn; the first that finds something decides. Every
strategy looks only at what follows the thinking (:func:`referee.verifiers.thinking.answer_part`),
takes time linear in the text, and returns None where it finds nothing. The ``regex`` strategy stops
at a deadline of one second instead of backtracking for ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import regex

from referee.verifiers.thinking import answer_part

Extract: TypeAlias = "str | tuple[str, ...]"
Extractor: TypeAlias = Callable[[str], str | None]

DEADLINE_S = 1.0
_BOX = re.compile(r"\\f?boxed\s*\{|\\framebox\s*\{")


def extract(text: str, how: Extract) -> str | None:
    r"""Return the answer that ``how`` finds after the thinking of a text, stripped, or None.

    >>> extract("<think>5?</think>So 2+2 = 4\n#### 4", ("boxed", "after:####"))
    '4'
    """
    answer = answer_part(text)
    for strategy in (how,) if isinstance(how, str) else how:
        found = extractor(strategy)(answer)
        if found is not None and (found := found.strip()):
            return found
    return None


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
    return text.rstrip().rpartition("\n")[2]


def _last_number(text: str) -> str | None:
    from referee.verifiers.numeric import last_number

    return last_number(text)


def _boxed(text: str) -> str | None:
    """The last box that is closed; a scan that never goes back, however many are opened."""
    starts = [m.end() for m in _BOX.finditer(text)]
    for start in reversed(starts[-8:]):
        depth = 1
        for brace in re.finditer(r"\\[{}]|[{}]", text[start : start + 20_000]):
            depth += {"{": 1, "}": -1}.get(brace.group(), 0)
            if depth == 0:
                return text[start : start + brace.start()]
    return None


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
        end = text.rfind(f"</{self.name}>")
        start = text.rfind(f"<{self.name}>", 0, max(end, 0))
        return text[start + len(self.name) + 2 : end] if start >= 0 else None


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
    "last_number": _last_number,
    "boxed": _boxed,
}
