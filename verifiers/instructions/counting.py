"""Counting what a text has: words, sentences, paragraphs, bullets; all in time linear in the text."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_STOP = re.compile(r"(?<![.!?。！？])[.!?。！？]++[\"'”’)\]*]*+(?=\s|$)")
_ABBREVIATIONS = frozenset(
    """a.m approx cf corp dr e.g etc fig i.e inc jr ltd mr mrs ms p.m prof sr st u.k u.s vol vs""".split()  # noqa: SIM905
)
_HIGHLIGHT = re.compile(r"\*\*([^\n*]+)\*\*|\*([^\n*]+)\*")
_PLACEHOLDER = re.compile(r"\[[^\[\]\n]*\]")

RELATIONS = ("less than", "at least", "at most", "around", "exactly")


def compare(count: int, relation: str, wanted: int, tolerance: int = 0) -> bool:
    """Tell whether a count stands in one of :data:`RELATIONS` to what is wanted.

    >>> compare(3, "less than", 3), compare(3, "at most", 3), compare(4, "around", 3, 1)
    (False, True, True)
    """
    if relation == "less than":
        return count < wanted
    if relation == "at least":
        return count >= wanted
    if relation == "at most":
        return count <= wanted
    return abs(count - wanted) <= (tolerance if relation == "around" else 0)


def words(text: str) -> list[str]:
    """Return the words of a text: its runs of letters, digits and underscores."""
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    """Split a text into sentences at . ! ? and their like, but not after an abbreviation or an initial.

    >>> sentences("Dr. J. Smith came, e.g. late. Why? Nobody knows")
    ['Dr. J. Smith came, e.g. late.', 'Why?', 'Nobody knows']
    """
    found, start = [], 0
    for stop in _STOP.finditer(text):
        if stop.group() == "." and _abbreviated(text, stop.start()):
            continue
        found.append(text[start : stop.end()].strip())
        start = stop.end()
    found.append(text[start:].strip())
    return [s for s in found if _WORD.search(s)]


def paragraphs(text: str, divider: str | None = None) -> list[str]:
    """Split a text at a divider, or at blank lines; blank paragraphs are kept."""
    return text.split(divider) if divider else re.split(r"\n[ \t]*\n", text)


def bullets(text: str) -> int:
    """Count the lines that begin with ``* `` (or ``*`` and anything but another) or ``-``."""
    return sum(1 for line in text.split("\n") if _is_bullet(line.strip()))


def highlights(text: str) -> int:
    """Count the stretches in single or double asterisks that are not blank."""
    return sum(1 for m in _HIGHLIGHT.finditer(text) if (m.group(1) or m.group(2)).strip())


def placeholders(text: str) -> int:
    """Count the stretches in square brackets."""
    return len(_PLACEHOLDER.findall(text))


def has_title(text: str) -> bool:
    """Tell whether a line holds something in double angular brackets."""
    for line in text.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end and line[start:end].strip("<> \t"):
            return True
    return False


def capital_words(text: str) -> int:
    """Count the words of capital letters alone."""
    return sum(1 for w in text.split() if w.isupper())


def _is_bullet(line: str) -> bool:
    return line.startswith("-") or (line.startswith("*") and len(line) > 1 and line[1] != "*")


def _abbreviated(text: str, stop: int) -> bool:
    """Tell whether the point at ``stop`` ends an abbreviation, an initial or the mark of a list's item."""
    near = text[max(0, stop - 40) : stop]
    before = near.rsplit(None, 2)
    word = before[-1].lstrip("(\"'*_") if before and not near[-1:].isspace() else ""
    if word.lower() in _ABBREVIATIONS:
        return True
    if _MARK.fullmatch(near.rpartition("\n")[2]):
        return True
    if len(word) != 1 or not word.isupper() or word == "I":
        return False
    named = len(before) < 2 or before[-2].lstrip("(\"'*_")[:1].isupper()  # J. Smith, not vitamin C.
    behind = _NEXT.match(text, stop + 1)
    return named and not (behind is not None and behind[1] in _BEGINS)


_MARK = re.compile(r"[ \t>*_-]{0,8}(?:\d{1,3}|[A-Za-z]|[ivxlcIVXLC]{1,6})")
_NEXT = re.compile(r"\s{1,3}([A-Za-z]{1,12})\b")
_BEGINS = frozenset(
    "He She It They We You The This That These Those There A An In On At But And So If When".split()  # noqa: SIM905
)
