"""What names are the same: of values, of points, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from referee.verifiers.mathematics.counts import counted
from referee.verifiers.mathematics.magnitude import shown
from referee.verifiers.mathematics.real_sets import variables
from referee.verifiers.mathematics.tree import MINUS_ONE, Node, renamed


def name_of(node: Node) -> str | None:
    """Return the name that an assignment gives a value to: ``x``, ``f(x)``, ``(x, y)``, ``|AB|``."""
    if node.kind == "fn" and node.value == "abs":
        inner = node.args[0]
        ends = inner.args if inner.kind == "mul" else ()
        both = len(ends) == 2 and all(a.kind == "var" and str(a.value).isupper() for a in ends)
        return name_of(inner) if both else None
    if node.kind in ("var", "quantity"):
        return str(node.value)
    if node.kind == "const":
        return "..." if node.value == "dots" else None
    if node.kind == "mul" and all(a.kind == "var" for a in node.args):
        return " ".join(str(a.value) for a in node.args)
    if (
        node.kind == "mul"
        and len(node.args) == 2
        and node.args[0].kind in ("var", "pow")
        and node.args[1].kind in ("num", "group")
    ):
        head = name_of(node.args[0])
        value = node.args[1].value
        return None if head is None else f"{head} of {shown(value) if node.args[1].kind == 'num' else value}"
    if node.kind == "pow" and node.args[0].kind == "var" and node.args[1] in (MINUS_ONE,):
        return f"inverse {node.args[0].value}"
    if (
        node.kind == "mul"
        and node.args[0].kind == "pow"
        and node.args[0].args[1] == MINUS_ONE
        and node.args[1].kind == "var"
    ):
        head = name_of(node.args[0])
        return None if head is None else f"{head} {node.args[1].value}"
    if node.kind == "div" and all(_is_differential(a) for a in node.args):
        return "derivative"
    if node.kind == "group" and all(a.kind == "var" or is_function(a) for a in node.args):
        return ",".join(str(name_of(a)) for a in node.args)
    return None


def _is_differential(node: Node) -> bool:
    if node.kind == "fn" and node.value == "partial":
        return node.args[0].kind == "var"
    return node.kind == "mul" and len(node.args) == 2 and node.args[0] == Node("var", "d")


def named_point(node: Node) -> Node | None:
    """Read ``A(1, 2)`` as ``A = (1, 2)``; None where it is no capital letter at a tuple."""
    if node.kind != "mul" or len(node.args) != 2:
        return None
    name, place = node.args
    is_name = name.kind == "var" and str(name.value)[:1].isupper() and len(str(name.value).rstrip("'")) == 1
    is_place = place.kind == "group" and place.value == ("(", ")") and len(place.args) > 1
    if not (is_name and is_place) or counted(node.args) is not None:
        return None
    return Node("rel", ("=",), (name, place))


def drawn(a: Node, g: Node) -> bool | None:
    """Compare names of points: a segment, an angle or a triangle, whose sign may be left out on one side."""
    names = [_points(a), _points(g)]
    if None in names or not any(names[i] and names[i][0] for i in (0, 1)):  # type: ignore[index]
        return None
    (x, p), (y, q) = names  # type: ignore[misc]
    if x and y and x != y:
        return False
    kind = x or y
    if kind in ("angle", "measuredangle"):
        return p in (q, q[::-1])
    return sorted(p) == sorted(q)


def _points(node: Node) -> tuple[str, str] | None:
    if node.kind == "var":
        kind, _, letters = str(node.value).rpartition(" ")
        return (kind, letters) if letters.isupper() and (len(letters) > 1 or kind != "overline") else None
    if node.kind != "mul" or any(a.kind != "var" for a in node.args):
        return None
    letters = "".join(a.value for a in node.args)
    return ("", letters) if len(letters) == len(node.args) and letters.isupper() else None


def same_name(a: str, b: str) -> bool:
    """Tell whether two names may name one value: f(x) may be called y."""
    return a == b or (" " in a and b == "y") or (" " in b and a == "y")


def same_words(a: str, g: str, ordered: bool = False) -> bool:
    """Compare words; a list of them, with commas between, may stand in any order but an ordered one's."""
    if a.replace(",", " ") == g.replace(",", " "):
        return True
    left, right = a.split(","), g.split(",")
    return not ordered and len(left) > 1 and sorted(left) == sorted(right)


def conventional(names: Sequence[str]) -> list[int] | None:
    """Return the order that names have by convention, as positions; None where they have none.

    Letters that follow one another (x, y, z; m, n) have the alphabet's order, and letters with
    indexes that of the indexes. Others, such as n and k, stand in the order they are written in.
    """
    order = sorted(range(len(names)), key=lambda i: (len(names[i]), names[i]))
    ranked = [names[i] for i in order]
    if all(len(n) == 1 for n in names):
        follows = all(ord(b) - ord(a) == 1 for a, b in pairwise(ranked))
        return order if follows else None
    return order if indexed(names) else None


def indexed(names: Sequence[str]) -> bool:
    """Tell whether names are one letter with different indexes: ``x_1`` and ``x_2``."""
    parts = [n.partition("_") for n in names]
    return len({p[0] for p in parts}) == 1 and all(p[2].isdecimal() for p in parts) and len(set(names)) > 1


_FUNCTIONS = frozenset("fghFGHPQT")


def is_function(node: Node) -> bool:
    """Tell whether a product is a function at its argument: ``f(x)``."""
    return (
        node.kind == "mul"
        and len(node.args) == 2
        and all(a.kind == "var" for a in node.args)
        and node.args[0].value in _FUNCTIONS
        and node.args[1].value.islower()
    )


def with_argument_of(a: Node, g: Node) -> Node:
    """Define functions in the letter of other definitions: ``f(t) = 2t + 3`` as ``f(x) = 2x + 3``."""
    heads = [n.args[0] if n.kind == "seq" else n for n in (a, g)]
    if not all(n.kind == "rel" and n.value[:1] == ("=",) and is_function(n.args[0]) for n in heads):
        return a
    (name, old), (other, new) = (n.args[0].args for n in heads)
    if name != other or old == new or new.value in variables(a):
        return a
    return renamed(a, {old.value: new.value})
