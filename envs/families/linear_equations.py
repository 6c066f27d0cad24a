"""Linear equations in one and two unknowns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from referee.envs.answers import final_answer
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Json, Problem, Reason, Verdict

_VALUE = re.compile(r"([-+]?[0-9]{1,20})(?:\s*/\s*([0-9]{1,20}))?(?:\.([0-9]{1,20}))?")


@dataclass(frozen=True, kw_only=True)
class LinearEquations(Procedural):
    """The x (at level 5, the x and y) that solves an equation.

    Levels: 0 x + a = b; 1 ax = b; 2 ax + b = c; 3 ax + b = cx + d; 4 the same with a fraction as its
    solution; 5 two equations in x and y. The coefficients are drawn around the solution.

    Accepts:
        - ``3``, ``x = 3``, ``-7/2``, ``-3.5``; at level 5 ``x = 3, y = -1`` or ``3, -1``
    Rejects:
        - a rounded fraction, another value, an equation that is not solved
    """

    name: ClassVar[str] = "linear_equations"
    levels: ClassVar[int] = 6

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw the solution, then an equation that it solves."""
        if level == 5:
            return _pair(stream)
        x = Fraction(stream.between(-9, 9)) if level > 1 else Fraction(stream.between(0, 9))
        a, c = stream.between(2, 9), 0
        b = stream.between(1, 9)
        if level == 0:
            a = 1
        elif level == 1:
            b = 0
        elif level >= 3:
            a, c = stream.sample([n for n in range(-9, 10) if n not in (0, 1)], 2)
            if level == 4:
                x = Fraction(stream.between(-19, 19), abs(a - c))
        right = (a - c) * x + b
        equation = f"{_sum(a, 'x', b)}={_sum(c, 'x', int(right))}"
        return _draft(equation, str(x), [[a - c, 0, int(right) - b]])

    def extract(self, text: str) -> str | None:
        """Return the last line without its ``x =``."""
        answer = final_answer(text)
        return re.sub(r"\b[xy]\s*=\s*", "", answer[:200]) if answer is not None else None

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Put the values into the equations."""
        system = problem.info.get("system")
        if not isinstance(system, list):
            return failure("info must hold the system of equations", Reason.BAD_REFERENCE)
        parts = re.split(r"\s*(?:,|;|\band\b)\s*", answer)
        values = [_value(part) for part in parts]
        if len(values) != len(system) or None in values:
            return False
        solution = [*(v for v in values if v is not None), Fraction(0)]
        return all(row[0] * solution[0] + row[1] * solution[1] == row[2] for row in system)  # type: ignore


def _draft(equations: str, solution: str, system: Json) -> Draft:
    end = "End with a line that holds only the solution."
    return Draft(f"Solve: {equations}\n{end}", f"{equations}:", solution, {"system": system})


def _pair(stream: Stream) -> Draft:
    x, y = stream.between(-9, 9), stream.between(-9, 9)
    while True:
        a, b, c, d = (stream.choice([n for n in range(-9, 10) if n]) for _ in range(4))
        if a * d != b * c:
            break
    e, f = a * x + b * y, c * x + d * y
    equations = f"{_sum(a, 'x', 0)}{_signed(b)}y={e}, {_sum(c, 'x', 0)}{_signed(d)}y={f}"
    return _draft(equations, f"x = {x}, y = {y}", [[a, b, e], [c, d, f]])


def _signed(n: int) -> str:
    return f"{n:+d}" if abs(n) != 1 else "+" if n > 0 else "-"


def _sum(a: int, name: str, b: int) -> str:
    if not a:
        return str(b)
    head = name if a == 1 else f"-{name}" if a == -1 else f"{a}{name}"
    return f"{head}{b:+d}" if b else head


def _value(text: str) -> Fraction | None:
    found = _VALUE.fullmatch(text.strip())
    if found is None or (found[2] and found[3]):
        return None
    if found[3]:
        return Fraction(f"{found[1]}.{found[3]}")
    return Fraction(int(found[1]), int(found[2] or 1)) if int(found[2] or 1) else None
