r"""What a command begins: constants, fractions, roots, functions, sums, integrals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from referee.verifiers.mathematics import brackets, raised_signs, statements
from referee.verifiers.mathematics.tree import Node, Unreadable, neg, num, product
from referee.verifiers.mathematics.vocabulary import FUNCTIONS

if TYPE_CHECKING:
    from referee.verifiers.mathematics.parser import Parser

_CONSTANTS = {
    "pi": "pi",
    "infty": "inf",
    "emptyset": "empty",
    "reals": "reals",
    "integers": "integers",
    "naturals": "naturals",
    "rationals": "rationals",
    "complexes": "complexes",
    "ldots": "dots",
}
_GREEK = frozenset(
    """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi
    chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar imath jmath
    """.split()
)
_COUNTS = {"C": "binom", "P": "permutations"}

_INVERTIBLE = frozenset("sin cos tan cot sec csc sinh cosh tanh".split())  # sin^{-1} is no quotient


def command(p: Parser, name: str) -> Node:
    """Parse what a command begins, its name having been taken."""
    if name in _CONSTANTS:
        if name == "integers" and p.peek.text == "_":
            return p.variable("\\mathbb{Z}")
        return Node("const", _CONSTANTS[name])
    if name == "frac":
        return Node("div", None, (p.argument(), p.argument()))
    if name == "sqrt":
        return _root(p)
    if name in FUNCTIONS and (name != "binom" or p.peek.text == "("):
        return _function(p, name)
    if name == "binom":
        return Node("fn", "binom", (p.argument(), p.argument()))
    if name == "Gamma" and p.peek.text == "(":
        return Node("fn", "Gamma", (p.atom(),))
    if name in ("sum", "prod"):
        return _series(p, name)
    if name == "int":
        return _integral(p)
    if name in ("lfloor", "lceil", "langle"):
        inner = p.items()
        p.expect({"lfloor": "rfloor", "lceil": "rceil", "langle": "rangle"}[name])
        if name == "langle":
            return Node("group", ("(", ")"), inner.args) if inner.kind == "seq" else inner
        return Node("fn", "floor" if name == "lfloor" else "ceil", (inner,))
    if name in ("angle", "triangle", "overline", "widehat", "measuredangle"):
        letters = p.plain_argument() if p.peek.text == "{" else ""
        while p.peek.kind == "v":
            letters += p.next().text
        if not letters:
            raise Unreadable(f"\\{name} without letters")
        return Node("var", f"{name} {letters}")
    if name in statements.PREFIXES:
        return statements.prefixed(p, name)
    if name in _GREEK or (name.startswith("mathbb") and p.peek.text == "_"):
        return p.variable(f"\\{name}")
    raise Unreadable(f"the command \\{name}")


def _root(p: Parser) -> Node:
    degree = num(2)
    if p.peek.text == "[":
        p.pos += 1
        degree = p.expression()
        p.expect("]")
    # sqrt12 is meant as the root of 12, whatever LaTeX prints
    inner = brackets.braces(p) if p.accept("{") else p.nested(p.atom)
    return Node("fn", "root", (inner, degree))


def _function(p: Parser, name: str) -> Node:
    power = base = None
    while (sign := p.peek).kind == "o" and sign.text in ("^", "_"):
        p.pos += 1
        if sign.text == "_":
            base = p.argument()
        elif raised_signs.degree_sign(p):
            raise Unreadable("a degree sign on a function's name")
        else:
            power = p.exponent()
    if p.peek.kind == "o" and p.peek.text in ("(", "{", "[", "\\{") and name != "log":
        inner = _degrees(p, p.nested(p.atom))
        args = inner.args if inner.kind in ("group", "seq", "set") else (inner,)
    elif p.peek.text == "(":
        inner = p.nested(p.atom)
        args = inner.args if inner.kind == "group" else (inner,)
    else:
        args = (_function_argument(p),)
    if name == "log":
        args = (args[0], base if base is not None else args[1] if len(args) == 2 else num(10))
    elif base is not None:
        raise Unreadable(f"a subscript on {name}")
    if power is not None and power == num(-1) and name in _INVERTIBLE:
        name, power = "arc" + name, None
    node = Node("fn", name, args)
    return node if power is None else Node("pow", None, (node, power))


def _degrees(p: Parser, node: Node) -> Node:
    """Take a degree sign that stands behind an argument in parentheses."""
    mark = p.pos
    if p.accept("^") and raised_signs.degree_sign(p):
        return Node("deg", None, (node,))
    p.pos = mark
    return node


def _function_argument(p: Parser) -> Node:
    minus = p.accept("-")
    node = p.factor()
    while p.starts_factor(p.peek) and not (p.peek.kind == "c" and p.peek.text in FUNCTIONS - {"sqrt"}):
        if p.peek.text in ("(", "["):
            break
        node = product(node, p.factor())
    if p.peek.text == "/" and not p.peek.spaced and node.kind in ("const", "num", "mul"):
        p.pos += 1
        node = Node("div", None, (node, p.factor()))
    return neg(node) if minus else node


def _integral(p: Parser) -> Node:
    bounds: dict[str, Node] = {}
    while (sign := p.accept("_", "^")) is not None:
        bounds[sign.text] = p.argument() if sign.text == "_" else p.exponent()
    split = _without_differential(p.expression())
    if len(bounds) != 2 or split is None or not _polynomial(split[0]):
        raise Unreadable("an integral of a kind that this reader does not know")
    return Node("fn", "integral", (split[1], bounds["_"], bounds["^"], split[0]))


def _series(p: Parser, name: str) -> Node:
    low = high = None
    for _ in range(2):
        sign = p.expect("_", "^")
        if sign.text == "_":
            p.expect("{")
            low = p.relation()
            p.expect("}")
        else:
            high = p.exponent()
    if low is None or high is None or low.kind != "rel" or low.value != ("=",):
        raise Unreadable(f"a {name} without bounds")
    index = low.args[0]
    return Node("fn", name, (index, low.args[1], high, p.nested(p.term)))


def counted_before(p: Parser) -> Node:
    """Parse ``_8C_3`` and ``^8P_3`` behind the first sign."""
    top = p.argument()
    name = p.next().text
    if name not in _COUNTS:
        raise Unreadable("a raised or lowered sign on nothing")
    p.expect("_")
    return Node("fn", _COUNTS[name], (top, p.argument()))


def _without_differential(node: Node) -> tuple[Node, Node] | None:
    """Split ``x^2 + 3x dx`` into the polynomial and its variable."""
    if node.kind == "add":
        split = _without_differential(node.args[-1])
        return None if split is None else (Node("add", None, (*node.args[:-1], split[0])), split[1])
    if node.kind != "mul" or node.args[-2] != Node("var", "d") or node.args[-1].kind != "var":
        return None
    rest = node.args[:-2] or (num(1),)
    return (rest[0] if len(rest) == 1 else Node("mul", None, rest)), node.args[-1]


def _polynomial(node: Node) -> bool:
    if node.kind == "pow":
        return _polynomial(node.args[0]) and node.args[1].kind == "num"
    return node.kind in ("num", "var", "add", "mul", "div") and all(map(_polynomial, node.args))
