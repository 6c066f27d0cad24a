r"""A hand-written precedence parser for the mathematics that answers are made of.

Binding, loosest first: list separators, relations, set operations, ratio, ``+ - \pm``, products and
quotients (also side by side, ``1/2x`` being ``(1/2)x``), signs, powers and postfix signs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from referee.verifiers.mathematics.lexer import FUNCTIONS, Token
from referee.verifiers.mathematics.tree import (
    MAX_DEPTH,
    MAX_DIGITS,
    UNNAMED,
    Node,
    TooBig,
    Unreadable,
    neg,
    num,
)
from referee.verifiers.mathematics.units import NUMBER_WORDS, Unit, number_word, read_unit

_RELATIONS = {
    "=": "=",
    "<": "<",
    ">": ">",
    "le": "<=",
    "ge": ">=",
    "ne": "!=",
    "in": "in",
    "approx": "~",
    "equiv": "==",
    "sim": "~",
}
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
_OPERATORS = frozenset(
    """
    times cdot div bmod pmod pm mp le ge ne in approx equiv sim cup cap setminus to Rightarrow and or
    land lor
    choose circ rfloor rceil rangle degrees notin Leftrightarrow subset subseteq prime over qed
    blacksquare
    """.split()
)
_JOINS = {",": "comma", ";": "comma", "and": "and", "or": "or", "land": "land", "lor": "lor"}
_MEASURES = frozenset("rank tr trace dim deg ord nullity vol area perimeter length".split())
_NO_QUANTITY = frozenset("no never or and because therefore forall exists neg lnot not if where".split())
_CLOCK = re.compile(r"\d{1,2}(?::\d\d){1,2}")
_GREEK = frozenset(
    """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi
    chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar imath jmath
    """.split()
)
_BRACKETS = {"(": ")", "[": "]", "\\{": "\\}"}
_COUNTS = {"C": "binom", "P": "permutations"}
_END = Token("end", "")


class Parser:
    """One pass over the tokens of one answer."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.pos = 0
        self.level = 0
        self.in_abs = 0
        self.in_set = 0
        self.reversed = 0

    # The token stream

    @property
    def peek(self) -> Token:
        """The next token."""
        return self.tokens[self.pos] if self.pos < len(self.tokens) else _END

    def ahead(self, k: int) -> Token:
        """Return the token that stands ``k`` further on."""
        return self.tokens[self.pos + k] if self.pos + k < len(self.tokens) else _END

    def next(self) -> Token:
        """Take the next token."""
        token = self.peek
        self.pos += 1
        return token

    def accept(self, *texts: str) -> Token | None:
        """Take the next token where it is one of these signs or commands."""
        token = self.peek
        if token.text in texts and token.kind in ("o", "c"):
            self.pos += 1
            return token
        return None

    def expect(self, *texts: str) -> Token:
        """Take one of these signs, or refuse the text."""
        token = self.accept(*texts)
        if token is None:
            raise Unreadable(f"expected {' or '.join(texts)}, got {self.peek.text or 'the end'!r}")
        return token

    def nested(self, parse: Callable[[], Node]) -> Node:
        """Parse one level deeper, inside the bound on depth."""
        self.level += 1
        if self.level > MAX_DEPTH:
            raise TooBig("nested too deeply")
        try:
            return parse()
        finally:
            self.level -= 1

    # Lists and relations

    def answer(self) -> Node:
        """Parse the whole answer."""
        node = self.items()
        while self.accept(".", ",", ";", "!"):
            pass
        if self.peek is not _END:
            raise Unreadable(f"unexpected {self.peek.text!r}")
        return node

    def items(self) -> Node:
        """Parse a list of relations, or the one there is."""
        items = [self.nested(self.relation)]
        joins: list[str] = []
        while (join := self._join()) is not None:
            while (more := self._join()) is not None:
                join = more
            if self._closing():
                if join != "comma":
                    raise Unreadable("a list breaks off")
                break
            joins.append(join)
            items.append(self.nested(self.relation))
        if len(items) == 1:
            return items[0]
        kinds = set(joins)
        if kinds <= {"land", "lor"} and not any(i.kind in ("rel", "group") for i in items):
            return Node("logic", joins[0] if len(kinds) == 1 else " ".join(joins), tuple(items))
        kind = "or" if kinds & {"or", "lor"} else "and" if kinds & {"and", "land"} else "comma"
        return Node("seq", kind, tuple(items))

    def _join(self) -> str | None:
        token = self.peek
        if token.kind not in "oc" or token.text not in _JOINS:
            return None
        self.pos += 1
        return _JOINS[token.text]

    def _closing(self) -> bool:
        t = self.peek
        return (
            t is _END
            or (t.kind in "oe" and t.text in (")", "]", "\\}", "}", ".", "&", "\\\\"))
            or t.kind == "e"
        )

    def relation(self) -> Node:
        """Parse sides and the signs between them."""
        self._label()
        while self.peek.text in ("=", "approx", "Rightarrow", "therefore") and self.peek.kind in "oc":
            self.pos += 1
        bare = self.peek.text in ("<", ">", "le", "ge", "ne") and self.peek.kind in "oc"
        sides, signs = [Node("var", UNNAMED) if bare else self._first_side()], []
        while (sign := self._relation_sign()) is not None:
            signs.append(sign)
            self._label()
            side = self.side()
            if signs[-1] == "==" and side.kind == "fn" and side.value == "mod":
                side = Node("mod", None, side.args)
            sides.append(side)
        if not signs:
            return sides[0]
        return Node("rel", tuple(signs), tuple(sides))

    def _first_side(self) -> Node:
        """Parse a side; one that is not computed, as a rank, is the quantity that "=" gives a value."""
        start, state = self.pos, (self.level, self.in_abs, self.in_set, self.reversed)
        try:
            return self.side()
        except Unreadable:
            end = self._equals_sign(start)
            if end is None:
                raise
            self.pos, (self.level, self.in_abs, self.in_set, self.reversed) = end, state
            return Node("quantity", " ".join(t.text for t in self.tokens[start:end]))

    def _equals_sign(self, start: int) -> int | None:
        """Return where the equals sign of a quantity stands: behind an operator's name and what it is of."""
        first, after = (self.tokens[k] if k < len(self.tokens) else _END for k in (start, start + 1))
        named = (
            first.kind == "t"
            and (after.text in ("(", "[", "{") or first.text.lower() in _MEASURES)
            and first.text.lower() not in _NO_QUANTITY
        )
        operator = first.kind == "c" and first.text not in _OPERATORS | _NO_QUANTITY
        if not (named and " " not in first.text.strip()) and not operator and first.text != "\\|":
            return None
        depth = 0
        for i, (kind, text, _) in enumerate(self.tokens[start:], start):
            if kind in "be" or (kind == "t" and i > start and depth == 0):
                return None
            if kind not in "oc":
                continue
            depth += (text in _BRACKETS or text == "{") - (text in (")", "]", "\\}", "}"))
            if depth < 0 or text in ("neg", "lnot", "not"):
                return None
            if depth == 0 and text == "=":
                return i
            if depth == 0 and (text in _JOINS or text in _RELATIONS):
                return None
        return None

    def _relation_sign(self) -> str | None:
        token = self.peek
        if token.kind not in "oc" or token.text not in _RELATIONS:
            return None
        self.pos += 1
        if token.text in ("<", ">") and self.accept("="):
            return token.text + "="
        return _RELATIONS[token.text]

    def _label(self) -> None:
        """Skip words that name what is given: ``Area =``, ``Answer:``."""
        token = self.peek
        if token.kind != "t":
            return
        after = self.ahead(1)
        if number_word(token.text) is not None:
            return
        words = token.text.strip()
        if after.kind == "o" and after.text in ("=", ":"):
            self.pos += 2
        elif words.endswith((":", "=")) or words.lower() in (
            "the answer is",
            "answer",
            "answer is",
            "is",
            "it is",
            "are",
        ):
            self.pos += 1

    def side(self) -> Node:
        """Parse one side of a relation: sets, ratios, residues, measures."""
        start, braced = self.pos, self.peek.text == "{"
        node = self._measured()
        while op := self.accept("cup", "cap", "setminus"):
            node = _in_braces(node) if braced else node
            braced = self.peek.text == "{"
            right = self._measured()
            right = _in_braces(right) if braced else right
            braced = False
            kind = {"cup": "union", "cap": "inter", "setminus": "diff"}[op.text]
            node = Node(kind, None, (node, right))
        if self.peek.text == "to" and node.kind == "num" and self.ahead(1).kind == "n":
            self.pos += 1
            node = Node("ratio", None, (node, self._measured()))
        if self.peek.text == ":" and not (
            self.in_set and (node.kind in ("var", "rel") or node == Node("const", "reals"))
        ):
            parts = [node]
            while self.accept(":"):
                parts.append(self._measured())
            written = "".join(t.text for t in self.tokens[start : self.pos])
            node = Node("ratio", "clock" if _CLOCK.fullmatch(written) else None, tuple(parts))
        if self.peek.kind == "c" and self.peek.text == "pmod":
            self.pos += 1
            node = Node("mod", None, (node, self.argument()))
        elif self.peek.text == "(" and self.ahead(1).text == "bmod":
            self.pos += 2
            node = Node("mod", None, (node, self.expression()))
            self.expect(")")
        return node

    def _measured(self) -> Node:
        """Parse an expression with its currency and unit."""
        start = self.pos
        minus = self.accept("-")
        if self.accept("\\$"):
            node = self._unit_behind(self.expression(), currency=True)
            node = (
                Node("unit", Unit("dollar", Fraction(1), (("money", 1),)), (node,))
                if node.kind != "unit"
                else node
            )
            return neg(node) if minus else node
        if self.peek.kind == "t" and self.peek.text.lower() in _CURRENCY and self.ahead(1).kind == "n":
            name = _CURRENCY[self.next().text.lower()]
            node = self.expression()
            node = Node("unit", read_unit(name)[2], (node,))
            return neg(node) if minus else node
        self.pos = start
        return self._unit_behind(self.expression())

    def _unit_behind(self, node: Node, currency: bool = False) -> Node:
        if self.accept("\\$"):
            return Node("unit", Unit("dollar", Fraction(1), (("money", 1),)), (node,))
        words: list[str] = []
        while ((t := self.peek).kind == "t" and t.text != "to") or (
            words and t.text in ("^", "/", "cdot", "degrees")
        ):
            self.pos += 1
            if t.text == "^":
                words.append("^" + self._plain_argument())
            elif t.text not in ("cdot", "."):
                words.append(t.text)
            if t.text == "/" and self.peek.kind == "v":
                words.append(self.next().text)
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

    def _plain_argument(self) -> str:
        if not self.accept("{"):
            return self.next().text
        out = ""
        while not self.accept("}"):
            if self.peek is _END:
                raise Unreadable("a brace is not closed")
            out += self.next().text
        return out

    # Expressions

    def expression(self) -> Node:
        """Parse a sum."""
        return self.nested(self._sum)

    def _sum(self) -> Node:
        terms: list[Node] = []
        while True:
            sign = self.accept("+", "-", "pm", "mp")
            if sign is None:
                if terms:
                    break
                terms.append(self.term())
            elif sign.text in ("+", "-"):
                minus = sign.text == "-"
                while more := self.accept("+", "-"):
                    minus ^= more.text == "-"
                term = self.term()
                terms.append(neg(term) if minus else term)
            else:
                terms.append(Node("pm", "+" if sign.text == "pm" else "-", (self.term(),)))
        return terms[0] if len(terms) == 1 else Node("add", None, tuple(terms))

    def term(self) -> Node:
        """Parse a product or a quotient."""
        node = self.factor()
        while True:
            token = self.peek
            if token.kind in "oc" and token.text in ("times", "cdot", "*"):
                self.pos += 1
                node = _product(node, self.signed())
            elif token.kind in "oc" and token.text in ("/", "div", "over"):
                self.pos += 1
                node = Node("div", None, (node, self.signed()))
            elif token.kind == "c" and token.text == "bmod":
                self.pos += 1
                node = Node("fn", "mod", (node, self.signed()))
            elif token.kind == "c" and token.text == "angle" and node.kind in ("num", "fn", "div"):
                self.pos += 1
                node = _product(node, Node("fn", "cis", (self.factor(),)))
            elif self._starts_factor(token):
                node = _product(node, self.factor())
            else:
                return node

    def signed(self) -> Node:
        """Parse a factor with its sign."""
        if self.accept("-"):
            return neg(self.nested(self.signed))
        self.accept("+")
        return self.factor()

    def _starts_factor(self, token: Token) -> bool:
        kind, text, _ = token
        if kind == "v":
            return True
        if kind == "c":
            return text not in _OPERATORS
        if kind == "o":
            if text == "(":
                return self.ahead(1).text not in ("bmod", "pmod")
            if text == "|":
                return not self.in_abs and not self.in_set
            return text == "{" or (text == "[" and not self.reversed)
        if kind == "n":
            return self.tokens[self.pos - 1].text == "!"
        return kind == "b"

    def factor(self) -> Node:
        """Parse an atom with its powers and what stands behind it."""
        node = self.nested(self.atom)
        while True:
            token = self.peek
            if token.kind == "o" and token.text == "^":
                self.pos += 1
                if self._degree_sign():
                    node = self._degrees_of(node)
                    continue
                if self._ordinal() or (node.kind != "num" and self.accept("'", "prime")):
                    continue
                if self.accept("top"):
                    node = Node("pow", None, (node, Node("var", "T")))
                    continue
                node = Node("pow", None, (node, self.exponent()))
            elif token.kind == "c" and token.text in ("degrees", "circ"):
                self.pos += 1
                node = self._degrees_of(node)
            elif token.kind == "o" and token.text == "!":
                self.pos += 1
                if self.accept("!"):
                    node = Node("fn", "factorial2", (node,))
                else:
                    node = Node("fn", "factorial", (node,))
            elif token.kind == "o" and token.text in ("\\%", "%"):
                self.pos += 1
                node = Node("pct", None, (node,))
            elif token.kind == "o" and token.text == "'" and node.kind == "var":
                self.pos += 1
                node = Node("var", node.value + "'")
            else:
                return node

    def _degrees_of(self, node: Node) -> Node:
        """Make degrees of a number; a lone C or F behind the sign makes them a temperature."""
        scale = {"C": "celsius", "F": "fahrenheit"}.get(self.peek.text)
        if scale is None or node.kind != "num" or self.ahead(1) is not _END:
            return Node("deg", None, (node,))
        self.pos += 1
        return Node("unit", read_unit(scale)[2], (node,))

    def _degree_sign(self) -> bool:
        if self.accept("circ", "degrees"):
            return True
        if self.peek.text == "{" and self.ahead(1).text in ("circ", "degrees") and self.ahead(2).text == "}":
            self.pos += 3
            return True
        return False

    def _ordinal(self) -> bool:
        """Skip the raised letters of an ordinal number."""
        if (
            self.peek.text == "{"
            and self.ahead(1).text in ("th", "st", "nd", "rd")
            and self.ahead(2).text == "}"
        ):
            self.pos += 3
            return True
        return False

    def exponent(self) -> Node:
        """Parse what stands behind ``^``."""
        if self.peek.text == "{":
            return self.argument()
        if self.accept("-"):
            return neg(self.nested(self.exponent))
        self.accept("+")
        base = self.nested(self.atom)
        if self.peek.text == "^" and self.peek.kind == "o" and self.ahead(1).text != "circ":
            self.pos += 1
            return Node("pow", None, (base, self.nested(self.exponent)))
        if self.peek.text == "!":
            self.pos += 1
            return Node("fn", "factorial", (base,))
        return base

    # Atoms

    def atom(self) -> Node:
        """Parse a number, a variable, a group or a command."""
        token = self.next()
        kind, text, _ = token
        if kind == "n":
            return self._number(text)
        if kind == "v":
            return self._variable(text)
        if kind == "c":
            return self._command(text)
        if kind == "b":
            return self._environment(text)
        if kind == "t":
            value = number_word(text)
            if text.strip(" .").lower() in ("const", "constant"):
                return Node("var", "C")
            if value is None:
                raise Unreadable(f"words where a number was expected: {text[:40]!r}")
            return Node("num", value)
        if text == "{":
            if self.peek.text == "}" and self.ahead(1).text in ("_", "^"):
                self.pos += 1
                text = self.next().text
            else:
                return self._braces()
        if text in ("_", "^"):
            return self._counted()
        if text in ("(", "[", "]"):
            return self._brackets(text)
        if text == "\\{":
            return self._set()
        if text == "|":
            self.in_abs += 1
            node = self.expression()
            self.expect("|")
            self.in_abs -= 1
            return Node("fn", "abs", (node,))
        if text == "." and self.peek.text in ("overline", "dot"):
            return self._number("0.")
        raise Unreadable(f"unexpected {text or 'end'!r}")

    def _counted(self) -> Node:
        """Parse ``_8C_3`` and ``^8P_3`` behind the first sign."""
        top = self.argument()
        name = self.next().text
        if name not in _COUNTS:
            raise Unreadable("a raised or lowered sign on nothing")
        self.expect("_")
        return Node("fn", _COUNTS[name], (top, self.argument()))

    def _number(self, text: str) -> Node:
        if len(text) > MAX_DIGITS:
            raise TooBig(f"a number of {len(text)} digits")
        if self.peek.kind == "o" and self.peek.text == "_":
            return self._based(text)
        after = self.peek
        if "." in text and not after.spaced:
            if after.text == "overline" or after.text == "dot":
                self.pos += 1
                return _repeating(text, self._plain_argument())
            if after.text == "(" and self.ahead(1).text.isdigit() and self.ahead(2).text == ")":
                digits = self.ahead(1).text
                self.pos += 3
                return _repeating(text, digits)
        if "." in text and after.text == "ldots":
            period = re.search(r"(\d{1,6}?)\1+$", text.split(".")[1])
            if period and len(period[0]) >= 3:
                self.pos += 1
                return _repeating(
                    text[: period.start() - len(text.split(".")[1])]
                    if period.start()
                    else text.split(".")[0] + ".",
                    period[1],
                )
            raise Unreadable("a decimal that goes on without a visible period")
        value = _decimal(text)
        if (
            text.isdigit()
            and after.kind == "n"
            and after.spaced
            and self.ahead(1).text == "/"
            and self.ahead(2).kind == "n"
        ):
            top, bottom = after.text, self.ahead(2).text
            if top.isdigit() and bottom.isdigit() and int(bottom):
                self.pos += 3
                return Node("num", value + Fraction(int(top), int(bottom)))
        if text.isdigit() and after.kind == "c" and after.text == "frac":
            mark = self.pos
            self.pos += 1
            part = self._command("frac")
            if part.kind == "div" and all(
                a.kind == "num" and a.value > 0 and a.value.denominator == 1 for a in part.args
            ):
                return Node("num", value + part.args[0].value / part.args[1].value)
            self.pos = mark
        return Node("num", value)

    def _based(self, text: str) -> Node:
        self.pos += 1
        sub = self._plain_argument()
        word = NUMBER_WORDS.get(sub.lower())
        if not (sub.isdigit() or word) or not text.isdigit():
            raise Unreadable("a subscript on a number that is no base")
        base = word or int(sub[:3])
        if not 2 <= base <= 36 or any(int(d) >= base for d in text):
            raise Unreadable(f"{text[:40]} is no number in base {base}")
        return num(int(text, base))

    def _variable(self, text: str) -> Node:
        if text in ("e", "i") and not (self.peek.kind == "o" and self.peek.text == "_"):
            return Node("const", text)
        if self.peek.kind == "o" and self.peek.text == "_":
            self.pos += 1
            return Node("var", f"{text}_{self._plain_argument()}")
        return Node("var", text)

    def argument(self) -> Node:
        """Parse one argument: a group in braces, one digit, or one sign."""
        if self.accept("{"):
            return self._braces()
        token = self.peek
        if token.kind == "n" and len(token.text) > 1 and token.text.isdigit():
            self.tokens[self.pos] = Token("n", token.text[1:])
            return num(int(token.text[0]))
        return self.nested(self.atom)

    def _braces(self) -> Node:
        if self.accept("}"):
            raise Unreadable("an empty group")
        saved, self.in_abs = self.in_abs, 0
        node = self.items()
        if self.accept("choose"):
            node = Node("fn", "binom", (node, self.expression()))
        elif self.accept("over"):
            node = Node("div", None, (node, self.expression()))
        self.expect("}")
        self.in_abs = saved
        return node

    def _brackets(self, opening: str) -> Node:
        saved, self.in_abs = self.in_abs, 0
        self.reversed += opening == "]"
        node = self.items()
        self.reversed -= opening == "]"
        closing = (
            self.expect(")", "]", "[").text
            if opening == "]"
            else self.expect(")", "]", "[" if opening == "(" else ")").text
        )
        self.in_abs = saved
        opening = {"]": "("}.get(opening, opening)
        closing = {"[": ")"}.get(closing, closing)
        if node.kind == "seq":
            if node.value != "comma":
                return node
            return Node("group", (opening, closing), node.args)
        if (opening, closing) in (("(", "]"), ("[", ")")):
            raise Unreadable("brackets that do not match")
        return node

    def _set(self) -> Node:
        if self.accept("\\}"):
            return Node("const", "empty")
        saved, self.in_abs, self.in_set = (self.in_abs, self.in_set), 0, 1
        head = self.items()
        if self.accept("|", ":"):
            self.in_set = 0
            conditions = self.items()
            name = head.args[0] if head.kind == "rel" else head
            image = conditions.kind == "rel" and conditions.value == ("in",) and head.kind != "rel"
            if image and name.kind != "var":  # the values of 2k for k in Z
                self.expect("\\}")
                self.in_abs, self.in_set = saved
                return Node("seq", "comma", (head, conditions))
            if name.kind != "var" or (head.kind == "rel" and head.args[1] != Node("const", "reals")):
                raise Unreadable("a set that is described in a way this reader does not know")
            node = Node("builder", name.value, (conditions,))
        else:
            node = Node("set", None, head.args if head.kind == "seq" else (head,))
        self.expect("\\}")
        self.in_abs, self.in_set = saved
        return node

    def _environment(self, name: str) -> Node:
        if name.rstrip("*") not in (
            "pmatrix",
            "bmatrix",
            "matrix",
            "Bmatrix",
            "array",
            "vmatrix",
            "smallmatrix",
            "Vmatrix",
        ):
            raise Unreadable(f"the environment {name}")
        saved, self.in_abs = self.in_abs, 0
        rows: list[list[Node]] = [[]]
        while self.peek.kind != "e":
            if self.accept("\\\\"):
                if self.peek.kind != "e":
                    rows.append([])
                continue
            if rows[-1]:
                self.expect("&")
            rows[-1].append(self.nested(self.relation))
        self.pos += 1
        self.in_abs = saved
        if not rows[0] or len({len(r) for r in rows}) != 1:
            raise Unreadable("a matrix with rows of different lengths")
        matrix = Node("matrix", (len(rows), len(rows[0])), tuple(x for r in rows for x in r))
        return Node("fn", "det", (matrix,)) if name == "vmatrix" else matrix

    def _command(self, name: str) -> Node:
        if name in _CONSTANTS:
            return Node("const", _CONSTANTS[name])
        if name == "frac":
            return Node("div", None, (self.argument(), self.argument()))
        if name == "sqrt":
            return self._root()
        if name in FUNCTIONS and (name != "binom" or self.peek.text == "("):
            return self._function(name)
        if name == "binom":
            return Node("fn", "binom", (self.argument(), self.argument()))
        if name in ("sum", "prod"):
            return self._series(name)
        if name == "int":
            return self._integral()
        if name in ("lfloor", "lceil", "langle"):
            inner = self.items()
            self.expect({"lfloor": "rfloor", "lceil": "rceil", "langle": "rangle"}[name])
            if name == "langle":
                return Node("group", ("(", ")"), inner.args) if inner.kind == "seq" else inner
            return Node("fn", "floor" if name == "lfloor" else "ceil", (inner,))
        if name in ("angle", "triangle", "overline", "widehat", "measuredangle"):
            letters = self._plain_argument() if self.peek.text == "{" else ""
            while self.peek.kind == "v":
                letters += self.next().text
            if not letters:
                raise Unreadable(f"\\{name} without letters")
            return Node("var", f"{name} {letters}")
        if name in _GREEK:
            return self._variable(f"\\{name}")
        raise Unreadable(f"the command \\{name}")

    def _root(self) -> Node:
        degree = num(2)
        if self.peek.text == "[":
            self.pos += 1
            degree = self.expression()
            self.expect("]")
        # sqrt12 is meant as the root of 12, whatever LaTeX prints
        inner = self._braces() if self.accept("{") else self.nested(self.atom)
        return Node("fn", "root", (inner, degree))

    def _function(self, name: str) -> Node:
        power = base = None
        while (sign := self.peek).kind == "o" and sign.text in ("^", "_"):
            self.pos += 1
            if sign.text == "_":
                base = self.argument()
            elif self._degree_sign():
                raise Unreadable("a degree sign on a function's name")
            else:
                power = self.exponent()
        if self.peek.kind == "o" and self.peek.text in ("(", "{", "[", "\\{") and name != "log":
            inner = self._degrees(self.nested(self.atom))
            args = inner.args if inner.kind in ("group", "seq", "set") else (inner,)
        elif self.peek.text == "(":
            inner = self.nested(self.atom)
            args = inner.args if inner.kind == "group" else (inner,)
        else:
            args = (self._function_argument(),)
        if name == "log":
            args = (args[0], base if base is not None else args[1] if len(args) == 2 else num(10))
        elif base is not None:
            raise Unreadable(f"a subscript on {name}")
        if power is not None and power == num(-1) and name in ("sin", "cos", "tan", "cot", "sec", "csc"):
            name, power = "arc" + name, None
        node = Node("fn", name, args)
        return node if power is None else Node("pow", None, (node, power))

    def _degrees(self, node: Node) -> Node:
        """Take a degree sign that stands behind an argument in parentheses."""
        mark = self.pos
        if self.accept("^") and self._degree_sign():
            return Node("deg", None, (node,))
        self.pos = mark
        return node

    def _function_argument(self) -> Node:
        minus = self.accept("-")
        node = self.factor()
        while self._starts_factor(self.peek) and not (
            self.peek.kind == "c" and self.peek.text in FUNCTIONS - {"sqrt"}
        ):
            if self.peek.text in ("(", "["):
                break
            node = _product(node, self.factor())
        if self.peek.text == "/" and not self.peek.spaced and node.kind in ("const", "num", "mul"):
            self.pos += 1
            node = Node("div", None, (node, self.factor()))
        return neg(node) if minus else node

    def _integral(self) -> Node:
        bounds: dict[str, Node] = {}
        while (sign := self.accept("_", "^")) is not None:
            bounds[sign.text] = self.argument() if sign.text == "_" else self.exponent()
        split = _without_differential(self.expression())
        if len(bounds) != 2 or split is None or not _polynomial(split[0]):
            raise Unreadable("an integral of a kind that this reader does not know")
        return Node("fn", "integral", (split[1], bounds["_"], bounds["^"], split[0]))

    def _series(self, name: str) -> Node:
        low = high = None
        for _ in range(2):
            sign = self.expect("_", "^")
            if sign.text == "_":
                self.expect("{")
                low = self.relation()
                self.expect("}")
            else:
                high = self.exponent()
        if low is None or high is None or low.kind != "rel" or low.value != ("=",):
            raise Unreadable(f"a {name} without bounds")
        index = low.args[0]
        return Node("fn", name, (index, low.args[1], high, self.nested(self.term)))


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


def _in_braces(node: Node) -> Node:
    """Read ``{1, 2}`` beside a sign of union as a set, though LaTeX would not print its braces."""
    if node.kind == "seq" and node.value == "comma":
        return Node("set", None, node.args)
    return Node("set", None, (node,)) if node.kind in ("num", "div", "mul") else node


def _product(left: Node, right: Node) -> Node:
    factors = (left.args if left.kind == "mul" else (left,)) + (
        right.args if right.kind == "mul" else (right,)
    )
    return Node("mul", None, factors)


def _decimal(text: str) -> Fraction:
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, part = mantissa.partition(".")
    power = int(exponent[:12] or 0) - len(part)
    if abs(power) > 20000:
        raise TooBig("a decimal exponent past 20000")
    value = int((whole + part) or "0")
    return Fraction(value * 10**power) if power >= 0 else Fraction(value, 10**-power)


def _repeating(head: str, period: str) -> Node:
    whole, _, part = head.partition(".")
    if not period.isdigit() or len(period) > 60:
        raise Unreadable("a repeating decimal without digits")
    base = Fraction(int((whole + part) or "0"), 10 ** len(part))
    return Node("num", base + Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(part)))
