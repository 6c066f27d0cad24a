"""The group trainer: GRPO and its family, from top to bottom.

A step samples ``group_size`` completions for each of some problems, has a rubric pay for them,
compares each with its siblings, and moves the policy towards what was paid more:

    collect -> groups of paid completions          (sampling, scoring, refilling)
    pack    -> a batch with an advantage a token   (:func:`~referee.trainers.objective.credit.credit`)
    update  -> optimiser steps and figures         (:class:`~referee.trainers.loop.learner.Learner`)

Which member of the family runs is data, a :class:`~referee.trainers.objective.presets.Preset`; how long and
with which measures is a :class:`~referee.trainers.loop.run_options.Training`. Everything random in a step is
drawn from (seed, step, what for): a run resumed from a checkpoint takes the very step that would have come
next, and the number of processes changes nothing but rounding.

Two seams: :mod:`referee.trainers.loop.problem_source` says which problems come next (in order, or by a
curriculum), :mod:`referee.trainers.loop.rollouts` goes through them (a completion, or an episode of turns).
A preset with the advantage ``gae`` has a critic, a part of the learner.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from accelerate import Accelerator
from torch import Tensor

from referee.envs.records import Group, Rollout
from referee.trainers.loop.asked import asked_of
from referee.trainers.loop.control import dealt_anew
from referee.trainers.loop.error_watch import ErrorWatch
from referee.trainers.loop.learner import Learner
from referee.trainers.loop.problem_source import Problems, source_of
from referee.trainers.loop.prompt_limits import check_prompts, fitting
from referee.trainers.loop.recording import measure_heldout, record_step
from referee.trainers.loop.rollouts import Rollouts, SingleTurn, row_of
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.saving import resume, save
from referee.trainers.loop.spreading import roll_out_together
from referee.trainers.objective.credit import Credited, Values, credit
from referee.trainers.objective.kl import controller_of
from referee.trainers.objective.preset_check import check
from referee.trainers.objective.presets import Preset
from referee.trainers.placement import Placement
from referee.trainers.policy.batch import Batch, collate
from referee.trainers.policy.policy import Policy
from referee.trainers.policy.reference import ReferencePolicy
from referee.trainers.policy.sampling import seed_of
from referee.trainers.record.best import Measured, best_step, since_best
from referee.trainers.record.metrics import group_metrics, signal
from referee.trainers.record.run_record import Run
from referee.verifiers.learned.normalise import Moments
from referee.verifiers.records import Problem
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

    Warns:
        UserWarning: of each option that was set and has no effect beside the others, by its name.
    """

    HAS_CRITIC = False

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
        for said in (*preset.warnings(), *training.warnings(preset)):
            warnings.warn(said, stacklevel=2)
        self.asked = asked_of(preset, rubric, problems)
        if training.deadline_s is not None:
            engine = Engine(rubric, deadline_s=training.deadline_s, workers=training.scoring_workers)
            rubric = TimedRubric(rubric, engine)
        self.policy, self.rubric = policy, rubric
        self.rollouts = rollouts or SingleTurn()
        if isinstance(self.rollouts, SingleTurn):
            problems = fitting(problems, policy, preset.max_new_tokens, training.max_prompt_tokens)
        self.source = source_of(problems, seed=training.seed)
        self.preset, self.training, self.run, self.heldout = preset, training, run, heldout
        self.placement = Placement(accelerator, precision=training.precision)
        self.on_step = on_step
        self.best = best_total(rubric)
        self.sampling = training.sampling(preset)
        self.step = 0
        self.position = 0  # how many problems have been taken
        self.moments = Moments()  # of the totals so far, for score_norm
        self.measured: list[Measured] = []  # on the held-out problems, greedily
        self.kl = controller_of(preset)
        compared = preset.kl_coef or training.track_kl
        self.reference = ReferencePolicy(policy, kind=training.reference) if compared else None
        self.learner = Learner(policy, preset, training, self.placement)

    # ------------------------------------------------------------------ the run

    def train(self) -> None:
        """Take all steps that are left, recording each; resume first where the run has a checkpoint."""
        resumed = self.resume()
        self.placement.wait()  # all have looked for a checkpoint before one is written
        if not resumed:
            self.measure()
            self.save()
        watch = ErrorWatch(self.rubric, self.training.stop_after_errors)
        while self.step < self.training.steps and not self._stopped():
            started = time.perf_counter()
            figures, groups, seconds = self.take_step()
            record_step(self, figures, groups, {**seconds, "step_seconds": time.perf_counter() - started})
            watch.see(self.step, groups)
            last = self.step == self.training.steps
            if last or self.step % self.training.eval_every == 0:
                self.measure()
            best = self.training.keep_best and best_step(self.measured) == self.step
            if last or best or self._stopped() or self.step % self.training.save_every == 0:
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

    def _stopped(self) -> bool:
        """Tell whether held-out measures have long said that there is nothing more to learn."""
        return 0 < self.training.stop_after_measures <= since_best(self.measured)

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
        """Sample and score a group for the problem at each position; all processes share the work."""
        problems = self.source.problems(positions)
        check_prompts(problems, self.policy, max_prompt_tokens=self.training.max_prompt_tokens)
        ordered = roll_out_together(
            self.rollouts,
            self.placement,
            self.policy,
            problems,
            self.rubric.at(self.step),
            group_size=self.preset.group_size,
            sampling=self.sampling,
            seeds=[seed_of(self.training.seed, "sample", p) for p in positions],
            policy_step=self.step,
        )
        if self.training.shuffle_rewards:
            ordered = dealt_anew(ordered, seed_of(self.training.seed, "shuffle", self.position))
        self.source.observe(ordered, best=self.best)
        return ordered

    # ------------------------------------------------------------------ pack

    def pack(self, groups: Sequence[Group]) -> tuple[Batch | None, dict[str, float]]:
        """Return the batch to train on, with an advantage for each token, and figures.

        Completions on which the rubric abstained are neither in the batch nor in any baseline;
        truncated ones are left out of the batch, not of the baseline, with ``mask_truncated``.
        None where nothing is left.
        """
        p, rollouts = self.preset, [r for g in groups for r in g.rollouts]
        decided_B = torch.tensor([r.reward is not None and not r.reward.abstains for r in rollouts])
        active_B = decided_B & torch.tensor([bool(r.sampled_ids) for r in rollouts])
        if p.mask_truncated:
            active_B &= ~torch.tensor([r.truncated for r in rollouts])
        if not active_B.any():
            return None, {"rows": 0.0}
        rows = [row_of(r, self.policy) for r in rollouts]
        batch = collate(rows, pad_id=self.policy.pad_id, device=self.placement.device)
        batch = self.learner.with_logprobs(batch, self.reference, p, self.training, step=self.step)
        figures: dict[str, float] = {}
        if p.score_norm != "none":
            self.moments = self.moments.add([r.total for r in rollouts])
            figures = {"score_mean": self.moments.mean, "score_std": self.moments.std}
        values = self.learner.values(batch, self.training)
        decided_NG = decided_B.to(self.placement.device).view(-1, p.group_size)
        advantages_BT, returns_BT = self._credit(rollouts, batch, decided_NG, values)
        batch = replace(
            batch,
            advantages_BT=advantages_BT,
            returns_BT=returns_BT,
            values_BT=None if values is None else values.before_BT,
        ).select(active_B.to(self.placement.device).nonzero()[:, 0])
        assert batch.advantages_BT is not None
        spread = float(batch.advantages_BT[batch.mask_BT.bool()].abs().mean())
        return batch, {"rows": float(len(batch)), "advantage_abs": spread, **figures}

    def _credit(
        self, rollouts: Sequence[Rollout], batch: Batch, decided_NG: Tensor, values: Values | None = None
    ) -> Credited:
        return credit(
            self.preset,
            rollouts,
            batch,
            decided_NG,
            values,
            kl_coef=self.kl.kl_coef,
            moments=self.moments,
            weights=self.rubric.weights_at(self.step),
            decode=self.policy.decode,
            dtype=self.learner.dtype,
        )

    def _advantages(self, rollouts: Sequence[Rollout], batch: Batch, decided_NG: Tensor) -> Tensor:
        """Return ``advantages_BT`` of all rows, by a preset that needs no critic."""
        return self._credit(rollouts, batch, decided_NG).advantages_BT

    # ------------------------------------------------------------------ update

    def update(self, batch: Batch) -> dict[str, float]:
        """Take the optimiser steps that one sampled batch gives; return figures of loss and policy."""
        kl_coef = self.kl.kl_coef
        figures = self.learner.update(batch, self.preset, self.training, step=self.step, kl_coef=kl_coef)
        if "kl_sequence" in figures:
            figures["kl_coef"] = kl_coef
            self.kl = self.kl.updated(figures["kl_sequence"], samples=len(batch))
        if self.reference is not None:
            self.reference.follow(decay=self.training.reference_decay)
        return figures

    def backward(self, mini: Batch) -> Tensor:
        """Add up the gradient of one optimiser step on ``mini``; return this process's part of the loss."""
        kl_coef = self.kl.kl_coef
        return self.learner.backward(mini, self.preset, self.training, step=self.step, kl_coef=kl_coef)

    # ------------------------------------------------------------------ records

    def measure(self) -> None:
        """Measure on the held-out problems, greedily and, where asked for, by sampling."""
        measure_heldout(self)

    def save(self) -> None:
        """Write a checkpoint of this step: weights, optimiser, random states, position in the data."""
        save(self)

    def resume(self) -> bool:
        """Go back to the run's newest checkpoint; False where there is none."""
        return resume(self)
