"""Bringing unbounded scores to a scale that a reward can use.

Pure functions for trainers, and verifiers that wrap others: ``Standardised`` by fixed moments,
``Squashed`` into 0 to 1, ``Centred`` on a reference completion, ``Ensemble`` with a penalty for
disagreement. The wrappers hold no running state, so that equal inputs give equal verdicts; running
moments belong to the trainer, which keeps a :class:`Moments` in its checkpoint (a preset's ``score_norm``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from referee.verifiers.combine import Combinator
from referee.verifiers.jsonl import to_dict
from referee.verifiers.learned.reward_model import sigmoid
from referee.verifiers.protocol import (
    UNIT,
    AnyVerifier,
    Item,
    Range,
    check_verifier,
    failure,
    name_of,
    range_of,
)
from referee.verifiers.records import Completion, Json, Reason, Verdict, has_answer
from referee.verifiers.scoring.asking import Ask, Steps, evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The count, mean and sum of squared distances from the mean of all numbers seen so far.

    Adding in any order or grouping gives the same (Chan et al. 1983), so processes can merge theirs.

    >>> seen = Moments().add([1.0, 3.0]).add([5.0])
    >>> seen.mean, round(seen.std, 4)
    (3.0, 1.633)
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: Sequence[float | None]) -> Moments:
        """Return the moments with more numbers; an abstention (None) is none."""
        seen = [v for v in values if v is not None]
        if not seen:
            return self
        mean = math.fsum(seen) / len(seen)
        return self.merge(
            Moments(count=len(seen), mean=mean, squares=math.fsum((v - mean) ** 2 for v in seen))
        )

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both."""
        count = self.count + other.count
        if not count:
            return self
        gap = other.mean - self.mean
        return Moments(
            count=count,
            mean=self.mean + gap * other.count / count,
            squares=self.squares + other.squares + gap * gap * self.count * other.count / count,
        )

    @property
    def std(self) -> float:
        """The standard deviation over n; 0 where nothing was seen."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0


def whiten(
    scores: Sequence[float | None],
    moments: Moments,
    *,
    centre: bool = True,
    most: float = math.inf,
    eps: float = 1e-8,
) -> list[float | None]:
    """Return (score - mean) / (std + eps), cut to within ``most`` standard deviations; None stays None.

    ``centre=False`` keeps the mean, as PPO implementations do that only scale rewards. Where all numbers
    so far were equal (std at most ``eps``), nothing is divided.
    """
    shift = moments.mean if centre else 0.0
    scale = moments.std + eps if moments.std > eps else 1.0
    return [None if s is None else min(max((s - shift) / scale, -most), most) for s in scores]


@dataclass(frozen=True, slots=True)
class Standardised(Combinator):
    """(score - mean) / std of another verifier, cut to within ``most``."""

    child: AnyVerifier
    mean: float
    std: float
    most: float = math.inf

    def __post_init__(self) -> None:
        check_verifier("child", self.child)
        if not 0 < self.std < math.inf or not math.isfinite(self.mean) or not self.most > 0:
            raise ValueError(
                f"std and most must be above 0 and mean finite, got {self.std}, {self.most} and {self.mean}"
            )

    @property
    def children(self) -> tuple[AnyVerifier, ...]:
        """The verifier that is standardised."""
        return (self.child,)

    @property
    def range(self) -> Range:
        """What becomes of the child's range."""
        low, high = range_of(self.child)
        return self._of(low), self._of(high)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask the child for all."""
        verdicts = yield Ask(self.child, items)
        return [_rescored(v, self._of(v.score)) if v.score is not None else v for v in verdicts]

    def _of(self, score: float) -> float:
        return min(max((score - self.mean) / self.std, -self.most), self.most)


def standardise(verifier: AnyVerifier, items: Sequence[Item], *, most: float = math.inf) -> Standardised:
    """Return ``verifier`` standardised by the moments of its scores on ``items``.

    Raises:
        ValueError: where it abstained on all of them, or gave one score to all.
    """
    moments = Moments().add([v.score for v in evaluate(verifier, items)])
    if moments.count < 2 or not moments.std:
        raise ValueError(
            f"items must get at least two different scores, got {moments.count} with std {moments.std}"
        )
    return Standardised(verifier, moments.mean, moments.std, most)


@dataclass(frozen=True, slots=True)
class Squashed(Combinator):
    """sigmoid((score - centre) / scale): an unbounded score brought to 0 to 1, order kept.

    A completion without an answer is 0, ``no_answer``: here 0 is the bottom.
    """

    child: AnyVerifier
    centre: float = 0.0
    scale: float = 1.0
    range = UNIT

    def __post_init__(self) -> None:
        check_verifier("child", self.child)
        if not 0 < self.scale < math.inf or not math.isfinite(self.centre):
            raise ValueError(f"scale must be above 0 and centre finite, got {self.scale} and {self.centre}")

    @property
    def children(self) -> tuple[AnyVerifier, ...]:
        """The verifier that is squashed."""
        return (self.child,)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask the child for all."""
        verdicts = yield Ask(self.child, items)
        return [self._squashed(i, v) for i, v in zip(items, verdicts, strict=True)]

    def _squashed(self, item: Item, verdict: Verdict) -> Verdict:
        if verdict.score is None:
            return verdict
        if not has_answer(item.completion, item.problem):
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        return _rescored(verdict, sigmoid((verdict.score - self.centre) / self.scale))


