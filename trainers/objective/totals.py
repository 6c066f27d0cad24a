"""What rollouts were paid, as numbers to compare: totals on their scale, and parts apart. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from referee.envs.records import Rollout
from referee.trainers.objective.presets import Preset
from referee.verifiers.learned.normalise import Moments, whiten
from referee.verifiers.records import Reward


def paid(preset: Preset, rollout: Rollout, moments: Moments) -> float:
    """Return a total on its scale, less DAPO's soft penalty for the last ``overlong_tokens``.

    0 up to L - c tokens, then linearly down to -1 at the limit L (Yu et al. 2025, equation 13). 0 where
    the rubric abstained: such a rollout is masked everywhere.
    """
    if rollout.total is None:
        return 0.0
    total = scaled(preset, rollout.total, moments)
    buffer = preset.overlong_tokens
    if buffer and rollout.turns:
        over = len(rollout.completion.token_ids or ()) - (preset.max_new_tokens - buffer)
        total -= min(max(over, 0) / buffer, 1.0)
    return total


def scaled(preset: Preset, total: float, moments: Moments) -> float:
    """Return a total as ``score_norm`` and ``score_clip`` have it, by the moments of all totals so far."""
    most = math.inf if preset.score_clip is None else preset.score_clip
    if preset.score_norm == "none":
        return min(max(total, -most), most)
    (out,) = whiten([total], moments, centre=preset.score_norm == "whiten", most=most)
    assert out is not None
    return out


def part_score(reward: Reward | None, part: str) -> float | None:
    """Return what a part pays: 0 where a completion that was cut off is paid 0, None where it abstained."""
    if reward is not None and reward.truncated and reward.total == 0.0:
        return 0.0
    verdict = reward.parts.get(part) if reward is not None else None
    return 0.0 if verdict is None else verdict.score  # a failed episode has no such part


def beside_the_parts(preset: Preset, rollouts: Sequence[Rollout], moments: Moments) -> list[float]:
    """Return what is paid or charged beside the rubric's parts: penalties, and the turns' own rewards."""
    return [
        paid(preset, r, moments) - (r.total or 0.0) + math.fsum(t.reward or 0.0 for t in r.turns)
        for r in rollouts
    ]
