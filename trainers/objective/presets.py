"""Named settings of published algorithms, each with its source.

A preset is data: which advantage, which loss, how it is summed up, and the numbers that the paper or
the peer ran with. Change one with :func:`dataclasses.replace`; name one in a recipe by its name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from referee.trainers.objective.options import (
    Advantage,
    Aggregation,
    Baseline,
    CreditUnit,
    CriticKind,
    Estimator,
    KLPlace,
    Level,
    Loss,
    ScoreNorm,
    Std,
    at_least,
    check_options,
    is_share,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """An algorithm's options. Fields that an algorithm does not use keep their defaults."""

    name: str
    """What a recipe calls it."""
    source: str
    """The paper or the peer whose numbers these are."""
    advantage: Advantage = "group"
    """What a total means beside others: ``group`` (GRPO), ``rloo``, ``reinforce``, ``reinforce_pp``,
    ``maxrl``, ``gdpo``, or ``gae`` with a critic (PPO). See :mod:`referee.trainers.objective.advantages`."""
    std: Std = "population"
    """What ``group`` divides by: the group's standard deviation over n or n - 1, the batch's, or nothing."""
    advantage_eps: float = 1e-4
    """Added to that standard deviation."""
    baseline: Baseline = "batch"
    """What ``reinforce`` and ``reinforce_pp`` take off first: the mean of the batch (only ``reinforce``) or
    the group."""
    loss: Loss = "clip"
    """The surrogate: PPO's ``clip``, ``cispo``'s capped weights, or plain ``reinforce``."""
    ratio: Level = "token"
    """Whether the policy's ratio to the one that sampled is each token's or its sequence's mean (GSPO)."""
    clip_low: float = 0.2
    """The ratio is clipped below 1 minus this."""
    clip_high: float = 0.2
    """The ratio is clipped above 1 plus this."""
    dual_clip: float | None = None
    """Where the advantage is negative, the loss is at most this many times its size; None for no bound."""
    aggregation: Aggregation = "sequence"
    """How tokens' losses are summed up: each ``token`` the same, each ``sequence`` the same, over
    ``constant`` ``max_new_tokens``, or the ``sum`` over a sequence, each sequence's the same."""
    kl_coef: float = 0.0
    """What a nat of KL to the reference costs; 0 for no reference."""
    kl_estimator: Estimator = "k3"
    """How the KL is estimated from samples; see :mod:`referee.trainers.objective.kl`."""
    kl_in: KLPlace = "loss"
    """Whether the KL penalty stands in the ``loss`` or in the ``reward``."""
    learning_rate: float = 1e-6
    """AdamW's, at its height."""
    group_size: int = 8
    """Completions sampled for each problem."""
    batch_size: int = 16
    """Completions sampled in one step."""
    updates: int = 1
    """Optimiser steps that one pass over a sampled batch makes of it. From the second on, the policy is no
    longer the one that sampled: only then have the ratio and its clip something to do."""
    mini_batch_size: int | None = None
    """Completions in one optimiser step; None for ``batch_size / updates``, rounded up."""
    temperature: float = 1.0
    """At which the policy samples."""
    max_new_tokens: int = 1024
    """Tokens after which a completion is cut off."""
    update_epochs: int = 1
    """Passes over one sampled batch."""
    refill_groups: bool = False
    """Replace groups whose rewards are all equal by new problems' (DAPO's dynamic sampling)."""
    overlong_tokens: int = 0
    """Over so many tokens before ``max_new_tokens`` the reward falls linearly by 1 (DAPO); 0 for none."""
    mask_truncated: bool = False
    """Leave truncated completions out of the loss, though not out of the baseline."""
    credit: CreditUnit = "episode"
    """Whether all turns of an episode share what was paid in all, or each has what came after it
    (:mod:`referee.trainers.objective.credit`)."""
    gamma: float = 1.0
    """What a reward one token later (with ``credit`` turn: one turn later) is worth."""
    lam: float = 0.95
    """GAE's trade of the critic's bias (0) for variance (1)."""
    value_clip: float | None = 0.2
    """How far the critic may move from its old values in one step, in units of the return; None for no
    bound."""
    value_coef: float = 0.1
    """The critic's loss in the sum."""
    entropy_coef: float = 0.0
    """What a nat of entropy a token is paid, in the loss."""
    critic: CriticKind = "head"
    """A ``head`` on the policy's own layers, or a ``model`` of its own."""
    bootstrap_truncated: bool = False
    """What was cut off is worth the critic's value of where it stopped, not 0."""
    whiten_rewards: bool = False
    """Bring PPO's token rewards to variance 1 over the batch, their mean kept."""
    whiten_advantages: bool = False
    """Bring PPO's advantages to mean 0 and variance 1 over the batch."""
    adaptive_kl: bool = False
    """Steer ``kl_coef`` so that the KL of whole completions comes to ``kl_target``."""
    kl_target: float = 6.0
    """In nats a completion."""
    kl_horizon: int = 10_000
    """Completions over which ``kl_coef`` adapts."""
    stop_kl: float | None = None
    """End a batch's passes early where the policy has moved by so many nats a token; None to go on."""
    score_norm: ScoreNorm = "none"
    """Bring totals to a scale by running moments of all that were decided so far, this batch's included
    (they are in the checkpoints): ``scale`` divides by their standard deviation, ``whiten`` takes the mean
    off first."""
    score_clip: float | None = None
    """Cut what ``score_norm`` gives to within so much of 0; None for no cut."""
    step_part: str = ""
    """The part of the rubric that is a process model (with weight 0, where its steps alone are to count).
    With ``gae`` its step scores are rewards of the tokens that end the steps. With ``group`` they are
    normalised over all steps of the group, summed up from each token on, and added to the total's advantage
    (process supervision: Shao et al. 2024, section 4.1.3)."""
    step_coef: float = 1.0
    """What ``step_part``'s rewards or advantages are multiplied by."""
    step_centre: float = 0.0
    """Taken off each step score first, where the advantage is ``gae``."""

    def __post_init__(self) -> None:
        check_options(self)
        at_least(self, 1, "group_size", "batch_size", "mini_batch_size", "max_new_tokens")
        at_least(self, 1, "updates", "update_epochs", "kl_horizon")
        at_least(self, 0, "learning_rate", "temperature", "advantage_eps", "clip_low", "clip_high")
        at_least(self, 0, "value_clip", "overlong_tokens")
        is_share(self, "gamma", "lam")

    @property
    def step_size(self) -> int:
        """Completions in one optimiser step."""
        return self.mini_batch_size or math.ceil(self.batch_size / self.updates)

    @property
    def steps_a_batch(self) -> int:
        """Optimiser steps that a sampled batch gives in all its passes."""
        return self.update_epochs * math.ceil(self.batch_size / self.step_size)

    def warnings(self) -> tuple[str, ...]:
        """Say what is likely to go wrong with these settings, and which of them change nothing."""
        from referee.trainers.objective.effects import without_effect

        own = PRESETS.get(self.name)
        base = {f.name: getattr(own, f.name) if own else f.default for f in fields(self)}
        found = [
            f"{option} has no effect: {why}"
            for option, why in without_effect(self).items()
            if getattr(self, option) != base[option]
        ]
        if self.loss == "reinforce" and self.steps_a_batch > 1:
            found.append(
                f"a batch gives {self.steps_a_batch} optimiser steps, and the loss reinforce has no ratio: "
                "from the second on its gradient is that of another policy; the loss clip corrects for it"
            )
        if self.advantage in ("group", "rloo", "gdpo", "maxrl") and self.temperature < 0.7:
            found.append(
                f"temperature should be at least 0.7, got {self.temperature}: "
                "siblings that are alike have equal rewards, and a group of equal rewards teaches nothing"
            )
        if self.advantage in ("group", "rloo", "gdpo", "maxrl") and self.group_size < 2:
            found.append(
                f"group_size should be at least 2, got {self.group_size}: one sibling has no baseline"
            )
        return tuple(found)


