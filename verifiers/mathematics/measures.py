r"""Measures: an expression with its currency and its unit, in one part or several (``2 h 30 min``)."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from referee.verifiers.mathematics.letters import Token
from referee.verifiers.mathematics.lexer import tokenize
from referee.verifiers.mathematics.tree import Node, Unreadable, neg, num
from referee.verifiers.mathematics.unit_notation import doubtful_unit, marked_unit
from referee.verifiers.mathematics.units import Unit, read_unit

if TYPE_CHECKING:
    from referee.verifiers.mathematics.parser import Parser

_CURRENCY = {
    "euro": "euro",
    "gbp": "gbp",
    "yen": "yen",
    "rupee": "rupee",
    "rs": "rupee",
    "rs.": "rupee",
    "usd": "dollar",
    "dollars": "dollar",
}
_SHORT = re.compile(r"\d{1,2}(?:\.\d{1,9})?")
_OPENING, _CLOSING = ("(", "[", "\\{"), (")", "]", "\\}")
_DOLLAR = read_unit("dollar")[2]


def measured(p: Parser) -> Node:
    """Parse an expression with its currency and unit."""
    start = p.pos
    minus = p.accept("-")
    if p.accept("\\$"):
        node = unit_behind(p, p.expression(), currency=True)
        node = node if node.kind == "unit" else Node("unit", _DOLLAR, (node,))
        return neg(node) if minus else node
    if p.peek.kind == "t" and p.peek.text.lower() in _CURRENCY and p.ahead(1).kind == "n":
        name = _CURRENCY[p.next().text.lower()]
        node = Node("unit", read_unit(name)[2], (p.expression(),))
        return neg(node) if minus else node
    p.pos = start
    return unit_behind(p, p.expression())


def unit_behind(p: Parser, node: Node, *, currency: bool = False) -> Node:
    """Parse the unit behind an expression, if there is one, and the smaller parts of the same measure."""
    kind = p.peek.kind
    if kind == "u":
        return _unit_or_product(p, node)
    if kind != "t":
        return Node("unit", _DOLLAR, (node,)) if kind == "o" and p.accept("\\$") else node
    words = _words(p)
    if not words:
        return node
    scale, sign, unit = read_unit(words)
    if scale != 1:
        node = Node("mul", None, (node, num(scale)))
    if sign:
        return Node("pct" if sign == "percent" else "deg", None, (node,))
    if unit is None:
        return node
    if currency:
        assert _DOLLAR is not None
        unit = _DOLLAR._replace(name=f"{_DOLLAR.name} {unit.name}")
        return Node("unit", unit, (node,))
    if node.kind == "deg":  # 20 degrees Celsius
        node = node.args[0]
    return Node("unit", unit, (_with_smaller_parts(p, node, unit),))


def _words(p: Parser) -> str:
    words: list[str] = []
    while True:
        token = p.peek
        if token.kind == "t" and token.text != "to":
            words.append(token.text)
        elif not words:
            break
        elif token.text == "^":
            p.pos += 1
            words.append("^" + p.plain_argument())
            continue
        elif token.text == "/":
            words.append("/")
            if p.ahead(1).kind == "v":
                p.pos += 1
                words.append(p.peek.text)
        elif token.text not in ("cdot", "degrees") or p.ahead(1).kind != "t":
            break
        p.pos += 1
    return " ".join(words)


def _with_smaller_parts(p: Parser, node: Node, unit: Unit) -> Node:
    """Add the 30 min of ``2 h 30 min``; each part has a smaller unit and is less than one of the last."""
    least, parts = unit.size, [node]
    while unit.dims is not None and node.kind == "num":
        mark = p.pos
        joined = p.accept(",", "and")
        p.accept("and")
        part = _part(p, unit, least) if p.peek.kind == "n" else None
        if part is None or (joined and _in_brackets(p, mark)):  # (5 m, 3 cm) is a pair
            p.pos = mark
            break
        least, value = part
        parts.append(num(value if node.value >= 0 else -value))
    return node if len(parts) == 1 else num(sum((n.value for n in parts), Fraction(0)))


def _in_brackets(p: Parser, pos: int) -> bool:
    texts = [t.text for t in p.tokens[:pos] if t.kind == "o"]
    return sum((t in _OPENING) - (t in _CLOSING) for t in texts) > 0


def _part(p: Parser, unit: Unit, least: Fraction) -> tuple[Fraction, Fraction] | None:
    value = p.factor()
    kind = p.peek.kind
    if value.kind != "num" or kind not in "tu":
        return None
    try:
        scale, sign, smaller = read_unit(marked_unit(p.next().text) if kind == "u" else _words(p))
    except Unreadable:
        return None
    if scale != 1 or sign or smaller is None or smaller.dims != unit.dims or smaller.size >= least:
        return None
    if not 0 <= value.value * smaller.size < least:
        return None
    return smaller.size, value.value * smaller.size / unit.size


def _unit_or_product(p: Parser, node: Node) -> Node:
    """Read ``5 m`` as both where a number stands before it; what the other side is will tell."""
    _, letters, spaced = p.next()
    if (unit := read_unit(marked_unit(letters))[2]) and (
        whole := _with_smaller_parts(p, node, unit)
    ) is not node:
        return Node("unit", unit, (whole,))
    product = type(p)(tokenize(letters)).term()
    if node.kind == "add":
        return Node("add", None, (*node.args[:-1], Node("mul", None, (node.args[-1], product))))
    both = Node("mul", None, (node, product))
    if not _is_number(node):
        return both
    unit = doubtful_unit(letters, spaced)
    return both if unit is None else Node("unit", unit, (node, both))


def _is_number(node: Node) -> bool:
    return node.kind == "num" or (node.kind in ("mul", "div", "pow") and all(map(_is_number, node.args)))


def degrees_of(p: Parser, node: Node) -> Node:
    """Make degrees of a number, with the minutes and seconds of arc behind them.

    A lone C or F behind the sign makes them a temperature.
    """
    scale = {"C": "celsius", "F": "fahrenheit"}.get(p.peek.text)
    if (
        scale is not None
        and node.kind == "num"
        and p.ahead(1).kind in ("end", "o")
        and p.ahead(1).text in "},.);"
    ):
        p.pos += 1
        return Node("unit", read_unit(scale)[2], (node,))
    least = 1
    while node.kind == "num" and p.peek.kind == "n" and _SHORT.fullmatch(p.peek.text):
        mark = p.pos
        part, sign = Fraction(p.next().text), _arc_sign(p)
        if sign <= least or not part < 60:
            p.pos = mark
            break
        least, node = sign, num(node.value + part / sign)
    return Node("deg", None, (node,))


def _arc_sign(p: Parser) -> int:
    """Take the sign of minutes or seconds of arc, and say how many of them a degree has."""
    raised = p.accept("^")
    grouped = p.accept("{") if raised else None
    count = 0
    while (sign := p.accept("'", "prime", '"')) is not None:
        count += 2 if sign.text == '"' else 1
    if grouped:
        p.expect("}")
    return {1: 60, 2: 3600}.get(count, 0)


def label(token: Token, after: Token) -> str:
    """Return the name that stands before an item: ``Tom`` of ``Tom: 3``; nothing where there is none."""
    name = token.text.strip()
    if token.kind != "t" or not (name.endswith((":", "=")) or (after.kind == "o" and after.text in ":=")):
        return ""
    return name.rstrip(" :=").lower()


def labelled(labels: list[str], items: list[Node]) -> tuple[Node, ...]:
    """Return the items of a list, plain numbers that each have a name of their own as counts of it."""
    if not all(labels) or len(set(labels)) < len(labels) or not all(map(_is_number, items)):
        return tuple(items)
    return tuple(Node("unit", Unit(name), (item,)) for name, item in zip(labels, items, strict=True))
