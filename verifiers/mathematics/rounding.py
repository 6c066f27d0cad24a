"""Whether one number is written as a rounding of another."""

from __future__ import annotations

from fractions import Fraction

from referee.verifiers.mathematics.approximation import real_value
from referee.verifiers.mathematics.matching import Matching
from referee.verifiers.mathematics.tree import Node

_SLACK = 1e-12  # relative error of a real number's value


def rounds_to(c: Matching, exact: Node, shown: Node) -> bool:
    """Tell whether ``exact`` rounds to the decimal ``shown``, at its last digit, ties by either rule.

    Two whole numbers are no roundings of each other.
    """
    written = _decimal(shown)
    if written is None:
        return False
    value, place = written
    bare = exact if exact.kind == "pct" else _bare(exact)
    known = c.evaluator.form(bare)
    if known.constant is not None:
        number = Fraction(known.constant)
        if number == value:
            return True
        if number.denominator == 1 and place == 1:
            return False
        low = (number / place).__floor__() * place
        nearer = number - low, low + place - number
        if nearer[0] == nearer[1]:
            return value in (low + place if number > 0 else low, round(number / place) * place)
        return value == (low if nearer[0] < nearer[1] else low + place)
    x = real_value(known, c.work)
    return x is not None and abs(x - value) <= place / 2 + Fraction(_SLACK) * abs(value)


def _decimal(node: Node) -> tuple[Fraction, Fraction] | None:
    """Return the value of a decimal and the place of its last digit."""
    if node.kind == "pct":
        inner = _decimal(node.args[0])
        return inner and (inner[0] / 100, inner[1] / 100)
    node = _bare(node)
    if node.kind == "num":
        places = 0
        while (10**places * node.value).denominator != 1:
            places += 1
            if places > 60:
                return None
        return node.value, Fraction(1, 10**places)
    if node.kind == "mul" and len(node.args) == 2 and (scale := _power_of_ten(node.args[1])) is not None:
        inner = _decimal(node.args[0])
        return inner and (inner[0] * scale, inner[1] * scale)
    return None


def _power_of_ten(node: Node) -> Fraction | None:
    if node.kind == "num" and str(node.value).rstrip("0") == "1":
        return Fraction(node.value)
    if node.kind != "pow" or node.args[0].value != 10 or node.args[1].kind != "num":
        return None
    exponent = node.args[1].value
    return Fraction(10) ** int(exponent) if exponent.denominator == 1 and abs(exponent) <= 400 else None


def _bare(node: Node) -> Node:
    return node.args[0] if node.kind in ("unit", "deg", "pct") else node
