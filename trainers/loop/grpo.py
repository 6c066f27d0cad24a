"""The group trainer: GRPO and its family, from top to bottom.

A step samples ``group_size`` completions for each of some problems, has a rubric pay for them,
compares each with its siblings, and moves the policy towards what was paid more:

    collect -> groups of paid completions          (sampling, scoring, refilling)
    pack    -> a batch with an advantage a token   (abstentions masked, KL and length in the reward)
    update  -> optimiser steps and figures         (loss, clipping, off-policy weights)

Which member of the family runs is data, a :class:`~referee.trainers.objective.presets.Preset`; how long and
with which measures is a :class:`~referee.trainers.loop.run_options.Training`. Everything random in a step
is drawn from (seed, step, what for), so that a run resumed from a checkpoint takes the very step
that would have come next, and so that the number of processes changes nothing but rounding.

Two seams: :mod:`referee.trainers.loop.problem_source` says which problems come next (in order, or by a
curriculum), :mod:`referee.trainers.loop.rollouts` goes through them (a completion, or an episode of turns).

Not here: a critic (:mod:`referee.trainers.loop.ppo`), sampling ahead of the update in other processes.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from referee.envs.records import Group, Rollout
from referee.trainers.loop.error_watch import ErrorWatch
from referee.trainers.loop.heldout import measure
from referee.trainers.loop.problem_source import Problems, source_of
from referee.trainers.loop.rollouts import Rollouts, SingleTurn, row_of
from referee.trainers.loop.run_options import Training
from referee.trainers.objective import advantages as adv
from referee.trainers.objective.credit import to_tokens, turn_advantages, turn_rewards
from referee.trainers.objective.importance import importance_weights, off_policy_metrics
from referee.trainers.objective.kl import AdaptiveKL, FixedKL, kl_estimate, rewards_with_kl
from referee.trainers.objective.losses import aggregate, clip_metrics, log_ratio, loss_normaliser, policy_loss
from referee.trainers.objective.options import SharedBaseline
from referee.trainers.objective.presets import Preset
from referee.trainers.objective.step_rewards import step_credit
from referee.trainers.policy.batch import Batch, batch_logprobs, collate
from referee.trainers.policy.policy import Policy, frozen_copy, restore, update_average
from referee.trainers.policy.sampling import Sampling, seed_of
from referee.trainers.record.metrics import group_metrics, signal
from referee.trainers.record.run_record import Run
from referee.verifiers.jsonl import to_dict
from referee.verifiers.learned.normalise import Moments, whiten
from referee.verifiers.records import Json, Problem, Reward
from referee.verifiers.rubric import Rubric, best_total
from referee.verifiers.scoring.engine import Engine
from referee.verifiers.scoring.timed import TimedRubric


class GroupTrainer:
    """Trains a policy on problems with the rewards of a rubric.

    Args:
        policy: the model and its tokenizer; the model is trained in place.
        problems: a sequence, gone through in a new random order each time, a function of an
            index for problems without end, or a source of its own, such as a curriculum.
        rubric: what is paid for a completion.
        preset: the algorithm.
        training: the run's length, optimiser settings and measures.
        run: where to record; a run that has checkpoints is resumed. None keeps nothing.
        heldout: problems to measure on; the policy is never trained on them.
        accelerator: for several devices, mixed precision or trackers; one is made where it is None.
        on_step: called with each step's figures, for a progress bar.
        rollouts: how a problem is gone through; by default a completion answers it.
    """

    HAS_CRITIC = False
    SEEN: tuple[str, ...] = (
        "logprobs",
        "log_ratio",
        "trained",
    )  # what :meth:`loss` lets pass by, for the figures

    def __init__(
        self,
        policy: Policy,
        problems: Problems,
        rubric: Rubric,
        *,
        preset: Preset,
        training: Training,
        run: Run | None = None,
        heldout: Sequence[Problem] = (),
        accelerator: Accelerator | None = None,
        on_step: Callable[[Mapping[str, float]], None] | None = None,
        rollouts: Rollouts | None = None,
    ) -> None:
        check(preset, critic=self.HAS_CRITIC)
        if training.deadline_s is not None:
            engine = Engine(rubric, deadline_s=training.deadline_s, workers=training.scoring_workers)
            rubric = TimedRubric(rubric, engine)
        self.policy, self.rubric = policy, rubric
        self.source = source_of(problems, seed=training.seed)
        self.rollouts = rollouts or SingleTurn()
        self.preset, self.training, self.run, self.heldout = preset, training, run, heldout
        self.accelerator = accelerator or Accelerator()
        self.on_step = on_step
        self.best = best_total(rubric)
        self.sampling = Sampling(
            max_new_tokens=preset.max_new_tokens,
            temperature=preset.temperature,
            top_p=training.top_p,
            top_k=training.top_k,
            rows=training.rows,
        )
        self.step = 0
        self.position = 0  # how many problems have been taken
        self.moments = Moments()  # of the totals so far, for score_norm
        self.kl: FixedKL | AdaptiveKL = FixedKL(kl_coef=preset.kl_coef)
        if preset.adaptive_kl:
            self.kl = AdaptiveKL(kl_coef=preset.kl_coef, target=preset.kl_target, horizon=preset.kl_horizon)
        self.model, self.optimizer = self.accelerator.prepare(policy.model, self._optimizer())
        self.reference: Any = None
        if (preset.kl_coef or training.track_kl) and not policy.has_adapters:
            self.reference = frozen_copy(policy.model)

    # ------------------------------------------------------------------ the run

    def train(self) -> None:
        """Take all steps that are left, recording each; resume first where the run has a checkpoint."""
        resumed = self.resume()
        self.accelerator.wait_for_everyone()  # all have looked for a checkpoint before one is written
        if not resumed:
            self._measure()
            self.save()
        watch = ErrorWatch(self.rubric, self.training.stop_after_errors)
        while self.step < self.training.steps:
            started = time.perf_counter()
            figures, groups, seconds = self.take_step()
            self._record(figures, groups, {**seconds, "step_seconds": time.perf_counter() - started})
            watch.see(self.step, groups)
            last = self.step == self.training.steps
            if last or self.step % self.training.eval_every == 0:
                self._measure()
            if last or self.step % self.training.save_every == 0:
                self.save()

    def take_step(self) -> tuple[dict[str, float], list[Group], dict[str, float]]:
        """Take one training step; return its figures, all groups that were sampled, and the seconds."""
        clock = [time.perf_counter()]
        groups, seen = self.collect()
        clock.append(time.perf_counter())
        batch, figures = self.pack(groups)
        updated = self.update(batch) if batch is not None else {}
        clock.append(time.perf_counter())
        self.step += 1
        sampled = group_metrics(seen, best=self.best, max_new_tokens=self.preset.max_new_tokens)
        sampled |= {**self.rollouts.figures(seen), **self.source.figures()}
        out = {**sampled, **figures, **updated, "groups/sampled": float(len(seen))}
        return out, seen, {"sample_seconds": clock[1] - clock[0], "update_seconds": clock[2] - clock[1]}

    # ------------------------------------------------------------------ collect

    def collect(self) -> tuple[list[Group], list[Group]]:
        """Sample and score the groups of a step; return those to train on and all that were sampled.

        With ``refill_groups`` (DAPO's dynamic sampling) groups whose rewards are all equal are
        replaced by new problems' groups, at most ``max_refills`` times; then the step is smaller.
        """
        wanted = self.preset.batch_size // self.preset.group_size
        kept: list[Group] = []
        seen: list[Group] = []
        for _ in range(1 + (self.training.max_refills if self.preset.refill_groups else 0)):
            count = wanted - len(kept)
            fresh = self.rollout(range(self.position, self.position + count))
            self.position += count
            seen += fresh
            kept += [g for g in fresh if not self.preset.refill_groups or signal(g, best=self.best) is None]
            if len(kept) == wanted:
                break
        return kept or seen[-wanted:], seen

    def rollout(self, positions: Sequence[int]) -> list[Group]:
        """Sample and score a group for the problem at each position; each process takes its share."""
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        problems = self.source.problems(positions)[rank::world]
        groups = self.rollouts(
            self.policy,
            problems,
            self.rubric.at(self.step),
            group_size=self.preset.group_size,
            sampling=self.sampling,
            seeds=[seed_of(self.training.seed, "sample", p) for p in positions[rank::world]],
            policy_step=self.step,
        )
        numbered = list(zip(positions[rank::world], groups, strict=True))
        if world > 1:
            numbered = gather_object(numbered)
        ordered = [group for _, group in sorted(numbered, key=lambda pair: pair[0])]
        if self.training.shuffle_rewards:
            ordered = self._shuffled(ordered)
        self.source.observe(ordered, best=self.best)
        return ordered

    def _shuffled(self, groups: list[Group]) -> list[Group]:
        rollouts = [r for g in groups for r in g.rollouts]
        generator = torch.Generator().manual_seed(seed_of(self.training.seed, "shuffle", self.position))
        order = torch.randperm(len(rollouts), generator=generator).tolist()
        dealt = iter(_paid_as(r, rollouts[i]) for r, i in zip(rollouts, order, strict=True))
        return [replace(g, rollouts=tuple(next(dealt) for _ in g.rollouts)) for g in groups]

    # ------------------------------------------------------------------ pack

    def pack(self, groups: Sequence[Group]) -> tuple[Batch | None, dict[str, float]]:
        """Return the batch to train on, with an advantage for each token, and figures.

        Completions on which the rubric abstained are neither in the batch nor in any baseline;
        truncated ones are left out of the batch, not of the baseline, with ``mask_truncated``.
        None where nothing is left.
        """
        size = self.preset.group_size
        rollouts = [r for g in groups for r in g.rollouts]
        decided_B = torch.tensor([r.reward is not None and not r.reward.abstains for r in rollouts])
        active_B = decided_B & torch.tensor([bool(r.sampled_ids) for r in rollouts])
        if self.preset.mask_truncated:
            active_B &= ~torch.tensor([r.truncated for r in rollouts])
        if not active_B.any():
            return None, {"rows": 0.0}
        batch = collate(
            [row_of(r, self.policy) for r in rollouts],
            pad_id=self.policy.pad_id,
            device=self.accelerator.device,
        )
        if self._updates > 1 or self.training.off_policy != "none":
            batch = replace(batch, old_logprobs_BT=self._logprobs(self.model, batch))
        if self.preset.kl_coef or self.training.track_kl:
            batch = replace(batch, ref_logprobs_BT=self._reference_logprobs(batch))
        decided_NG = decided_B.to(batch.mask_BT.device).view(-1, size)
        running = self._observe(rollouts)
        batch = self._with_advantages(rollouts, batch, decided_NG)
        rows = active_B.to(batch.mask_BT.device).nonzero()[:, 0]
        batch = batch.select(rows)
        assert batch.advantages_BT is not None
        spread = float(batch.advantages_BT[batch.mask_BT.bool()].abs().mean())
        return batch, {"rows": float(len(batch)), "advantage_abs": spread, **running}

    def _observe(self, rollouts: Sequence[Rollout]) -> dict[str, float]:
        """Take a batch's totals into the running moments, where they are used; return these as figures."""
        if self.preset.score_norm == "none":
            return {}
        self.moments = self.moments.add([r.total for r in rollouts])
        return {"score_mean": self.moments.mean, "score_std": self.moments.std}

    def _with_advantages(self, rollouts: Sequence[Rollout], batch: Batch, decided_NG: Tensor) -> Batch:
        advantages_BT = self._advantages(rollouts, batch, decided_NG)
        if self.preset.step_part:
            advantages_BT = advantages_BT + step_credit(
                self.preset, rollouts, self.policy.decode, batch.mask_BT, decided_NG
            )
        return replace(batch, advantages_BT=advantages_BT)

    def _advantages(self, rollouts: Sequence[Rollout], batch: Batch, decided_NG: Tensor) -> Tensor:
        """Return ``advantages_BT`` of all rows, by the preset's rule."""
        p, device, size = self.preset, batch.mask_BT.device, self.preset.group_size
        penalty_in_reward = self.kl.kl_coef and p.kl_in == "reward"
        if penalty_in_reward and p.advantage == "reinforce_pp":
            return self._token_level(rollouts, batch, decided_NG)
        if p.credit == "turn":
            by_turn_BK = turn_advantages(
                rollouts, decided_NG, self._by_rule, gamma=p.gamma, dtype=self._dtype
            )
            return to_tokens(by_turn_BK, rollouts, batch.mask_BT)
        if p.advantage == "gdpo":
            return self._by_part(rollouts, batch, decided_NG).reshape(-1, 1) * batch.mask_BT
        totals_B = torch.tensor([self._paid(r) for r in rollouts], dtype=self._dtype, device=device)
        if penalty_in_reward:
            totals_B = totals_B - self.kl.kl_coef * self._kl_to_reference(batch).sum(-1)
        return self._by_rule(totals_B.view(-1, size), decided_NG).reshape(-1, 1) * batch.mask_BT

    def _by_rule(self, totals_NG: Tensor, decided_NG: Tensor) -> Tensor:
        """Compare completions' totals by the preset's rule."""
        p = self.preset
        if p.advantage == "group":
            return adv.group_advantages(totals_NG, decided_NG, std=p.std, eps=p.advantage_eps)
        if p.advantage == "rloo":
            return adv.rloo_advantages(totals_NG, decided_NG)
        if p.advantage == "reinforce":
            return adv.reinforce_advantages(totals_NG, decided_NG, baseline=p.baseline)
        baseline: SharedBaseline = "group" if p.baseline == "group" else "none"
        return adv.reinforce_pp_advantages(totals_NG, decided_NG, baseline=baseline, eps=p.advantage_eps)

    def _paid(self, rollout: Rollout) -> float:
        """Return a total on its scale, less DAPO's soft penalty for the last ``overlong_tokens``.

        0 up to L - c tokens, then linearly down to -1 at the limit L (Yu et al. 2025, equation 13).
        """
        total = self._scaled(rollout.total)
        if total is None:
            return 0.0  # masked everywhere
        buffer = self.preset.overlong_tokens
        if buffer and rollout.turns:
            over = len(rollout.completion.token_ids or ()) - (self.preset.max_new_tokens - buffer)
            total -= min(max(over, 0) / buffer, 1.0)
        return total

    def _scaled(self, total: float | None) -> float | None:
        p = self.preset
        most = math.inf if p.score_clip is None else p.score_clip
        if p.score_norm == "none":
            return None if total is None else min(max(total, -most), most)
        return whiten([total], self.moments, centre=p.score_norm == "whiten", most=most)[0]

    def _by_part(self, rollouts: Sequence[Rollout], batch: Batch, decided_NG: Tensor) -> Tensor:
        """Compare completions part by part; what is paid or charged beside the parts is one more of them."""
        rubric = self.rubric.at(self.step)
        names = [name for name, part in rubric.parts.items() if part.weight]
        scores = [[_score(r.reward, name) for r in rollouts] for name in names]
        weights = [rubric.parts[n].weight for n in names]
        beside = [self._paid(r) - (r.total or 0.0) + sum(t.reward or 0.0 for t in r.turns) for r in rollouts]
        beside_B = torch.tensor(beside, dtype=self._dtype, device=decided_NG.device)
        if self.kl.kl_coef and self.preset.kl_in == "reward":
            beside_B = beside_B - self.kl.kl_coef * self._kl_to_reference(batch).sum(-1)
        parts_PB = torch.tensor(
            [[0.0 if s is None else s for s in part] for part in scores],
            dtype=self._dtype,
            device=decided_NG.device,
        )
        has_PB = torch.tensor([[s is not None for s in part] for part in scores], device=decided_NG.device)
        if beside_B.any():
            parts_PB, weights = torch.cat([parts_PB, beside_B[None]]), [*weights, 1.0]
            has_PB = torch.cat([has_PB, torch.ones_like(has_PB[:1])])
        return adv.gdpo_advantages(
            parts_PB.view(-1, *decided_NG.shape),
            parts_PB.new_tensor(weights),
            decided_NG,
            std=self.preset.std,
            eps=self.preset.advantage_eps,
            has_PNG=has_PB.view(-1, *decided_NG.shape),
        )

    def _token_level(self, rollouts: Sequence[Rollout], batch: Batch, decided_NG: Tensor) -> Tensor:
        """REINFORCE++: the KL penalty of each token in its reward, rewards to go, whitened over the batch."""
        mask_BT = batch.mask_BT.bool() & decided_NG.view(-1, 1)
        rewards_BT = self._token_rewards(rollouts, batch, mask_BT, decided_NG)
        returns_BT = adv.discounted_returns(rewards_BT, mask_BT, gamma=self.preset.gamma)
        return adv.whiten(returns_BT, mask_BT)

    def _token_rewards(
        self, rollouts: Sequence[Rollout], batch: Batch, mask_BT: Tensor, decided_NG: Tensor
    ) -> Tensor:
        """Return each token's reward: the KL penalty, a turn's own at its end, the rest at the last token.

        With ``baseline`` group (REINFORCE++-baseline) the rest is less the group's mean.
        """
        turns_BT = turn_rewards(rollouts, batch.mask_BT)
        totals_B = torch.tensor([self._paid(r) for r in rollouts], dtype=self._dtype, device=mask_BT.device)
        if self.preset.advantage == "reinforce_pp" and self.preset.baseline == "group":
            centred_NG = adv.reinforce_advantages(totals_B.view_as(decided_NG), decided_NG, baseline="group")
            totals_B = centred_NG.reshape(-1)
        before_BT = self._before(batch)
        ref_BT = batch.ref_logprobs_BT if self.preset.kl_in == "reward" else None
        paid_BT = rewards_with_kl(
            totals_B - turns_BT.sum(-1),
            before_BT,
            before_BT if ref_BT is None else ref_BT,
            mask_BT,
            kl_coef=self.kl.kl_coef,
            estimator=self.preset.kl_estimator,
        )
        return paid_BT + turns_BT * mask_BT

    def _before(self, batch: Batch) -> Tensor:
        """Return the log-probabilities before the update: recomputed where they are, else the sampler's."""
        known = batch.old_logprobs_BT if batch.old_logprobs_BT is not None else batch.sampler_logprobs_BT
        assert known is not None
        return known

    def _kl_to_reference(self, batch: Batch) -> Tensor:
        assert batch.ref_logprobs_BT is not None
        kl_BT = kl_estimate(self._before(batch), batch.ref_logprobs_BT, self.preset.kl_estimator)
        return kl_BT * batch.mask_BT

    def _reference_logprobs(self, batch: Batch) -> Tensor:
        if self.reference is not None:
            return self._logprobs(self.reference, batch)
        with self.policy.model.disable_adapter():
            return self._logprobs(self.policy.model, batch)

    @torch.no_grad()
    def _logprobs(self, model: Any, batch: Batch) -> Tensor:
        """Return a model's log-probabilities of the batch's tokens; each process computes its share."""
        model.eval()
        out_BT = torch.zeros_like(batch.mask_BT, dtype=self._dtype)
        for rows in self._shares(batch, torch.arange(len(batch), device=batch.mask_BT.device)):
            micro = batch.select(rows)
            logprobs, _ = batch_logprobs(
                model, micro.tokens_BT, micro.mask_BT, temperature=self.preset.temperature
            )
            out_BT[rows, : logprobs.shape[1]] = logprobs
        return self._reduced(out_BT)

    # ------------------------------------------------------------------ update

    @property
    def _updates(self) -> int:
        minis = math.ceil(self.preset.batch_size / (self.preset.mini_batch_size or self.preset.batch_size))
        return self.preset.update_epochs * minis

    def update(self, batch: Batch) -> dict[str, float]:
        """Take the optimiser steps that one sampled batch gives; return figures of loss and policy."""
        self.model.train()
        rate = self.training.rate(self.step) * self.preset.learning_rate
        for options in self.optimizer.param_groups:
            options["lr"] = rate
        figures: dict[str, list[float]] = {}
        out: dict[str, float] = {}
        skipped = 0
        for mini in self._mini_batches(batch):
            seen = {name: torch.zeros_like(mini.mask_BT) for name in self.SEEN}
            loss = self.backward(mini, seen)
            most = self.training.max_grad_norm or math.inf
            norm = self.accelerator.clip_grad_norm_(self._trained, most)
            if not math.isfinite(float(norm)):  # the weights would never be numbers again
                self.optimizer.zero_grad()
                skipped += 1
                continue
            self.optimizer.step()
            self.optimizer.zero_grad()
            seen = {name: self._reduced(value) for name, value in seen.items()}
            for name, value in self._clip_figures(mini, seen).items():
                figures.setdefault(name, []).append(value)
            figures.setdefault("loss", []).append(float(self._reduced(loss)))
            figures.setdefault("grad_norm", []).append(float(norm))
            if not out:
                out = self._policy_figures(batch, seen)
            if self.preset.stop_kl is not None and figures["policy_kl"][-1] > self.preset.stop_kl:
                break
        out |= {name: sum(values) / len(values) for name, values in figures.items()}
        out.update(learning_rate=rate, updates=float(len(figures.get("loss", ()))), skipped=float(skipped))
        if isinstance(self.kl, AdaptiveKL) and "kl_sequence" in out:
            self.kl = self.kl.updated(out["kl_sequence"], samples=len(batch))
        if self.reference is not None and self.training.reference == "average":
            update_average(self.reference, self.policy.model, decay=self.training.reference_decay)
        self.model.eval()
        return out

    def backward(self, mini: Batch, seen: dict[str, Tensor] | None = None) -> Tensor:
        """Add up the gradient of one optimiser step's loss over micro-batches; return the loss.

        The normaliser is the whole mini-batch's, so that neither micro-batches nor processes change
        the gradient. Rows without advantage count in the normaliser and have no gradient, so they
        are not computed. ``seen`` is filled with what passed by.
        """
        p, world = self.preset, self.accelerator.num_processes
        normaliser = loss_normaliser(mini.mask_BT, by=p.aggregation, max_new_tokens=p.max_new_tokens)
        shares = self._shares(mini, self._with_gradient(mini))
        weight = float(world * self.accelerator.gradient_accumulation_steps)  # both are divided by
        if not shares:  # processes wait for each other's gradients: one without rows brings zeros
            shares, weight = [torch.zeros(1, dtype=torch.long, device=mini.mask_BT.device)], 0.0
        total = torch.zeros((), device=mini.mask_BT.device)
        for i, rows in enumerate(shares):
            micro = mini.select(rows)
            last = i + 1 == len(shares)
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                loss, passed = self.loss(micro, normaliser)
                # Data-parallel training averages gradients over processes; ours are shares of a sum.
                self.accelerator.backward(loss * weight)
            if not weight:
                break
            total += loss.detach()
            for name, value in passed.items():
                if seen is not None:
                    seen[name][rows, : value.shape[1]] = value.detach().float()
        return total

    def _with_gradient(self, mini: Batch) -> Tensor:
        """Return the numbers of the rows that move the policy; all where a penalty moves every row."""
        assert mini.advantages_BT is not None
        penalised = (self.kl.kl_coef and self.preset.kl_in == "loss") or self.preset.entropy_coef
        everything = torch.arange(len(mini), device=mini.mask_BT.device)
        rows = everything if penalised else mini.advantages_BT.any(-1).nonzero()[:, 0]
        return rows if len(rows) else everything  # without gradient they do no harm, and give the figures

    def loss(self, micro: Batch, normaliser: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return one micro-batch's share of the loss, and the log-probabilities behind it."""
        p, mask_BT = self.preset, micro.mask_BT
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
        if self.training.off_policy != "none":
            assert micro.sampler_logprobs_BT is not None
            loss_BT = loss_BT * importance_weights(
                old_BT,
                micro.sampler_logprobs_BT,
                mask_BT,
                level=self.training.off_policy_level,
                correction=self.training.off_policy,
                low=self.training.off_policy_low,
                high=self.training.off_policy_high,
            )
        if self.kl.kl_coef and p.kl_in == "loss":
            assert micro.ref_logprobs_BT is not None
            penalty_BT = kl_estimate(logprobs_BT, micro.ref_logprobs_BT, p.kl_estimator)
            loss_BT = loss_BT + self.kl.kl_coef * penalty_BT
        if p.entropy_coef:
            loss_BT = loss_BT - p.entropy_coef * entropy_BT
        ratio_BT = log_ratio(logprobs_BT.detach(), old_BT, mask_BT, level=p.ratio)
        passed = {"logprobs": logprobs_BT, "log_ratio": ratio_BT, "trained": mask_BT}
        return aggregate(loss_BT, mask_BT, by=p.aggregation, normaliser=normaliser), passed

    def _mini_batches(self, batch: Batch) -> Iterator[Batch]:
        size = self.preset.mini_batch_size or len(batch)
        for epoch in range(self.preset.update_epochs):
            if size >= len(batch):
                yield batch
                continue
            generator = torch.Generator().manual_seed(seed_of(self.training.seed, "mini", self.step, epoch))
            order = torch.randperm(len(batch), generator=generator).to(batch.mask_BT.device)
            for start in range(0, len(order), size):
                yield batch.select(order[start : start + size])

    def _shares(self, batch: Batch, rows: Tensor) -> list[Tensor]:
        """Return this process's part of some rows, as micro-batches of row numbers, longest first.

        There is none where rows are fewer than processes, and this one has no part.
        """
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        order = torch.argsort(batch.lengths_B[rows], descending=True, stable=True)
        mine = rows[order[rank::world]]
        if len(mine) == 0:
            return []
        return [mine[part] for part in batch.select(mine).split(self.training.micro_batch_tokens)]

    def _reduced(self, value: Tensor) -> Tensor:
        if self.accelerator.num_processes == 1:
            return value
        return self.accelerator.reduce(value, reduction="sum")  # type: ignore[no-any-return]

    # ------------------------------------------------------------------ figures

    def _clip_figures(self, mini: Batch, seen: Mapping[str, Tensor]) -> dict[str, float]:
        """Return how far the update has gone, over the rows that were trained on."""
        assert mini.advantages_BT is not None
        ratio = seen["log_ratio"][seen["trained"].bool()].double()
        if not len(ratio):
            return {}
        # The tokens are the old policy's, so k3 of (old, new) is the KL of the update so far.
        out = {"policy_kl": float((torch.expm1(ratio) - ratio).mean())}
        if self.preset.loss != "reinforce":
            out |= clip_metrics(
                seen["log_ratio"],
                mini.advantages_BT,
                mini.mask_BT,
                clip_low=self.preset.clip_low,
                clip_high=self.preset.clip_high,
            )
        return out

    def _policy_figures(self, batch: Batch, seen: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the batch's KL to the reference and its distance from the sampler, before the update.

        ``seen`` is the first mini-batch's: all of the batch where no older log-probabilities were computed.
        """
        out: dict[str, float] = {}
        if batch.ref_logprobs_BT is not None:
            mask_BT = batch.mask_BT.bool()
            gap = (self._before(batch) - batch.ref_logprobs_BT).double().masked_fill(~mask_BT, 0.0)
            out["kl"] = float((torch.expm1(-gap) + gap)[mask_BT].mean())
            out["kl_sequence"] = float(gap.sum(-1).mean())
            out["kl_coef"] = float(self.kl.kl_coef)
        if batch.sampler_logprobs_BT is not None:
            known = batch.old_logprobs_BT
            now_BT, trained_BT = (
                (seen["logprobs"], seen["trained"]) if known is None else (known, batch.mask_BT)
            )
            distance = off_policy_metrics(now_BT, batch.sampler_logprobs_BT, trained_BT)
            out |= {f"sampler/{name}": value for name, value in distance.items()}
        return out

    def _record(
        self, figures: Mapping[str, float], groups: Sequence[Group], seconds: Mapping[str, float]
    ) -> None:
        if self.on_step is not None:
            self.on_step({"step": self.step, **figures})
        self.accelerator.log(dict(figures), step=self.step)
        if self.run is None:
            return
        self.run.append("metrics", [{"step": self.step, **figures}])
        self.run.append("timings", [{"step": self.step, **seconds}])
        self.run.append("samples", self._samples(groups))

    def _samples(self, groups: Sequence[Group]) -> list[dict[str, Any]]:
        """Return completions spread over the step's groups, as many as are kept."""
        lines: list[dict[str, Any]] = []
        rollouts = [r for g in groups for r in g.rollouts]
        count = min(self.training.samples_kept, len(rollouts))
        for r in (rollouts[i * len(rollouts) // count] for i in range(count)):
            problem = {"prompt": to_dict(r.problem).get("prompt", ""), "answer": r.problem.answer}
            lines.append(
                {
                    "step": self.step,
                    **problem,
                    "id": r.problem.id,
                    "completion": r.text,
                    "finish_reason": r.turns[-1].completion.finish_reason if r.turns else None,
                    "tokens": len(r.sampled_ids),
                    "reward": to_dict(r.reward) if r.reward is not None else None,
                }
            )
        return lines

    def _measure(self) -> None:
        """Measure on the held-out problems, greedily and, where asked for, by sampling."""
        if not self.heldout or not self.accelerator.is_main_process:
            return
        line: dict[str, Any] = {"step": self.step}
        modes = {"greedy": (0.0, 1)}
        if self.training.eval_samples:
            modes["sampled"] = (self.preset.temperature, self.training.eval_samples)
        for name, (temperature, samples) in modes.items():
            held, _ = measure(
                self.policy,
                self.heldout,
                self.rubric.at(self.step),
                sampling=replace(self.sampling, temperature=temperature),
                samples=samples,
                seed=self.training.seed,
                rollouts=self.rollouts,
            )
            line[name] = to_dict(held)
        if self.run is not None:
            self.run.append("heldout", [line])
        self.accelerator.log(
            {f"heldout/{k}": v["pass_at_1"] for k, v in line.items() if k != "step"}, self.step
        )
        if self.on_step is not None:
            self.on_step({"step": self.step, "heldout": line["greedy"]["pass_at_1"]})

    # ------------------------------------------------------------------ checkpoints

    def save(self) -> None:
        """Write a checkpoint of this step: weights, optimiser, random state, position in the data."""
        if self.run is None or not self.run.writes:
            return
        with self.run.checkpoint(self.step) as folder:
            self.policy.save(folder / "policy")
            if self.reference is not None and self.training.reference == "average":
                self.reference.save_pretrained(folder / "reference")
            torch.save(self._state(), folder / "state.pt")
            state: dict[str, Json] = {
                "step": self.step,
                "position": self.position,
                "kl_coef": self.kl.kl_coef,
                "moments": asdict(self.moments),
                "problems": self.source.state(),
            }
            (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
        self.run.prune(self.training.keep_checkpoints)

    def resume(self) -> bool:
        """Go back to the run's newest checkpoint; False where there is none."""
        found = self.run.checkpoints() if self.run is not None else []
        if not found:
            return False
        assert self.run is not None
        step, folder = found[-1]
        restore(self.policy.model, folder / "policy")
        if self.reference is not None:
            average = self.training.reference == "average"
            restore(self.reference, folder / "reference" if average else found[0][1] / "policy")
        self._restore(torch.load(folder / "state.pt", weights_only=True))
        plain = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        self.step, self.position = plain["step"], plain["position"]
        self.kl = replace(self.kl, kl_coef=plain["kl_coef"])
        self.moments = Moments(**plain.get("moments", {}))
        self.source.restore(plain["problems"])
        self.run.cut(step)
        return True

    def _state(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.state_dict(), "rng": torch.get_rng_state()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])

    # ------------------------------------------------------------------ parts

    def _trainable(self) -> list[Tensor]:
        """Return what trains; asked once, since adapters that are switched off for a while look frozen."""
        return [p for p in self.policy.model.parameters() if p.requires_grad]

    def _optimizer(self) -> torch.optim.Optimizer:
        t = self.training
        self._trained = self._trainable()
        # the type of losses and advantages: float32, or float64 where the policy is
        self._dtype = torch.promote_types(self._trained[0].dtype, torch.float32)
        return torch.optim.AdamW(
            decay_groups(self._trained, t.weight_decay),
            lr=self.preset.learning_rate,
            betas=(t.beta1, t.beta2),
            fused=True,
        )


def check(preset: Preset, *, critic: bool = False) -> None:
    """Raise ValueError where a preset cannot be trained in groups, or not with (without) a critic."""
    if preset.advantage == "gae" and not critic:
        raise ValueError(f"preset must not need a critic, got {preset.name!r}: use referee.trainers.loop.ppo")
    if preset.advantage != "gae" and critic:
        raise ValueError(
            f"preset must have the advantage gae, got {preset.name!r}: use referee.trainers.loop.grpo"
        )
    if preset.step_part and preset.advantage not in ("group", "gae"):
        raise ValueError(
            f"step_part must be empty with the advantage {preset.advantage}, got {preset.step_part!r}"
        )
    if preset.score_clip is not None and not preset.score_clip > 0:
        raise ValueError(f"score_clip must be above 0, got {preset.score_clip}")
    if (preset.score_norm != "none" or preset.score_clip is not None) and (
        preset.advantage == "gdpo" or preset.credit == "turn"
    ):
        raise ValueError(
            "score_norm and score_clip must be unset where parts or turns are compared apart, got "
            f"{preset.score_norm!r} and {preset.score_clip} with the preset {preset.name!r}"
        )
    if preset.batch_size % preset.group_size or preset.batch_size < preset.group_size:
        raise ValueError(
            f"batch_size must be a multiple of group_size {preset.group_size}, got {preset.batch_size}"
        )
    if preset.credit == "turn" and (
        preset.advantage in ("gdpo", "gae")
        or (preset.kl_coef and preset.kl_in == "reward")
        or preset.overlong_tokens
    ):
        raise ValueError(
            "credit must be episode with a critic, parts that are normalised apart, a KL penalty in the "
            f"reward or one for length, got 'turn' with the preset {preset.name!r}"
        )
    if preset.temperature <= 0:
        raise ValueError(f"temperature must be above 0 in training, got {preset.temperature}")


def _score(reward: Reward | None, part: str) -> float | None:
    """Return what a part pays: 0 where a completion that was cut off is paid 0, None where it abstained."""
    if reward is not None and reward.truncated and reward.total == 0.0:
        return 0.0
    verdict = reward.parts.get(part) if reward is not None else None
    return 0.0 if verdict is None else verdict.score  # a failed episode has no such part


def decay_groups(parameters: Sequence[Tensor], weight_decay: float) -> list[dict[str, Any]]:
    """Return parameters as an optimiser takes them: norms and biases, of one dimension, do not decay."""
    matrices = [p for p in parameters if p.dim() > 1]
    others = [p for p in parameters if p.dim() <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _paid_as(rollout: Rollout, other: Rollout) -> Rollout:
    """Return a rollout that was paid what another one was, turns and all, in its final reward."""
    if not any(turn.reward for r in (rollout, other) for turn in r.turns) or other.reward is None:
        return replace(rollout, reward=other.reward)
    turns = tuple(replace(turn, reward=None) for turn in rollout.turns)
    return replace(rollout, turns=turns, reward=replace(other.reward, total=other.total))