@dataclass(frozen=True, slots=True)
class Centred(Combinator):
    """score(completion) - score(reference completion), the reference from ``problem.info[key]``.

    A problem without one abstains (``bad_reference``). InstructGPT centres its reward model so that
    demonstrations score 0; here each problem has its own zero.
    """

    child: AnyVerifier
    key: str = "reference_completion"

    def __post_init__(self) -> None:
        check_verifier("child", self.child)

    @property
    def children(self) -> tuple[AnyVerifier, ...]:
        """The verifier that is centred."""
        return (self.child,)

    @property
    def range(self) -> Range:
        """As wide as the child's range, both ways."""
        low, high = range_of(self.child)
        return low - high, high - low

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask the child for all completions, and once for each problem's reference."""
        references = [i.problem.info.get(self.key) for i in items]
        known = [i for i, r in enumerate(references) if isinstance(r, str)]
        verdicts = dict(zip(known, (yield Ask(self.child, [items[i] for i in known])), strict=True))
        firsts: dict[tuple[str, str], int] = {}
        for i in known:
            firsts.setdefault((items[i].problem.prompt_text, str(references[i])), i)
        asked = [
            Item(Completion(text=text), items[i].problem, -1 - n)
            for n, ((_, text), i) in enumerate(firsts.items())
        ]
        zeros = dict(zip(firsts, (yield Ask(self.child, asked)), strict=True))
        out = []
        for i, item in enumerate(items):
            if i not in verdicts:
                message = f"info[{self.key!r}] must be a text, got {references[i]!r:.80}"
                out.append(failure(message, Reason.BAD_REFERENCE))
                continue
            zero = zeros[(item.problem.prompt_text, str(references[i]))]
            score = verdicts[i].score
            if zero.score is None or score is None:
                out.append(verdicts[i] if score is None else zero)
            else:
                out.append(_rescored(verdicts[i], score - zero.score))
        return out


@dataclass(frozen=True, slots=True)
class Ensemble(Combinator):
    """mean - penalty * std of several verifiers' scores; the std is over n.

    What one reward model overrates by mistake, others rarely overrate as much: the penalty makes
    disagreement unprofitable (Coste et al. 2023, uncertainty-weighted optimisation; they penalise
    the variance, this the standard deviation, which has the unit of the score). Put the members on
    one scale first (:func:`standardise`). Abstains where a member does.
    """

    children: tuple[AnyVerifier, ...]
    penalty: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "children", tuple(self.children))
        if not self.children:
            raise ValueError("children must have at least one verifier")
        for i, child in enumerate(self.children):
            check_verifier(f"children[{i}]", child)
        if not 0 <= self.penalty < math.inf:
            raise ValueError(f"penalty must be at least 0 and finite, got {self.penalty}")

    @property
    def range(self) -> Range:
        """From the least that members and penalty allow, to the mean of the members' best."""
        ranges = [range_of(c) for c in self.children]
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        return (low - self.penalty * (high - low) / 2 if self.penalty else low), high

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask every member for every item."""
        answers = []
        for child in self.children:
            answers.append((yield Ask(child, items)))
        return [self._verdict(verdicts) for verdicts in zip(*answers, strict=True)]

    def _verdict(self, verdicts: Sequence[Verdict]) -> Verdict:
        missing = next((v for v in verdicts if v.score is None), None)
        if missing is not None:
            return missing
        scores = [v.score for v in verdicts if v.score is not None]
        moments = Moments().add(scores)
        members: list[Json] = [[name_of(c), s] for c, s in zip(self.children, scores, strict=True)]
        low, high = self.range
        score = min(max(moments.mean - self.penalty * moments.std, low), high)
        detail: dict[str, Json] = {"members": members, "disagreement": moments.std}
        return Verdict(score=score, reason=Reason.SCORED, detail=detail)


def _rescored(verdict: Verdict, score: float) -> Verdict:
    raw = to_dict(verdict).get("score", 0.0)
    detail = {**verdict.detail, "raw_score": raw}
    return Verdict(score=score, reason=Reason.SCORED, answer=verdict.answer, detail=detail)
