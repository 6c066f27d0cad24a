"""The figures of an update: how far it went, and from where. Pure functions of what passed by in it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from referee.trainers.objective.importance import off_policy_metrics
from referee.trainers.objective.losses import clip_metrics
from referee.trainers.objective.presets import Preset
from referee.trainers.policy.batch import Batch


def step_figures(preset: Preset, mini: Batch, seen: Mapping[str, Tensor]) -> dict[str, float]:
    """Return how far one optimiser step's policy is from the one that sampled, and what the critic knows.

    ``seen`` holds, for the rows that were computed, ``log_ratio`` and ``trained`` (their mask), and with a
    critic its ``values``.
    """
    assert mini.advantages_BT is not None
    kept = seen["trained"].bool()
    ratio = seen["log_ratio"][kept].double()
    if not len(ratio):
        return {}
    # The tokens are the old policy's, so k3 of (old, new) is the KL of the update so far.
    out = {"policy_kl": float((torch.expm1(ratio) - ratio).mean())}
    if preset.loss != "reinforce":
        out |= clip_metrics(
            seen["log_ratio"],
            mini.advantages_BT,
            mini.mask_BT,
            clip_low=preset.clip_low,
            clip_high=preset.clip_high,
        )
    if "values" in seen and mini.returns_BT is not None:
        out |= _critic(seen["values"][kept], mini.returns_BT[kept])
    return out


def _critic(values: Tensor, returns: Tensor) -> dict[str, float]:
    spread = returns.var(correction=0)
    return {
        "value_loss": float(0.5 * ((values - returns) ** 2).mean()),
        "value": float(values.mean()),
        "return": float(returns.mean()),
        # 1: the critic knows all that varies; 0: no more than the mean; below: worse than the mean.
        "explained_variance": float(1 - (returns - values).var(correction=0) / spread) if spread else 0.0,
    }


def batch_figures(batch: Batch, seen: Mapping[str, Tensor]) -> dict[str, float]:
    """Return a batch's KL to the reference and its distance from the sampler, before the update.

    ``seen`` is the first mini-batch's: all of the batch where no older log-probabilities were computed.
    """
    out: dict[str, float] = {}
    if batch.ref_logprobs_BT is not None:
        mask_BT = batch.mask_BT.bool()
        gap = (batch.before_BT - batch.ref_logprobs_BT).double().masked_fill(~mask_BT, 0.0)
        out["kl"] = float((torch.expm1(-gap) + gap)[mask_BT].mean())
        out["kl_sequence"] = float(gap.sum(-1).mean())
    drawn_BT = batch.sampler_logprobs_BT if batch.drawn_logprobs_BT is None else batch.drawn_logprobs_BT
    if drawn_BT is not None:
        known = batch.old_logprobs_BT
        now_BT, trained_BT = (seen["logprobs"], seen["trained"]) if known is None else (known, batch.mask_BT)
        distance = off_policy_metrics(now_BT, drawn_BT, trained_BT)
        out |= {f"sampler/{name}": value for name, value in distance.items()}
    return out
