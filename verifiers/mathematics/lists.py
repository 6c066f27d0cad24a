"""Comparing bare lists, tuples and sets of elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from referee.verifiers.mathematics.approximation import UNDECIDED
from referee.verifiers.mathematics.assignments import value_of
from referee.verifiers.mathematics.matching import NO, Match, Matching, rank, together
from referee.verifiers.mathematics.names import conventional, indexed
from referee.verifiers.mathematics.opposites import same_noun
from referee.verifiers.mathematics.real_sets import variables
from referee.verifiers.mathematics.signs import both_signs
from referee.verifiers.mathematics.tree import Node

_MAX_UNORDERED = 40


def items_of(c: Matching, node: Node) -> tuple[Node, ...]:
    """Return the items of a list, assignments of one variable as their values."""
    if node.kind not in ("seq", "set"):
        return (node,)
    return _of_one_name(c, node) or node.args


def _of_one_name(c: Matching, node: Node) -> tuple[Node, ...] | None:
    """Read ``x = 1, 2``, where the first item names what all of them are."""
    first = node.args[0] if node.args else node
    if node.kind != "seq" or first.kind != "rel":
        return None
    head = Node("rel", ("=",), first.args[:1])
    named = [value_of(c, i if i.kind == "rel" else head._replace(args=(*head.args, i))) for i in node.args]
    split = [n for n in named if n is not None]
    if len(split) < len(named) or len({n[0] for n in split}) != 1 or split[0][0] is None:
        return None
    return both_signs(Node("seq", node.value, tuple(n[1] for n in split))).args


def lists(c: Matching, a: Node, g: Node) -> Match:
    """Compare bare lists with lists, tuples and columns."""
    left_rows, right_rows = _rows(c, a), _rows(c, g)
    if left_rows or right_rows:
        c.integers = frozenset()  # one letter in several values is one integer
    if left_rows and right_rows:
        return _named(c, a, g, left_rows, right_rows)
    if left_rows or right_rows:
        return _against_rows(c, a, g, left_rows or right_rows)
    if {a.kind, g.kind} & {"group", "matrix"}:
        sequence, other = (a, g) if a.kind == "seq" else (g, a)
        parts = items_of(c, sequence)
        if not _is_column(other):
            return NO
        if (
            len(parts) > 1
            and sequence.value in ("comma", "and")
            and not any(p.kind == "group" for p in parts)
        ):
            return ordered(c, *((parts, other.args) if a.kind == "seq" else (other.args, parts)))
    if a.kind == g.kind == "seq" and {a.value, g.value} == {"and", "or"} and _is_statement(a, g):
        return NO
    left, right = _distinct(c, a), _distinct(c, g)
    if len(left) == 1 and len(right) == 1:
        return c.match(left[0], right[0])
    if c.policy.lists == "ordered" and a.kind == g.kind == "seq":
        return ordered(c, left, right)
    return _unordered(c, left, right)


def _is_column(node: Node) -> bool:
    if node.kind == "group":
        return bool(node.value == ("(", ")"))
    return node.kind != "matrix" or 1 in node.value


def _is_statement(a: Node, g: Node) -> bool:
    """Tell whether both are made of propositions, which "and" and "or" join to different statements."""
    return all(i.kind == "var" for i in (*a.args, *g.args))


def logic(c: Matching, a: Node, g: Node) -> Match:
    """Compare statements joined by the signs of logic; numbers joined by them are a list."""
    if a.kind == g.kind:
        if a.value != g.value:
            return NO
        return ordered(c, a.args, g.args) if " " in a.value else _unordered(c, a.args, g.args)
    statement, other = (a, g) if a.kind == "logic" else (g, a)
    if other.kind != "seq" or "l" + other.value != statement.value:
        return NO
    return _unordered(c, a.args, g.args)


# Lists of named values: x = 3, y = 4

NamedValues: TypeAlias = "dict[str, Node]"


def _rows(c: Matching, node: Node) -> list[NamedValues]:
    """Read ``p = 5, q = 2; p = 7, q = 2`` as rows of values by name; nothing where it is no such list."""
    if node.kind != "seq" or not all(i.kind == "rel" for i in node.args):
        return []
    rows: list[NamedValues] = [{}]
    for item in node.args:
        split = value_of(c, item)
        if split is None or split[0] is None:
            return []
        if split[0] in rows[-1]:
            rows.append({})
        rows[-1][split[0]] = split[1]
    return rows if len(rows[0]) > 1 and all(row.keys() == rows[0].keys() for row in rows) else []


def _named(c: Matching, a: Node, g: Node, left: list[NamedValues], right: list[NamedValues]) -> Match:
    if len(left) != len(right) or (len(left) == 1 and (a.value == "or") is not (g.value == "or")):
        return NO
    if len(left) == 1 or len(left) > _MAX_UNORDERED:
        return _unordered(c, a.args, g.args)
    names = list(right[0])
    if left[0].keys() != set(names):
        return NO
    return _unordered(c, *([_tuple([row[n] for n in names]) for row in rows] for rows in (left, right)))


def _against_rows(c: Matching, a: Node, g: Node, rows: list[NamedValues]) -> Match:
    """Compare named values with bare ones, which stand in the order of the names."""
    named, bare = (a, g) if _rows(c, a) else (g, a)
    names = list(rows[0])
    order = conventional(names)
    given = [_tuple([row[names[i]] for i in order or range(len(names))]) for row in rows]
    if len(rows) > 1:
        others = bare.args if bare.kind in ("seq", "set") else (bare,)
        return _unordered(c, *((given, others) if named is a else (others, given)))
    if indexed(names) and bare.kind in ("seq", "set"):  # roots, in any order
        return _unordered(c, *((given[0].args, bare.args) if named is a else (bare.args, given[0].args)))
    if named.value == "or" or bare.kind not in ("seq", "group", "matrix") or not _is_column(bare):
        return NO
    if bare.kind == "seq" and bare.value == "or":
        return NO
    return ordered(c, *((given[0].args, bare.args) if named is a else (bare.args, given[0].args)))


def _tuple(items: Sequence[Node]) -> Node:
    return Node("group", ("(", ")"), tuple(items))


def _distinct(c: Matching, node: Node) -> tuple[Node, ...]:
    """Return the items; alternatives (1/2 or 0.5), tuples and values of one name (x = 2, 2) count once."""
    items = items_of(c, node)
    alternatives = node.kind == "set" or (node.kind == "seq" and node.value in ("or", "and"))
    tuples = node.kind == "seq" and all(i.kind == "group" and i.value == ("(", ")") for i in items)
    if not alternatives and not tuples and items is node.args:
        return items
    out: list[Node] = []
    for item in items[:_MAX_UNORDERED]:
        if not any(c.match(item, kept).equal for kept in out):
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
    return together(c.match(a, g) for a, g in zip(left, right, strict=True))


def _unordered(c: Matching, left: Sequence[Node], right: Sequence[Node]) -> Match:
    if len(left) != len(right):
        return NO
    if len(left) > _MAX_UNORDERED:
        return ordered(c, left, right)
    by_noun, by_name = _nouns(left, right), _bounds(left, right)
    rest, tier, undecided = list(left), "structure", NO
    for g in right:
        c.work.spend(4 * len(rest))
        matches = []
        for i, a in enumerate(rest):
            if (by_name and variables(a) != variables(g)) or (
                by_noun and not same_noun(a.value.name, g.value.name)
            ):
                matches.append(NO)
            else:
                matches.append(c.match(a, g) if (a.kind == "set") is (g.kind == "set") else NO)
            if matches[-1].equal:
                del rest[i]
                tier = max(tier, matches[-1].tier, key=rank)
                break
        else:
            undecided = next((m for m in matches if m.tier == UNDECIDED), NO)
            if undecided is NO:
                return NO  # equal to nothing in the other
    return Match(True, tier) if undecided is NO else undecided


def _nouns(left: Sequence[Node], right: Sequence[Node]) -> bool:
    """Tell whether two lists count the same different things: ``3 red, 5 blue``."""
    if any(n.kind != "unit" or n.value.dims is not None for n in (*left, *right)) or len(left) < 2:
        return False
    names = [[n.value.name for n in side] for side in (left, right)]
    return all(any(same_noun(a, b) for b in names[1]) for a in names[0]) and not all(
        same_noun(a, names[0][0]) for a in names[0]
    )


def _bounds(left: Sequence[Node], right: Sequence[Node]) -> bool:
    """Tell whether two lists bound the same different variables: ``x > 0, y < 0``."""
    if any(n.kind != "rel" or "=" in n.value for n in (*left, *right)) or len(left) < 2:
        return False
    names = [{frozenset(variables(n)) for n in side} for side in (left, right)]
    return names[0] == names[1] and len(names[0]) > 1
