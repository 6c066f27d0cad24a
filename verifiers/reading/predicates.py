"""What the last line of a text says of its subject: ``12π cm²`` of "The area is 12π cm²."."""

from __future__ import annotations

import re

from referee.verifiers.reading.dress import strip
from referee.verifiers.reading.extracted import Grammar

LEAD = re.compile(
    r"(?:(?:so|thus|hence|therefore|then|finally|consequently|in conclusion)\b[\s,:]*){1,2}", re.I
)
_CLOSING = re.compile(
    r"\n[ \t]*(?:let me know|feel free|(?:i )?hope (?:this|that|it)|if you(?:['’]d| would| have| need| want)|"
    r"please let|would you like|is there anything)\b[^\n]*\Z",
    re.I,
)  # what a model says to its reader
_LONGEST = 200
_COPULA = re.compile(r"\b(?:is|are|was|were|be|equals)\s+(?:equal to\s+|exactly\s+|an?\s+|the\s+)?", re.I)
_BEGINS = re.compile(r"[-−+]?[\d.√∛([{∞π]")
_REASON = re.compile(r"(?:since|because|as|so|thus|hence|therefore)\b[^,\n]*,\s*([a-z' ]+)", re.I)
_MORE = re.compile(r"(?:\s+[a-z]+){0,3}\s+(?:from|at|after|when|since|because)\s[\w\s'-]*", re.I)
_ANOTHER = re.compile(r"\b(?:and|or|so|but|not|if|unless)\b", re.I)
_FIRST = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?=\s)")
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
    if len(line) > _LONGEST:
        return None
    if (reason := _REASON.fullmatch(line)) is not None and grammar.kind(reason[1]) == "value":
        return reason[1]
    copula = None
    for copula in _COPULA.finditer(line):  # noqa: B007  # the last one is wanted
        pass
    if copula is None:
        return None
    said = strip(line[copula.end() :])
    if "$" in said or "**" in said or "\\" in said or re.search(r"[.!?。]\s", said):
        return None
    if _BEGINS.match(said):
        if grammar.kind(said) == "value":
            return said
        first = _FIRST.match(said)
        if first and _MORE.fullmatch(said, first.end()) and not _ANOTHER.search(said):
            return first[0]
        return None
    words = said.split()
    if len(words) <= 2 and not any(map(str.isdigit, line[: copula.end()])) and not _NO_STATE & set(words):
        return said if grammar.kind(said) == "words" else None
    return None
