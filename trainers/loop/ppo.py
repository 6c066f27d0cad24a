"""PPO: the group trainer with a critic.

What differs from the rest of the family (:mod:`referee.trainers.loop.grpo`), top to bottom:

    reward     -kl_coef log(pi / ref) on each token, the rubric's total on the last one  (Ziegler et al. 2019)
               + a process model's step scores on the tokens that end the steps (``step_part``)
    advantage  GAE on the critic's values, whitened; the returns are the critic's targets
    loss       the clipped surrogate + value_coef times the clipped value loss - entropy_coef times entropy
    update     update_epochs passes of mini-batches, stopping early where the policy has moved by stop_kl

A completion ends its episode, also where it ran out of tokens: the rubric's stated policy pays for
that. With ``bootstrap_truncated`` what was cut off is worth the critic's value of where it stopped.
Completions on which the rubric abstained are in no mean, no whitening and no loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from referee.envs.records import Rollout
from referee.trainers.loop.critic import Critic
from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.objective.advantages import gae, whiten
from referee.trainers.objective.losses import aggregate, value_loss
from referee.trainers.objective.step_rewards import token_step_rewards
from referee.trainers.policy.batch import Batch


class PPOTrainer(GroupTrainer):
    """Trains a policy and a critic; the arguments are those of the group trainer.

    The preset's ``critic`` is ``head`` (a value head on the policy) or ``model`` (a body of its own, or
    an adapter of its own where the policy has adapters).
    """

    HAS_CRITIC = True
    SEEN = (*GroupTrainer.SEEN, "values")
    critic: Critic

    def _with_advantages(self, rollouts: Sequence[Rollout], batch: Batch, decided_NG: Tensor) -> Batch:
        """Return the batch with values, advantages and returns: GAE over per-token rewards."""
        p = self.preset
        mask_BT = batch.mask_BT.bool() & decided_NG.reshape(-1, 1)
        values_BT, final_B = self._values(batch)
        rewards_BT = self._token_rewards(rollouts, batch, mask_BT, decided_NG)
        if p.step_part:
            rewards_BT = rewards_BT + token_step_rewards(p, rollouts, self.policy.decode, mask_BT)
        if p.whiten_rewards:
            rewards_BT = whiten(rewards_BT, mask_BT, shift_mean=False)
        truncated_B = torch.tensor([r.truncated for r in rollouts], device=final_B.device)
        advantages_BT, returns_BT = gae(
            rewards_BT,
            values_BT,
            mask_BT,
            gamma=p.gamma,
            lam=p.lam,
            bootstrap_B=final_B * (truncated_B & p.bootstrap_truncated),
        )
        if p.whiten_advantages:
            advantages_BT = whiten(advantages_BT, mask_BT)
        return replace(batch, values_BT=values_BT, advantages_BT=advantages_BT, returns_BT=returns_BT)

    @torch.no_grad()
    def _values(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the critic's value before each token, and after the last; processes share the rows."""
        values_BT = torch.zeros_like(batch.mask_BT)
        final_B = values_BT.new_zeros(len(batch))
        for rows in self._shares(batch, torch.arange(len(batch), device=values_BT.device)):
            micro = batch.select(rows)
            before_BT, after_BT = self.critic.values(micro.tokens_BT)
            values_BT[rows, : before_BT.shape[1]] = before_BT.to(values_BT.dtype)
            last_B1 = micro.lengths_B[:, None] - 1
            final_B[rows] = after_BT.gather(1, last_B1)[:, 0].to(values_BT.dtype)
        return self._reduced(values_BT * batch.mask_BT), self._reduced(final_B)

    def loss(self, micro: Batch, normaliser: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return one micro-batch's share of the policy's and the critic's loss."""
        p = self.preset
        assert micro.returns_BT is not None
        with self.critic.watching() as hidden:
            loss, passed = super().loss(micro, normaliser)
        if self.critic.kind == "head":
            values_BT = self.critic.values_of(hidden[0], micro.mask_BT)
        else:
            values_BT = self.critic.values(micro.tokens_BT)[0]
        critic_BT = value_loss(values_BT, micro.returns_BT, micro.values_BT, clip=p.value_clip)
        critic_loss = aggregate(critic_BT, micro.mask_BT, by=p.aggregation, normaliser=normaliser)
        return loss + p.value_coef * critic_loss, {**passed, "values": values_BT}

    def backward(self, mini: Batch, seen: dict[str, Tensor] | None = None) -> Tensor:
        """Add up gradients as the group trainer does; the critic's are summed over processes here."""
        total = super().backward(mini, seen)
        if self.accelerator.num_processes > 1:
            for parameter in self.critic.parameters:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                parameter.grad = self.accelerator.reduce(parameter.grad, reduction="mean")
        return total

    def _with_gradient(self, mini: Batch) -> Tensor:
        return torch.arange(len(mini), device=mini.mask_BT.device)  # the critic learns from every row

    def _clip_figures(self, mini: Batch, seen: Mapping[str, Tensor]) -> dict[str, float]:
        assert mini.returns_BT is not None
        kept = seen["trained"].bool()
        returns, values = mini.returns_BT[kept], seen["values"][kept]
        spread = returns.var(correction=0)
        return super()._clip_figures(mini, seen) | {
            "value_loss": float(0.5 * ((values - returns) ** 2).mean()),
            "value": float(values.mean()),
            "return": float(returns.mean()),
            # 1: the critic knows all that varies; 0: no more than the mean; below: worse than the mean.
            "explained_variance": float(1 - (returns - values).var(correction=0) / spread) if spread else 0.0,
        }

    def _optimizer(self) -> torch.optim.Optimizer:
        self.critic = Critic(self.policy, self.preset.critic, seed=self.training.seed)
        return super()._optimizer()

    def _trainable(self) -> list[Tensor]:
        own = {id(p) for p in self.critic.parameters}
        return [*(p for p in super()._trainable() if id(p) not in own), *self.critic.parameters]

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "critic": self.critic.state()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        self.critic.restore(state["critic"])
