"""Reward a small operation language: .4 validity + .5 closeness + .1 efficiency.

The model is to turn a number into another with a few operations, and writes its program as
``<answer>add 3, double</answer>``. A program is run by our own ten-line interpreter: nothing that the
model wrote is executed.

    python examples/operation_language.py
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from referee import Completion, Problem, Reason, Rubric, Verdict
from referee.verifiers import AllowedOperations, Composable, Efficiency, answer_of, elements, extract, gate

OPERATIONS = ("add", "sub", "double", "halve")
LARGEST = 10**12


def run(program: str, start: int) -> Fraction | None:
    """Return the number that a program makes of ``start``, or None where it is not a program."""
    value = Fraction(start)
    for step in elements(program):
        operation, *operands = step.split()
        if (
            operation in ("add", "sub")
            and len(operands) == 1
            and operands[0].isdecimal()
            and len(operands[0]) < 9
        ):
            value += int(operands[0]) * (1 if operation == "add" else -1)
        elif operation == "double" and not operands:
            value *= 2
        elif operation == "halve" and not operands:
            value /= 2
        else:
            return None
        if abs(value) > LARGEST or value.denominator > LARGEST:
            return None
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaches(Composable):
    """Pay exp(-a |reached - target|) for the number that the program reaches."""

    a: float = 0.5

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the closeness, with what the program reached."""
        start, target = problem.info.get("start"), problem.answer
        if not isinstance(start, int) or not isinstance(target, int):
            return Verdict(score=None, reason=Reason.BAD_REFERENCE)
        program = extract(answer_of(completion, problem), "tag:answer")
        reached = run(program, start) if program and elements(program) else None
        if reached is None:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        distance = float(abs(reached - target))
        return Verdict(score=math.exp(-self.a * distance), answer=str(reached), detail={"distance": distance})


VALID = AllowedOperations(allowed=OPERATIONS, extract="tag:answer")
CLOSE = Reaches()
# Gated: a short program that goes nowhere saves nothing worth paying for.
SHORT = gate(CLOSE, Efficiency(most=10, extract="tag:answer"))

RUBRIC = Rubric({"validity": (VALID, 0.4), "closeness": (CLOSE, 0.5), "efficiency": (SHORT, 0.1)})


def main() -> None:
    problem = Problem(prompt="Make 16 of 5 with add, sub, double and halve.", answer=16, info={"start": 5})
    for text in (
        "<answer>add 3, double</answer>",
        "<answer>double, add 5</answer>",
        "<answer>add 11, square</answer>",
        "I can't.",
    ):
        reward = RUBRIC(text, problem)
        parts = ", ".join(f"{name} {verdict.score:.3f}" for name, verdict in reward.parts.items())
        print(f"{reward.total:.3f}  {parts}  {text}")


if __name__ == "__main__":
    main()
