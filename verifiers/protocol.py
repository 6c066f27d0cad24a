"""What a verifier is, and how any callable is read as one.

A verifier is a callable ``(completion, problem) -> Verdict | bool | float | None``; a group
verifier is ``(completions, problem) -> one of those each`` and is told apart by the name of its
first parameter. Either may be ``async def``. No base class is needed. What a verifier may also
carry, as plain attributes:

- ``name``: its name in rubrics and logs (else the function's or the class's),
- ``range``: the least and the greatest score that it can give (else 0 to 1),
- ``rules_version``: which version of its rules it judges by (else 1), see
  :mod:`referee.verifiers.rules_version`,
- ``verify_batch(items) -> one verdict each``: for models that score many completions at once; what else
  it may say of how it wants to be asked stands in :mod:`referee.verifiers.scoring.plan`.

A verifier that raises, or returns what is not a verdict, abstains with reason ``error``: a broken
verifier is never the completion's fault.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from referee.verifiers.records import Completion, Problem, Reason, Verdict

Range: TypeAlias = tuple[float, float]
RawResult: TypeAlias = "Verdict | bool | float | None"

UNIT: Range = (0.0, 1.0)

F = TypeVar("F", bound=Callable[..., Any])


@runtime_checkable
class Verifier(Protocol):
    """Judges one completion."""

    def __call__(self, completion: Completion, problem: Problem, /) -> RawResult | Awaitable[RawResult]:
        """Return the verdict on ``completion``."""
        ...


@runtime_checkable
class GroupVerifier(Protocol):
    """Judges the completions of one problem together: pairwise judges, diversity."""

    def __call__(
        self, completions: Sequence[Completion], problem: Problem, /
    ) -> Sequence[RawResult] | Awaitable[Sequence[RawResult]]:
        """Return one verdict for each of ``completions``."""
        ...


AnyVerifier: TypeAlias = Verifier | GroupVerifier


@dataclass(frozen=True, slots=True)
class Item:
    """One completion to judge. Items of the same ``group`` are siblings of one problem."""

    completion: Completion
    problem: Problem
    group: int = 0


def verifier(*, name: str = "", range: Range = UNIT) -> Callable[[F], F]:
    """Name a function's verdicts and state the range of its scores.

    >>> @verifier(name="brevity", range=(-1.0, 0.0))
    ... def brevity(completion, problem):
    ...     return -min(1.0, len(completion.text) / 1000)
    >>> range_of(brevity)
    (-1.0, 0.0)
    """
    low, high = float(range[0]), float(range[1])
    if not low <= high:
        raise ValueError(f"range must be (least, greatest), got {range}")

    def mark(function: F) -> F:
        function.range = (low, high)  # type: ignore[attr-defined]
        function.name = name or function.__name__  # type: ignore[attr-defined]
        return function

    return mark


def name_of(verifier: object) -> str:
    """Return a verifier's name: its ``name``, else its function's or (in snake case) its class's."""
    name = getattr(verifier, "name", None) or getattr(verifier, "__name__", None)
    return str(name) if name else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(verifier).__name__).lower()


def range_of(verifier: object) -> Range:
    """Return the least and greatest score that a verifier can give; 0 to 1 where it does not say.

    Raises:
        ValueError: where it states something else than two numbers, the least first.
    """
    stated = getattr(verifier, "range", UNIT)
    try:
        low, high = map(float, stated)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not low <= high:
        raise ValueError(f"range of {name_of(verifier)} must be (least, greatest), got {stated!r:.80}")
    return low, high


def rules_version(verifier: object) -> int:
    """Return the version of a verifier's own rules, 1 where it states none.

    Raises:
        ValueError: where it states something else than a whole number of at least 1.
    """
    stated = getattr(verifier, "rules_version", 1)
    if not isinstance(stated, int) or isinstance(stated, bool) or stated < 1:
        raise ValueError(
            f"rules_version of {name_of(verifier)} must be a whole number of at least 1, got {stated!r:.80}"
        )
    return stated


def least_of(verifier: object) -> float:
    """Return the least score that a verifier can give; 0 where that has no bound."""
    low, _ = range_of(verifier)
    return low if math.isfinite(low) else 0.0


def ran_out_of_time(verdict: Verdict) -> bool:
    """Tell whether a deadline of ours ended the question: nothing was found out, and it pays the least."""
    return verdict.reason is Reason.TIMEOUT and "deadline_s" in verdict.detail


def worst_for(weight: float, verifier: object, verdict: Verdict) -> float | None:
    """Return the score that ``weight`` multiplies: the worst for it where a deadline ended the question.

    A penalty that ran out of time has the score at which it takes off most: being slow must not pay.
    """
    if weight >= 0 or not ran_out_of_time(verdict):
        return verdict.score
    _, high = range_of(verifier)
    return high if math.isfinite(high) else verdict.score


def check_verifier(argument: str, verifier: object) -> None:
    """Refuse what cannot be a verifier, or says of itself what cannot be.

    Raises:
        TypeError: naming ``argument``, where it is no callable of a completion and a problem.
        ValueError: where its ``range`` or ``rules_version`` is none.
    """
    if isinstance(verifier, type):
        raise TypeError(f"{argument} must be a verifier, got the class {verifier.__name__}: call it first")
    if not callable(verifier):
        raise TypeError(
            f"{argument} must be a verifier, a callable (completion, problem), "
            f"got {type(verifier).__name__}: {verifier!r:.80}"
        )
    range_of(verifier)
    rules_version(verifier)
    try:
        inspect.signature(verifier).bind(None, None)
    except ValueError:
        return  # a builtin without a signature
    except TypeError as e:
        raise TypeError(f"{argument} must be callable as (completion, problem): {e}") from None


def check_unit(argument: str, verifier: object) -> None:
    """Raise ValueError where a verifier's scores are not within 0 to 1."""
    check_verifier(argument, verifier)
    low, high = range_of(verifier)
    if low < 0.0 or high > 1.0:
        raise ValueError(
            f"{argument} must score within 0 to 1, got {name_of(verifier)} with range {low} to {high}: "
            "wrap it in clip() or shape() first"
        )


def as_verdict(value: object, verifier: object) -> Verdict:
    """Read what a verifier returned as a verdict; what is none, or out of range, abstains."""
    if isinstance(value, Verdict):
        verdict = value
    elif value is None or isinstance(value, Real):
        if value is not None and not math.isfinite(value):
            return failure(f"{name_of(verifier)} must return a finite score, got {value}")
        verdict = Verdict(score=None if value is None else float(value))
    elif hasattr(value, "item") and _elements(value) == 1:  # a scalar of numpy or torch
        return as_verdict(value.item(), verifier)
    else:
        return failure(
            f"{name_of(verifier)} must return a Verdict, a bool, a number or None, got {type(value).__name__}"
        )
    if verdict.score is not None:
        low, high = range_of(verifier)
        if not low <= verdict.score <= high:
            return failure(
                f"{name_of(verifier)} must score within its range {low} to {high}, got {verdict.score}"
            )
    return verdict


def _elements(array: Any) -> int:
    count: Any = getattr(array, "numel", None) or getattr(array, "size", 1)  # torch's size is its shape
    return int(count() if callable(count) else count)


def failure(error: BaseException | str, reason: Reason = Reason.ERROR) -> Verdict:
    """Return the abstention for a failure that is not the completion's."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return Verdict(score=None, reason=reason, detail={"error": text[:1000]})
