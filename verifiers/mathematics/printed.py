"""Rounding as the reference printed it: what one of its last digits is worth."""

from __future__ import annotations

import re
from fractions import Fraction

_DECIMAL = re.compile(r"(?<![\d.])(\d{1,30})(?:\.(\d{1,30}))?(?![\d.])")
_POWER = re.compile(
    r"(?:(?<!\s)\s++)?(?:\\times|\\cdot|×|\*)\s*+10\s*+\^\s*+\{?\s*+[+-]?\d{1,4}\s*+\}?|[eE][+-]?\d{1,4}(?![\d.])"
)
_NOT_ONE_NUMBER = re.compile(
    r"[,;=<>:/()\[\]|]|\\(?:frac|dfrac|tfrac|sqrt|pi|pm|approx|sim|text\{\s*(?:or|and))|\^\s*+\{?\s*+\d\s*+/"
)
_LAST_UNIT = 1 + 1e-9  # a tie that floating point moved is a tie


def rounding_error(reference: str) -> float:
    r"""Return half of what the last digit of a printed number is worth, relative to the number; else 0.

    Only for one number with a decimal point or an exponent, and two significant digits or more.

    >>> round(rounding_error("0.50"), 6), rounding_error("7"), rounding_error("0.5")
    (0.01, 0.0, 0.0)
    """
    number = _printed(reference)
    if number is None:
        return 0.0
    whole, part = number
    if len((whole + part).lstrip("0")) < 2:
        return 0.0
    value = Fraction(int(whole + part), 10 ** len(part))
    return float(Fraction(1, 2 * 10 ** len(part)) / value) * _LAST_UNIT if value else 0.0


def enough_digits(answer: str, reference: str) -> bool:
    """Tell whether an answer is exact, or printed with at least as many significant digits."""
    if "." not in answer and not _POWER.search(answer):
        return True
    mine, theirs = _printed(answer), _printed(reference)
    if mine is None or theirs is None:
        return False
    return len("".join(mine).lstrip("0")) >= len("".join(theirs).lstrip("0"))


def _printed(text: str) -> tuple[str, str] | None:
    """Return the digits before and behind the point of the one number that a text prints."""
    if len(text) > 120:
        return None
    text = text.replace("{,}", "").replace("\\,", " ").replace("\\$", "")
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    power = _POWER.search(text)
    rest = _POWER.sub(" ", text, count=1)
    if _NOT_ONE_NUMBER.search(re.sub(r"\\(?:text|mathrm)\s*\{[^{}]*\}", "", rest)):
        return None
    numbers = _DECIMAL.findall(re.sub(r"\^\s*\{?-?\d\}?", "", rest))
    if len(numbers) != 1 or not (numbers[0][1] or power):
        return None
    whole, part = numbers[0]
    return str(whole), str(part)
