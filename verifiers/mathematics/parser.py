r"""A hand-written precedence parser for the mathematics that answers are made of.

Binding, loosest first: list separators, relations, set operations, ratio, ``+ - \pm``, products and
quotients (also side by side, ``1/2x`` being ``(1/2)x``), signs, powers and postfix signs.
"""

from __future__ import annotations

import re

from referee.verifiers.mathematics import brackets, commands, measures, numerals, raised_signs, statements
from referee.verifiers.mathematics.environments import environment
from referee.verifiers.mathematics.letters import Token
from referee.verifiers.mathematics.named_quantities import side_or_quantity
from referee.verifiers.mathematics.number_words import number_word
from referee.verifiers.mathematics.token_stream import END, TokenStream
from referee.verifiers.mathematics.tree import UNNAMED, Node, Unreadable, neg, num, product, times

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
_OPERATORS = frozenset(
    """
    times cdot div bmod pmod pm mp le ge ne in approx equiv sim cup cap setminus to Rightarrow and or
    land lor
    choose circ rfloor rceil rangle degrees notin Leftrightarrow subset subseteq prime over qed
    blacksquare
    """.split()
)
_JOINS = {",": "comma", ";": "comma", "and": "and", "or": "or", "land": "land", "lor": "lor"}
_ENDS = _JOINS.keys() | _RELATIONS.keys()
_CLOCK = re.compile(r"\d{1,2}(?::\d\d){1,2}")


