"""The learner: a model, its optimiser and, where the preset has one, a critic; from batches to steps.

    update   -> mini-batches, each one optimiser step, as often as the preset says
    backward -> the gradient of one step, added up over micro-batches and processes
    loss     -> one micro-batch's share of it

A loss is divided by the normaliser of its whole mini-batch, so that neither micro-batches nor processes
change a gradient. With a critic its loss is added; nothing else differs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from referee.trainers.loop.critic import Critic
from referee.trainers.loop.optimizers import optimizer_of
from referee.trainers.loop.run_options import Training
from referee.trainers.objective.credit import Values
from referee.trainers.objective.importance import importance_weights
from referee.trainers.objective.kl import kl_estimate
from referee.trainers.objective.losses import aggregate, log_ratio, loss_normaliser, policy_loss, value_loss
from referee.trainers.objective.presets import Preset
from referee.trainers.placement import Placement, Share
from referee.trainers.policy.batch import Batch, batch_logprobs
from referee.trainers.policy.dropout import RowDropout
from referee.trainers.policy.policy import Policy, refuse_experts
from referee.trainers.policy.reference import ReferencePolicy
from referee.trainers.policy.sampling import seed_of
from referee.trainers.record.update_figures import batch_figures, step_figures


class Learner:
    """What trains. ``trained`` are its parameters, ``dtype`` the type of losses and advantages."""

    def __init__(self, policy: Policy, preset: Preset, training: Training, placement: Placement) -> None:
        refuse_experts(policy)
        self.policy, self.placement = policy, placement
        self.critic = Critic(policy, preset.critic, seed=training.seed) if preset.advantage == "gae" else None
        extra: list[Any] = [] if self.critic is None else list(self.critic.parameters)
        own = {id(p) for p in extra}
        self.model = placement.model(policy.model, apart=extra)
        # Listed once: adapters that are switched off for a while look frozen.
        self.trained = [p for p in self.model.parameters() if p.requires_grad and id(p) not in own] + extra
        self.dtype = torch.promote_types(self.trained[0].dtype, torch.float32)
        self.optimizer = placement.optimizer(
            optimizer_of(
                self.trained,
                name=training.optimizer,
                learning_rate=preset.learning_rate,
                weight_decay=training.weight_decay,
                betas=(training.beta1, training.beta2),
                apart=policy.embeddings(),
            )
        )
        self._dropout = RowDropout(policy.model)

    # ------------------------------------------------------------------ before the update

    @torch.no_grad()
    def logprobs(
        self, model: Any, batch: Batch, training: Training, *, temperature: float, step: int | None = None
    ) -> Tensor:
        """Return a model's log-probabilities of a batch's tokens; each process computes its share.

        With ``step`` they are those of that step's update, dropout and all.
        """
        model.eval()
        out_BT = torch.zeros_like(batch.mask_BT, dtype=self.dtype)
        for share in self.placement.shares(batch, tokens=training.micro_batch_tokens):
            micro = batch.select(share.rows_B)
            with nullcontext() if step is None else self._dropped(micro, training, step):
                logprobs_BT, _ = batch_logprobs(
                    model, micro.tokens_BT, micro.mask_BT, temperature=temperature
                )
            if share.weight:
                out_BT[share.rows_B, : logprobs_BT.shape[1]] = logprobs_BT.to(self.dtype)
        return self.placement.summed(out_BT)

    def with_logprobs(
        self,
        batch: Batch,
        reference: ReferencePolicy | None,
        preset: Preset,
        training: Training,
        *,
        step: int,
    ) -> Batch:
        """Return a batch with what its update compares with: the policy before it, and the reference."""
        old_BT = batch.old_logprobs_BT
        if preset.steps_a_batch > 1 or training.off_policy != "none":
            old_BT = self.logprobs(self.model, batch, training, temperature=preset.temperature, step=step)
        if reference is None:
            return replace(batch, old_logprobs_BT=old_BT)
        with reference.reading() as model:
            ref_BT = self.logprobs(model, batch, training, temperature=preset.temperature)
        return replace(batch, old_logprobs_BT=old_BT, ref_logprobs_BT=ref_BT)

    @torch.no_grad()
    def values(self, batch: Batch, training: Training) -> Values | None:
        """Return the critic's values before each token and behind the last; None without a critic."""
        if self.critic is None:
            return None
        values_BT = torch.zeros_like(batch.mask_BT, dtype=self.dtype)
        final_B = values_BT.new_zeros(len(batch))
        for share in self.placement.shares(batch, tokens=training.micro_batch_tokens):
            micro = batch.select(share.rows_B)
            before_BT, after_BT = self.critic.values(micro.tokens_BT)
            if share.weight:
                values_BT[share.rows_B, : before_BT.shape[1]] = before_BT.to(self.dtype)
                final_B[share.rows_B] = after_BT.gather(1, micro.lengths_B[:, None] - 1)[:, 0].to(self.dtype)
        return Values(self.placement.summed(values_BT * batch.mask_BT), self.placement.summed(final_B))

    # ------------------------------------------------------------------ the update

    def update(
        self, batch: Batch, preset: Preset, training: Training, *, step: int, kl_coef: float = 0.0
    ) -> dict[str, float]:
        """Take the optimiser steps that one sampled batch gives; return figures of loss and policy."""
        self.model.train()
        rate = training.rate(step) * preset.learning_rate
        for options in self.optimizer.param_groups:
            options["lr"] = rate
        figures: dict[str, list[float]] = {}
        out: dict[str, float] = {}
        skipped = 0
        for mini in mini_batches(batch, preset, seed=training.seed, step=step):
            seen: dict[str, Tensor] = {}
            loss = self.backward(mini, preset, training, step=step, kl_coef=kl_coef, seen=seen)
            norm = self.placement.clip(self.trained, training.max_grad_norm)
            seen = {name: self.placement.summed(value) for name, value in sorted(seen.items())}
            if math.isfinite(norm):
                self.optimizer.step()
            else:  # the weights would never be numbers again
                skipped += 1
            self.optimizer.zero_grad()
            if not math.isfinite(norm):
                continue
            for name, value in step_figures(preset, mini, seen).items():
                figures.setdefault(name, []).append(value)
            figures.setdefault("loss", []).append(float(self.placement.summed(loss)))
            figures.setdefault("grad_norm", []).append(norm)
            if not out:
                out = batch_figures(batch, seen)
            if preset.stop_kl is not None and figures["policy_kl"][-1] > preset.stop_kl:
                break
        self.model.eval()
        out |= {name: sum(values) / len(values) for name, values in figures.items()}
        taken = float(len(figures.get("loss", ())))
        return {**out, "learning_rate": rate, "updates": taken, "skipped": float(skipped)}

    def backward(
        self,
        mini: Batch,
        preset: Preset,
        training: Training,
        *,
        step: int = 0,
        kl_coef: float = 0.0,
        seen: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Add up the gradient of one optimiser step's loss; return this process's part of the loss.

        Rows without advantage count in the normaliser and have no gradient, so they are not computed.
        ``seen`` is filled with what passed by in this process's rows.
        """
        normaliser = loss_normaliser(
            mini.mask_BT, by=preset.aggregation, max_new_tokens=preset.max_new_tokens
        )
        rows_B = self.rows_with_gradient(mini, preset, kl_coef=kl_coef)
        kept = {} if seen is None else seen

        def loss_of(share: Share) -> Tensor:
            micro = mini.select(share.rows_B)
            with self._dropped(micro, training, step):
                loss, passed = self.loss(micro, normaliser, preset, training, kl_coef=kl_coef)
            for name, value in passed.items():
                kept.setdefault(name, torch.zeros_like(mini.mask_BT))
                if share.weight:
                    kept[name][share.rows_B, : value.shape[1]] = value.detach().float()
            return loss

        shares = self.placement.shares(mini, rows_B, tokens=training.micro_batch_tokens)
        total = self.placement.backward(self.model, shares, loss_of)
        if self.critic is not None and self.placement.world > 1:
            for parameter in self.critic.parameters:  # they are outside of the model that shares gradients
                gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = self.placement.averaged(gradient)
        return total

    def rows_with_gradient(self, mini: Batch, preset: Preset, *, kl_coef: float = 0.0) -> Tensor:
        """Return the numbers of the rows that move something: all where there is a penalty or a critic."""
        assert mini.advantages_BT is not None
        everything = torch.arange(len(mini), device=mini.mask_BT.device)
        if self.critic is not None or (kl_coef and preset.kl_in == "loss") or preset.entropy_coef:
            return everything
        rows = mini.advantages_BT.any(-1).nonzero()[:, 0]
        return rows if len(rows) else everything  # without gradient they do no harm, and give the figures

    def loss(
        self, micro: Batch, normaliser: Tensor, preset: Preset, training: Training, *, kl_coef: float = 0.0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return one micro-batch's share of the loss, and what the figures read of it."""
        p, mask_BT = preset, micro.mask_BT
        watching: Any = nullcontext([]) if self.critic is None else self.critic.watching()
        with watching as hidden:
            logprobs_BT, entropy_BT = batch_logprobs(
                self.model, micro.tokens_BT, mask_BT, temperature=p.temperature
            )
        old_BT = logprobs_BT.detach() if micro.old_logprobs_BT is None else micro.old_logprobs_BT
        assert micro.advantages_BT is not None
        loss_BT = policy_loss(
            logprobs_BT,
            old_BT,
            micro.advantages_BT,
            mask_BT,
            loss=p.loss,
            ratio=p.ratio,
            clip_low=p.clip_low,
            clip_high=p.clip_high,
            dual_clip=p.dual_clip,
        )
        if training.off_policy != "none":
            drawn_BT = (
                micro.sampler_logprobs_BT if micro.drawn_logprobs_BT is None else micro.drawn_logprobs_BT
            )
            assert drawn_BT is not None
            loss_BT = loss_BT * importance_weights(
                old_BT,
                drawn_BT,
                mask_BT,
                level=training.off_policy_level,
                correction=training.off_policy,
                low=training.off_policy_low,
                high=training.off_policy_high,
            )
        if kl_coef and p.kl_in == "loss":
            assert micro.ref_logprobs_BT is not None
            loss_BT = loss_BT + kl_coef * kl_estimate(logprobs_BT, micro.ref_logprobs_BT, p.kl_estimator)
        if p.entropy_coef:
            loss_BT = loss_BT - p.entropy_coef * entropy_BT
        ratio_BT = log_ratio(logprobs_BT.detach(), old_BT, mask_BT, level=p.ratio)
        loss = aggregate(loss_BT, mask_BT, by=p.aggregation, normaliser=normaliser)
        passed = {"logprobs": logprobs_BT, "log_ratio": ratio_BT, "trained": mask_BT}
        if self.critic is not None:
            assert micro.returns_BT is not None
            values_BT = self.critic.values_beside(hidden, micro.tokens_BT, mask_BT)
            critic_BT = value_loss(values_BT, micro.returns_BT, micro.values_BT, clip=p.value_clip)
            loss = loss + p.value_coef * aggregate(
                critic_BT, mask_BT, by=p.aggregation, normaliser=normaliser
            )
            passed["values"] = values_BT
        return loss, passed

    def _dropped(self, micro: Batch, training: Training, step: int) -> AbstractContextManager[None]:
        rows = range(len(micro)) if micro.numbers_B is None else micro.numbers_B.tolist()
        return self._dropout.of_rows([seed_of(training.seed, "dropout", step, row) for row in rows])

    # ------------------------------------------------------------------ checkpoints

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds beside the policy's weights."""
        state: dict[str, Any] = {"optimizer": self.optimizer.state_dict()}
        return state if self.critic is None else {**state, "critic": self.critic.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take what :meth:`state` returned."""
        self.optimizer.load_state_dict(state["optimizer"])
        if self.critic is not None:
            self.critic.restore(state["critic"])


def mini_batches(batch: Batch, preset: Preset, *, seed: int, step: int) -> Iterator[Batch]:
    """Yield what each optimiser step of a batch sees, dealt anew in every pass."""
    for epoch in range(preset.update_epochs):
        if preset.step_size >= len(batch):
            yield batch
            continue
        generator = torch.Generator().manual_seed(seed_of(seed, "mini", step, epoch))
        order = torch.randperm(len(batch), generator=generator).to(batch.mask_BT.device)
        for start in range(0, len(order), preset.step_size):
            yield batch.select(order[start : start + preset.step_size])