GRPO = Preset(
    name="grpo",
    source="Shao et al. 2024, DeepSeekMath (arXiv 2402.03300), section 4.2 and equation 3",
    std="population",
    aggregation="sequence",
    kl_coef=0.04,
    learning_rate=1e-6,
    group_size=64,
    batch_size=1024,
    max_new_tokens=1024,
)
"""DeepSeekMath: std over n, mean over each sequence, k3 in the loss with weight .04, one update a batch."""

GRPO_R1 = Preset(
    name="grpo_r1",
    source="Guo et al. 2025, DeepSeek-R1 (Nature 645; arXiv 2501.12948 v2), training details of R1-Zero",
    std="population",
    aggregation="sequence",
    clip_low=10.0,
    clip_high=10.0,
    kl_coef=0.001,
    learning_rate=3e-6,
    group_size=16,
    batch_size=8192,
    updates=16,
    max_new_tokens=32_768,
)
"""DeepSeek-R1-Zero: 8,192 completions a rollout in 16 mini-batches of 512, a wide clip, a small KL."""

GRPO_TRL = Preset(
    name="grpo_trl",
    source="TRL 1.16, GRPOConfig's defaults",
    std="sample",
    aggregation="token",
    learning_rate=1e-6,
    group_size=8,
    batch_size=8,
    max_new_tokens=512,
)
"""TRL's GRPOTrainer as it comes: std over n - 1, DAPO's aggregation, no KL."""

