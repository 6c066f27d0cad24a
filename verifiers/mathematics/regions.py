"""Comparing sets of real numbers and inequalities."""

from __future__ import annotations

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.assignments import value_of
from referee.verifiers.mathematics.lists import lists, ordered
from referee.verifiers.mathematics.matching import NO, Match, Matching
from referee.verifiers.mathematics.names import is_function
from referee.verifiers.mathematics.real_sets import INEQUALITIES, is_set_like, variables
from referee.verifiers.mathematics.relations import proportional
from referee.verifiers.mathematics.tree import UNNAMED, Node

_FLIP = {">": "<", ">=": "<="}


def as_sets(c: Matching, a: Node, g: Node) -> Match:
    """Compare two sets of real numbers, or two inequalities in several variables."""
    if a.kind == g.kind == "rel" and len(a.value) == len(g.value) == 1 and len(variables(g)) > 1:
        return _inequalities(c, a, g)
    if a.kind == g.kind == "rel" and a.value == g.value and ordered(c, a.args, g.args).equal:
        return Match(True, "structure")
    if a.kind == g.kind == "seq" and len(variables(a)) > 1 and len(variables(g)) > 1:
        return (
            lists(c, a, g) if (a.value == "or") is (g.value == "or") else NO
        )  # a region of several variables
    a, g = _ranged(a), _ranged(g)
    if not (_describes(c, a) and _describes(c, g)):
        return NO
    left, right = _set_name(a), _set_name(g)
    if left and right and left != right and {UNNAMED} not in (left, right):
        return NO
    sides = []
    for node in (a, g):
        if node.kind == "rel" and node.value == ("in",):
            node = node.args[1]
        if node.kind == "seq" and not is_set_like(node):
            return NO
        sides.append(c.sets.of(node))
    return Match(c.sets.equal(sides[0], sides[1]), "normal form")


def _describes(c: Matching, node: Node) -> bool:
    """Tell whether a tree can stand for a set: an equation as a value by name or as x = x + 1."""
    if node.kind != "rel" or not set(node.value) <= {"=", "~"} or all(map(variables, node.args)):
        return True
    split = value_of(c, node)
    return split is not None and split[0] is not None


def _ranged(node: Node) -> Node:
    """Read ``0 < f(x) < 1`` as the range of the values of f."""
    if node.kind != "rel":
        return node
    sides = (Node("var", f"{a.args[0].value}()") if is_function(a) else a for a in node.args)
    return Node("rel", node.value, tuple(sides))


def _set_name(node: Node) -> frozenset[str]:
    if node.kind == "builder":
        return frozenset()
    return frozenset(v for v in variables(node))


def _inequalities(c: Matching, a: Node, g: Node) -> Match:
    out = []
    for node in (a, g):
        sign = node.value[0]
        left, right = node.args
        if sign in _FLIP:
            sign, left, right = _FLIP[sign], right, left
        if sign not in INEQUALITIES:
            return NO
        out.append((sign, f.add(c.evaluator.form(left), c.evaluator.form(right), c.work, -1)))
    if out[0][0] != out[1][0]:
        return NO
    return proportional(c, out[0][1], out[1][1], positive=out[0][0] != "!=")
