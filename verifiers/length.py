"""Rewards shaped by how long a completion is: the soft overlong punishment and the cosine reward.

A length is counted in ``tokens`` (the completion's ``token_ids``; without them the verdict abstains,
for that is not the completion's doing), ``words`` or ``characters``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from referee.verifiers.combine import Combinator, Composable
from referee.verifiers.protocol import AnyVerifier, Item, Range, check_unit
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict
from referee.verifiers.scoring.asking import Ask, Steps

LengthUnit: TypeAlias = Literal["tokens", "words", "characters"]


def length_of(completion: str | Completion, unit: LengthUnit) -> int | None:
    """Return a completion's length, or None where it has no token ids to count.

    >>> length_of("two words", "words"), length_of("two words", "tokens")
    (2, None)
    """
    if unit == "tokens":
        ids = None if isinstance(completion, str) else completion.token_ids
        return None if ids is None else len(ids)
    text = completion if isinstance(completion, str) else completion.text
    return len(text.split()) if unit == "words" else len(text)


def soft_overlong(length: int, max_length: int, cache: int) -> float:
    """Return the soft overlong punishment of DAPO (Yu et al. 2025, arXiv 2503.14476, equation 13).

    0 where length <= max_length - cache; -1 where length > max_length; between the two
    ((max_length - cache) - length) / cache.

    >>> [soft_overlong(n, 100, 20) for n in (80, 90, 100, 101)]
    [0.0, -0.5, -1.0, -1.0]
    """
    if length <= max_length - cache:
        return 0.0
    return -1.0 if length >= max_length else (max_length - cache - length) / cache


def cosine(length: int, max_length: int, at_zero: float, at_max: float) -> float:
    """Return at_max + (at_zero - at_max) (1 + cos(pi length / max_length)) / 2.

    The cosine of Yeo et al. 2025 (arXiv 2502.03373, section 3): half-way it is the mean of both ends.

    >>> cosine(0, 100, 1.0, 0.5), round(cosine(50, 100, 1.0, 0.5), 12), cosine(100, 100, 1.0, 0.5)
    (1.0, 0.75, 0.5)
    """
    share = min(length / max_length, 1.0)
    return at_max + (at_zero - at_max) * (1.0 + math.cos(math.pi * share)) / 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlongPenalty(Composable):
    """Pay 0 for a completion well within ``max_length`` and down to -1 at it (:func:`soft_overlong`).

    Accepts:
        - 0 for at most ``max_length - cache``
    Rejects:
        - -1 for ``max_length`` and more; linearly less than 0 between the two
    Abstains:
        - where tokens are to be counted and the completion has no token ids
    """

    max_length: int
    cache: int
    unit: LengthUnit = "tokens"
    name = "overlong_penalty"
    range: Range = (-1.0, 0.0)

    def __post_init__(self) -> None:
        _check(self.max_length, self.unit)
        if not 0 < self.cache <= self.max_length:
            raise ValueError(f"cache must be above 0 and at most max_length, got {self.cache!r}")

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the punishment, with the length in ``detail``."""
        length = length_of(completion, self.unit)
        if length is None:
            return _uncounted()
        score = soft_overlong(length, self.max_length, self.cache)
        reason = Reason.CORRECT if score == 0 else Reason.PARTIAL if score > -1 else Reason.RESOURCE_LIMIT
        return Verdict(score=score, reason=reason, detail={"length": length})


@dataclass(frozen=True, slots=True, kw_only=True)
class CosineLength(Combinator):
    """Pay a right answer more the shorter it is, and a wrong one more the longer it is.

    ``verifier`` says which it is: right where it scores at least ``threshold``. A right answer is
    paid along the cosine from ``right[0]`` at length 0 to ``right[1]`` at ``max_length``, a wrong
    one from ``wrong[0]`` to ``wrong[1]``; at ``max_length`` and beyond, ``exceeded``
    (Yeo et al. 2025, arXiv 2502.03373). Where the verifier abstains, so does this.
    """

    verifier: AnyVerifier
    max_length: int
    right: tuple[float, float] = (1.0, 0.5)
    wrong: tuple[float, float] = (-1.0, -0.5)
    exceeded: float = -1.0
    threshold: float = 1.0
    unit: LengthUnit = "tokens"
    name = "cosine_length"

    def __post_init__(self) -> None:
        check_unit("verifier", self.verifier)
        _check(self.max_length, self.unit)
        for field in ("right", "wrong"):
            pair = tuple(getattr(self, field))
            if len(pair) != 2 or not all(math.isfinite(p) for p in pair):
                raise ValueError(f"{field} must be two finite numbers, got {pair!r}")
            object.__setattr__(self, field, pair)
        if not math.isfinite(self.exceeded):
            raise ValueError(f"exceeded must be a finite number, got {self.exceeded!r}")
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError(f"threshold must be above 0 and at most 1, got {self.threshold!r}")

    @property
    def children(self) -> tuple[AnyVerifier, ...]:
        """The verifier that says what is right."""
        return (self.verifier,)

    @property
    def range(self) -> Range:
        """The least and greatest of the five ends."""
        ends = (*self.right, *self.wrong, self.exceeded)
        return min(ends), max(ends)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask the verifier for all."""
        verdicts = yield Ask(self.verifier, items)
        return [self._shaped(item, v) for item, v in zip(items, verdicts, strict=True)]

    def _shaped(self, item: Item, verdict: Verdict) -> Verdict:
        if verdict.score is None:
            return verdict
        length = length_of(item.completion, self.unit)
        if length is None:
            return _uncounted()
        ends = self.right if verdict.score >= self.threshold else self.wrong
        if length >= self.max_length:
            score = self.exceeded
        else:
            low, high = self.range
            score = min(max(cosine(length, self.max_length, *ends), low), high)
        detail: dict[str, Json] = {**verdict.detail, "length": length, "raw_score": verdict.score}
        return Verdict(score=score, reason=verdict.reason, answer=verdict.answer, detail=detail)


def _check(max_length: int, unit: str) -> None:
    if not isinstance(max_length, int) or max_length < 1:
        raise ValueError(f"max_length must be a whole number of at least 1, got {max_length!r}")
    if unit not in get_args(LengthUnit):
        raise ValueError(f"unit must be one of {', '.join(get_args(LengthUnit))}, got {unit!r}")


def _uncounted() -> Verdict:
    error = "the completion has no token_ids to count; choose unit words or characters"
    return Verdict(score=None, reason=Reason.UNAVAILABLE, detail={"error": error})
