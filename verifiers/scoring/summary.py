"""What a scored file comes to: a mean with its interval for the total and each part, and the reasons."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from referee.verifiers.evidence import evidence
from referee.verifiers.intervals import mean_interval
from referee.verifiers.records import Reason, Reward

FAILURES = frozenset({Reason.ERROR, Reason.UNAVAILABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSummary:
    """A mean score with its 95 % interval over the completions that were decided, and the reasons.

    ``failures`` says what was said in the first verdict that nothing but the machine is to blame for:
    ``error``, where the verifier failed, and ``unavailable``, where what judges was away.
    """

    mean: float
    low: float
    high: float
    decided: int
    abstained: int
    reasons: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A whole file: the total, each part, and how the work went.

    ``bad_rows`` counts the lines that were no rows, whether they were kept or passed over.
    """

    completions: int
    truncated: int
    total: PartSummary
    parts: dict[str, PartSummary]
    resumed: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    bad_rows: int = 0


class Tally:
    """Adds up rewards one by one, holding eight bytes for each score."""

    def __init__(self) -> None:
        self.completions = 0
        self.truncated = 0
        self._totals = array("d")
        self._scores: dict[str, array[float]] = {}
        self._reasons: dict[str, Counter[str]] = {}
        self._failures: dict[str, dict[str, str]] = {}

    def add(self, reward: Reward) -> None:
        """Count one reward."""
        self.completions += 1
        self.truncated += reward.truncated
        if reward.total is not None:
            self._totals.append(reward.total)
        for name, verdict in reward.parts.items():
            scores = self._scores.setdefault(name, array("d"))
            self._reasons.setdefault(name, Counter())[str(verdict.reason)] += 1
            if verdict.reason in FAILURES:
                failures = self._failures.setdefault(name, {})
                failures.setdefault(str(verdict.reason), evidence(verdict))
            if verdict.score is not None:
                scores.append(verdict.score)

    def summary(
        self, *, resumed: int = 0, duplicates: int = 0, seconds: float = 0.0, bad_rows: int = 0
    ) -> Summary:
        """Return what was added up so far."""
        return Summary(
            completions=self.completions,
            truncated=self.truncated,
            total=self._part(self._totals, Counter(), {}),
            parts={
                name: self._part(self._scores[name], self._reasons[name], self._failures.get(name, {}))
                for name in self._scores
            },
            resumed=resumed,
            duplicates=duplicates,
            seconds=seconds,
            bad_rows=bad_rows,
        )

    def _part(self, scores: array[float], reasons: Counter[str], failures: dict[str, str]) -> PartSummary:
        mean, low, high = mean_interval(scores)
        return PartSummary(
            mean=mean,
            low=low,
            high=high,
            decided=len(scores),
            abstained=self.completions - len(scores),
            reasons=dict(sorted(reasons.items())),
            failures=dict(sorted(failures.items())),
        )


def summarise(rewards: Iterable[Reward]) -> Summary:
    """Return the summary of rewards."""
    tally = Tally()
    for reward in rewards:
        tally.add(reward)
    return tally.summary()
