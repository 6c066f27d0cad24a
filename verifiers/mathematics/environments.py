r"""Environments: matrices, lines set below each other, and functions by cases.

Lines below each other are a list; a line that begins with a relation goes on with the one above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from referee.verifiers.mathematics.letters import Token
from referee.verifiers.mathematics.token_stream import END
from referee.verifiers.mathematics.tree import OTHERWISE, Node, Unreadable

if TYPE_CHECKING:
    from referee.verifiers.mathematics.parser import Parser

_MATRICES = frozenset("pmatrix bmatrix matrix Bmatrix array vmatrix smallmatrix Vmatrix".split())
_LINES = frozenset("aligned align alignedat gathered gather split eqnarray multline equation".split())
_CASES = frozenset("cases dcases rcases".split())
_WHENEVER = frozenset("if for when where".split())
_ELSE = frozenset("otherwise else other elsewhere".split())
_CONTINUES = frozenset("= < > le ge ne approx equiv + -".split())


def environment(p: Parser, name: str) -> Node:
    """Parse an environment behind its beginning."""
    kind = name.rstrip("*")
    if kind in _MATRICES:
        return _matrix(p, kind)
    if kind not in _LINES and kind not in _CASES:
        raise Unreadable(f"the environment {name}")
    rows = _rows(p)
    if kind in _CASES and (pieces := _pieces(p, rows)) is not None:
        return pieces
    return _read(p, _joined(rows))


def left_brace(p: Parser) -> Node | None:
    r"""Parse the array behind ``\left\{``, whose right bracket is left out: its rows are a list or cases."""
    mark = p.pos
    if p.next().kind != "b":
        p.pos = mark
        return None
    name = p.tokens[mark].text
    rows = _rows(p)
    if p.peek.text == "\\}":
        p.pos = mark
        return None
    pieces = _pieces(p, rows)
    if pieces is not None:
        return pieces
    if name.rstrip("*") not in _MATRICES | _LINES | _CASES:
        raise Unreadable(f"the environment {name}")
    return _read(p, _joined(rows))


def _matrix(p: Parser, name: str) -> Node:
    saved, p.in_abs = p.in_abs, 0
    rows: list[list[Node]] = [[]]
    while p.peek.kind != "e":
        if p.accept("\\\\"):
            if p.peek.kind != "e":
                rows.append([])
            continue
        if rows[-1]:
            p.expect("&")
        rows[-1].append(p.nested(p.relation))
    p.pos += 1
    p.in_abs = saved
    if not rows[0] or len({len(r) for r in rows}) != 1:
        raise Unreadable("a matrix with rows of different lengths")
    entries = tuple(x for r in rows for x in r)
    if name == "array" and len(rows[0]) == 1:  # a column of equations, or one value that is set apart
        if len(rows) == 1:
            return entries[0]
        if all(x.kind == "rel" for x in entries):
            return Node("seq", "comma", entries)
    matrix = Node("matrix", (len(rows), len(rows[0])), entries)
    return Node("fn", "det", (matrix,)) if name == "vmatrix" else matrix


def _rows(p: Parser) -> list[list[Token]]:
    """Take the tokens of an environment up to its end, row by row."""
    rows: list[list[Token]] = [[]]
    depth = 0
    while True:
        token = p.next()
        if token is END:
            raise Unreadable("an environment is not closed")
        if token.kind == "e" and depth == 0:
            return [row for row in rows if row]
        depth += (token.kind == "b") - (token.kind == "e")
        if depth == 0 and token.kind == "o" and token.text == "\\\\":
            rows.append([])
        else:
            rows[-1].append(token)


def _read(p: Parser, tokens: list[Token]) -> Node:
    """Parse some tokens as an answer of their own."""
    inner = type(p)(tokens)
    inner.level = p.level
    return p.nested(lambda: inner.nested(inner.answer))


def _joined(rows: list[list[Token]]) -> list[Token]:
    """Return rows as one, signs of alignment left out, with commas between those that stand alone."""
    out: list[Token] = []
    for row in filter(None, ([t for t in row if t[:2] != ("o", "&")] for row in rows)):
        goes_on = row[0].kind in "oc" and row[0].text in _CONTINUES
        if out and not goes_on and out[-1].text not in (",", ";", "and", "or"):
            out.append(Token("o", ","))
        out += row
    return out


def _pieces(p: Parser, rows: list[list[Token]]) -> Node | None:
    """Read rows of a value and a condition; None where a row has no condition."""
    args: list[Node] = []
    for row in rows:
        cut = _cut(row)
        if cut is None:
            return None
        value, condition = row[:cut], row[cut:]
        while condition and (condition[0].text in (",", "&", ":") or _word(condition[0]) in _WHENEVER):
            condition = condition[1:]
        while condition and condition[-1].text in (",", ";", "."):
            condition = condition[:-1]
        while value and value[-1].text == ",":
            value = value[:-1]
        if not value or not condition:
            return None
        otherwise = len(condition) == 1 and _word(condition[0]) in _ELSE
        args += (_read(p, value), OTHERWISE if otherwise else _condition(p, condition))
    conditions = args[1::2]
    if not args or any(c != OTHERWISE and not _is_condition(c) for c in conditions):
        return None
    return Node("cases", None, tuple(args))


def _condition(p: Parser, tokens: list[Token]) -> Node:
    try:
        return _read(p, tokens)
    except Unreadable:
        if not any(t.kind == "t" for t in tokens):
            raise
        return Node("text", " ".join(t.text.strip(" .,") for t in tokens))  # "n is even"


def _is_condition(node: Node) -> bool:
    if node.kind == "seq":
        return any(map(_is_condition, node.args))
    return node.kind in ("rel", "mod", "statement", "text")


def _cut(row: list[Token]) -> int | None:
    """Return where the condition of a row begins: at "&", a word like "if", or the last comma outside."""
    depth, comma = 0, None
    for i, token in enumerate(row):
        if token.kind == "o" and token.text == "&":
            return i
        if token.kind == "t" and (_word(token) in _WHENEVER or _word(token) in _ELSE):
            return i
        if token.kind == "o":
            depth += (token.text in ("(", "[", "{", "\\{")) - (token.text in (")", "]", "}", "\\}"))
            if token.text == "," and depth == 0:
                comma = i if comma is None else comma
    return comma


def _word(token: Token) -> str:
    return token.text.strip(" .,:").lower() if token.kind == "t" else ""
