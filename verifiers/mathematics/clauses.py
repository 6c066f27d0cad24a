r"""Words around a value: ``the total is 460``, ``about 460``, ``f(x)=cx for any constant c``.

A clause behind a value is taken off only where every word and sign of it is known to bind or to bound
a variable, so that nothing that changes the value is lost.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from referee.verifiers.mathematics.words import plain_words
from referee.verifiers.reading.dress import TEXT, literal, strip


class Bound(NamedTuple):
    """A value and the clause behind it: the letters it binds, their set, and the bounds it sets."""

    value: str
    names: frozenset[str]
    among: str
    bounds: str


_CUE = re.compile(
    r"(?:\\text\s*+\{|(?<![\s,;(]))[\s,;(]*+(?:\b(?:for|where|with)\s|\\forall|∀)"
    r"|[,;](?:\\[ ,;]|\\quad|\\qquad|\s++){0,8}+"
    r"(?=[A-Za-z](?:_\d)?(?:\s*,\s*[A-Za-z](?:_\d)?){0,6}\s*(?:\\in(?![A-Za-z])|∈))"
)
_KNOWN = frozenset(
    [
        "for",
        "all",
        "any",
        "every",
        "each",
        "some",
        "arbitrary",
        "where",
        "with",
        "is",
        "are",
        "be",
        "being",
        "a",
        "an",
        "and",
        "the",
        "fixed",
        "constant",
        "constants",
        "integer",
        "integers",
        "real",
        "reals",
        "number",
        "numbers",
        "positive",
        "negative",
        "nonnegative",
        "non",
        "natural",
        "rational",
        "complex",
        "value",
        "values",
        "of",
        "parameter",
        "parameters",
        "can",
    ]
)
_COMMANDS = frozenset(
    [
        "in",
        "forall",
        "mathbb",
        "mathbf",
        "mathrm",
        "text",
        "quad",
        "qquad",
        "left",
        "right",
        "ldots",
        "dots",
        "R",
        "Z",
        "N",
        "Q",
        "C",
    ]
)
_BOUNDING = {
    "ge": ">=",
    "geq": ">=",
    "geqslant": ">=",
    "le": "<=",
    "leq": "<=",
    "leqslant": "<=",
    "ne": "!=",
    "neq": "!=",
}
_PIECE = re.compile(r"\\([A-Za-z]+)|([A-Za-z]+)|\\.|\d+|([<>≥≤≠])|[\s,;.{}()\[\]^_+*$∀∈ℝℤℕℚ-]", re.S)
_SIGNED_SET = re.compile(r"[_^]\{?\s*(?:[<>]=?|\\geq?|\\neq?)\s*0\s*\}?")
_SETS = {
    "R": "real",
    "Z": "integer",
    "N": "natural",
    "Q": "rational",
    "C": "complex",
    "ℝ": "real",
    "ℤ": "integer",
    "ℕ": "natural",
    "ℚ": "rational",
}
_SET_WORDS = {
    "integer": "integer",
    "real": "real",
    "natural": "natural",
    "rational": "rational",
    "complex": "complex",
}
_MAX = 300  # characters of a clause


def bound(text: str) -> Bound | None:
    r"""Split a value from the clause behind it; None where there is none, or it says more.

    >>> bound(r"f(x)=cx \text{ for any constant } c")
    Bound(value='f(x)=cx', names=frozenset({'c'}), among='', bounds='')
    >>> bound(r"5 \text{ for the first part}") is None
    True
    """
    m = _CUE.search(text, 1) if len(text) <= 800 else None
    if m is None or len(text) - m.start() > _MAX:
        return None
    value, clause = strip(text[: m.start()].rstrip(" ,;\\")), _SIGNED_SET.sub(" ", text[m.start() :])
    names: set[str] = set()
    among, bounds, pos = set[str](), [], 0
    while pos < len(clause):
        piece = _PIECE.match(clause, pos)
        if piece is None:
            return None
        pos = piece.end()
        command, word, sign = piece.groups()
        if command:
            if command in _BOUNDING:
                bounds.append(_BOUNDING[command])
            elif command not in _COMMANDS:
                return None
        elif word and len(word) == 1 and word != "a":
            if word in _SETS and re.search(r"(?:\\in|∈|\{)\s*$", clause[: piece.start()]):
                among.add(_SETS[word])
            else:
                names.add(word)
        elif word:
            if word.lower() not in _KNOWN:
                return None
            if (kind := _SET_WORDS.get(word.lower().removesuffix("s"))) is not None:
                among.add(kind)
            elif word in ("positive", "negative", "nonnegative"):
                among.add(word)
        elif sign:
            bounds.append(sign)
        elif piece[0] in _SETS:
            among.add(_SETS[piece[0]])
    if not value or not names:
        return None
    kept = literal(TEXT.sub("", clause[m.end() - m.start() :])) if bounds else ""
    return Bound(value, frozenset(names), " ".join(sorted(among)), kept)


_MODULO = re.compile(r"\\text\s*\{\s*\((?:mod|modulo)\s+(\d{1,9})\)\s*\}")
_ABOUT = re.compile(
    r"(?:\\text\s*\{\s*)?(?:(?:approximately|approx\.?|only)[\s}]+|\\approx\b|\\sim\b|≈|~)\s*(?P<value>.+)",
    re.I | re.S,
)
_ROUGHLY = re.compile(
    r"(?P<value>.+?)\s*(?:\\text\s*\{\s*)?\(\s*(?:approximately|approx\.?|exact|exactly)\s*\)\s*\}?",
    re.I | re.S,
)


def undressed(text: str) -> str:
    r"""Return a value without the words that only say how exact it is; the text itself where there are none.

    >>> undressed(r"\text{approximately } 460"), undressed(r"\text{460 (approximately)}"), undressed("460")
    ('460', '460', '460')
    """
    if len(text) > 200:
        return text
    if "mod" in text:
        text = _MODULO.sub(r"\\pmod{\1}", text)
    if m := _ABOUT.fullmatch(text):
        value = strip(m["value"])
        return value if len(value) > 1 or value.isdigit() else text  # \sim p denies p
    if "approx" in text or "exact" in text:
        whole = TEXT.fullmatch(text.strip())
        if m := _ROUGHLY.fullmatch(whole[1] if whole else text):
            return strip(m["value"])
    return text


_COPULA = re.compile(r"(?<=[\w$)])\s+(?:is|are|was|were|equals|will be)\s*:?\s+")
_FORMULA = re.compile(r"\$[^$]*\$|\\\([^()]*\\\)")
_SUBJECT = re.compile(r"[^\W\d_][\w' -]*")
_DENIED = re.compile(
    r"\b(?:not|no|never|wrong|incorrect|naive|if|unless|other|another|either|neither|or|than|most|least|less|more|fewer|"
    r"greater|almost|first|second|would|could|might|may|maybe|perhaps|previous|false|mistaken|without|until|cannot|but)\b|n't\b",
    re.I,
)


def said(text: str) -> str:
    r"""Return what the predicate of a sentence is, ``460`` of ``the total is 460``; else nothing.

    >>> said(r"\text{The total is 460}"), said("The answer is not 460"), said("x is 3 if y is 4")
    ('460', '', '')
    """
    if len(text) > 400 or " " not in text:
        return ""
    whole = TEXT.fullmatch(text.strip())
    plain = whole[1] if whole else text
    copulas = list(_COPULA.finditer(plain))
    if len(copulas) != 1:
        return ""  # several statements, or none
    last = copulas[0]
    subject, value = plain_words(_FORMULA.sub("it", plain[: last.start()])), strip(plain[last.end() :])
    if not _SUBJECT.fullmatch(subject) or len(subject.split()) > 9 or _DENIED.search(subject):
        return ""
    return "" if _DENIED.match(value) else value
