"""Greatest common divisors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from referee.envs.answers import integer
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.records import Problem


@dataclass(frozen=True, kw_only=True)
class GCD(Procedural):
    """The greatest common divisor of two, at levels 3 and 4 of three numbers.

    Levels: the divisor is at most 4, 9, 20, 30 and 99, the factors beside it at most 4, 9, 20, 30, 99.

    Accepts:
        - the divisor
    Rejects:
        - a smaller common divisor, its negative, the least common multiple
    """

    name: ClassVar[str] = "gcd"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw a common factor and what stands beside it."""
        high = (4, 9, 20, 30, 99)[level]
        common = stream.between(1, high)
        numbers = [common * stream.between(1, high) for _ in range(3 if level > 2 else 2)]
        listed = ", ".join(map(str, numbers))
        return Draft(
            f"What is the greatest common divisor of {listed}? End with a line that holds only the number.",
            f"gcd {' '.join(map(str, numbers))}:",
            str(math.gcd(*numbers)),
        )

    def judge(self, answer: str, problem: Problem) -> bool:
        """Compare numbers."""
        return answer == problem.answer or integer(answer) == int(str(problem.answer))
