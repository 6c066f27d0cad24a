"""Plus-minus signs, written out as the values they stand for."""

from __future__ import annotations

from referee.verifiers.mathematics.tree import Node, neg


def both_signs(node: Node) -> Node:
    """Write plus-minus out as a list of both values."""
    if node.kind == "rel":
        return node
    if node.kind in ("seq", "set"):
        items: list[Node] = []
        for a in node.args:
            both = both_signs(a)
            items.extend(
                both.args if both.kind == "seq" and both.value == "comma" and a.kind != "seq" else (both,)
            )
        return node if len(items) == len(node.args) else Node(node.kind, node.value, tuple(items))
    if not _signed(node):
        return node
    return Node("seq", "comma", (_choose(node, 1), _choose(node, -1)))


def _signed(node: Node) -> int:
    return (node.kind == "pm") + sum(_signed(a) for a in node.args)


def _choose(node: Node, sign: int) -> Node:
    if node.kind == "pm":
        inner = _choose(node.args[0], sign)
        return inner if (sign > 0) == (node.value == "+") else neg(inner)
    if not node.args:
        return node
    return Node(node.kind, node.value, tuple(_choose(a, sign) for a in node.args))
