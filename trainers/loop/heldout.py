"""Held-out measures: pass@1 with its interval, greedy or sampled, and pass@k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from referee.trainers.loop.rollouts import Rollouts, SingleTurn
from referee.trainers.loop.spreading import roll_out_together
from referee.trainers.placement import Placement
from referee.trainers.policy.policy import Policy
from referee.trainers.policy.sampling import Sampling, seed_of
from referee.verifiers.intervals import wilson
from referee.verifiers.jsonl import to_dict
from referee.verifiers.records import Completion, Problem, Reward
from referee.verifiers.rubric import Rubric, best_total, passes
from referee.verifiers.scored.pass_rates import pass_at_k


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What a policy does on problems that it was not trained on.

    ``passed`` of ``decided`` completions were paid the most that the rubric can pay; completions
    on which it abstained are in neither. ``low`` and ``high`` are the Wilson interval of pass@1.
    """

    pass_at_1: float
    low: float
    high: float
    passed: int
    decided: int
    abstained: int = 0
    reward: float = 0.0
    pass_at_k: float | None = None
    k: int = 1

    def __str__(self) -> str:
        return f"{self.pass_at_1:.1%} ({self.low:.1%} to {self.high:.1%})"


def measure(
    policy: Policy,
    problems: Sequence[Problem],
    rubric: Rubric,
    *,
    sampling: Sampling,
    samples: int = 1,
    seed: int = 0,
    rollouts: Rollouts | None = None,
    placement: Placement | None = None,
) -> tuple[HeldOut, list[tuple[Problem, Completion, Reward]]]:
    """Sample each problem ``samples`` times, score, and return the measures and what was seen.

    With several samples the completions of one problem are not independent: pass@1 is their mean,
    and the interval then takes the problems, not the completions, as what was drawn. ``rollouts`` says
    how problems are gone through, a completion each where it is None; of an episode of several turns
    the last completion is returned. With a ``placement`` all its processes share the work.
    """
    if not problems:
        raise ValueError("problems must have at least one problem, got none")
    groups = roll_out_together(
        rollouts or SingleTurn(),
        placement or Placement(),
        policy,
        problems,
        rubric,
        group_size=samples,
        sampling=sampling,
        seeds=[seed_of(seed, "heldout", i) for i in range(len(problems))],
    )
    best = best_total(rubric)
    seen = [r for group in groups for r in group.rollouts]
    rewards = [r.reward for r in seen if r.reward is not None]
    by_problem = [
        [
            passes(r.reward.total, best)
            for r in group.rollouts
            if r.reward is not None and not r.reward.abstains
        ]
        for group in groups
    ]
    counted = [outcomes for outcomes in by_problem if outcomes]
    totals = [r.total for r in rewards if r.total is not None]
    decided, passed = sum(map(len, counted)), sum(map(sum, counted))
    rate = sum(sum(o) / len(o) for o in counted) / len(counted) if counted else 0.0
    low, high = wilson(rate * len(counted), len(counted))
    k_rates = [pass_at_k(len(o), sum(o), samples) for o in counted if len(o) == samples]
    held = HeldOut(
        pass_at_1=rate,
        low=low,
        high=high,
        passed=passed,
        decided=decided,
        abstained=len(seen) - decided,
        reward=math.fsum(totals) / len(totals) if totals else 0.0,
        pass_at_k=sum(k_rates) / len(k_rates) if samples > 1 and k_rates else None,
        k=samples,
    )
    last = [r.turns[-1].completion if r.turns else Completion() for r in seen]
    return held, [(r.problem, c, paid) for r, c, paid in zip(seen, last, rewards, strict=True)]


def measure_both(
    policy: Policy,
    problems: Sequence[Problem],
    rubric: Rubric,
    *,
    sampling: Sampling,
    samples: int = 0,
    seed: int = 0,
    rollouts: Rollouts | None = None,
    placement: Placement | None = None,
) -> dict[str, Any]:
    """Return what :func:`measure` says greedily and, with ``samples``, by sampling, as plain values."""
    modes = {"greedy": (replace(sampling, temperature=0.0), 1)}
    if samples:
        modes["sampled"] = (sampling, samples)
    out = {}
    for name, (how, count) in modes.items():
        held, _ = measure(
            policy, problems, rubric,
            sampling=how, samples=count, seed=seed, rollouts=rollouts, placement=placement,
        )  # fmt: skip
        out[name] = to_dict(held)
    return out
