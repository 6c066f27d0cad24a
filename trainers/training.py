"""How a training run goes, whatever the algorithm: its length, optimiser, measures and checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Options of a run that are not the algorithm's (those are :class:`referee.trainers.presets.Preset`).

    ``micro_batch_tokens`` bounds the tokens, with padding, of one forward pass; ``rows`` the
    completions sampled at once: memory, never results. ``reference`` is the policy as the run
    found it (``frozen``) or a slow average of the policy (``average``, by ``reference_decay`` a
    step); a policy with adapters is its own frozen reference with them switched off. The KL to it
    is measured where it is part of the objective, or with ``track_kl``.

    ``off_policy`` corrects for tokens drawn with other log-probabilities than training computes:
    ``truncate`` or ``mask`` weights above ``off_policy_high`` or below ``off_policy_low``.
    ``max_refills`` bounds how often a step samples again where groups without signal are replaced.

    ``stop_after_errors`` steps running in which every verdict of a paid part is an error end the run: its
    verifier is broken. The run can be resumed; 0 never ends it.

    Held-out measures are greedy, and with ``eval_samples`` also sampled, with pass@k.
    ``shuffle_rewards`` is a control: rewards are dealt out at random within each step's batch, and
    a trainer that still improves is being taught by something else than the verifier.
    """

    steps: int = 200
    seed: int = 0
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup_steps: int = 0
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    max_grad_norm: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    rows: int = 256
    micro_batch_tokens: int = 16_384
    reference: Literal["frozen", "average"] = "frozen"
    reference_decay: float = 0.99
    track_kl: bool = False
    off_policy: Literal["none", "truncate", "mask"] = "none"
    off_policy_level: Literal["token", "sequence"] = "token"
    off_policy_low: float = 0.0
    off_policy_high: float = 2.0
    max_refills: int = 4
    eval_every: int = 20
    eval_samples: int = 0
    save_every: int = 50
    keep_checkpoints: int = 2
    samples_kept: int = 8
    shuffle_rewards: bool = False
    stop_after_errors: int = 2

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "warmup_steps",
            "max_refills",
            "eval_samples",
            "samples_kept",
            "stop_after_errors",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        for name in ("rows", "micro_batch_tokens", "eval_every", "save_every", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name, options in (
            ("schedule", ("constant", "linear", "cosine")),
            ("reference", ("frozen", "average")),
            ("off_policy", ("none", "truncate", "mask")),
            ("off_policy_level", ("token", "sequence")),
        ):
            if getattr(self, name) not in options:
                raise ValueError(f"{name} must be one of {', '.join(options)}, got {getattr(self, name)!r}")

    def rate(self, step: int) -> float:
        """Return the share of the learning rate in training step ``step``, counted from 0.

        It rises linearly over ``warmup_steps``, then stays, or falls to 0 at the end of the run.

        >>> [Training(steps=4, schedule="linear").rate(step) for step in range(4)]
        [1.0, 0.75, 0.5, 0.25]
        """
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        if self.schedule == "constant":
            return 1.0
        share = (step - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        return 1.0 - share if self.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * share))
