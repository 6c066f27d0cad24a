r"""Statements and operators that are read for their structure and never computed.

``A \subset B``, ``p \to q``, ``\neg p``, ``\forall x \in \mathbb{R}``, ``\lim_{x \to 0} f(x)``,
``\partial u``, ``\nabla \cdot F``, ``\text{span}\{..\}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from referee.verifiers.mathematics.letters import Token
from referee.verifiers.mathematics.tree import Node, Unreadable

if TYPE_CHECKING:
    from referee.verifiers.mathematics.parser import Parser

SIGNS = {
    "subset": "subset",
    "subseteq": "subseteq",
    "supset": "supset",
    "supseteq": "supseteq",
    "perp": "perp",
    "parallel": "parallel",
    "nparallel": "nparallel",
    "cong": "cong",
    "to": "to",
    "mapsto": "mapsto",
    "Rightarrow": "implies",
    "Leftrightarrow": "iff",
    "leftrightarrow": "iff",
    "nmid": "nmid",
    "notin": "notin",
}
PREFIXES = frozenset("neg lnot forall exists lim partial nabla ker aleph".split())
SPAN = "span"


def sign(token: Token) -> str | None:
    """Return the statement that an infix sign makes of its two sides."""
    return SIGNS.get(token.text) if token.kind == "c" else None


def prefixed(p: Parser, name: str) -> Node:
    """Parse what stands behind one of ``PREFIXES``, which has been taken."""
    if name in ("neg", "lnot"):
        return Node("statement", "neg", (p.factor(),))
    if name in ("forall", "exists"):
        return Node("statement", name, (p.relation(),))
    if name == "lim":
        return _limit(p)
    if name == "aleph":
        return p.variable("\\aleph")
    if name == "nabla":
        by = p.accept("cdot", "times")
        return Node("fn", f"nabla {by.text if by else ''}".strip(), (p.factor(),))
    while (mark := p.accept("_", "^")) is not None:
        name += mark.text + p.plain_argument()
    return Node("fn", name, (p.factor(),))


def span(p: Parser) -> Node:
    """Parse the set behind the word."""
    inner = p.nested(p.atom)
    if inner.kind == "seq":
        inner = Node("set", None, inner.args)
    return Node("statement", SPAN, (inner if inner.kind == "set" else Node("set", None, (inner,)),))


def _limit(p: Parser) -> Node:
    p.expect("_")
    p.expect("{")
    goes = p.relation()
    p.expect("}")
    if goes.kind != "statement" or goes.value != "to":
        raise Unreadable("a limit of nothing that goes anywhere")
    return Node("statement", "lim", (goes, p.nested(p.term)))
