"""Sizes of rational numbers of any length, where decimal digits and machine numbers would overflow."""

from __future__ import annotations

from fractions import Fraction
from math import log2

_MAX_SHOWN_BITS = 1000


def log2_size(value: int | Fraction) -> float:
    """Return the binary logarithm of a number's size; 0 for zero."""
    return log2(abs(value.numerator)) - log2(value.denominator) if value else 0.0


def to_float(value: int | Fraction) -> float:
    """Return a number at machine precision; one that is too small is 0.

    Raises:
        OverflowError: for one that is too large.
    """
    return value.numerator / value.denominator


def shown(value: int | Fraction) -> str:
    """Write a number in decimals; a long one by its size."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_SHOWN_BITS:
        return f"a number of {value.numerator.bit_length()} bits"
    return str(value)


def exactly(value: int | Fraction) -> str:
    """Write a number in hexadecimal, which is linear in its length."""
    return f"{value.numerator:x}/{value.denominator:x}"
