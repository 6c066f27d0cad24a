"""A control: the same rewards, dealt to other completions.

A trainer that still improves on them is being taught by something else than the verifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from referee.envs.records import Group, Rollout


def dealt_anew(groups: Sequence[Group], seed: int) -> list[Group]:
    """Return the groups with their rewards dealt out at random among all of their rollouts."""
    rollouts = [r for g in groups for r in g.rollouts]
    order = torch.randperm(len(rollouts), generator=torch.Generator().manual_seed(seed)).tolist()
    dealt = iter(_paid_as(r, rollouts[i]) for r, i in zip(rollouts, order, strict=True))
    return [replace(g, rollouts=tuple(next(dealt) for _ in g.rollouts)) for g in groups]


def _paid_as(rollout: Rollout, other: Rollout) -> Rollout:
    """Return a rollout that was paid what another one was, turns and all, in its final reward."""
    if not any(turn.reward for r in (rollout, other) for turn in r.turns) or other.reward is None:
        return replace(rollout, reward=other.reward)
    turns = tuple(replace(turn, reward=None) for turn in rollout.turns)
    return replace(rollout, turns=turns, reward=replace(other.reward, total=other.total))
