"""Rewriting strings by rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.records import Problem


@dataclass(frozen=True, kw_only=True)
class StringRewriting(Procedural):
    """The string after some steps. A step takes the first rule that applies, at its leftmost place.

    Levels: 0 one rule, one step; 1 two rules, two steps; 2 three; 3 four steps; 4 six.

    Accepts:
        - the string, in its own case
    Rejects:
        - the string of another step; letters parted by spaces
    """

    name: ClassVar[str] = "string_rewriting"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw rules and a string until every step applies and changes the string."""
        rules_count, steps, length = ((1, 1, 3), (2, 2, 4), (3, 3, 5), (3, 4, 6), (3, 6, 8))[level]
        while True:
            letters = "abc"
            lefts = stream.sample([x + y for x in letters for y in letters], rules_count)
            rules = [(left, _some(stream, letters, 1, 2)) for left in lefts]
            start = text = _some(stream, letters, length, length)
            for _ in range(steps):
                rule = next((r for r in rules if r[0] in text), None)
                if rule is None or rule[0] == rule[1]:
                    break
                text = text.replace(*rule, 1)
            else:
                if text != start:
                    break
        spoken = ", ".join(f"{a} becomes {b}" for a, b in rules)
        return Draft(
            f"Rules: {spoken}. In each step the first rule in the list that applies is used once, at its "
            f"leftmost place. What does {start} become after {steps} steps? "
            "End with a line that holds only the string.",
            f"{' '.join(f'{a}>{b}' for a, b in rules)} {steps} {start}:",
            text,
        )

    def judge(self, answer: str, problem: Problem) -> bool:
        """Compare strings."""
        return answer.strip("\"'") == problem.answer


def _some(stream: Stream, letters: str, low: int, high: int) -> str:
    return "".join(stream.choice(letters) for _ in range(stream.between(low, high)))
