"""Quantities that are named and not computed: ``rank(A) = 2`` says 2 of whatever stands on its left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from referee.verifiers.mathematics.token_stream import END
from referee.verifiers.mathematics.tree import Node, Unreadable

if TYPE_CHECKING:
    from collections.abc import Set

    from referee.verifiers.mathematics.parser import Parser

_MEASURES = frozenset("rank tr trace dim deg ord nullity vol area perimeter length".split())
_NO_QUANTITY = frozenset("no never or and because therefore forall exists neg lnot not if where".split())
_OPENING, _CLOSING = frozenset(["(", "[", "\\{", "{"]), frozenset([")", "]", "\\}", "}"])


def side_or_quantity(p: Parser, operators: Set[str], ends: Set[str]) -> Node:
    """Parse a side; one that is not computed, as a rank, is the quantity that "=" gives a value.

    ``operators`` name no quantity; before one of ``ends`` a quantity has ended without a value.
    """
    start, state = p.pos, (p.level, p.in_abs, p.in_set, p.reversed)
    try:
        return p.side()
    except Unreadable:
        end = _equals_sign(p, start, operators, ends)
        if end is None:
            raise
        p.pos, (p.level, p.in_abs, p.in_set, p.reversed) = end, state
        return Node("quantity", " ".join(t.text for t in p.tokens[start:end]))


def _equals_sign(p: Parser, start: int, operators: Set[str], ends: Set[str]) -> int | None:
    """Return where the equals sign of a quantity stands: behind an operator's name and what it is of."""
    first, after = (p.tokens[k] if k < len(p.tokens) else END for k in (start, start + 1))
    named = (
        first.kind == "t"
        and (after.text in ("(", "[", "{") or first.text.lower() in _MEASURES)
        and first.text.lower() not in _NO_QUANTITY
    )
    operator = first.kind == "c" and first.text not in operators and first.text not in _NO_QUANTITY
    if not (named and " " not in first.text.strip()) and not operator and first.text != "\\|":
        return None
    depth = 0
    for i, (kind, text, _) in enumerate(p.tokens[start:], start):
        if kind in "be" or (kind == "t" and i > start and depth == 0):
            return None
        if kind not in "oc":
            continue
        depth += (text in _OPENING) - (text in _CLOSING)
        if depth < 0 or text in ("neg", "lnot", "not"):
            return None
        if depth == 0 and text == "=":
            return i
        if depth == 0 and text in ends:
            return None
    return None
