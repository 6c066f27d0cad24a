"""Families of functions that differ in the arbitrary constants of an integral or a differential equation.

``C_1e^x + C_2e^{-x}`` is one family whatever its constants are called, in which order they stand, and with
which factor; ``+ C`` takes up any number. A letter is such a constant only where it is called like one, it
stands where one stands, and all other letters are variables, the same on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from fractions import Fraction
from itertools import permutations
from typing import NamedTuple

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.approximation import is_zero
from referee.verifiers.mathematics.assignments import value_of
from referee.verifiers.mathematics.forms import Atom, Form, Mono, Number
from referee.verifiers.mathematics.matching import Match, Matching
from referee.verifiers.mathematics.real_sets import variables
from referee.verifiers.mathematics.relations import proportional
from referee.verifiers.mathematics.tree import Node, Unreadable, neg, renamed

_SURE = re.compile(r"C|[Cc]_\d")
_LIKELY = re.compile(r"[ABCDKck](?:_\d)?")
_VARIABLES = frozenset("x y z t u v w r s \\theta".split())
_MAX_CONSTANTS = 4


class LinearFamily(NamedTuple):
    """A form that is linear in its constants: what has none, and what each is multiplied by."""

    free: Form
    basis: tuple[Form, ...]


def same_family(c: Matching, a: Node, g: Node) -> Match | None:
    """Compare two families of functions; None where either is none."""
    if (match := _in_either_case(c, a, g)) is not None:
        return match
    mine, theirs = _constants(a), _constants(g)
    if not mine or len(mine) != len(theirs) or len(mine) > _MAX_CONSTANTS:
        return None
    if not any(map(_SURE.fullmatch, (*mine, *theirs))):
        return None
    names = (variables(a) - set(mine)) | (variables(g) - set(theirs))
    if not names or not names <= _VARIABLES:
        return None
    try:
        left, right = value_of(c, a), value_of(c, g)
        if left is None or right is None:
            return _implicit(c, a, g, mine, theirs)
        if left[0] in mine or right[0] in theirs or not _may_be_named(left[0], right[0]):
            return _implicit(c, a, g, mine, theirs)
        if variables(left[1]) - set(mine) != variables(right[1]) - set(theirs):
            return None
        return _explicit(c, left[1], right[1], mine, theirs)
    except Unreadable:
        return None


def _in_either_case(c: Matching, a: Node, g: Node) -> Match | None:
    """Compare ``f(x) = cx`` with ``Cx``: one side names the function; None where neither does."""
    left, right = value_of(c, a), value_of(c, g)
    if left is None or right is None:
        return None
    (name, p), (other, q) = left, right
    if " " not in (name or "") + (other or ""):
        return None
    mine, theirs = variables(p) - variables(q), variables(q) - variables(p)
    common = variables(p) & variables(q)
    if (mine, theirs) not in _CASES or not common or not common <= _VARIABLES:
        return None
    return c.match(renamed(p, {mine.pop(): theirs.pop()}), q)


_CASES = (({"c"}, {"C"}), ({"C"}, {"c"}))


def _may_be_named(a: str | None, g: str | None) -> bool:
    """Tell whether two names are of one function, or one is left out: y is also y(x)."""
    return a is None or g is None or a.split()[0] == g.split()[0]


def _constants(node: Node) -> tuple[str, ...]:
    """Return the letters that may be arbitrary constants: each stands once."""
    if node.kind not in ("rel", "add", "mul", "div", "fn", "pow"):
        return ()
    found = sorted(v for v in _letters(node) if _LIKELY.fullmatch(v))
    return tuple(found) if len(set(found)) == len(found) else ()


def _letters(node: Node) -> list[str]:
    return [node.value] if node.kind == "var" else [v for a in node.args for v in _letters(a)]


def _explicit(c: Matching, a: Node, g: Node, mine: tuple[str, ...], theirs: tuple[str, ...]) -> Match | None:
    p, q = _family(c, c.form(a), mine), _family(c, c.form(g), theirs)
    if p is not None and q is not None:
        for order in permutations(range(len(mine))):
            if _same(c, p, q, mine, theirs, order):
                return Match(True, "normal form")
        return None
    if len(mine) != 1:
        return None
    match = c.match(renamed(a, {mine[0]: theirs[0]}), g)
    if not match.equal and _is_shift(a, mine[0]) and _is_shift(g, theirs[0]):
        match = c.match(_negated(a, mine[0], theirs[0]), g)
    return match


def _family(c: Matching, x: Form, constants: tuple[str, ...]) -> LinearFamily | None:
    if x.bottom != {(): 1}:
        return None
    parts: list[dict[Mono, Number]] = [{} for _ in range(len(constants) + 1)]
    names = [f.variable(k) for k in constants]
    for mono, k in x.top.items():
        here = [n for n, _ in mono if n in names]
        rest = tuple(p for p in mono if p[0] not in names)
        if len(here) > 1 or len(mono) - len(rest) != sum(e for n, e in mono if n in names):
            return None
        if _mentions(c, Form({rest: 1}), names):
            return None
        parts[names.index(here[0]) + 1 if here else 0][rest] = k
    free, *basis = map(Form, parts)
    return LinearFamily(free, tuple(basis)) if all(b.top for b in basis) else None


def _mentions(c: Matching, x: Form, names: Collection[Atom] | None) -> bool:
    """Tell whether a form is made of some of these variables, or of any."""
    for part in (x.top, x.bottom):
        for atom in {n for mono in part for n, _ in mono}:
            if atom in names if names is not None else atom.kind == "variable":
                return True
            if any(_mentions(c, inner, names) for inner in c.work.atoms.get(atom, ())):
                return True
    return False


def _same(
    c: Matching,
    p: LinearFamily,
    q: LinearFamily,
    mine: tuple[str, ...],
    theirs: tuple[str, ...],
    order: tuple[int, ...],
) -> bool:
    """Tell whether two families are one, the constants being paired in an order."""
    for i, j in enumerate(order):
        ratio = _quotient(c, p.basis[i], q.basis[j])
        moved = mine[i] in theirs and mine[i] != theirs[j]
        if ratio is None or (moved and not _SURE.fullmatch(mine[i])):
            return False
        if (
            ratio != 1
            and not _takes_factors(q.basis[j], theirs)
            and not (ratio == -1 and _is_alone(q.basis[j]))
        ):
            return False
    apart = f.add(p.free, q.free, c.work, -1)
    if is_zero(apart, c.work).zero:
        return True
    if any(map(_is_alone, q.basis)) and not _mentions(c, apart, None):
        return True
    return any(_takes_factors(b, theirs) and _quotient(c, apart, b) is not None for b in q.basis)


def _is_alone(basis: Form) -> bool:
    return basis.constant is not None


def _takes_factors(basis: Form, names: tuple[str, ...]) -> bool:
    """Tell whether a constant takes up factors: before an exponential or a power, or as one of several."""
    exponential = any(n.kind == "E" for mono in basis.top for n, _ in mono)
    return not _is_alone(basis) and (exponential or (len(names) > 1 and all("_" in n for n in names)))


def _quotient(c: Matching, p: Form, q: Form) -> Number | None:
    """Return the rational number that one form is of another; None where there is none."""
    ratio = f.divide(p, q, c.work).constant
    if ratio is not None:
        return ratio
    lead = max(q.top)
    if lead not in p.top:
        return None
    ratio = f.number(Fraction(p.top[lead]) / q.top[lead])
    return (
        ratio
        if is_zero(f.add(p, f.multiply(q, f.rational(ratio), c.work), c.work, -1), c.work).zero
        else None
    )


def _implicit(c: Matching, a: Node, g: Node, mine: tuple[str, ...], theirs: tuple[str, ...]) -> Match | None:
    """Compare ``x^2 + y^2 = C`` and ``y^2 = c - x^2``: level curves of one function up to a factor."""
    if not (a.kind == g.kind == "rel" and a.value == g.value == ("=",)) or len(mine) != 1:
        return None
    if len(variables(a)) < 3 or len(variables(g)) < 3:
        return None
    sides = [f.add(c.form(n.args[0]), c.form(n.args[1]), c.work, -1) for n in (a, g)]
    families = [_family(c, x, k) for x, k in zip(sides, (mine, theirs), strict=True)]
    if any(x is None or x.basis[0].constant is None for x in families):
        return None
    p, q = (Form({m: k for m, k in x.free.top.items() if m}) for x in families if x is not None)
    return proportional(c, p, q) if p.top and q.top else None


def _is_shift(node: Node, name: str) -> bool:
    """Tell whether a letter stands only as a term beside other terms."""
    if node.kind == "add":
        terms = [a for a in node.args if a not in (Node("var", name), neg(Node("var", name)))]
        return len(terms) < len(node.args) and not any(name in variables(a) for a in terms)
    inside = [a for a in node.args if name in variables(a)]
    return len(inside) == 1 and _is_shift(inside[0], name)


def _negated(node: Node, name: str, new: str) -> Node:
    if node == Node("var", name):
        return neg(Node("var", new))
    return (
        Node(node.kind, node.value, tuple(_negated(a, name, new) for a in node.args)) if node.args else node
    )
