"""What the last line of a text says of its subject: ``12π cm²`` of "The area is 12π cm²."."""

from __future__ import annotations

import re

from referee.verifiers.reading.dress import strip
from referee.verifiers.reading.extracted import Grammar

LEAD = re.compile(
    r"(?:(?:so|thus|hence|therefore|then|finally|consequently|in conclusion|by [a-z' ]{1,40},)(?!\w)"
    r"[\s,:]*){1,2}|(?:(?:综上(?:所述)?|所以|因此|因而|从而|于是|解得|可得|故|即)[,，:： ]*){1,3}",
    re.I,
)
_CLOSING = re.compile(
    r"\n[ \t]*(?:let me know|feel free|(?:i )?hope (?:this|that|it)|if you(?:['’]d| would| have| need| want)|"
    r"please let|would you like|is there anything)\b[^\n]*\Z",
    re.I,
)  # what a model says to its reader
_LONGEST = 200
_PREMISE = re.compile(r"(?:suppose|assume|assuming|let|given|recall|consider)\b", re.I)
_COPULA = re.compile(r"\b(?:is|are|was|were|be|equals)\s+(?:equal to\s+|exactly\s+|an?\s+|the\s+)?", re.I)
_EQUALS = re.compile(r"(?<![<>!=:])=(?!=)\s*")
_BEGINS = re.compile(r"[-−+]?[\d.√∛([{∞π]|[A-Za-z]\s*[<>=≤≥∈!]|(?:exp|sqrt|log|ln)\(")
_REASON = re.compile(r"(?:by|since|because|as|so|thus|hence|therefore)\b[^,\n]*,\s*([a-z' ]+)", re.I)
_WHERE = re.compile(r",?\s+(?:attained|achieved|reached|occurring)\b[^;\n]*", re.I)
_UNIT = re.compile(r"\s?[ap]\.?\s?m\b|\s[a-z]{3,}|'\d{1,2}(?:''|\")", re.I)
_LARGER = re.compile(r"(?<![\w.,$])\d[\d,.]{0,12} [a-z]{2,12},?(?: and)? \Z", re.I)  # 3 hours and
_MORE = re.compile(r"(?:\s+[a-z]+){0,3}\s+(?:from|at|after|when|since|because)\s[\w\s'-]*", re.I)
_ANOTHER = re.compile(r"\b(?:and|or|so|but|not|if|unless)\b", re.I)
_FIRST = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?=[\s,])")
_GLUED = re.compile(
    r"(\d[\d,]*+(?:\.\d++)?)([mcdk]?m)([²³])"
)  # which a product of letters would be written like
_NO_STATE = frozenset(["correct", "incorrect", "right", "wrong", "complete", "done", "needed", "answer"])


def without_closing(text: str) -> str:
    """Return a text without a last line that only offers more help."""
    return _CLOSING.sub("", text).rstrip()


def predicate(line: str, grammar: Grammar) -> str | None:
    """Return the whole of what the last copula of a line joins to its subject, where that is a value.

    A number with more about when or where it holds ("45 miles at the end of those 4 hours") is that number; a
    word or two are the answer where no number stands in the line. The caller looks for doubt.
    """
    line = strip(line)
    if len(line) > _LONGEST or "**" in line or "?" in line or _PREMISE.match(line):
        return None
    if (reason := _REASON.fullmatch(line)) is not None and grammar.kind(reason[1]) == "value":
        return reason[1]
    copula = None
    for copula in _COPULA.finditer(line):  # noqa: B007  # the last one is wanted
        pass
    if copula is None:
        for copula in _EQUALS.finditer(line):  # noqa: B007
            pass
    if copula is None:
        return None
    said = strip(line[copula.end() :])
    if "$" in said or "\\" in said or re.search(r"[.!?。]\s", said):
        return None
    if (glued := _GLUED.fullmatch(said)) is not None:
        return rf"{glued[1]}\text{{ {glued[2]}}}^{2 if glued[3] == '²' else 3}"
    if _BEGINS.match(said):
        kind = grammar.kind(said)
        if kind == "value" or (kind == "words" and len(said.split()) <= 3):  # 4th of July
            return said
        first = _FIRST.match(said)
        if first and not _ANOTHER.search(said):
            more = _MORE.fullmatch(said, first.end()) or _WHERE.fullmatch(said, first.end())
            return first[0] if more else None
        return None
    words = said.split()
    if len(words) <= 2 and not any(map(str.isdigit, line[: copula.end()])) and not _NO_STATE & set(words):
        return said if grammar.kind(said) == "words" else None
    return None


def with_unit(text: str, start: int, end: int, grammar: Grammar, begin: int) -> str:
    """Return the number that stands in a text from ``start`` to ``end``, with its unit or half of the day.

    So it is with the larger units before it in its sentence, which begins at ``begin``: ``3 hours and 20
    minutes``.
    """
    number = text[start:end]
    unit = _UNIT.match(text, end) if number[-1:].isdigit() else None
    whole = number + unit[0] if unit else number
    if unit is None or grammar.kind(whole) != "value":
        return number
    larger = _LARGER.search(text, max(begin, start - 60), start)
    compound = text[larger.start() : start] + whole if larger else ""
    return compound if compound and grammar.listed(compound) == "value" else whole
