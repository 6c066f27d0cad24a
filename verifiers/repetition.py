"""A penalty on saying the same thing again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import Range
from referee.verifiers.records import Completion, Problem, Reason, Verdict, text_of

NgramUnit: TypeAlias = Literal["words", "characters", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepetitionPenalty(Composable):
    """Pay (1 - distinct n-grams / n-grams) times ``max_penalty``, which is at most 0.

    N-grams are of ``n`` words (lower case, split at white space), characters, or tokens; a text with
    fewer than ``n`` pays 0. Characters suit languages written without spaces. The whole completion is
    looked at, thinking included (the n-gram penalty of Yeo et al. 2025, arXiv 2502.03373).

    Accepts:
        - ``the cat sat on the mat``: no three words come twice, so 0
    Rejects:
        - ``a a a a`` with n 2: of three pairs one is distinct, so 2/3 of ``max_penalty``
    Abstains:
        - where tokens are to be counted and the completion has no token ids
    """

    n: int = 3
    max_penalty: float = -1.0
    unit: NgramUnit = "words"
    name = "repetition_penalty"

    def __post_init__(self) -> None:
        if not isinstance(self.n, int) or self.n < 1:
            raise ValueError(f"n must be a whole number of at least 1, got {self.n!r}")
        if not (math.isfinite(self.max_penalty) and self.max_penalty <= 0):
            raise ValueError(f"max_penalty must be a finite number of at most 0, got {self.max_penalty!r}")
        if self.unit not in get_args(NgramUnit):
            raise ValueError(f"unit must be one of {', '.join(get_args(NgramUnit))}, got {self.unit!r}")

    @property
    def range(self) -> Range:
        """From ``max_penalty`` to 0."""
        return self.max_penalty, 0.0

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the penalty, with the share of repeated n-grams in ``detail``."""
        pieces: list[str] | str | tuple[int, ...]
        if self.unit == "tokens":
            ids = None if isinstance(completion, str) else completion.token_ids
            if ids is None:
                error = "the completion has no token_ids to count; choose unit words or characters"
                return Verdict(score=None, reason=Reason.UNAVAILABLE, detail={"error": error})
            pieces = ids
        else:
            text = text_of(completion).lower()
            pieces = text.split() if self.unit == "words" else text
        total = len(pieces) - self.n + 1
        if total < 1 or self.max_penalty == 0:
            return Verdict(score=0.0, reason=Reason.CORRECT)
        distinct = len(set(zip(*(pieces[i:] for i in range(self.n)), strict=False)))
        repeated = 1.0 - distinct / total
        reason = Reason.PARTIAL if repeated else Reason.CORRECT
        return Verdict(score=repeated * self.max_penalty, reason=reason, detail={"repeated": repeated})
