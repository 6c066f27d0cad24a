"""What a text says of its letters in words: ``7k + 3 for any integer k`` is ``7k + 3, k in Z``."""

from __future__ import annotations

import re

from referee.verifiers.reading.dress import TEXT

_START = re.compile(r"\\text\{[\s,]*+(?:for|where|with)\b|\\forall\b|\b(?:for|where)\s")
_KIND = r"(?:arbitrary )?(?P<{}>integers?|whole numbers?|constants?|real numbers?|reals?)"
_TAIL = re.compile(
    r"(?:for|where|with|\\forall)(?: any| all| some| every| each| an?)* ?"
    rf"(?:{_KIND.format('before')} )?(?P<letter>\\?[A-Za-z]+(?:_\d)?) ?"
    rf"(?:(?:is|are|being) (?:an? |any )?{_KIND.format('behind')}|\\in ?\\mathbb ?\{{?(?P<set>[RZNQC])\}}?)?"
)
_BREAK = re.compile(r"[,;]?(?:\\(?:q?quad|[ ,;:!]))?\Z")
_DOMAIN = {"i": "Z", "w": "Z", "c": "R", "r": "R"}
_LAYOUT = re.compile(r"(?:\\[ ,;:!]|\\q?quad|[\s~$])+")


def with_quantifier(text: str) -> str:
    r"""Write the domain of a letter that stands in words at the end of an answer as a relation.

    >>> with_quantifier(r"n = 7k+3 \text{ for integer } k")
    'n = 7k+3, k \\in \\mathbb{Z}'
    """
    text = _everywhere(text)
    start = _START.search(text)
    if start is None or not start.start() or len(text) - start.start() > 200:
        return text
    tail = _LAYOUT.sub(" ", TEXT.sub(r" \1 ", text[start.start() :])).strip(" ,;.")
    m = _TAIL.fullmatch(tail)
    kind = m and (m["before"] or m["behind"])
    if (
        m is None
        or not (kind or m["set"])
        or (len(m["letter"]) > 1 and m["letter"][0] != "\\" and "_" not in m["letter"])
    ):
        return text
    domain = m["set"] or _DOMAIN[str(kind)[0]]
    return f"{_BREAK.sub('', text[: start.start()].rstrip())}, {m['letter']} \\in \\mathbb{{{domain}}}"


_FUNCTION = re.compile(r"(?<![A-Za-z\\])[A-Za-z]\(([a-z])\)\s*=")
_FOR_ALL = re.compile(
    r"(?:(?<!\s)\s++)?(?:\\text\s*+\{\s*+for (?:all|every|any|each)\s*+\}|\\forall(?![A-Za-z])|"
    r"for (?:all|every|any|each)\s)"
    r"\s*+\$?([a-z])\s*\\in\s*\\mathbb\s*\{?([RZNQC])\}?"
)


def _everywhere(text: str) -> str:
    r"""Drop what says of several functions that they hold on one and the same domain.

    >>> _everywhere(r"f(x)=0 \forall x \in \mathbb{Z}, f(x)=x \forall x \in \mathbb{Z}")
    'f(x)=0, f(x)=x'
    """
    if "\\in" not in text or ")" not in text:
        return text
    domains = [(m[1], m[2]) for m in _FOR_ALL.finditer(text)]
    arguments = [m[1] for m in _FUNCTION.finditer(text)]
    if len(domains) < 2 or len(set(domains)) > 1 or arguments != [domains[0][0]] * len(domains):
        return text
    return _FOR_ALL.sub("", text)
