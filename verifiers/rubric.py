"""A rubric: named, weighted parts, and what to pay where a part abstains or a completion is cut off."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from referee.verifiers.protocol import AnyVerifier, Item, check_verifier, range_of, worst_for
from referee.verifiers.reading.marks import Marks, MarksLike, as_marks
from referee.verifiers.records import Completion, Problem, Reward, Verdict, as_completion
from referee.verifiers.scoring.asking import aevaluate, evaluate
from referee.verifiers.scoring.plan import is_async, is_group


class Abstention(StrEnum):
    """What a rubric pays where a part with a weight abstains.

    ``abstain``: nothing can be said, so the total is None. ``drop``: the sum of the parts that
    decided, with their weights as they are. ``renormalise``: that sum, times the sum of all
    weights over the sum of the deciding ones. All parts abstaining gives None under each.
    """

    ABSTAIN = "abstain"
    DROP = "drop"
    RENORMALISE = "renormalise"


class Truncation(StrEnum):
    """What a rubric pays for a completion that ran out of tokens.

    ``zero``: 0, since otherwise length would buy a pass. ``score``: what its parts say.
    ``abstain``: None, so that a trainer masks it; a model can then escape a loss by rambling.
    """

    ZERO = "zero"
    SCORE = "score"
    ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A weight that moves linearly from ``start`` to ``end`` over ``steps`` training steps, after ``wait``.

    >>> Schedule(1.0, 0.0, steps=100)(25)
    0.75
    """

    start: float
    end: float
    steps: int
    wait: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.wait < 0:
            raise ValueError(
                f"steps must be at least 1 and wait at least 0, got {self.steps} and {self.wait}"
            )
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError(f"start and end must be finite, got {self.start} and {self.end}")

    def __call__(self, step: int) -> float:
        """Return the weight in training step ``step``."""
        share = min(max((step - self.wait) / self.steps, 0.0), 1.0)
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True, slots=True)
class Part:
    """One verifier of a rubric and its weight. With weight 0 it is reported and not paid."""

    verifier: AnyVerifier
    weight: float | Schedule = 1.0

    def __post_init__(self) -> None:
        check_verifier("verifier", self.verifier)
        if not isinstance(self.weight, Schedule):
            if not isinstance(self.weight, int | float) or not math.isfinite(self.weight):
                raise ValueError(f"weight must be a finite number or a Schedule, got {self.weight!r}")
            object.__setattr__(self, "weight", float(self.weight))


PartLike: TypeAlias = "Part | AnyVerifier | tuple[AnyVerifier, float | Schedule]"


