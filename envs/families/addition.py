"""The sum of two whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.answers import integer
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.records import Problem


@dataclass(frozen=True, kw_only=True)
class Addition(Procedural):
    """The sum of two numbers, each of the level's digits at most: the first thing to learn by reward.

    Levels: 0 one digit; 1 two; 2 three; 3 five; 4 ten.

    Accepts:
        - the value, such as ``42`` or ``1,204``
        - the value at the end: in a box, after ``answer:``, or alone on the last line
    Rejects:
        - another number, two numbers, the sum that was asked for
        - the empty completion
    """

    name: ClassVar[str] = "addition"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw two numbers."""
        limit = 10 ** (1, 2, 3, 5, 10)[level]
        a, b = stream.below(limit), stream.below(limit)
        prompt = f"What is {a}+{b}? End with a line that holds only the number."
        return Draft(prompt, f"{a}+{b}=", str(a + b))

    def judge(self, answer: str, problem: Problem) -> bool:
        """Compare numbers."""
        return answer == problem.answer or integer(answer) == int(str(problem.answer))
