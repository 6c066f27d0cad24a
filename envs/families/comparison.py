"""Which of two numbers is greater."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.records import Problem

_WORDS = {"less": "<", "smaller": "<", "greater": ">", "larger": ">", "equal": "="}


@dataclass(frozen=True, kw_only=True)
class Comparison(Procedural):
    """The sign that stands between two numbers: ``<``, ``>`` or ``=``.

    Levels: 0 digits; 1 numbers to 99; 2 negative ones; 3 decimals of different length; 4 fractions.

    Accepts:
        - the sign, or its word: ``<``, ``less``
    Rejects:
        - the other signs, two signs, ``<=``
    """

    name: ClassVar[str] = "comparison"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw two numbers of a kind."""
        (a, x), (b, y) = _number(stream, level), _number(stream, level)
        if stream.below(5) == 0:
            b, y = a, x
        sign = "<" if a < b else ">" if a > b else "="
        prompt = (
            f"Which sign stands between {x} and {y}: <, > or =? End with a line that holds only the sign."
        )
        return Draft(prompt, f"{x}?{y}:", sign)

    def judge(self, answer: str, problem: Problem) -> bool:
        """Compare signs."""
        return _WORDS.get(answer.lower(), answer) == problem.answer


def _number(stream: Stream, level: int) -> tuple[Fraction, str]:
    if level == 3:
        places = stream.between(1, 3)
        digits = stream.below(10**places)
        whole = stream.below(3)
        return whole + Fraction(digits, 10**places), f"{whole}.{digits:0{places}d}"
    if level == 4:
        above, below = stream.between(1, 9), stream.between(2, 9)
        return Fraction(above, below), f"{above}/{below}"
    value = stream.between(*((0, 9), (0, 99), (-50, 50))[level])
    return Fraction(value), str(value)
