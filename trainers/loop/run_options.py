"""How a training run goes, whatever the algorithm: its length, optimiser, measures and checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass

from referee.trainers.objective.options import (
    Level,
    OffPolicy,
    OptimizerName,
    Precision,
    RateSchedule,
    ReferenceKind,
    at_least,
    check_options,
    is_share,
)
from referee.trainers.objective.presets import Preset
from referee.trainers.policy.sampling import Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Options of a run that are not the algorithm's (those are :class:`~referee.trainers.Preset`)."""

    steps: int = 200
    """Optimiser steps; of PPO, batches sampled."""
    seed: int = 0
    """Decides the problems' order, the samples and the first weights."""
    schedule: RateSchedule = "constant"
    """How the learning rate goes on after the warm-up: it stays, falls to 0 in a line or half a cosine, or
    stays and falls in a line over the last ``decay_steps`` (``wsd``: warm-up, stable, decay)."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises."""
    decay_steps: int = 0
    """Of ``wsd``: the last steps, over which it falls; 0 for a fifth of the run."""
    optimizer: OptimizerName = "adamw"
    """By name (:mod:`referee.trainers.loop.optimizers`): ``adamw``, ``adamw_8bit``, ``paged_adamw_8bit``,
    ``muon``."""
    precision: Precision = "float32"
    """What a pass through the model computes in; with ``bf16`` the weights stay float32. An accelerator that
    is given has its own."""
    weight_decay: float = 0.0
    """The optimiser's; norms and biases take none."""
    beta1: float = 0.9
    """AdamW's."""
    beta2: float = 0.999
    """AdamW's."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    top_p: float = 1.0
    """Sample among the likeliest tokens that hold this much probability; 1 for all."""
    top_k: int = 0
    """Sample among so many of the likeliest tokens; 0 for all."""
    rows: int = 256
    """Completions sampled at once: memory, never results."""
    stop: tuple[str, ...] = ()
    """Texts that end a completion: it is judged up to the first of them, and trained on with it."""
    max_prompt_tokens: int | None = None
    """Problems with a longer prompt are left out; None for all that the model's context has room for."""
    micro_batch_tokens: int = 16_384
    """Tokens, with padding, of one forward pass at most: memory, never results."""
    reference: ReferenceKind = "frozen"
    """The policy as the run found it (``frozen``) or a slow ``average`` of the policy. A policy with
    adapters is its own frozen reference with them switched off."""
    reference_decay: float = 0.99
    """The share of the average that a step keeps."""
    track_kl: bool = False
    """Measure the KL to the reference also where it is no part of the objective."""
    off_policy: OffPolicy = "none"
    """Correct for tokens drawn with other log-probabilities than training computes: ``truncate`` or ``mask``
    weights outside the bounds below."""
    off_policy_level: Level = "token"
    """Whether those weights are each token's or its sequence's product."""
    off_policy_low: float = 0.0
    """The least such weight."""
    off_policy_high: float = 2.0
    """The greatest such weight."""
    max_refills: int = 4
    """How often a step samples again at most, where groups without signal are replaced."""
    eval_every: int = 20
    """Steps between held-out measures, which are greedy."""
    eval_samples: int = 0
    """Completions sampled for each held-out problem beside, for pass@k; 0 for none."""
    save_every: int = 50
    """Steps between checkpoints."""
    keep_checkpoints: int = 2
    """Newest checkpoints that stay; the first, of the reference, always does."""
    keep_best: bool = False
    """Save at every held-out measure that is the best so far, and keep that checkpoint beside the newest."""
    stop_after_measures: int = 0
    """End the run where so many held-out measures on end were not above the best before them; 0 for never."""
    samples_kept: int = 8
    """Completions of a step that are recorded with their verdicts."""
    shuffle_rewards: bool = False
    """A control: rewards are dealt out at random within each step's batch, and a trainer that still improves
    is being taught by something else than the verifier."""
    deadline_s: float | None = None
    """Seconds that each part of the rubric has for each completion, as in :func:`referee.verifiers.score`, so
    that no verifier can hold the run; None asks it in this process, without. A recipe's is 10 by default."""
    scoring_workers: int = 1
    """Processes that rules use where there is a deadline."""

    stop_after_errors: int = 2
    """Steps running in which every verdict of a paid part is an error that end the run: its verifier is
    broken. It can be resumed. 0 never ends it."""

    def __post_init__(self) -> None:
        check_options(self)
        at_least(self, 0, "steps", "warmup_steps", "max_refills", "eval_samples", "samples_kept", "top_k")
        at_least(self, 0, "stop_after_measures", "decay_steps")
        at_least(self, 0, "stop_after_errors", "weight_decay", "max_grad_norm", "off_policy_low")
        at_least(self, 1, "rows", "micro_batch_tokens", "eval_every", "save_every", "keep_checkpoints")
        at_least(self, 1, "scoring_workers", "max_prompt_tokens")
        is_share(self, "reference_decay")
        for name in ("beta1", "beta2"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")
        if self.off_policy_high < self.off_policy_low:
            raise ValueError(
                f"off_policy_high must be at least off_policy_low {self.off_policy_low}, "
                f"got {self.off_policy_high}"
            )
        if self.deadline_s is not None and not self.deadline_s > 0:
            raise ValueError(f"deadline_s must be above 0 or None, got {self.deadline_s}")

    def warnings(self, preset: Preset) -> tuple[str, ...]:
        """Say which options were set that have no effect beside the others and a preset's."""
        compared = preset.kl_coef or self.track_kl
        no_kl = "" if compared else "nothing is compared with a reference; set kl_coef or track_kl"
        off = "off_policy is none" if self.off_policy == "none" else ""
        reasons = {
            "reference": no_kl,
            "reference_decay": no_kl or ("" if self.reference == "average" else "the reference is frozen"),
            "off_policy_level": off,
            "off_policy_low": off,
            "off_policy_high": off,
            "decay_steps": "" if self.schedule == "wsd" else f"the schedule is {self.schedule}",
            "max_refills": "" if preset.refill_groups else "refill_groups is off",
            "scoring_workers": "" if self.deadline_s is not None else "deadline_s is None",
        }
        plain = Training()
        return tuple(
            f"{name} has no effect: {why}"
            for name, why in reasons.items()
            if why and getattr(self, name) != getattr(plain, name)
        )

    def sampling(self, preset: Preset) -> Sampling:
        """Return how completions of a training step are drawn."""
        return Sampling(
            max_new_tokens=preset.max_new_tokens,
            temperature=preset.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            rows=self.rows,
            stop=self.stop,
        )

    def rate(self, step: int) -> float:
        """Return the share of the learning rate in training step ``step``, counted from 0.

        It rises linearly over ``warmup_steps``, then stays, or falls to 0 at the end of the run.

        >>> [Training(steps=8, schedule="wsd", decay_steps=4).rate(step) for step in range(8)]
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]

        >>> [Training(steps=4, schedule="linear").rate(step) for step in range(4)]
        [1.0, 0.75, 0.5, 0.25]
        """
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "wsd":
            falling = self.decay_steps or max(self.steps // 5, 1)
            return min((self.steps - step) / falling, 1.0)
        share = (step - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        return 1.0 - share if self.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * share))
