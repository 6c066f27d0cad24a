"""Curves and the function that they are the graph of: ``xy = 6`` says that y is ``6/x``."""

from __future__ import annotations

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.forms import Atom, Form, Mono, Number
from referee.verifiers.mathematics.matching import Match, Matching
from referee.verifiers.mathematics.real_sets import variables
from referee.verifiers.mathematics.tree import Node, Unreadable
from referee.verifiers.mathematics.values import forms

_COORDINATES = {
    frozenset(["x", "y"]): ("x", "y"),
    frozenset(["\\theta", "\\rho"]): ("\\theta", "\\rho"),
    frozenset(["\\theta", "r"]): ("\\theta", "r"),
}


def as_function(c: Matching, curve: Node, value: Node) -> Match | None:
    """Compare a curve with the value of its second coordinate; None where it has not one value alone.

    The value must be written in the first coordinate, and the equation be linear in the second.
    """
    named = _COORDINATES.get(frozenset(variables(curve)))
    if named is None or curve.value != ("=",) or variables(value) != {named[0]}:
        return None
    try:
        left, right = (c.form(side) for side in curve.args)
        solution = _solved(c, f.add(left, right, c.work, -1), f.variable(named[1]))
        return None if solution is None else forms(c, c.form(value), solution)
    except Unreadable:
        return None


def _solved(c: Matching, x: Form, name: Atom) -> Form | None:
    """Return what a letter is where a form is zero that is linear in it."""
    start: dict[Mono, Number] = {}
    slope: dict[Mono, Number] = {}
    for mono, k in x.top.items():
        rest = tuple(p for p in mono if p[0] != name)
        if dict(mono).get(name, 1) != 1:
            return None
        (start if rest == mono else slope)[rest] = k
    if not slope or any(name in f.atoms_within(part, c.work) for part in (start, slope, x.bottom)):
        return None
    return f.divide(f.negate(Form(start)), Form(slope), c.work)
