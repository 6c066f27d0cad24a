"""Comparing numbers: exactly, with the units, percents and degrees around them, or by normal form."""

from __future__ import annotations

from fractions import Fraction

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.approximation import Zero, is_zero, real_value
from referee.verifiers.mathematics.common_units import in_one_unit
from referee.verifiers.mathematics.forms import Atom, Form, Mono, Number
from referee.verifiers.mathematics.matching import NO, Match, Matching
from referee.verifiers.mathematics.names import drawn
from referee.verifiers.mathematics.real_sets import infinite
from referee.verifiers.mathematics.tree import Node

_PLAIN = ("variable", "i", "pi", "e", "prime")


def numbers(c: Matching, a: Node, g: Node) -> Match:
    """Compare two numbers with what stands around them: infinity, points, units, percent, degrees."""
    side = infinite(a), infinite(g)
    if side != (0, 0):
        return Match(side[0] == side[1], "structure")
    if (points := drawn(a, g)) is not None:
        return Match(points, "structure")
    if a.kind == "const" and g.kind == "const" and a.value not in ("pi", "e", "i"):
        return Match(a.value == g.value, "structure")
    if "unit" in (a.kind, g.kind):
        return _measures(c, a, g)
    if "pct" in (a.kind, g.kind):
        return _percents(c, a, g)
    if "deg" in (a.kind, g.kind):
        return _degrees(c, a, g)
    return values(c, a, g)


def values(c: Matching, a: Node, g: Node, scale: Fraction | int = 1) -> Match:
    """Compare two plain expressions: rationals first, else by their normal forms."""
    if a.kind == "num" and g.kind == "num":
        return Match(_near(c, a.value * scale, g.value), "exact rationals")
    left, right = c.form(a), c.form(g)
    if scale != 1:
        left = f.multiply(left, f.rational(scale), c.work)
    match = forms(c, left, right)
    if not match.equal and c.integers:
        return progression(c, left, right) or match
    return match


def progression(c: Matching, left: Form, right: Form, step: Form | None = None) -> Match | None:
    """Compare all values of two terms that are linear in one letter for any integer; None where they are not.

    With a ``step``, ``right`` is one of the values that are that far apart.
    """
    for name in sorted(c.integers):
        p = _linear(left, f.variable(name))
        q = (right, step) if step is not None else _linear(right, f.variable(name))
        if p is None or q is None:
            continue
        (start, slope), (other, other_slope) = p, q
        ratio = f.divide(slope, other_slope, c.work).constant
        apart = f.divide(f.add(start, other, c.work, -1), slope, c.work).constant
        if ratio in (1, -1) and type(apart) is int:
            return Match(True, "normal form")
    return None


def _linear(x: Form, name: Atom) -> tuple[Form, Form] | None:
    """Split a form into what it is without a letter and what it multiplies the letter by."""
    start: dict[Mono, Number] = {}
    slope: dict[Mono, Number] = {}
    for mono, k in x.top.items():
        rest = tuple(p for p in mono if p[0] != name)
        if any(n.kind not in _PLAIN for n, _ in mono) or len(mono) - len(rest) != dict(mono).get(name, 0):
            return None
        (start if rest == mono else slope)[rest] = k
    return (Form(start), Form(slope)) if slope and x.bottom == {(): 1} else None


def _near(c: Matching, a: Fraction, g: Fraction) -> bool:
    if a == g:
        return True
    return c.policy.tolerance > 0 and abs(a - g) <= Fraction(c.policy.tolerance) * abs(g)


def forms(c: Matching, left: Form, right: Form) -> Match:
    """Compare two normal forms."""
    p, q = left.constant, right.constant
    if p is not None and q is not None:
        return Match(_near(c, Fraction(p), Fraction(q)), "exact rationals")
    zero: Zero = is_zero(f.add(left, right, c.work, -1), c.work)
    if not zero.zero and c.policy.tolerance > 0:
        x, y = real_value(left, c.work), real_value(right, c.work)
        if x is not None and y is not None and abs(x - y) <= c.policy.tolerance * abs(y):
            return Match(True, "numeric")
    return Match(*zero)


def _measures(c: Matching, a: Node, g: Node) -> Match:
    pair = in_one_unit(a, g)
    if pair is None:
        return NO
    if c.policy.units == "required":
        names = [n.value for n in (a, g) if n.kind == "unit"]
        known = len(names) == 2 and all(n.dims is not None for n in names)
        if not known and (len(names) < 2 or names[0].name != names[1].name):
            return NO
    left, right, scale = pair
    return values(c, left, right, scale) if scale != 1 else numbers(c, left, right)


def _percents(c: Matching, a: Node, g: Node) -> Match:
    a_in, g_in = (n.args[0] if n.kind == "pct" else n for n in (a, g))
    if a.kind == g.kind:
        return values(c, a_in, g_in)
    hundredth = Fraction(1, 100)
    if c.policy.percent != "number":
        as_fraction = values(c, a_in, g_in, hundredth if a.kind == "pct" else 100)
        if as_fraction.equal or c.policy.percent == "fraction":
            return as_fraction
    return values(c, a_in, g_in)


def _degrees(c: Matching, a: Node, g: Node) -> Match:
    if a.kind == g.kind:
        return values(c, a.args[0], g.args[0])
    if c.policy.units == "optional":
        bare = values(c, *_without("deg", a, g))
        if bare.equal:
            return bare
    return values(c, a, g)


def _without(kind: str, a: Node, g: Node) -> tuple[Node, Node]:
    return (a.args[0] if a.kind == kind else a), (g.args[0] if g.kind == kind else g)
