r"""Regular expressions in the strict sense, matched by sets of positions: no backtracking, bounded work.

The grammar: ``alternatives := sequence ('|' sequence)*``, ``sequence := repeated*``, ``repeated := atom
('*' | '+' | '?' | '{m}' | '{m,}' | '{m,n}')*``, ``atom := character | '.' | '\' character | '[' class ']'
| '(' alternatives ')'``. A node maps the set of positions where it may begin to the set where it may
end, so that a match costs at most (nodes x length^2) steps, times the counted repetitions; more than
``MAX_STEPS`` raises :class:`Overrun`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from referee.verifiers.errors import UnreadableText

MAX_LENGTH = 200
MAX_DEPTH = 20
MAX_COUNT = 20
MAX_STEPS = 100_000
_SPECIAL = "|*+?{}()[]\\.^$"
_CLASSES = {"d": "0123456789", "w": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"}


class Overrun(UnreadableText, RuntimeError):
    """Matching took too many steps."""


@dataclass(slots=True)
class _Budget:
    left: int = MAX_STEPS

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Overrun


@dataclass(frozen=True, slots=True)
class PatternNode:
    """A part of a pattern: ``kind`` is one, sequence, choice or repeat."""

    kind: str
    children: tuple[PatternNode, ...] = ()
    characters: frozenset[str] = field(default_factory=frozenset)
    negated: bool = False
    low: int = 0
    high: int | None = None

    def matches(self, text: str) -> bool:
        """Tell whether the pattern matches all of ``text``."""
        return len(text) in self.ends(text, frozenset({0}), _Budget())

    def ends(self, text: str, starts: frozenset[int], budget: _Budget) -> frozenset[int]:
        """Return where a match can end that begins at one of ``starts``."""
        budget.spend(1 + len(starts))
        if self.kind == "one":
            return frozenset(
                i + 1 for i in starts if i < len(text) and (text[i] in self.characters) is not self.negated
            )
        if self.kind == "sequence":
            for child in self.children:
                starts = child.ends(text, starts, budget)
            return starts
        if self.kind == "choice":
            return frozenset().union(*(child.ends(text, starts, budget) for child in self.children))
        return self._repeat(text, starts, budget)

    def _repeat(self, text: str, starts: frozenset[int], budget: _Budget) -> frozenset[int]:
        (child,) = self.children
        for _ in range(self.low):
            starts = child.ends(text, starts, budget)
        found, fresh, times = starts, starts, self.low
        while fresh and (self.high is None or times < self.high):
            fresh = child.ends(text, fresh, budget) - found
            found |= fresh
            times += 1
        return found


def parse(pattern: str) -> PatternNode | None:
    """Return a pattern as a node; None where it is not in the grammar."""
    if len(pattern) > MAX_LENGTH:
        return None
    reader = _Reader(pattern)
    try:
        node = reader.alternatives(0)
    except _Bad:
        return None
    return node if reader.at == len(pattern) else None


class _Bad(UnreadableText, ValueError):
    """The pattern is not one of this grammar."""


@dataclass(slots=True)
class _Reader:
    pattern: str
    at: int = 0

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        character = self.peek()
        if not character:
            raise _Bad
        self.at += 1
        return character

    def alternatives(self, depth: int) -> PatternNode:
        if depth > MAX_DEPTH:
            raise _Bad
        options = [self.sequence(depth)]
        while self.peek() == "|":
            self.at += 1
            options.append(self.sequence(depth))
        return options[0] if len(options) == 1 else PatternNode("choice", tuple(options))

    def sequence(self, depth: int) -> PatternNode:
        parts: list[PatternNode] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated(self.atom(depth)))
        return PatternNode("sequence", tuple(parts))

    def repeated(self, node: PatternNode) -> PatternNode:
        for _ in range(MAX_DEPTH):
            mark = self.peek()
            if mark == "*":
                node = PatternNode("repeat", (node,))
            elif mark == "+":
                node = PatternNode("repeat", (node,), low=1)
            elif mark == "?":
                node = PatternNode("repeat", (node,), high=1)
            elif mark == "{":
                node = self.counted(node)
            else:
                return node
            self.at += 1
        raise _Bad

    def counted(self, node: PatternNode) -> PatternNode:
        end = self.pattern.find("}", self.at)
        low, comma, high = self.pattern[self.at + 1 : max(end, 0)].partition(",")
        counts = [low, *([high] if high else [])]
        if end < 0 or not all(n.isascii() and n.isdigit() and int(n[:3]) <= MAX_COUNT for n in counts):
            raise _Bad
        least, most = int(low), int(high) if high else None if comma else int(low)
        if most is not None and most < least:
            raise _Bad
        self.at = end
        return PatternNode("repeat", (node,), low=least, high=most)

    def atom(self, depth: int) -> PatternNode:
        character = self.take()
        if character == "(":
            if self.pattern.startswith("?:", self.at):
                self.at += 2
            node = self.alternatives(depth + 1)
            if self.take() != ")":
                raise _Bad
            return node
        if character == "[":
            return self.members()
        if character == ".":
            return PatternNode("one", characters=frozenset("\n"), negated=True)
        if character == "\\":
            return self.escaped()
        if character in _SPECIAL:
            raise _Bad
        return PatternNode("one", characters=frozenset(character))

    def escaped(self) -> PatternNode:
        character = self.take()
        if character.isalnum() and character not in _CLASSES:
            raise _Bad
        return PatternNode("one", characters=frozenset(_CLASSES.get(character, character)))

    def members(self) -> PatternNode:
        negated = self.peek() == "^"
        self.at += negated
        members: set[str] = set()
        while (character := self.take()) != "]":
            if character == "\\":
                members |= self.escaped().characters
            elif self.peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("", "]"):
                self.at += 1
                last = self.take()
                if not character <= last or ord(last) - ord(character) > 200:
                    raise _Bad
                members |= {chr(c) for c in range(ord(character), ord(last) + 1)}
            else:
                members.add(character)
        if not members:
            raise _Bad
        return PatternNode("one", characters=frozenset(members), negated=negated)
