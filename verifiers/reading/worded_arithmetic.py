"""Arithmetic that is said in words, in signs: ``7 over 2``, ``half of 12``, ``5 less than 12``."""

from __future__ import annotations

import re

_NUMBER = r"\$?(-?\d++(?:,\d{3})*+(?:\.\d++)?(?:/\d++)?)\$?"
_OPERATORS = {
    "plus": "+",
    "minus": "-",
    "times": r"\times ",
    "multiplied by": r"\times ",
    "over": "/",
    "divided by": "/",
    "to the power": "^",
    "to the power of": "^",
    "squared": "^2",
    "cubed": "^3",
    "factorial": "!",
}
_SHARES = {"half": r"\frac12 ", "twice": "2", "double": "2", "triple": "3", "a third": r"\frac13 "}
_INFIX = r"plus|minus|times|multiplied\s+by|over|divided\s+by|to\s+the\s+power(?:\s+of)?"
_STEP = re.compile(rf"\s+(?:({_INFIX})\s+{_NUMBER}|(squared|cubed|factorial)\b)", re.I)
_FIRST = re.compile(_NUMBER)
_SHARE = re.compile(rf"(half|twice|double|triple|a\s+third)\s+(?:of\s+)?{_NUMBER}", re.I)
_LESS_THAN = re.compile(rf"{_NUMBER}\s++(less|fewer|more|greater)\s+than\s+{_NUMBER}", re.I)
_PERCENT = re.compile(rf"{_NUMBER}\s*(?:percent|\\?%)\s+of\s+{_NUMBER}", re.I)


def in_signs(text: str) -> tuple[str, int] | None:
    r"""Return the arithmetic that a text begins with, in signs, and where it ends; else None.

    >>> in_signs("7 over 2, roughly"), in_signs("5 less than 12"), in_signs("7 apples")
    (('7/2', 8), ('12-5', 14), None)
    """
    if m := _PERCENT.match(text):
        return rf"\frac{{{m[1]}}}{{100}}\times {m[2]}", m.end()
    if m := _LESS_THAN.match(text):
        return f"{m[3]}{'-' if m[2].lower() in ('less', 'fewer') else '+'}{m[1]}", m.end()
    if m := _SHARE.match(text):
        share = _SHARES[" ".join(m[1].lower().split())]
        return rf"{share}\times {m[2]}", m.end()
    first = _FIRST.match(text)
    if first is None:
        return None
    out, end = first[1], first.end()
    while step := _STEP.match(text, end):
        word = " ".join((step[1] or step[3]).lower().split())
        out, end = out + _OPERATORS[word] + (step[2] or ""), step.end()
    return (out, end) if end > first.end() else None
