"""What a TRL trainer is told of finished rollouts: what each is paid, and figures beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from referee.envs.records import Rollout
from referee.trainers.adapters.abstention import log_abstentions, reason


def paid(rollout: Rollout) -> float | None:
    """Return a rollout's final reward with all its turns' own rewards, None where it abstains."""
    if rollout.reward is None or rollout.reward.total is None:
        return None
    return math.fsum([rollout.reward.total, *turn_rewards(rollout)])


def turn_rewards(rollout: Rollout) -> list[float]:
    """Return what each turn was paid for itself; 0 where the environment paid nothing for it."""
    return [turn.reward or 0.0 for turn in rollout.turns]


def log_rollouts(
    name: str,
    rollouts: Sequence[Rollout | None],
    log_extra: Callable[[str, list[Any]], None] | None,
    log_metric: Callable[[str, float], None] | None,
) -> list[float | None]:
    """Return what each rollout is paid, and log the final and the turns' rewards, turns and ends."""
    mine = [r for r in rollouts if r is not None]
    rewards = [r.reward for r in mine if r.reward is not None]
    log_abstentions(rewards)
    if log_metric and mine:
        final = [r.total for r in rewards if r.total is not None]
        if final:
            log_metric(f"{name}/final", math.fsum(final) / len(final))
        log_metric(f"{name}/turn_rewards", math.fsum(sum(turn_rewards(r)) for r in mine) / len(mine))
        log_metric(f"{name}/turns", sum(len(r.turns) for r in mine) / len(mine))
        log_metric(f"{name}/truncated", sum(r.truncated for r in mine) / len(mine))
        log_metric(f"{name}/abstained", sum(r.abstains for r in rewards) / len(mine))
    if log_extra:
        log_extra(f"{name}/stop", [None if r is None else str(r.stop) for r in rollouts])
        log_extra(
            f"{name}/reason", [None if r is None or r.reward is None else reason(r.reward) for r in rollouts]
        )
    return [None if r is None else paid(r) for r in rollouts]
