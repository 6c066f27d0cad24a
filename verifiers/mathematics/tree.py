"""The expression tree that answers are read into: one immutable node type, and its bounds.

Bounds are static: they hold before any arithmetic starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from referee.verifiers.errors import UnreadableText
from referee.verifiers.mathematics.magnitude import exactly, shown

MAX_CHARS = 4000  # of an answer that is read; a longer one is compared as text only
MAX_TOKENS = 1200
MAX_DEPTH = 40
MAX_DIGITS = 2500  # of one literal


UNNAMED = "_"  # the variable that "<= 5" leaves out


class Unreadable(UnreadableText, ValueError):
    """The text is not mathematics that this reader knows."""


class TooBig(UnreadableText, ValueError):
    """ReadAnswer or deciding the text would pass a bound on size, depth, exponents or digits."""


class Node(NamedTuple):
    """``kind`` says what it is, ``value`` what it carries, ``args`` what it is made of.

    | kind | value | args |
    |---|---|---|
    | num | Fraction | |
    | var | name | |
    | const | pi, e, i, inf, reals, integers, empty, undefined, dots, otherwise | |
    | add, mul | | terms, factors |
    | div, pow | | two |
    | fn | name | arguments |
    | deg, pct | | the number before the sign |
    | unit | ``units.Unit`` | the number before it |
    | pm | + for plus-minus, - for minus-plus | the term that takes both signs |
    | seq | comma, or, and | items of a bare list |
    | group | opening and closing bracket | items, at least two |
    | set | | elements |
    | matrix | rows, columns | entries, row by row |
    | rel | relation signs | the sides, one more than the signs |
    | ratio | clock where it is written as a time | parts |
    | union, inter, diff | | sets |
    | builder | variable name | conditions of a set |
    | cases | | values and their conditions, in turn |
    | statement | subset, perp, to, neg, lim, span and so on | what it is about |
    | quantity | text | of what this reader does not compute, left of an equals sign |
    | logic | land, lor, or each in turn | statements joined by the signs of logic |
    | mod | | residue and modulus |
    | time | seconds after midnight | |
    | text | folded words | |
    """

    kind: str
    value: Any = None
    args: tuple[Node, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.kind} {show(self)}>"  # digits past the interpreter's bound would raise


def num(value: int | Fraction) -> Node:
    """Return a rational number."""
    return Node("num", Fraction(value))


ZERO, ONE, MINUS_ONE = num(0), num(1), num(-1)
OTHERWISE = Node("const", "otherwise")
_SYMMETRIC = frozenset(["perp", "parallel", "nparallel", "cong", "iff"])


def neg(node: Node) -> Node:
    """Return the negative of an expression."""
    if node.kind == "num":
        return Node("num", -node.value)
    if node.kind in ("pct", "deg"):
        return Node(node.kind, None, (neg(node.args[0]),))
    return Node("mul", None, (MINUS_ONE, node))


def product(left: Node, right: Node) -> Node:
    """Return the product of two expressions, as one list of factors."""
    factors = (left.args if left.kind == "mul" else (left,)) + (
        right.args if right.kind == "mul" else (right,)
    )
    return Node("mul", None, factors)


def times(left: Node, right: Node, *, cross: bool) -> Node:
    """Return the product of two expressions; the cross product where it joins vectors with an arrow."""
    before = left.args[:-1] if left.kind == "mul" else ()
    last = left.args[-1] if before else left
    if cross and all(n.kind == "var" and n.value.startswith("vec_") for n in (last, right)):
        whole = Node("fn", "cross", (last, right))
        return Node("mul", None, (*before, whole)) if before else whole
    return product(left, right)


def rearranged(node: Node) -> Node:
    """Return a tree with its terms and factors in one order, so that x + 1 and 1 + x are the same tree."""
    if not node.args:
        return node
    args = tuple(rearranged(a) for a in node.args)
    if node.kind in ("union", "inter"):
        args = tuple(b for a in args for b in (a.args if a.kind == node.kind else (a,)))
    if (
        node.kind in ("add", "set", "union", "inter")
        or (node.kind == "statement" and node.value in _SYMMETRIC)
        or (node.kind == "mul" and not any(a.kind in ("matrix", "group") for a in args))
    ):
        args = tuple(sorted(args, key=_order))
    return Node(node.kind, node.value, args)


def _order(node: Node) -> str:
    value = exactly(node.value) if node.kind == "num" else str(node.value)
    return f"{node.kind} {value} ({', '.join(map(_order, node.args))})"


def renamed(node: Node, names: Mapping[str, str]) -> Node:
    """Return a tree with its variables renamed, all at once."""
    if node.kind in ("var", "builder"):
        return Node(node.kind, names.get(node.value, node.value), tuple(renamed(a, names) for a in node.args))
    return Node(node.kind, node.value, tuple(renamed(a, names) for a in node.args)) if node.args else node


def show(node: Node, limit: int = 400) -> str:
    """Print a tree in plain notation, so that a reader sees how a text was understood."""
    out = _show(node, 0)
    return out if len(out) <= limit else out[: limit - 3] + "..."


def _show(node: Node, level: int) -> str:
    kind, value, args = node
    if level > MAX_DEPTH:
        return "..."
    inner = [_show(a, level + 1) for a in args]
    match kind:
        case "num":
            return shown(value)
        case "var" | "const" | "quantity":
            return str(value)
        case "text":
            return f'"{value}"'
        case "add":
            return "(" + " + ".join(inner) + ")"
        case "mul":
            return "*".join(inner)
        case "div":
            return f"({inner[0]})/({inner[1]})"
        case "pow":
            return f"({inner[0]})^({inner[1]})"
        case "fn":
            return f"{value}({', '.join(inner)})"
        case "deg":
            return f"{inner[0]} degrees"
        case "pct":
            return f"{inner[0]} percent"
        case "unit":
            return f"{inner[0]} [{value.name}]"
        case "pm":
            return f"{'+-' if value == '+' else '-+'}{inner[0]}"
        case "seq":
            return "list(" + ", ".join(inner) + ")"
        case "group":
            return f"{value[0]}{', '.join(inner)}{value[1]}"
        case "set":
            return "{" + ", ".join(inner) + "}"
        case "matrix":
            rows = [", ".join(inner[i : i + value[1]]) for i in range(0, len(inner), value[1])]
            return "[" + "; ".join(rows) + "]"
        case "rel":
            return inner[0] + "".join(f" {op} {side}" for op, side in zip(value, inner[1:], strict=True))
        case "ratio":
            return ":".join(inner)
        case "time":
            return f"{value // 3600:02d}:{value // 60 % 60:02d}:{value % 60:02d}"
        case "builder":
            return "{" + f"{value}: " + ", ".join(inner) + "}"
    return f"{kind}({', '.join(inner)})"
