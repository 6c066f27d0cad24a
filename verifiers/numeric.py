"""Equality of numbers as exact rationals (:mod:`referee.verifiers.reading.written_numbers` reads them)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT
from referee.verifiers.reading.strategies import CUES, Extract, check_extract, extract, readings
from referee.verifiers.reading.written_numbers import NumberTooLong, WrittenNumber, parse_number, read_number
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of
from referee.verifiers.references import ListMeans, bad_reference, check_list_means, judged

Percent: TypeAlias = Literal["either", "fraction", "ignore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric(Composable):
    """Pay 1 where the extracted number equals ``problem.answer`` exactly, as a rational.

    ``abs_tol`` and ``rel_tol`` (of the reference) allow |x - answer| <= max(abs_tol, rel_tol |answer|);
    both are 0 unless asked for. ``percent`` says what 75% is: ``fraction`` 0.75, ``ignore`` 75,
    ``either`` both (where only one side has a sign). The reference is a number or a text that is one;
    ``reference`` is a strategy that finds it in a longer text, such as ``after:####``. A list of
    references means any of them; one number cannot be all of them, so ``list_means="all"`` is refused.

    Accepts:
        - ``18``, ``18.0``, ``$18``, ``18 eggs``, ``36/2``, ``1.8e1`` for 18
        - ``1,234`` and ``1 234`` written with a narrow space for 1234; ``2 3/4`` for 2.75
        - ``5 million`` for 5000000
        - ``75%`` for 75 or 0.75 (``either``)
        - ``4`` for the list 4, 5
    Rejects:
        - ``18.0000001`` for 18; ``0.333`` for 1/3: no tolerance unless asked
        - ``5 million`` for 5; ``4:30`` for 30; ``10^2`` for 2; ``x_3`` for 3
        - ``1e999999999``, at once
        - ``18 or 19`` for 19; boxes of different values beside each other; a box that is never closed,
          denied, or empty
        - a number that stands only inside the thinking
    Abstains:
        - where the reference is no number, or one of a list is none and no other matches
    """

    extract: Extract = (*CUES, "last_number")
    abs_tol: float = 0.0
    rel_tol: float = 0.0
    percent: Percent = "either"
    reference: Extract = "whole"
    list_means: ListMeans = "any"
    name = "numeric"
    range = UNIT
    rules_version = 2

    def __post_init__(self) -> None:
        for field in ("abs_tol", "rel_tol"):
            value = getattr(self, field)
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"{field} must be a finite number of at least 0, got {value!r}")
        if self.percent not in get_args(Percent):
            raise ValueError(f"percent must be one of {', '.join(get_args(Percent))}, got {self.percent!r}")
        object.__setattr__(self, "extract", check_extract(self.extract))
        object.__setattr__(self, "reference", check_extract(self.reference))
        check_list_means(
            "numeric", self.list_means, all_needs="which reads one number: math compares several values"
        )

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0; ``answer`` is the number as written."""
        found = extract(answer_of(completion, problem), self.extract)
        return judged(problem.answer, lambda reference: self._against(found, reference))

    def _against(self, found: str | None, reference: Json) -> Verdict:
        expected = reference_number(reference, self.reference)
        if expected is None:
            return bad_reference(f"answer must be a number, got {reference!r:.80}")
        if found is None:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        try:
            number = next((n for r in readings(found) if (n := read_number(r)) is not None), None)
        except NumberTooLong as e:
            return Verdict(
                score=0.0, reason=Reason.RESOURCE_LIMIT, answer=found[:80], detail={"error": str(e)}
            )
        if number is None:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER, answer=found[:200])
        if self._equal(number, expected):
            return Verdict(score=1.0, reason=Reason.CORRECT, answer=found)
        return Verdict(score=0.0, reason=Reason.INCORRECT, answer=found)

    def _equal(self, number: WrittenNumber, expected: WrittenNumber) -> bool:
        if number.percent == expected.percent or self.percent == "ignore":
            return self._close(number.value, expected.value)
        exact = self._close(_as_fraction(number), _as_fraction(expected))
        return exact or (self.percent == "either" and self._close(number.value, expected.value))

    def _close(self, value: Fraction, expected: Fraction) -> bool:
        if value == expected:
            return True
        if not self.abs_tol and not self.rel_tol:
            return False
        allowed = max(_decimal(self.abs_tol), _decimal(self.rel_tol) * abs(expected))
        return abs(value - expected) <= allowed


def reference_number(answer: Json, how: Extract = "whole") -> WrittenNumber | None:
    """Return a reference as an exact number, or None where it is none."""
    if isinstance(answer, bool) or not isinstance(answer, int | float | str):
        return None
    if isinstance(answer, int):
        return WrittenNumber(Fraction(answer))
    return _reference(str(answer), how)


@lru_cache(maxsize=65_536)
def _reference(answer: str, how: Extract) -> WrittenNumber | None:
    found = answer if how == "whole" else extract(answer, how)
    try:
        return parse_number(found) if found else None
    except NumberTooLong:
        return None


@lru_cache(maxsize=256)
def _decimal(tolerance: float) -> Fraction:
    """The tolerance as the user wrote it: 0.1 is one tenth, not the nearest binary fraction."""
    return Fraction(repr(tolerance))


def _as_fraction(number: WrittenNumber) -> Fraction:
    return number.value / 100 if number.percent else number.value
