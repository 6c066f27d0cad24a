"""Chains of sums, differences and products of whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.answers import integer
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.records import Problem


@dataclass(frozen=True, kw_only=True)
class Arithmetic(Procedural):
    """The value of an expression.

    Levels: 0 the sum of two digits; 1 sums and differences to 20; 2 to 99; 3 three terms; 4 four
    terms, some of them products; 5 six terms with brackets.

    Accepts:
        - the value, such as ``42``, ``-7`` or ``1,204``
        - the value at the end: in a box, after ``answer:``, or alone on the last line
    Rejects:
        - another number, two numbers, an expression that has the value
        - the empty completion
    """

    name: ClassVar[str] = "arithmetic"
    levels: ClassVar[int] = 6

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw terms, then join them."""
        if level == 5:
            first, a = _chain(stream, 3, 20, products=True)
            second, b = _chain(stream, 3, 20, products=False)
            sign = stream.coin()
            text, value = f"{first}{'-' if sign else '+'}({second})", a - b if sign else a + b
        elif level == 0:
            a, b = stream.below(10), stream.below(10)
            text, value = f"{a}+{b}", a + b
        else:
            terms, high = ((2, 20), (2, 99), (3, 99), (4, 99))[level - 1]
            text, value = _chain(stream, terms, high, products=level == 4)
        return Draft(f"What is {text}? End with a line that holds only the number.", f"{text}=", str(value))

    def judge(self, answer: str, problem: Problem) -> bool:
        """Compare numbers."""
        return answer == problem.answer or integer(answer) == int(str(problem.answer))


def _chain(stream: Stream, terms: int, high: int, *, products: bool) -> tuple[str, int]:
    text, value = "", 0
    for i in range(terms):
        if products and stream.coin():
            a, b = stream.between(2, 9), stream.between(2, 12)
            term, size = f"{a}*{b}", a * b
        else:
            size = stream.below(high + 1)
            term = str(size)
        minus = i > 0 and stream.coin()
        value += -size if minus else size
        text += ("" if i == 0 else "-" if minus else "+") + term
    return text, value
