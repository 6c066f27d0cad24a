"""What a chain of equations gives a value to, and which."""

from __future__ import annotations

from collections.abc import Sequence

from referee.verifiers.mathematics.matching import Matching
from referee.verifiers.mathematics.names import conventional, name_of
from referee.verifiers.mathematics.real_sets import variables
from referee.verifiers.mathematics.rounding import rounds_to
from referee.verifiers.mathematics.tree import ZERO, Node, Unreadable


def value_of(c: Matching, node: Node) -> tuple[str | None, Node] | None:
    """Split ``x = 2 + 3 = 5`` into its name and its value; None where it gives no single value.

    A tuple of names that have an order of their own is given in it: ``(y, x) = (4, 3)`` is (x, y) = (3, 4).
    """
    if node.kind != "rel":
        return None, node
    signs, sides = list(node.value), list(node.args)
    if signs == ["in"] or (signs == ["=="] and sides[1].kind == "mod"):
        name = name_of(sides[0])
        return None if name is None else (name, sides[1])
    if any(s not in ("=", "~") for s in signs):
        return None
    name = name_of(sides[0])
    if name is not None:
        if sides[0].kind == "group":
            return _in_order(sides) if signs == ["="] else None
        sides, signs = sides[1:], signs[1:]
        while len(sides) > 1 and name_of(sides[0]) is not None and name_of(sides[0]) != "e":
            sides, signs = sides[1:], signs[1:]
    elif len(sides) == 2 and name_of(sides[1]) is not None and sides[0].kind != "const":
        return name_of(sides[1]), sides[0]
    while name is None and len(sides) > 1 and signs[0] == "=" and _goes_on(sides[0]):
        sides, signs = sides[1:], signs[1:]
    value = sides[0]
    if not _agree(c, value, signs, sides[1:]) or (name is not None and name in variables(value)):
        return None
    return name, value


def _goes_on(node: Node) -> bool:
    """Tell whether a sum or a product has dots in it, so that what stands behind says what it is."""
    return node.kind in ("add", "mul") and any(_is_dots(a) or _goes_on(a) for a in node.args)


def _is_dots(node: Node) -> bool:
    return bool(node == Node("const", "dots"))


def _in_order(sides: list[Node]) -> tuple[str, Node]:
    names = [str(a.value) for a in sides[0].args]
    order = conventional(names)
    if order is None:
        order = list(range(len(names)))
    return ",".join(names[i] for i in order), _permuted(sides[1], order)


def _permuted(node: Node, order: list[int]) -> Node:
    if node.kind == "group":
        return (
            Node("group", node.value, tuple(node.args[i] for i in order))
            if len(node.args) == len(order)
            else node
        )
    return Node(node.kind, node.value, tuple(_permuted(a, order) for a in node.args)) if node.args else node


def _agree(c: Matching, value: Node, signs: Sequence[str], sides: Sequence[Node]) -> bool:
    """Tell whether each further side is the value before it, or a rounding of it."""
    for sign, side in zip(signs, sides, strict=True):
        if sign == "~":
            if not rounds_to(c, value, side):
                return False
        elif not c.match(side, value).equal:
            return False
        value = side
    return True


def quantity_of(c: Matching, node: Node) -> tuple[Node, Node] | None:
    """Split ``m + n = 96 + 17 = 113`` into what is measured and its value; None where it is no such chain.

    What is measured has unknowns, or is nothing that this package computes; the last side is a value
    without unknowns, and so is what stands between, which must agree with it.
    """
    if node.kind != "rel" or any(s not in ("=", "~") for s in node.value):
        return None
    (first, *sides), value = node.args, node.args[-1]
    if not _is_value(value) or not _is_unknown(c, first) or (first.kind == "add" and value == ZERO):
        return None
    signs = list(node.value[1:])
    while len(sides) > 1 and _is_unknown(c, sides[0]):
        sides, signs = sides[1:], signs[1:]
    return (first, sides[0]) if _agree(c, sides[0], signs, sides[1:]) else None


_VALUES = frozenset(
    {"num", "add", "mul", "div", "pow", "fn", "const", "deg", "pct", "unit", "ratio", "group"}
)


_REAL = frozenset("xytnmk")  # letters of real unknowns, which have no modulus to be found


def _is_value(node: Node) -> bool:
    return node.kind in _VALUES and not variables(node)


def _is_unknown(c: Matching, node: Node) -> bool:
    """Tell whether an expression has unknowns that matter to it, or none of its parts can be computed."""
    if node.kind == "fn" and node.value == "abs" and node.args[0].value in _REAL:
        return False  # an equation to be solved, which its own right side solves
    if node.kind == "statement":
        return bool(node.value == "lim")
    if node.kind == "ratio":
        return bool(variables(node))
    if node.kind not in _VALUES - {"num", "const", "group"} or not variables(node):
        return False
    try:
        return c.form(node).constant is None
    except Unreadable:
        return True
