"""Plus-minus signs, written out as the values they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from referee.verifiers.mathematics.tree import Node, TooBig, neg

_MAX_SIGNS = 4  # that are chosen each on its own


def both_signs(node: Node) -> Node:
    """Write plus-minus out as a list of its values.

    Each plus-minus takes either sign on its own, but a minus-plus is bound to the plus-minus it stands
    with: where there is one, all take one sign together.
    """
    if node.kind == "rel":
        return node
    if node.kind in ("seq", "set"):
        items: list[Node] = []
        for a in node.args:
            both = both_signs(a)
            items.extend(both.args if both is not a and both.kind == "seq" and a.kind != "seq" else (both,))
        return node if len(items) == len(node.args) else Node(node.kind, node.value, tuple(items))
    signs = _signs(node)
    if not signs:
        return node
    if "-" in signs:
        choices = [tuple(s if sign == "+" else -s for sign in signs) for s in (1, -1)]
    elif len(signs) > _MAX_SIGNS:
        raise TooBig(f"more than {_MAX_SIGNS} signs that are chosen each on its own")
    else:
        choices = list(product((1, -1), repeat=len(signs)))
    values = tuple(_choose(node, iter(choice)) for choice in choices)
    return Node("seq", "comma" if len(signs) == 1 else "or", values)


def _signs(node: Node) -> str:
    return (node.value if node.kind == "pm" else "") + "".join(map(_signs, node.args))


def _choose(node: Node, signs: Iterator[int]) -> Node:
    if node.kind == "pm":
        sign = next(signs)
        inner = _choose(node.args[0], signs)
        return inner if sign > 0 else neg(inner)
    if not node.args:
        return node
    return Node(node.kind, node.value, tuple(_choose(a, signs) for a in node.args))
