"""Comparing bare lists, tuples and sets of elements."""

from __future__ import annotations

from collections.abc import Sequence

from referee.verifiers.mathematics.assignments import value_of
from referee.verifiers.mathematics.matching import NO, Match, Matching, rank
from referee.verifiers.mathematics.signs import both_signs
from referee.verifiers.mathematics.tree import Node

_MAX_UNORDERED = 40


def items_of(c: Matching, node: Node) -> tuple[Node, ...]:
    """Return the items of a list, assignments of one variable as their values."""
    if node.kind not in ("seq", "set"):
        return (node,)
    items = node.args
    if items and items[0].kind == "rel" and node.kind == "seq":
        # "x = 1, 2": the first item names what all of them are
        rest = [value_of(c, i) if i.kind == "rel" else (None, i) for i in items]
        names = {r[0] for r in rest if r is not None and r[0] is not None}
        if all(r is not None for r in rest) and len(names) == 1:
            values = Node("seq", node.value, tuple(r[1] for r in rest if r is not None))
            return both_signs(values).args
    return items


def lists(c: Matching, a: Node, g: Node) -> Match:
    """Compare bare lists with lists, tuples and columns."""
    if {a.kind, g.kind} & {"group", "matrix"}:
        sequence, other = (a, g) if a.kind == "seq" else (g, a)
        parts = items_of(c, sequence)
        if other.kind == "group" and other.value != ("(", ")"):
            return NO
        if other.kind == "matrix" and 1 not in other.value:
            return NO
        if (
            len(parts) > 1
            and sequence.value in ("comma", "and")
            and not any(p.kind == "group" for p in parts)
        ):
            named = [value_of(c, p) for p in parts]
            if all(p.kind == "rel" for p in parts) and all(n is not None for n in named):
                pairs = sorted((n for n in named if n is not None), key=lambda n: n[0] or "")
                parts = tuple(n[1] for n in pairs)
            return ordered(c, *((parts, other.args) if a.kind == "seq" else (other.args, parts)))
    left, right = _distinct(c, a), _distinct(c, g)
    if len(left) == 1 and len(right) == 1:
        return c.same(left[0], right[0])
    if c.policy.lists == "ordered" and a.kind == g.kind == "seq":
        return ordered(c, left, right)
    return _unordered(c, left, right)


def _distinct(c: Matching, node: Node) -> tuple[Node, ...]:
    """Return the items; alternatives that are the same ("1/2 or 0.5") count once."""
    items = items_of(c, node)
    if not (node.kind == "seq" and node.value in ("or", "and")) and node.kind != "set":
        return items
    out: list[Node] = []
    for item in items[:_MAX_UNORDERED]:
        if not any(c.same(item, kept).equal for kept in out):
            out.append(item)
    return (*out, *items[_MAX_UNORDERED:])


def finite_sets(c: Matching, a: Node, g: Node) -> Match:
    """Compare two sets of elements."""
    if a.kind != "set" or g.kind != "set":
        return NO
    return _unordered(c, _distinct(c, a), _distinct(c, g))


def ordered(c: Matching, left: Sequence[Node], right: Sequence[Node]) -> Match:
    """Compare item by item."""
    if len(left) != len(right):
        return NO
    tier = "structure"
    for a, g in zip(left, right, strict=True):
        match = c.same(a, g)
        if not match.equal:
            return match
        tier = max(tier, match.tier, key=rank)
    return Match(True, tier)


def _unordered(c: Matching, left: Sequence[Node], right: Sequence[Node]) -> Match:
    if len(left) != len(right):
        return NO
    if len(left) > _MAX_UNORDERED:
        return ordered(c, left, right)
    rest, tier = list(left), "structure"
    for g in right:
        c.work.spend(4 * len(rest))
        for i, a in enumerate(rest):
            match = c.same(a, g) if (a.kind == "set") is (g.kind == "set") else NO
            if match.equal:
                del rest[i]
                tier = max(tier, match.tier, key=rank)
                break
        else:
            return NO
    return Match(True, tier)
