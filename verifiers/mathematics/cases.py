"""Comparing functions by cases, piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from referee.verifiers.mathematics.tree import OTHERWISE, Node, Unreadable

if TYPE_CHECKING:
    from referee.verifiers.mathematics.matching import Matching

_MAX_PIECES = 12


class _Piece(NamedTuple):
    value: Node
    condition: Node


def same_cases(to: Matching, a: Node, g: Node) -> bool:
    """Tell whether two functions by cases have the same values under the same conditions, in any order."""
    if a.kind != "cases" or g.kind != "cases" or len(a.args) != len(g.args) or len(a.args) > 2 * _MAX_PIECES:
        return False
    left, right = _spelt_out(to, _pieces(a)), _spelt_out(to, _pieces(g))
    for piece in right:
        for other in left:
            if _same_condition(to, other.condition, piece.condition):
                if not to.match(other.value, piece.value).equal:
                    return False
                left.remove(other)
                break
        else:
            return False
    return True


def _pieces(node: Node) -> list[_Piece]:
    return [_Piece(*pair) for pair in zip(node.args[::2], node.args[1::2], strict=True)]


def _spelt_out(to: Matching, pieces: list[_Piece]) -> list[_Piece]:
    """Write "otherwise" as what the other conditions leave over, where that is a set of reals."""
    named = [p.condition for p in pieces if p.condition != OTHERWISE]
    if len(named) != len(pieces) - 1:
        return pieces
    left_over = Node("const", "reals")
    for condition in named:
        left_over = Node("diff", None, (left_over, condition))
    try:
        to.sets.of(left_over)
    except (Unreadable, ValueError):
        return pieces
    return [p._replace(condition=left_over) if p.condition == OTHERWISE else p for p in pieces]


def _same_condition(to: Matching, a: Node, g: Node) -> bool:
    if OTHERWISE in (a, g):
        return a == g
    return to.match(a, g).equal
