"""What a run's reward came to, in two numbers. A pure function of its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What a run's reward came to: means over its first and last ``steps`` steps, for one step is noise."""

    first: float
    last: float
    steps: int
    of: int


def headline(metrics: Sequence[Mapping[str, Any]], *, steps: int = 20) -> Headline | None:
    """Return the mean reward of the first and of the last ``steps`` steps; of a short run, of half its steps.

    ``metrics`` are the lines of ``metrics.jsonl``. Steps in which nothing was decided have no reward and do
    not count; None where there is no other.

    >>> headline([{"reward": 0.0}, {"reward": 0.5}, {"reward": 1.0}])
    Headline(first=0.0, last=1.0, steps=1, of=3)
    """
    rewards = [float(m["reward"]) for m in metrics if "reward" in m]
    if not rewards:
        return None
    n = max(1, min(steps, len(rewards) // 2))
    return Headline(first=fmean(rewards[:n]), last=fmean(rewards[-n:]), steps=n, of=len(rewards))
