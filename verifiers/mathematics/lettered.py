r"""Answers that are letters of choices: ``(C) 12``, ``\textbf{(C)}\ 12``, ``C. 12``, ``A, C`` and ``AC``."""

from __future__ import annotations

import re
from typing import NamedTuple

from referee.verifiers.reading.dress import TEXT, strip


class Lettered(NamedTuple):
    """A letter and what stands behind it; ``alone`` says that the letter would do without it."""

    letter: str
    rest: str
    alone: bool


_OPEN = (
    r"(?:\\(?:text|textbf|textrm|textit|textsf|mathrm|mathbf|mathsf|mbox|boldsymbol)\s*\{"
    r"|\{|\$|\*\*|\\bf|\\rm|\s)*"
)
_MARK = re.compile(
    _OPEN + r"(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+)?"
    r"(?:\(\s*(?P<round>[A-Ja-j])\s*\)|(?P<dotted>[A-J])\s*[.．)](?=\s|\\|\}|\$|\d|-)|(?P<colon>[A-J])\s*[:：](?=\s|\\|\}|\$))"
)
_COMMA = re.compile(r"\s*([A-E])\s*,\s*(?=[-\d\\($.])")
_BETWEEN = re.compile(r"(?:\s|\\[ ,;:!]|\\quad|\\qquad|[~:：]|\$|\*\*)*")
_ANOTHER = re.compile(r"\(\s*[A-Ja-j]\s*\)|(?:^|[\s,;{])[A-J][.):](?:\s|\\)")
_GOES_ON = re.compile(
    r"(?:and|or|nor|but|not|is not|isn't)\b|[,;/&|^_!'*+=<>]"
    r"|\\(?:cdot|times|cup|cap|to|in|le|ge|leq|geq|circ)\b",
    re.I,
)
_COMMANDS = re.compile(r"\\(?:text|textbf|mathrm|mbox)\s*\{\s*|\$|\*\*")
_ONE_LETTER = re.compile(r"[^A-Za-z]*[A-J][^A-Za-z0-9]*")


def lettered(text: str) -> Lettered | None:
    r"""Read a text that begins with the mark of a choice; None for any other.

    >>> lettered(r"\textbf{(C) }12")
    Lettered(letter='C', rest='12', alone=True)
    >>> lettered("(a) 3; (b) 4") is None
    True
    """
    m = _MARK.match(text)
    if m is None:
        return None
    rest = text[m.end() :]
    opened = m[0].count("{")
    rest = _without_closing(rest, opened) if opened else rest
    between = _BETWEEN.match(rest)
    assert between is not None
    rest = strip(rest[between.end() :])
    if (
        _ANOTHER.search(rest)
        or _GOES_ON.match(_COMMANDS.sub("", rest))
        or (rest and _ONE_LETTER.fullmatch(rest))
    ):
        return None
    letter = m["round"] or m["dotted"] or m["colon"]
    return Lettered(letter.upper(), rest, not m["colon"])


def with_comma(text: str) -> Lettered | None:
    """Read ``C, 12``: a letter and what it stands for."""
    m = _COMMA.match(text)
    rest = text[m.end() :] if m else ""
    if m is None or "," in rest or _ONE_LETTER.fullmatch(rest):
        return None
    return Lettered(m[1], rest, True)


def _without_closing(text: str, opened: int) -> str:
    """Take out the braces that close what was opened before the text."""
    out, level, start = [], 0, 0
    for m in _BRACE.finditer(text):
        if m[0] == "{":
            level += 1
        elif m[0] == "}" and level:
            level -= 1
        elif m[0] == "}" and opened:
            out.append(text[start : m.start()])
            start, opened = m.end(), opened - 1
    return "".join(out) + text[start:]


_BRACE = re.compile(r"\\.|[{}]", re.S)
_DRESS = re.compile(r"\\[{} ,;]|[\s${}*.]")
_RUN = re.compile(r"[A-H]{2,6}")
_LIST = re.compile(r"\(?[A-H]\)?(?:(?:,|;|、|，|&|and|和|,and)\(?[A-H]\)?)+")


def several_letters(text: str) -> tuple[frozenset[str], bool] | None:
    """Return the letters of a multiple selection and whether they are a list; None for any other text.

    Letters side by side are one only in alphabetical order: ``CAB`` is a name or a ranking.

    >>> several_letters("C and A") == (frozenset("AC"), True), several_letters("CA")
    (True, None)
    """
    if len(text) > 80:
        return None
    bare = _DRESS.sub("", TEXT.sub(r"\1", text))
    if _RUN.fullmatch(bare):
        return (frozenset(bare), False) if list(bare) == sorted(set(bare)) else None
    if not _LIST.fullmatch(bare):
        return None
    letters = re.findall(r"[A-H]", bare)
    return (frozenset(letters), True) if len(set(letters)) == len(letters) else None


def lone_letter(text: str) -> str:
    """Return the letter that all of a text is, in any case; else nothing."""
    if len(text) > 40:
        return ""
    bare = _DRESS.sub("", TEXT.sub(r"\1", text)).strip("()")
    return bare if len(bare) == 1 and bare in "ABCDEFGHIJabcdefghij" else ""
