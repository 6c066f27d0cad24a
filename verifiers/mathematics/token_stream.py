"""The tokens of one answer, taken one by one, with the bound on nesting."""

from __future__ import annotations

from collections.abc import Callable

from referee.verifiers.mathematics.letters import Token
from referee.verifiers.mathematics.tree import MAX_DEPTH, Node, TooBig, Unreadable

END = Token("end", "")


class TokenStream:
    """Where a parser stands in its tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.pos = 0
        self.level = 0
        self.in_abs = 0
        self.in_set = 0
        self.reversed = 0

    @property
    def peek(self) -> Token:
        """The next token."""
        return self.tokens[self.pos] if self.pos < len(self.tokens) else END

    def ahead(self, k: int) -> Token:
        """Return the token that stands ``k`` further on."""
        return self.tokens[self.pos + k] if self.pos + k < len(self.tokens) else END

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

    def plain_argument(self) -> str:
        """Take the text of one argument, unparsed."""
        if not self.accept("{"):
            return self.next().text
        out = ""
        while not self.accept("}"):
            if self.peek is END:
                raise Unreadable("a brace is not closed")
            out += self.next().text
        return out
