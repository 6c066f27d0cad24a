"""The real roots of polynomials that have whole or rational ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from referee.envs.answers import final_answer
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Problem, Reason, Verdict

_ROOT = re.compile(r"([-+]?[0-9]{1,12})(?:\s*/\s*([0-9]{1,12}))?")
_BETWEEN = re.compile(r"\s*(?:,|;|\band\b|\bor\b)\s*")


@dataclass(frozen=True, kw_only=True)
class PolynomialRoots(Procedural):
    """All distinct roots of a polynomial that is drawn as a product of its linear factors.

    Levels: 0 x^2 - a^2; 1 quadratics with roots to 5; 2 to 12; 3 cubics; 4 quadratics with a fraction.

    Accepts:
        - the roots in any order: ``2, 3``, ``x = 2 or x = 3``, ``-1/2, 4``
    Rejects:
        - a root left out, or one too many; a decimal for a fraction; the factors
    """

    name: ClassVar[str] = "polynomial_roots"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw the roots and multiply the factors out."""
        if level == 0:
            a = stream.between(1, 12)
            roots = [Fraction(a), Fraction(-a)]
        else:
            high = (0, 5, 12, 6, 6)[level]
            roots = [Fraction(stream.between(-high, high)) for _ in range(3 if level == 3 else 2)]
            if level == 4:
                roots[0] = Fraction(stream.between(-9, 9), stream.between(2, 5))
        coefficients = [1]
        for root in roots:
            p, q = root.numerator, root.denominator  # the factor q x - p, highest power first
            by_x, by_p = [*coefficients, 0], [0, *coefficients]
            coefficients = [q * a - p * b for a, b in zip(by_x, by_p, strict=True)]
        equation = _polynomial(coefficients)
        listed = ", ".join(map(str, sorted(set(roots))))
        return Draft(
            f"Find all real roots of {equation} = 0. End with a line that holds only the roots.",
            f"{equation}=0:",
            listed,
            {"coefficients": list(coefficients), "roots": len(set(roots))},
        )

    def extract(self, text: str) -> str | None:
        """Return the last line without its ``x =``."""
        answer = final_answer(text)
        return re.sub(r"\bx\s*=\s*", "", answer[:300]) if answer is not None else None

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Put each root into the polynomial, and count them."""
        coefficients, count = problem.info.get("coefficients"), problem.info.get("roots")
        if not isinstance(coefficients, list) or not isinstance(count, int):
            return failure("info must hold coefficients and the number of roots", Reason.BAD_REFERENCE)
        found: set[Fraction] = set()
        for part in _BETWEEN.split(answer.strip("{}[] ")):
            match = _ROOT.fullmatch(part)
            if match is None or int(match[2] or 1) == 0:
                return False
            found.add(Fraction(int(match[1]), int(match[2] or 1)))
        return len(found) == count and all(_at(coefficients, x) == 0 for x in found)


def _at(coefficients: list[Any], x: Fraction) -> Fraction:
    value = Fraction(0)
    for c in coefficients:
        value = value * x + c
    return value


def _polynomial(coefficients: list[int]) -> str:
    out = ""
    for power, c in zip(range(len(coefficients) - 1, -1, -1), coefficients, strict=True):
        if c:
            size = "" if abs(c) == 1 and power else str(abs(c))
            variable = "" if power == 0 else "x" if power == 1 else f"x^{power}"
            sign = "-" if c < 0 else "+" if out else ""
            out += sign + size + variable
    return out
