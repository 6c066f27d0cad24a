"""Named settings of published algorithms, each with its source.

A preset is data: which advantage, which loss, how it is summed up, and the numbers that the paper or
the peer ran with. Change one with :func:`dataclasses.replace`; name one in a recipe by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Advantage: TypeAlias = Literal["group", "rloo", "reinforce", "reinforce_pp", "gdpo", "gae"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """An algorithm's options. Fields that an algorithm does not use keep their defaults.

    ``batch_size`` counts completions in one optimiser step, ``epochs`` passes over the problems,
    ``update_epochs`` passes over one sampled batch, ``mini_batch_size`` completions in one of PPO's
    steps. ``kl_in`` says where the KL penalty stands, ``credit`` whether all turns of an episode share
    what was paid in all or each has what came after it (:mod:`referee.trainers.credit`).

    ``score_norm`` brings the rubric's totals to a scale by running moments of all that were decided so far,
    this batch's included: ``scale`` divides by their standard deviation, ``whiten`` takes the mean off first;
    ``score_clip`` cuts what comes out to within that much of 0. The moments are in the checkpoints.

    ``step_part`` names a part of the rubric that is a process model (with weight 0, where its steps alone
    are to count). With the advantage ``gae`` its step scores, less ``step_centre``, times ``step_coef`` are
    rewards of the tokens that end the steps. With ``group`` they are normalised over all steps of the
    group, summed up from each token on, and added to the total's advantage, times ``step_coef`` (process
    supervision: Shao et al. 2024, section 4.1.3).
    """

    name: str
    source: str
    advantage: Advantage = "group"
    std: Literal["none", "population", "sample", "batch"] = "population"
    advantage_eps: float = 1e-4
    baseline: Literal["none", "group", "batch"] = "batch"
    loss: Literal["clip", "cispo", "reinforce"] = "clip"
    ratio: Literal["token", "sequence"] = "token"
    clip_low: float = 0.2
    clip_high: float = 0.2
    dual_clip: float | None = None
    aggregation: Literal["token", "sequence", "constant"] = "sequence"
    kl_coef: float = 0.0
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    kl_in: Literal["loss", "reward"] = "loss"
    learning_rate: float = 1e-6
    group_size: int = 8
    batch_size: int = 16
    mini_batch_size: int | None = None
    temperature: float = 1.0
    max_new_tokens: int = 1024
    epochs: int = 1
    update_epochs: int = 1
    refill_groups: bool = False
    overlong_tokens: int = 0
    mask_truncated: bool = False
    credit: Literal["episode", "turn"] = "episode"
    gamma: float = 1.0
    lam: float = 0.95
    value_clip: float | None = 0.2
    value_coef: float = 0.1
    entropy_coef: float = 0.0
    critic: Literal["head", "model"] = "head"
    bootstrap_truncated: bool = False
    whiten_rewards: bool = False
    whiten_advantages: bool = False
    adaptive_kl: bool = False
    kl_target: float = 6.0
    kl_horizon: int = 10_000
    stop_kl: float | None = None
    score_norm: Literal["none", "scale", "whiten"] = "none"
    score_clip: float | None = None
    step_part: str = ""
    step_coef: float = 1.0
    step_centre: float = 0.0

    def warnings(self) -> tuple[str, ...]:
        """Say what is likely to go wrong with these settings."""
        found = []
        if self.advantage in ("group", "rloo", "gdpo") and self.temperature < 0.7:
            found.append(
                f"temperature should be at least 0.7, got {self.temperature}: "
                "siblings that are alike have equal rewards, and a group of equal rewards teaches nothing"
            )
        if self.advantage in ("group", "rloo", "gdpo") and self.group_size < 2:
            found.append(
                f"group_size should be at least 2, got {self.group_size}: one sibling has no baseline"
            )
        return tuple(found)


GRPO = Preset(
    name="grpo",
    source="Shao et al. 2024, DeepSeekMath (arXiv 2402.03300), section 4.1 and equation 3",
    std="population",
    advantage_eps=1e-4,
    aggregation="sequence",
    kl_coef=0.04,
    learning_rate=2e-7,
    group_size=8,
    batch_size=16,
    temperature=0.9,
    max_new_tokens=1024,
    epochs=3,
)
"""DeepSeekMath: std over n, mean over each sequence, k3 in the loss with weight .04."""

GRPO_TRL = Preset(
    name="grpo_trl",
    source="TRL 1.16, GRPOConfig's defaults",
    std="sample",
    aggregation="token",
    learning_rate=1e-6,
    group_size=8,
    batch_size=8,
    max_new_tokens=512,
    epochs=3,
)
"""TRL's GRPOTrainer as it comes: std over n - 1, DAPO's aggregation, no KL."""

DR_GRPO = Preset(
    name="dr_grpo",
    source="Liu et al. 2025, Understanding R1-Zero-Like Training (arXiv 2503.20783), section 3",
    std="none",
    aggregation="constant",
    learning_rate=1e-6,
    batch_size=128,
    max_new_tokens=3000,
)
"""Dr. GRPO: no division by the std, none by the length; no KL."""

DAPO = Preset(
    name="dapo",
    source="Yu et al. 2025, DAPO (arXiv 2503.14476), sections 3 and 4.1",
    clip_high=0.28,
    aggregation="token",
    learning_rate=1e-6,
    group_size=16,
    batch_size=512,
    max_new_tokens=20_480,
    refill_groups=True,
    overlong_tokens=4096,
)
"""DAPO: clip-higher, every token counts the same, no-signal groups refilled, overlong penalty."""

GSPO = Preset(
    name="gspo",
    source="Zheng et al. 2025, Group Sequence Policy Optimization (arXiv 2507.18071), section 5.1",
    ratio="sequence",
    clip_low=3e-4,
    clip_high=4e-4,
    aggregation="sequence",
)
"""GSPO: one ratio for the whole sequence, with a clip of a few ten-thousandths."""

CISPO = Preset(
    name="cispo",
    source="Chen et al. 2025, MiniMax-M1 (arXiv 2506.13585), section 3.1; cap 5: arXiv 2510.13786",
    loss="cispo",
    clip_low=1.0,
    clip_high=4.0,
    aggregation="token",
)
"""CISPO: the importance weight is capped (at 1 + clip_high), the gradient of no token is dropped."""

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
    aggregation="constant",
    max_new_tokens=512,
)
"""RLOO: leave-one-out baseline, plain REINFORCE, KL in the reward."""

REINFORCE = Preset(
    name="reinforce",
    source="Williams 1992, with the batch's mean as the baseline",
    advantage="reinforce",
    baseline="batch",
    loss="reinforce",
    aggregation="constant",
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
    p.name: p for p in (GRPO, GRPO_TRL, DR_GRPO, DAPO, GSPO, CISPO, RLOO, REINFORCE, REINFORCE_PP, PPO)
}


def preset(name: str) -> Preset:
    """Return the preset of that name.

    >>> preset("grpo").kl_coef
    0.04
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]