DR_GRPO = Preset(
    name="dr_grpo",
    source="Liu et al. 2025, Understanding R1-Zero-Like Training (arXiv 2503.20783), section 3 and its code",
    std="none",
    aggregation="constant",
    learning_rate=1e-6,
    group_size=8,
    batch_size=1024,
    updates=8,
    max_new_tokens=3000,
)
"""Dr. GRPO: no division by the std, none by the length; no KL; 128 problems x 8 in 8 mini-batches of 128."""

DAPO = Preset(
    name="dapo",
    source="Yu et al. 2025, DAPO (arXiv 2503.14476), sections 3 and 4.1",
    clip_high=0.28,
    aggregation="token",
    learning_rate=1e-6,
    group_size=16,
    batch_size=8192,
    updates=16,
    max_new_tokens=20_480,
    refill_groups=True,
    overlong_tokens=4096,
)
"""DAPO: clip-higher, every token counts the same, no-signal groups refilled, overlong penalty, 16 updates."""

DAPO_TRL = replace(
    DAPO,
    name="dapo_trl",
    source="TRL 1.16's recipe for DAPO (its paper index): overlong filtering too, one mini-batch of 512",
    std="sample",
    batch_size=512,
    updates=1,
    mask_truncated=True,
    refill_groups=False,
)
"""DAPO as TRL recommends it: truncated completions leave the loss, no group is refilled."""

GSPO = Preset(
    name="gspo",
    source="Zheng et al. 2025, Group Sequence Policy Optimization (arXiv 2507.18071), section 5.1",
    ratio="sequence",
    clip_low=3e-4,
    clip_high=4e-4,
    aggregation="sequence",
    batch_size=64,
    updates=4,
)
"""GSPO: one ratio for the whole sequence, with a clip of a few ten-thousandths, four mini-batches."""

CISPO = Preset(
    name="cispo",
    source="Chen et al. 2025, MiniMax-M1 (arXiv 2506.13585), section 3.1; cap 5: arXiv 2510.13786",
    loss="cispo",
    clip_low=1.0,
    clip_high=4.0,
    aggregation="token",
    batch_size=128,
    updates=16,
)
"""CISPO: the importance weight is capped (at 1 + clip_high), the gradient of no token is dropped."""

MAXRL = Preset(
    name="maxrl",
    source="Tajwar et al. 2026, Maximum Likelihood Reinforcement Learning (arXiv 2602.02710)",
    advantage="maxrl",
    aggregation="token",
    batch_size=128,
)
"""MaxRL: a success counts for as much more as successes are rarer in its group."""

RLOO = Preset(
    name="rloo",
    source="Ahmadian et al. 2024, Back to Basics (arXiv 2402.14740); numbers of TRL 1.16, RLOOConfig",
    advantage="rloo",
    loss="reinforce",
    kl_coef=0.05,
    kl_in="reward",
    kl_estimator="k1",
    group_size=2,
    batch_size=8,
    aggregation="sum",
    max_new_tokens=512,
)
"""RLOO: leave-one-out baseline, plain REINFORCE on the sequence's log-probability, KL in the reward."""

REINFORCE = Preset(
    name="reinforce",
    source="Williams 1992, with the batch's mean as the baseline",
    advantage="reinforce",
    baseline="batch",
    loss="reinforce",
    aggregation="sum",
)
"""REINFORCE with a baseline."""

REINFORCE_PP = Preset(
    name="reinforce_pp",
    source="Hu et al. 2025, REINFORCE++ (arXiv 2501.03262)",
    advantage="reinforce_pp",
    baseline="none",
    aggregation="token",
    kl_coef=0.01,
    kl_in="reward",
    kl_estimator="k1",
    group_size=1,
    batch_size=128,
    advantage_eps=1e-8,
)
"""REINFORCE++: rewards normalised over the batch, PPO's clip, KL in the reward."""

PPO = Preset(
    name="ppo",
    source="Schulman et al. 2017 (1707.06347), Ziegler et al. 2019 (1909.08593), TRL's last PPOConfig",
    advantage="gae",
    aggregation="token",
    learning_rate=1.4e-5,
    group_size=1,
    batch_size=16,
    mini_batch_size=4,
    update_epochs=4,
    gamma=1.0,
    lam=0.95,
    kl_coef=0.2,
    kl_in="reward",
    kl_estimator="k1",
    adaptive_kl=True,
    stop_kl=0.1,
    whiten_advantages=True,
)
"""PPO with a critic: KL per token in the reward from .2 on, four epochs of mini-batches, stop at KL .1."""

PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        GRPO,
        GRPO_R1,
        GRPO_TRL,
        DR_GRPO,
        DAPO,
        DAPO_TRL,
        GSPO,
        CISPO,
        MAXRL,
        RLOO,
        REINFORCE,
        REINFORCE_PP,
        PPO,
    )
}


def preset(name: str) -> Preset:
    """Return the preset of that name.

    >>> preset("grpo").kl_coef
    0.04
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]
