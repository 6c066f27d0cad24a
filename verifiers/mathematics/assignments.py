"""What a chain of equations gives a value to, and which."""

from __future__ import annotations

from referee.verifiers.mathematics.approximation import real_value
from referee.verifiers.mathematics.matching import Matching
from referee.verifiers.mathematics.names import name_of
from referee.verifiers.mathematics.real_sets import variables
from referee.verifiers.mathematics.tree import Node


def value_of(c: Matching, node: Node) -> tuple[str | None, Node] | None:
    """Split ``x = 2 + 3 = 5`` into its name and its value; None where it gives no single value."""
    if node.kind != "rel":
        return None, node
    signs, sides = list(node.value), list(node.args)
    if signs == ["in"]:
        name = name_of(sides[0])
        return None if name is None else (name, sides[1])
    if signs == ["=="] and sides[1].kind == "mod":
        name = name_of(sides[0])
        return None if name is None else (name, sides[1])
    if any(s not in ("=", "~") for s in signs):
        return None
    name = None
    if (first := name_of(sides[0])) is not None:
        name = first
        sides, signs = sides[1:], signs[1:]
        while len(sides) > 1 and name_of(sides[0]) is not None and name_of(sides[0]) != "e":
            sides, signs = sides[1:], signs[1:]
    elif len(sides) == 2 and name_of(sides[1]) is not None and sides[0].kind != "const":
        return name_of(sides[1]), sides[0]
    value = sides[0]
    for sign, side in zip(signs, sides[1:], strict=True):
        if sign == "~":
            if not rounds(c, value, side):
                return None
            break
        if not c.same(side, value).equal:
            return None
    if name is not None and name in variables(value):
        return None
    return name, value


def rounds(c: Matching, a: Node, b: Node) -> bool:
    """Tell whether one value rounds to the other."""
    x, y = (real_value(c.evaluator.form(_bare(n)), c.work) for n in (a, b))
    return x is not None and y is not None and abs(x - y) <= 0.02 * max(abs(x), abs(y))


def _bare(node: Node) -> Node:
    return node.args[0] if node.kind in ("unit", "deg", "pct") else node
