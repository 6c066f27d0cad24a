"""Statements of propositional logic: equal where they have one truth table."""

from __future__ import annotations

from itertools import product

from referee.verifiers.mathematics.tree import Node

_MOST_LETTERS = 6


def same_truth(a: Node, g: Node) -> bool | None:
    """Tell whether two propositions have the same truth table; None where one is no proposition.

    De Morgan's laws, contraposition and distribution are such equalities; ``p`` and ``p and q`` are none.
    """
    letters = sorted(_letters(a) | _letters(g))
    if not (_is_proposition(a) and _is_proposition(g)) or len(letters) > _MOST_LETTERS:
        return None
    rows = (dict(zip(letters, row, strict=True)) for row in product((False, True), repeat=len(letters)))
    return all(_true(a, row) == _true(g, row) for row in rows)


def _is_proposition(node: Node) -> bool:
    node = _inside(node)
    if node.kind == "var":
        return len(node.value) == 1
    if node.kind == "statement":
        return node.value in ("neg", "to", "iff") and all(map(_is_proposition, node.args))
    return node.kind == "logic" and node.value in ("land", "lor") and all(map(_is_proposition, node.args))


def _inside(node: Node) -> Node:
    """Return what parentheses hold."""
    while node.kind == "group" and node.value == ("(", ")") and len(node.args) == 1:
        node = node.args[0]
    return node


def _letters(node: Node) -> frozenset[str]:
    if node.kind == "var":
        return frozenset([str(node.value)])
    return frozenset().union(*(_letters(arg) for arg in node.args))


def _true(node: Node, row: dict[str, bool]) -> bool:
    node = _inside(node)
    if node.kind == "var":
        return row[str(node.value)]
    truths = [_true(arg, row) for arg in node.args]
    if node.value == "neg":
        return not truths[0]
    if node.value == "to":
        return truths[1] or not truths[0]
    if node.value == "iff":
        return truths[0] == truths[1]
    return all(truths) if node.value == "land" else any(truths)
