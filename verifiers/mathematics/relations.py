"""Comparing equations with equations, and with the values they give."""

from __future__ import annotations

from fractions import Fraction

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.approximation import is_zero
from referee.verifiers.mathematics.assignments import quantity_of, value_of
from referee.verifiers.mathematics.forms import Atom, Form, Number
from referee.verifiers.mathematics.lists import ordered
from referee.verifiers.mathematics.matching import NO, Match, Matching
from referee.verifiers.mathematics.names import same_name
from referee.verifiers.mathematics.real_sets import variables
from referee.verifiers.mathematics.solved import as_function
from referee.verifiers.mathematics.tree import Node


def relations(c: Matching, a: Node, g: Node) -> Match:
    """Compare an equation with an equation or with the value it gives."""
    if a.kind == g.kind == "rel":
        return _equations(c, a, g)
    rel, other = (a, g) if a.kind == "rel" else (g, a)
    if other.kind == "seq" and all(i.kind == "rel" for i in other.args) and (rows := _one_by_one(rel)):
        return c.match(rows, other) if rel is a else c.match(other, rows)
    if rel is g and rel.value == ("=",) and rel.args[0].kind == "group":
        return c.match(other, rel.args[1])  # the reference says in which order the values stand
    if rel is g and (match := as_function(c, g, a)) is not None and match.equal:
        return match
    split = value_of(c, rel)
    if split is None or (split[0] is None and other.kind not in _NUMBERS):
        value = _measured(c, rel, rel is g)
    elif rel is g and split[0] in ("x y", "y x", "x y z"):
        return NO  # a curve, and no name for its right side
    else:
        value = split[1]
    if value is None:
        return NO
    match = c.match(value, other) if rel is a else c.match(other, value)
    if not match.equal and rel is a and rel.value[-1] == "~":  # the value, or what it rounds to
        return c.match(rel.args[-1], other)
    return match


def _one_by_one(rel: Node) -> Node | None:
    """Write ``(x, y) = (3, 4)`` as ``x = 3, y = 4``; None where it is no such equation."""
    if rel.value != ("=",) or any(side.kind != "group" for side in rel.args):
        return None
    names, values = (side.args for side in rel.args)
    if len(names) != len(values):
        return None
    pairs = zip(names, values, strict=True)
    return Node("seq", "comma", tuple(Node("rel", ("=",), pair) for pair in pairs))


_NUMBERS = frozenset({"num", "div", "add", "mul", "pow", "fn", "unit", "const"})


def _measured(c: Matching, rel: Node, is_reference: bool) -> Node | None:
    """Return the value of ``m + n = 113``; a reference that may be a curve, as x + y = 5, has none."""
    split = quantity_of(c, rel)
    if split is None or (is_reference and not _of_figures(split[0])):
        return None
    return split[1]


def _of_figures(node: Node) -> bool:
    """Tell whether an expression is made of names of figures, events or operators, not of coordinates."""
    names = variables(node)
    return node.kind == "quantity" or all(n[:1].isupper() and n not in ("X", "Y", "Z") for n in names)


def _equations(c: Matching, a: Node, g: Node) -> Match:
    left, right = value_of(c, a), value_of(c, g)
    if left is not None and right is not None and left[0] is not None and right[0] is not None:
        if same_name(left[0], right[0]):
            match = c.match(left[1], right[1])
            if match.equal or " " not in left[0] + right[0]:
                return match
        if not (variables(left[1]) or variables(right[1])):
            return NO
    if a.value == g.value == ("==",):
        return ordered(c, a.args, g.args)
    if a.value != ("=",) or g.value != ("=",):
        return NO
    p, q = (f.add(c.evaluator.form(n.args[0]), c.evaluator.form(n.args[1]), c.work, -1) for n in (a, g))
    if not p.top and not q.top:  # both always hold, and say no more than their sides do
        return Match(any(ordered(c, a.args, sides).equal for sides in (g.args, g.args[::-1])), "structure")
    return proportional(c, p, q)


def proportional(c: Matching, p: Form, q: Form, positive: bool = False) -> Match:
    """Tell whether one form is a multiple of the other, a positive one where the sign counts."""
    if not p.top or not q.top:
        return Match(not p.top and not q.top, "normal form")
    if not positive:
        p, q = _cleared(p), _cleared(q)
    lead = max(q.top)
    if lead not in p.top:
        return Match(False, "normal form")
    ratio = Fraction(p.top[lead]) / q.top[lead]
    if positive and ratio < 0:
        return Match(False, "normal form")
    scaled = f.multiply(Form(q.top), f.rational(ratio), c.work)
    return Match(*is_zero(f.add(Form(p.top), scaled, c.work, -1), c.work))


def _cleared(x: Form) -> Form:
    """Multiply an equation's side by the variables that it is divided by, so that y - 1/x becomes xy - 1."""
    lowest: dict[Atom, Number] = {}
    for mono in x.top:
        for name, e in mono:
            if name.kind == "variable" and e < 0:
                lowest[name] = min(lowest.get(name, 0), e)
    if not lowest:
        return Form(x.top)
    by = tuple(sorted((name, -e) for name, e in lowest.items()))
    return Form({f.multiply_monos(mono, by)[1]: c for mono, c in x.top.items()})
