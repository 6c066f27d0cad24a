"""What stands in braces, brackets and environments: groups, intervals, sets, matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from referee.verifiers.mathematics.environments import left_brace
from referee.verifiers.mathematics.tree import Node, TooBig, Unreadable, neg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from referee.verifiers.mathematics.parser import Parser


_FARTHEST = 60  # tokens of an interval


def braces(p: Parser) -> Node:
    """Parse a group in braces whose first brace has been taken."""
    if p.accept("}"):
        raise Unreadable("an empty group")
    saved, p.in_abs = p.in_abs, 0
    node = p.items()
    if p.accept("choose"):
        node = Node("fn", "binom", (node, p.expression()))
    elif p.accept("over"):
        node = Node("div", None, (node, p.expression()))
    p.expect("}")
    p.in_abs = saved
    return node


def brackets(p: Parser, opening: str) -> Node:
    """Parse parentheses, a tuple or an interval behind its opening bracket."""
    saved, p.in_abs = p.in_abs, 0
    outward = opening == "]" or (opening == "[" and _closes_outward(p))
    p.reversed += outward
    node = p.items()
    p.reversed -= outward
    closing = (
        p.expect(")", "]", "[").text if outward else p.expect(")", "]", "[" if opening == "(" else ")").text
    )
    p.in_abs = saved
    opening = {"]": "("}.get(opening, opening)
    closing = {"[": ")"}.get(closing, closing)
    if node.kind == "seq":
        if node.value != "comma":
            return node
        return Node("group", (opening, closing), node.args)
    if (opening, closing) in (("(", "]"), ("[", ")")):
        raise Unreadable("brackets that do not match")
    return node


def _closes_outward(p: Parser) -> bool:
    """Tell whether the bracket that has been taken begins an interval such as ``[1, 4[``."""
    depth, comma, k = 0, False, 0
    while (token := p.ahead(k)).kind != "end" and k < _FARTHEST:
        if token.text in ("(", "{"):
            depth += 1
        elif token.text in (")", "}"):
            depth -= 1
        elif token.text in ("[", "]") and not depth:
            return token.text == "[" and comma and p.ahead(k - 1).text not in (",", "(", "{", "-", "+")
        if depth < 0:
            return False
        comma = comma or (token.text == "," and not depth)
        k += 1
    return False


def set_of(p: Parser) -> Node:
    """Parse a set behind its opening brace."""
    if p.accept("\\}"):
        return Node("const", "empty")
    if (rows := left_brace(p)) is not None:
        return rows
    saved, p.in_abs, p.in_set = (p.in_abs, p.in_set), 0, 1
    head = p.items()
    if p.accept("|", ":"):
        p.in_set = 0
        conditions = p.items()
        name = head.args[0] if head.kind == "rel" else head
        image = conditions.kind == "rel" and conditions.value == ("in",) and head.kind != "rel"
        if image and name.kind != "var":  # the values of 2k for k in Z
            p.expect("\\}")
            p.in_abs, p.in_set = saved
            return Node("seq", "comma", (head, conditions))
        if name.kind != "var" or (head.kind == "rel" and head.args[1] != Node("const", "reals")):
            raise Unreadable("a set that is described in a way this reader does not know")
        node = Node("builder", name.value, (conditions,))
    else:
        node = Node("set", None, head.args if head.kind == "seq" else (head,))
    p.expect("\\}")
    p.in_abs, p.in_set = saved
    return node


_SETS = ("set", "builder", "union", "inter", "diff")
_MAX_PAIRS = 40


def difference(terms: Sequence[Node]) -> Node | None:
    """Return what ``A - B`` leaves of a set, where both are written as sets; else None."""
    if len(terms) != 2 or terms[1].kind != "mul" or len(terms[1].args) != 2:
        return None
    left, right = terms[0], terms[1].args[1]
    if terms[1] != neg(right) or right.kind not in _SETS:
        return None
    return Node("diff", None, (left, right)) if left.kind in _SETS or left == _REALS else None


def pairs(left: Node, right: Node) -> Node | None:
    """Return the pairs of the elements of two finite sets, ``{1, 2} x {3}``; else None."""
    if left.kind != "set" or right.kind != "set":
        return None
    if len(left.args) * len(right.args) > _MAX_PAIRS:
        raise TooBig(f"a product of sets with more than {_MAX_PAIRS} pairs")
    return Node("set", None, tuple(Node("group", ("(", ")"), (a, b)) for a in left.args for b in right.args))


_REALS = Node("const", "reals")
