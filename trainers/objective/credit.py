"""Credit: from what a batch of rollouts was paid to an advantage for each of its tokens.

One pure function owns the choice. From the top, the first line that fits a preset is what is done:

| where | advantage of token t of rollout i |
|---|---|
| ``gae``, with a critic's values | GAE over the tokens' rewards, see below |
| ``reinforce_pp`` with the KL in the reward | what is still to come of those, normalised over the batch |
| ``credit`` is ``turn`` | the rule on the siblings' returns from this turn on |
| ``gdpo`` | each part normalised in its group, summed with the rubric's weights |
| all others | the rule on the siblings' totals, less the KL penalty where it stands in the reward |

A token's reward is its KL penalty, at a turn's end the turn's own, at a step's end its score, and at the
last token the rest. For ``gdpo`` penalties are one more part. To all but the first a process model's
steps are added (``step_part``). A rollout that is not decided is in no mean, and has advantage 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from referee.envs.records import Rollout
from referee.trainers.objective import advantages as adv
from referee.trainers.objective.kl import kl_estimate, rewards_with_kl
from referee.trainers.objective.options import SharedBaseline
from referee.trainers.objective.presets import Preset
from referee.trainers.objective.step_rewards import Decode, step_credit, token_step_rewards
from referee.trainers.objective.totals import beside_the_parts, paid, part_score
from referee.trainers.objective.turns import to_tokens, turn_advantages, turn_rewards
from referee.verifiers.learned.normalise import Moments


class Priced(Protocol):
    """What is read of a :class:`~referee.trainers.policy.batch.Batch`."""

    @property
    def mask_BT(self) -> Tensor:
        """1 at the tokens that the policy chose."""

    @property
    def before_BT(self) -> Tensor:
        """The policy's log-probabilities before the update."""

    @property
    def ref_logprobs_BT(self) -> Tensor | None:
        """The reference's, where there is one."""


class Values(NamedTuple):
    """A critic's values: before each token, ``_BT``, and behind the last one, ``_B``."""

    before_BT: Tensor
    final_B: Tensor


class Credited(NamedTuple):
    """``advantages_BT``, and what a critic should learn, ``returns_BT``, where there is one."""

    advantages_BT: Tensor
    returns_BT: Tensor | None = None


def credit(
    preset: Preset,
    rollouts: Sequence[Rollout],
    batch: Priced,
    decided_NG: Tensor,
    values: Values | None = None,
    *,
    kl_coef: float = 0.0,
    moments: Moments | None = None,
    weights: Mapping[str, float] | None = None,
    decode: Decode | None = None,
    dtype: torch.dtype = torch.float32,
) -> Credited:
    """Return each token's advantage, by the preset's rule (the module's table).

    Args:
        preset: the algorithm.
        rollouts: the batch's, siblings beside each other.
        batch: their tokens, with the log-probabilities that a KL penalty needs.
        decided_NG: False where the rubric abstained.
        values: a critic's, for ``gae``.
        kl_coef: what a nat of KL costs now, where it stands in the reward.
        moments: of all totals so far, for ``score_norm``.
        weights: those of the rubric's parts, for ``gdpo``.
        decode: turns tokens into text, for ``step_part``.
        dtype: of the result.

    Raises:
        ValueError: for ``gae`` without values, and for ``step_part`` without ``decode``.
    """
    mask_BT = batch.mask_BT.to(dtype)
    pay = _Pay(preset, rollouts, batch, mask_BT, decided_NG, kl_coef, moments or Moments())
    if preset.step_part and decode is None:
        raise ValueError("decode must turn tokens into text where there is a step_part, got None")
    if preset.advantage == "gae":
        if values is None:
            raise ValueError("values must be a critic's with the advantage gae, got None")
        return _by_critic(pay, values, decode)
    if preset.advantage == "reinforce_pp" and pay.kl_in_reward:
        advantages_BT = _by_token(pay)
    elif preset.credit == "turn":
        advantages_BT = _by_turn(pay)
    elif preset.advantage == "gdpo":
        advantages_BT = _by_part(pay, weights or {}).reshape(-1, 1) * mask_BT
    else:
        advantages_BT = rule(preset, pay.totals_NG(), decided_NG).reshape(-1, 1) * mask_BT
    if decode is not None and preset.step_part:
        advantages_BT = advantages_BT + step_credit(preset, rollouts, decode, mask_BT, decided_NG)
    return Credited(advantages_BT)


def rule(preset: Preset, totals_NG: Tensor, decided_NG: Tensor) -> Tensor:
    """Compare completions' totals by the preset's rule."""
    p = preset
    if p.advantage == "group":
        return adv.group_advantages(totals_NG, decided_NG, std=p.std, eps=p.advantage_eps)
    if p.advantage == "maxrl":
        return adv.maxrl_advantages(totals_NG, decided_NG)
    if p.advantage == "rloo":
        return adv.rloo_advantages(totals_NG, decided_NG)
    if p.advantage == "reinforce":
        return adv.reinforce_advantages(totals_NG, decided_NG, baseline=p.baseline)
    baseline: SharedBaseline = "group" if p.baseline == "group" else "none"
    return adv.reinforce_pp_advantages(totals_NG, decided_NG, baseline=baseline, eps=p.advantage_eps)