class Parser(TokenStream):
    """One pass over the tokens of one answer."""

    def answer(self) -> Node:
        """Parse the whole answer."""
        node = self.items()
        while self.accept(".", ",", ";", "!"):
            pass
        if self.peek is not END:
            raise Unreadable(f"unexpected {self.peek.text!r}")
        return node

    def items(self) -> Node:
        """Parse a list of relations, or the one there is."""
        labels = [measures.label(self.peek, self.ahead(1))]
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
            labels.append(measures.label(self.peek, self.ahead(1)))
            items.append(self.nested(self.relation))
        if len(items) == 1:
            return items[0]
        kinds = set(joins)
        if kinds <= {"land", "lor"} and not any(i.kind in ("rel", "group") for i in items):
            return Node("logic", joins[0] if len(kinds) == 1 else " ".join(joins), tuple(items))
        kind = "or" if kinds & {"or", "lor"} else "and" if kinds & {"and", "land"} else "comma"
        return Node("seq", kind, measures.labelled(labels, items))

    def _join(self) -> str | None:
        token = self.peek
        if token.kind not in "oc" or token.text not in _JOINS:
            return None
        self.pos += 1
        return _JOINS[token.text]

    def _closing(self) -> bool:
        t = self.peek
        return (
            t is END
            or (t.kind in "oe" and t.text in (")", "]", "\\}", "}", ".", "&", "\\\\"))
            or t.kind == "e"
        )

    def relation(self) -> Node:
        """Parse sides and the signs between them."""
        self._label()
        while self.peek.text in ("=", "approx", "Rightarrow", "therefore") and self.peek.kind in "oc":
            self.pos += 1
        bare = self.peek.text in ("<", ">", "le", "ge", "ne") and self.peek.kind in "oc"
        sides, signs = [Node("var", UNNAMED) if bare else side_or_quantity(self, _OPERATORS, _ENDS)], []
        while (sign := self._relation_sign()) is not None:
            signs.append(sign)
            self._label()
            side = self.side()
            if signs[-1] == "==" and side.kind == "fn" and side.value == "mod":
                side = Node("mod", None, side.args)
            sides.append(side)
        node = Node("rel", tuple(signs), tuple(sides)) if signs else sides[0]
        if (statement := statements.sign(self.peek)) is not None:
            self.pos += 1
            node = Node("statement", statement, (node, self.nested(self.relation)))
        return node

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
        node = measures.measured(self)
        while op := self.accept("cup", "cap", "setminus"):
            node = _in_braces(node) if braced else node
            braced = self.peek.text == "{"
            right = measures.measured(self)
            right = _in_braces(right) if braced else right
            braced = False
            kind = {"cup": "union", "cap": "inter", "setminus": "diff"}[op.text]
            node = Node(kind, None, (node, right))
        if self.peek.text == "to" and node.kind == "num" and self.ahead(1).kind == "n":
            self.pos += 1
            node = Node("ratio", None, (node, measures.measured(self)))
        if self.peek.text == ":" and not (
            self.in_set and (node.kind in ("var", "rel") or node == Node("const", "reals"))
        ):
            parts = [node]
            while self.accept(":"):
                parts.append(measures.measured(self))
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
        if len(terms) == 1:
            return terms[0]
        return brackets.difference(terms) or Node("add", None, tuple(terms))

    def term(self) -> Node:
        """Parse a product or a quotient."""
        node = self.factor()
        while True:
            token = self.peek
            if token.kind in "oc" and token.text in ("times", "cdot", "*"):
                self.pos += 1
                right, cross = self.signed(), token.text == "times"
                both = brackets.pairs(node, right) if cross else None
                node = both or times(node, right, cross=cross)
            elif token.kind in "oc" and token.text in ("/", "div", "over"):
                self.pos += 1
                node = Node("div", None, (node, self.signed()))
            elif token.kind == "c" and token.text == "bmod":
                self.pos += 1
                node = Node("fn", "mod", (node, self.signed()))
            elif token.kind == "c" and token.text == "angle" and node.kind in ("num", "fn", "div"):
                self.pos += 1
                node = product(node, Node("fn", "cis", (self.factor(),)))
            elif self.starts_factor(token):
                node = product(node, self.factor())
            else:
                return node

    def signed(self) -> Node:
        """Parse a factor with its sign."""
        if self.accept("-"):
            return neg(self.nested(self.signed))
        self.accept("+")
        return self.factor()

    def starts_factor(self, token: Token) -> bool:
        """Tell whether a token begins another factor of a product."""
        kind, text, _ = token
        if kind == "v":
            return True
        if kind == "c":
            return text not in _OPERATORS and text not in statements.SIGNS
        if kind == "o":
            if text == "(":
                return self.ahead(1).text not in ("bmod", "pmod")
            if text == "|":
                return not self.in_abs and not self.in_set
            return text == "{" or (text == "[" and not self.reversed)
        if kind == "n":  # (n+1)2^n, 3!4; but 30 degrees 20 minutes, (1) 12 (2) 5 are no products
            before = self.tokens[self.pos - 1].text
            part = before == ")" and self.pos > 2 and self.tokens[self.pos - 3].text == "("
            return before == "!" or (before in ("}", ")") and not token.spaced and not part)
        return kind == "b"

    def factor(self) -> Node:
        """Parse an atom with its powers and what stands behind it."""
        node = self.nested(self.atom)
        while True:
            token = self.peek
            if token.kind == "o" and token.text == "^":
                self.pos += 1
                if raised_signs.degree_sign(self):
                    node = measures.degrees_of(self, node)
                    continue
                if raised_signs.ordinal(self) or (node.kind != "num" and self.accept("'", "prime")):
                    continue
                if (mark := raised_signs.mark(self)) is not None:
                    node = Node("fn", mark, (node,))
                    continue
                if self.accept("top"):
                    node = Node("pow", None, (node, Node("var", "T")))
                    continue
                node = Node("pow", None, (node, self.exponent()))
            elif token.kind == "c" and token.text in ("degrees", "circ"):
                self.pos += 1
                node = measures.degrees_of(self, node)
            elif token.kind == "o" and token.text == "!":
                self.pos += 1
                if self.accept("!"):
                    node = Node("fn", "factorial2", (node,))
                else:
                    node = Node("fn", "factorial", (node,))
            elif token.kind == "o" and token.text in ("\\%", "%"):
                self.pos += 1
                node = Node("pct", None, (node,))
            elif token.kind == "o" and token.text == "_" and node.kind not in ("num", "var", "const"):
                self.pos += 1
                node = Node("fn", f"index {self.plain_argument()}", (node,))  # (x + y)_{max}
            elif token.kind == "o" and token.text == "'" and node.kind == "var":
                self.pos += 1
                node = Node("var", node.value + "'")
            else:
                return node

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

    def atom(self) -> Node:
        """Parse a number, a variable, a group or a command."""
        token = self.next()
        kind, text, _ = token
        if kind == "n":
            return numerals.number(self, text)
        if kind == "v":
            return self.variable(text)
        if kind == "c":
            return commands.command(self, text)
        if kind == "b":
            return environment(self, text)
        if kind == "t" and text == statements.SPAN:
            return statements.span(self)
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
                return brackets.braces(self)
        if text in ("_", "^"):
            return commands.counted_before(self)
        if text in ("(", "[", "]"):
            return brackets.brackets(self, text)
        if text == "\\{":
            return brackets.set_of(self)
        if text == "|":
            self.in_abs += 1
            node = self.expression()
            self.expect("|")
            self.in_abs -= 1
            return Node("fn", "abs", (node,))
        if text == "." and self.peek.text in ("overline", "dot"):
            return numerals.number(self, "0.")
        raise Unreadable(f"unexpected {text or 'end'!r}")

    def variable(self, text: str, alone: bool = False) -> Node:
        """Make a variable of a letter and its subscript."""
        if text in ("e", "i") and not (self.peek.kind == "o" and self.peek.text == "_"):
            return Node("const", text)
        if self.peek.kind == "o" and self.peek.text == "_":
            self.pos += 1
            return Node("var", f"{text}_{self.plain_argument()}")
        if (
            not alone
            and self.peek.kind == "n"
            and not self.peek.spaced
            and self.peek.text.isdigit()
            and len(text) == 1
        ):
            return Node("var", f"{text}_{self.next().text}")  # x1 in plain text
        return Node("var", text)

    def argument(self) -> Node:
        """Parse one argument: a group in braces, one digit, or one sign."""
        if self.accept("{"):
            return brackets.braces(self)
        token = self.peek
        if token.kind == "n" and len(token.text) > 1 and token.text.isdigit():
            self.tokens[self.pos] = Token("n", token.text[1:])
            return num(int(token.text[0]))
        if token.kind == "v":
            self.pos += 1
            return self.variable(token.text, alone=True)
        return self.nested(self.atom)


def _in_braces(node: Node) -> Node:
    """Read ``{1, 2}`` beside a sign of union as a set, though LaTeX would not print its braces."""
    if node.kind == "seq" and node.value == "comma":
        return Node("set", None, node.args)
    return Node("set", None, (node,)) if node.kind in ("num", "div", "mul") else node
