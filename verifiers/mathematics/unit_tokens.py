"""Where a unit may stand among the tokens of an answer, and which signs are one there."""

from __future__ import annotations

import re

from referee.verifiers.mathematics.letters import Token
from referee.verifiers.mathematics.number_words import SCALES
from referee.verifiers.mathematics.unit_notation import ends_item, marked_unit, plain_unit
from referee.verifiers.mathematics.unit_table import SYMBOLS
from referee.verifiers.mathematics.units import known_unit

STARTS = frozenset(sign[0] for sign in SYMBOLS)
SIGNS = frozenset(["Omega", "mu", "AA", "ohm"])
_LETTERS = frozenset("mshgLlNVWJ")  # single letters that are units behind any value
_CAPITALS = frozenset("ACKFTSHGutΩÅ")  # and those that are so behind a number
UNIT_FRACTION = re.compile(r"\s*(?:\{\s*)?\\(?:mathrm|text|textrm|mbox|rm)(?![a-z])")
_BEFORE_ITEMS = frozenset(["(", ",", ";", "=", "<", ">", "approx", "le", "ge", "and", "or", "&", "\\\\", ":"])
_OF_NUMBERS = frozenset(["-", "{", "}", "^", "frac", "times", "cdot"])
_PER = re.compile(r"/\s*(?:\\(?:text|mathrm|mbox)\s*\{([^{}]{3,24})\}|([A-Za-z]{3,})(?![A-Za-z(\\{]))")
UPRIGHT = re.compile(r"\{\s*\\rm(?![a-z])")
_LETTER_QUOTIENT = re.compile(r"\{[A-Za-z ]{1,9}\}\{[A-Za-z ^{}0-9-]{1,12}\}")
OHM = re.compile(r"\s*\\(?:Omega|ohm)(?![A-Za-z])")
_CLOSINGS = frozenset([")", "}", "|", "!", "]", "%", "\\%"])


def is_value(out: list[Token]) -> bool:
    """Tell whether a unit may stand behind these tokens: behind a number, a closing sign, or another unit."""
    last = out[-1]
    if last.kind in "nv":
        return True
    if last.kind == "t":
        return known_unit(last.text) or last.text.lower() in SCALES
    if last.kind == "o" and last.text != "/":
        return last.text in _CLOSINGS
    if last.text in ("/", "cdot", "times"):
        return len(out) > 1 and out[-2].kind == "t"
    return last.kind == "c" and last.text in ("pi", "circ", "degrees")


def group_unit(content: str, command: str, spaced: bool, after: str, out: list[Token]) -> str:
    r"""Return the unit that a group such as ``\mathrm{m\,s^{-2}}`` is, behind a value; else nothing."""
    unit = marked_unit(content) if is_value(out) else ""
    if len(unit) != 1:
        return unit
    if (after.isalnum() and content == unit) or after in ("_", "(", "!"):
        return ""
    number = out[-1].kind not in "v"
    if unit in ("C", "F") and (out[-1].text in ("circ", "degrees") or _degrees_behind(out)):
        return "celsius" if unit == "C" else "fahrenheit"
    if unit == "M":
        apart = spaced or content[:1].isspace()
        return unit if number and apart and command in ("mathrm", "text") else ""
    return unit if unit in _LETTERS or (number and unit in _CAPITALS) else ""


def plain_quotient(text: str, pos: int, out: list[Token]) -> int:
    r"""Return where the ``\frac{m}{s^2}`` ends that may be a unit; 0 where it is none."""
    m = _LETTER_QUOTIENT.match(text, pos)
    return (
        m.end() if m and marked_unit("\\frac" + m[0]) and ends_item(text, m.end()) and _is_number(out) else 0
    )


def _degrees_behind(out: list[Token]) -> bool:
    return out[-1].text == "}" and len(out) > 1 and out[-2].text in ("circ", "degrees")


def add_plain_unit(text: str, start: int, spaced: bool, out: list[Token]) -> int:
    """Add the unit in plain letters that stands behind a number; return where it ends, 0 if there is none."""
    if out[-1].kind != "n" and out[-1].text not in ("}", ")"):
        return 0
    unit = plain_unit(text, start, spaced)
    if unit is None:
        return 0
    if unit.sure:
        out.append(Token("t", unit.text, spaced))
    elif _is_number(out):
        out.append(Token("u", text[start : unit.end], spaced))
    else:
        return 0
    return unit.end


def _is_number(out: list[Token]) -> bool:
    """Tell whether the item that ends here is nothing but a number, before a unit in doubt."""
    for token in reversed(out):
        if token.kind in "tu" or token.text in _BEFORE_ITEMS:
            return True
        if token.kind != "n" and token.text not in _OF_NUMBERS:
            return False
    return True


def per_unit(text: str, pos: int, out: list[Token]) -> int:
    """Add the unit of ``110/month``, whose stroke is at ``pos``; return where it ends, 0 if there is none."""
    m = _PER.match(text, pos) if out and out[-1].kind == "n" else None
    unit = marked_unit(m[1] or m[2]) if m else ""
    if m is None or len(unit) < 3:
        return 0
    out.append(Token("t", f"/{unit}"))
    return m.end()
