"""Questions that need a computer: the policy has a Python tool to work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.answers import integer
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.envs.tools import Tool
from referee.verifiers.records import Problem


@dataclass(frozen=True, kw_only=True)
class PythonTool(Procedural):
    """A number that is tedious by hand and one line in Python.

    Levels: 0 a product of two large numbers; 1 the digits of a power, added up; 2 the number of primes
    in a range; 3 a term of a recurrence modulo a number. An episode of this family offers the tool
    ``python``; calling it costs a turn and pays nothing, only the answer pays.

    Accepts:
        - the number
    Rejects:
        - the program instead of the number; a number near it
    """

    name: ClassVar[str] = "python_tool"
    levels: ClassVar[int] = 4

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that an episode offers."""
        from referee.envs.standard_tools import PYTHON

        return (PYTHON,)

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw a question, its answer, and a program that finds it."""
        if level == 0:
            a, b = stream.between(10**7, 10**8), stream.between(10**7, 10**8)
            ask, value, code = f"{a} times {b}", a * b, f"print({a} * {b})"
        elif level == 1:
            a, n = stream.between(3, 19), stream.between(30, 99)
            ask, value = f"the sum of the decimal digits of {a} to the power {n}", sum(map(int, str(a**n)))
            code = f"print(sum(map(int, str({a} ** {n}))))"
        elif level == 2:
            a = stream.between(100, 2000)
            b = a + stream.between(50, 400)
            ask = f"the number of primes from {a} to {b}, both included"
            value = sum(_is_prime(n) for n in range(a, b + 1))
            code = f"print(sum(all(n % d for d in range(2, int(n ** 0.5) + 1)) for n in range({a}, {b} + 1)))"
        else:
            p, q, n, m = (
                stream.between(2, 9),
                stream.between(2, 9),
                stream.between(30, 200),
                stream.between(100, 999),
            )
            ask = f"a({n}) modulo {m}, where a(0) = 0, a(1) = 1 and a(n) = {p} a(n-1) + {q} a(n-2)"
            x, y = 0, 1
            for _ in range(n):
                x, y = y, (p * y + q * x) % m
            value = x % m
            code = (
                f"x, y = 0, 1\nfor _ in range({n}):\n    x, y = y, ({p} * y + {q} * x) % {m}\nprint(x % {m})"
            )
        return Draft(
            f"What is {ask}? You may call the tool python. End with a line that holds only the number.",
            f"{ask}:",
            str(value),
            {"program": code},
        )

    def judge(self, answer: str, problem: Problem) -> bool:
        """Compare numbers."""
        return integer(answer) == int(str(problem.answer))


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))
