"""Numbers with their currency or unit."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from referee.verifiers.mathematics.tree import Node, neg, num
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


def measured(p: Parser) -> Node:
    """Parse an expression with its currency and unit."""
    start = p.pos
    minus = p.accept("-")
    if p.accept("\\$"):
        node = unit_behind(p, p.expression(), currency=True)
        node = (
            Node("unit", Unit("dollar", Fraction(1), (("money", 1),)), (node,))
            if node.kind != "unit"
            else node
        )
        return neg(node) if minus else node
    if p.peek.kind == "t" and p.peek.text.lower() in _CURRENCY and p.ahead(1).kind == "n":
        name = _CURRENCY[p.next().text.lower()]
        node = p.expression()
        node = Node("unit", read_unit(name)[2], (node,))
        return neg(node) if minus else node
    p.pos = start
    return unit_behind(p, p.expression())


def unit_behind(p: Parser, node: Node, currency: bool = False) -> Node:
    """Parse the unit that stands behind a number."""
    if p.accept("\\$"):
        return Node("unit", Unit("dollar", Fraction(1), (("money", 1),)), (node,))
    words: list[str] = []
    while ((t := p.peek).kind == "t" and t.text != "to") or (
        words and t.text in ("^", "/", "cdot", "degrees")
    ):
        p.pos += 1
        if t.text == "^":
            words.append("^" + p.plain_argument())
        elif t.text not in ("cdot", "."):
            words.append(t.text)
        if t.text == "/" and p.peek.kind == "v":
            words.append(p.next().text)
    if not words:
        return node
    scale, sign, unit = read_unit(" ".join(words))
    if scale != 1:
        node = Node("mul", None, (node, num(scale)))
    if sign:
        return Node("pct" if sign == "percent" else "deg", None, (node,))
    if unit is None or currency:
        return node
    if node.kind == "deg":  # 20 degrees Celsius
        node = node.args[0]
    return Node("unit", unit, (node,))