class _Pay(NamedTuple):
    """What was paid for a batch, and what its tokens cost."""

    preset: Preset
    rollouts: Sequence[Rollout]
    batch: Priced
    mask_BT: Tensor
    decided_NG: Tensor
    kl_coef: float
    moments: Moments

    @property
    def kl_in_reward(self) -> bool:
        return bool(self.kl_coef) and self.preset.kl_in == "reward"

    def totals_B(self) -> Tensor:
        totals = [paid(self.preset, r, self.moments) for r in self.rollouts]
        return self.mask_BT.new_tensor(totals)

    def totals_NG(self) -> Tensor:
        return (self.totals_B() - self.penalty_B()).view_as(self.decided_NG)

    def penalty_B(self) -> Tensor:
        """Return what each completion's KL costs it, 0 where the penalty stands elsewhere."""
        if not self.kl_in_reward:
            return self.mask_BT.new_zeros(len(self.rollouts))
        assert self.batch.ref_logprobs_BT is not None
        kl_BT = kl_estimate(self.batch.before_BT, self.batch.ref_logprobs_BT, self.preset.kl_estimator)
        return self.kl_coef * (kl_BT * self.mask_BT).sum(-1)

    def token_mask(self) -> Tensor:
        return self.mask_BT.bool() & self.decided_NG.reshape(-1, 1)

    def tokens_BT(self) -> Tensor:
        """Return each token's reward: the KL penalty, a turn's own at its end, the rest at the last token.

        With ``baseline`` group (REINFORCE++-baseline) the rest is less the group's mean.
        """
        mask_BT, before_BT = self.token_mask(), self.batch.before_BT
        turns_BT = turn_rewards(self.rollouts, self.mask_BT)
        totals_B = self.totals_B()
        if self.preset.advantage == "reinforce_pp" and self.preset.baseline == "group":
            totals_NG = totals_B.view_as(self.decided_NG)
            totals_B = adv.reinforce_advantages(totals_NG, self.decided_NG, baseline="group").reshape(-1)
        ref_BT = self.batch.ref_logprobs_BT if self.kl_in_reward else None
        paid_BT = rewards_with_kl(
            totals_B - turns_BT.sum(-1),
            before_BT,
            before_BT if ref_BT is None else ref_BT,
            mask_BT,
            kl_coef=self.kl_coef,
            estimator=self.preset.kl_estimator,
        )
        return paid_BT + turns_BT * mask_BT


def _by_critic(pay: _Pay, values: Values, decode: Decode | None) -> Credited:
    p, mask_BT, rewards_BT = pay.preset, pay.token_mask(), pay.tokens_BT()
    if p.step_part and decode is not None:
        rewards_BT = rewards_BT + token_step_rewards(p, pay.rollouts, decode, mask_BT)
    if p.whiten_rewards:
        rewards_BT = adv.whiten(rewards_BT, mask_BT, shift_mean=False)
    truncated_B = torch.tensor([r.truncated for r in pay.rollouts], device=mask_BT.device)
    advantages_BT, returns_BT = adv.gae(
        rewards_BT,
        values.before_BT,
        mask_BT,
        gamma=p.gamma,
        lam=p.lam,
        bootstrap_B=values.final_B * (truncated_B & p.bootstrap_truncated),
    )
    if p.whiten_advantages:
        advantages_BT = adv.whiten(advantages_BT, mask_BT)
    return Credited(advantages_BT, returns_BT)


def _by_token(pay: _Pay) -> Tensor:
    """REINFORCE++: the KL penalty of each token in its reward, rewards to go, normalised over the batch."""
    mask_BT = pay.token_mask()
    returns_BT = adv.discounted_returns(pay.tokens_BT(), mask_BT, gamma=pay.preset.gamma)
    return adv.reinforce_pp_advantages(returns_BT, mask_BT, eps=pay.preset.advantage_eps)


def _by_turn(pay: _Pay) -> Tensor:
    by_turn_BK = turn_advantages(
        pay.rollouts,
        pay.decided_NG,
        lambda returns_NG, mask_NG: rule(pay.preset, returns_NG, mask_NG),
        gamma=pay.preset.gamma,
        dtype=pay.mask_BT.dtype,
    )
    return to_tokens(by_turn_BK, pay.rollouts, pay.mask_BT)


def _by_part(pay: _Pay, weights: Mapping[str, float]) -> Tensor:
    """Compare completions part by part; what is paid or charged beside the parts is one more of them."""
    like = pay.mask_BT
    names = [name for name, weight in weights.items() if weight]
    scores = [[part_score(r.reward, name) for r in pay.rollouts] for name in names]
    weight_P = like.new_tensor([weights[name] for name in names])
    parts_PB = like.new_tensor([[0.0 if s is None else s for s in part] for part in scores])
    has_PB = torch.tensor([[s is not None for s in part] for part in scores], device=like.device)
    beside_B = like.new_tensor(beside_the_parts(pay.preset, pay.rollouts, pay.moments)) - pay.penalty_B()
    if beside_B.any():
        parts_PB, weight_P = torch.cat([parts_PB, beside_B[None]]), torch.cat([weight_P, like.new_ones(1)])
        has_PB = torch.cat([has_PB, torch.ones_like(has_PB[:1])])
    shape = (-1, *pay.decided_NG.shape)
    return adv.gdpo_advantages(
        parts_PB.view(shape),
        weight_P,
        pay.decided_NG,
        std=pay.preset.std,
        eps=pay.preset.advantage_eps,
        has_PNG=has_PB.view(shape),
    )