@dataclass(frozen=True, slots=True)
class Rubric:
    """Named parts, each a verifier with a weight; the total is the sum of weight times score.

    Weights are used as they are and need not sum to 1. A part may be written as a verifier
    (weight 1), as ``(verifier, weight)`` or as a :class:`Part`. Every part's unweighted verdict is
    kept in the reward. ``thinking`` declares marks between which the model thinks, beside the usual
    ones, for every part: ``("<plan>", "</plan>")``, a list of such pairs, or
    :class:`referee.verifiers.reading.marks.Marks`.

    >>> def short(completion, problem):
    ...     return len(completion.text) < 10
    >>> rubric = Rubric({"right": (lambda c, p: p.answer in c.text, 1.0), "short": (short, 0.2)})
    >>> rubric("4", Problem(prompt="2+2=", answer="4")).total
    1.2
    """

    parts: Mapping[str, Part]
    abstention: Abstention = Abstention.ABSTAIN
    truncation: Truncation = Truncation.ZERO
    thinking: tuple[Marks, ...] = ()

    def __init__(
        self,
        parts: Mapping[str, PartLike],
        *,
        abstention: Abstention | str = Abstention.ABSTAIN,
        truncation: Truncation | str = Truncation.ZERO,
        thinking: MarksLike | Sequence[MarksLike] = (),
    ) -> None:
        if not isinstance(parts, Mapping) or not parts:
            raise ValueError(f"parts must map at least one name to a verifier, got {parts!r:.80}")
        object.__setattr__(self, "parts", {str(name): _part(name, part) for name, part in parts.items()})
        object.__setattr__(self, "abstention", _policy(Abstention, "abstention", abstention))
        object.__setattr__(self, "truncation", _policy(Truncation, "truncation", truncation))
        object.__setattr__(self, "thinking", as_marks(thinking))

    def at(self, step: int) -> Rubric:
        """Return the rubric with every scheduled weight fixed at its value in training step ``step``."""
        weights = self.weights_at(step)
        fixed = {name: replace(part, weight=weights[name]) for name, part in self.parts.items()}
        return Rubric(fixed, abstention=self.abstention, truncation=self.truncation, thinking=self.thinking)

    def weights_at(self, step: int) -> dict[str, float]:
        """Return each part's weight in training step ``step``."""
        return {
            name: part.weight(step) if isinstance(part.weight, Schedule) else part.weight
            for name, part in self.parts.items()
        }

    def marked(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items with this rubric's thinking marks on their problems, which every verifier reads.

        Whoever hands items to the parts calls this first, once. Where the rubric declares no marks it is
        the items themselves.
        """
        if not self.thinking:
            return items
        problems = {id(item.problem): item.problem for item in items}
        known = {key: _declared(problem, self.thinking) for key, problem in problems.items()}
        return [replace(item, problem=known[id(item.problem)]) for item in items]

    @property
    def is_group(self) -> bool:
        """True where a part judges the completions of a problem together."""
        return any(is_group(part.verifier) for part in self.parts.values())

    @property
    def is_async(self) -> bool:
        """True where a part must be awaited; a synchronous call then awaits it in a thread of its own."""
        return any(is_async(part.verifier) for part in self.parts.values())

    def __call__(self, completion: str | Completion, problem: Problem) -> Reward:
        """Return the reward of one completion."""
        return self.score_group([completion], problem)[0]

    def score_group(self, completions: Sequence[str | Completion], problem: Problem) -> list[Reward]:
        """Return the rewards of one problem's completions.

        Raises:
            TypeError: where ``problem`` is no :class:`Problem`, or a completion neither a text nor a record.
        """
        if not isinstance(problem, Problem):
            raise TypeError(
                f"problem must be a Problem, got {type(problem).__name__}: write Problem(answer=...)"
            )
        return self.score_items([Item(as_completion(c), problem) for c in completions])

    def score_items(self, items: Sequence[Item]) -> list[Reward]:
        """Return one reward for each item; items of the same ``group`` are siblings."""
        items = self.marked(items)
        columns = [evaluate(part.verifier, items) for part in self.parts.values()]
        return self._rewards(items, columns)

    async def ascore_items(self, items: Sequence[Item]) -> list[Reward]:
        """Like :meth:`score_items`, for callers in an event loop."""
        items = self.marked(items)
        columns = await asyncio.gather(*(aevaluate(part.verifier, items) for part in self.parts.values()))
        return self._rewards(items, columns)

    def pay(self, verdicts: Mapping[str, Verdict], *, truncated: bool = False) -> Reward:
        """Return the reward for parts that have been judged already, under this rubric's policies."""
        if truncated and self.truncation is not Truncation.SCORE:
            total = 0.0 if self.truncation is Truncation.ZERO else None
        else:
            total = self._total(verdicts)
        return Reward(total=total, parts=dict(verdicts), truncated=truncated)

    def _rewards(self, items: Sequence[Item], columns: Sequence[Sequence[Verdict]]) -> list[Reward]:
        return [
            self.pay(dict(zip(self.parts, verdicts, strict=True)), truncated=item.completion.truncated)
            for item, verdicts in zip(items, zip(*columns, strict=True), strict=True)
        ]

    def _total(self, verdicts: Mapping[str, Verdict]) -> float | None:
        paid = [
            (weight, worst_for(weight, part.verifier, verdicts[name]))
            for name, part in self.parts.items()
            if (weight := self._weight(name))
        ]
        decided = [(w, s) for w, s in paid if s is not None]
        if not paid:
            return 0.0
        if not decided or (len(decided) < len(paid) and self.abstention is Abstention.ABSTAIN):
            return None
        total = math.fsum(w * s for w, s in decided)
        if len(decided) < len(paid) and self.abstention is Abstention.RENORMALISE:
            kept = math.fsum(w for w, _ in decided)
            return total * math.fsum(w for w, _ in paid) / kept if kept else None
        return total

    def _weight(self, name: str) -> float:
        weight = self.parts[name].weight
        return weight(0) if isinstance(weight, Schedule) else weight


def best_total(rubric: Rubric) -> float:
    """Return the most that a rubric can pay: each weighted part at the better end of its range."""
    total = 0.0
    for part in rubric.parts.values():
        weight = part.weight(0) if isinstance(part.weight, Schedule) else part.weight
        if weight:
            low, high = range_of(part.verifier)
            total += max(weight * low, weight * high)
    return total


def passes(total: float | None, best: float) -> bool:
    """Tell whether a total is the most there is, but for rounding; one that abstained is not."""
    return total is not None and total >= best - 1e-9 * max(1.0, abs(best))


def _declared(problem: Problem, marks: tuple[Marks, ...]) -> Problem:
    return replace(problem, thinking=tuple(dict.fromkeys((*problem.thinking, *marks))))


def _part(name: str, value: PartLike) -> Part:
    try:
        if isinstance(value, Part):
            return value
        return Part(*value) if isinstance(value, tuple) else Part(value)
    except (TypeError, ValueError) as e:
        raise type(e)(f"parts[{name!r}]: {e}") from None


def _policy(enum: type[StrEnum], name: str, value: str) -> StrEnum:
    try:
        return enum(value)
    except ValueError:
        raise ValueError(f"{name} must be one of {', '.join(enum)}, got {value!r}") from None
