r"""Raised signs that are no exponents: degree signs, endings of ordinal numbers, ``z^*``, ``A^\dagger``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from referee.verifiers.mathematics.token_stream import END

if TYPE_CHECKING:
    from referee.verifiers.mathematics.parser import Parser


def degree_sign(p: Parser) -> bool:
    """Take a degree sign, in braces or not."""
    return _raised(p, "circ", "degrees")


def mark(p: Parser) -> str | None:
    r"""Take a raised sign that is no exponent: ``z^*``, ``\mathbb{R}^+``, ``A^\dagger``."""
    if _raised(p, "dagger"):
        return "dagger"
    if _raised(p, "*"):
        return "star"
    if p.peek.text == "{" and _raised(p, "+"):
        return "plus"
    following = p.ahead(1)
    ends = following is END or following.text in (")", "]", "}", "\\}", ",", ";", "|", "cup", "cap")
    if p.peek.text == "+" and ends and p.accept("+"):
        return "plus"
    return None


def _raised(p: Parser, *names: str) -> bool:
    if p.accept(*names):
        return True
    if p.peek.text == "{" and p.ahead(1).text in names and p.ahead(2).text == "}":
        p.pos += 3
        return True
    return False


def ordinal(p: Parser) -> bool:
    """Skip the raised letters of an ordinal number."""
    if p.peek.text == "{" and p.ahead(1).text in ("th", "st", "nd", "rd") and p.ahead(2).text == "}":
        p.pos += 3
        return True
    return False
