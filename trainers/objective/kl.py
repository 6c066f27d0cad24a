"""KL divergence of the policy from its reference: estimators, the penalty in the reward, controllers.

Write d_t = log pi(y_t) - log pi_ref(y_t) for a token y_t that pi sampled. All three estimators are
per token (``_BT``), and each says three things that are not the same: its expectation under pi, its
variance, and what its gradient is when it stands in a loss (tokens held fixed).

| | formula | expectation under pi | expected gradient in a loss |
|---|---|---|---|
| k1 | d | KL(pi, ref), exact; may be negative | 0: it does nothing in a loss |
| k2 | d^2 / 2 | biased, to second order in d | that of KL(pi, ref) |
| k3 | exp(-d) - 1 + d | KL(pi, ref), exact; never negative | that of KL(ref, pi), forward |

(Schulman 2020, "Approximating KL divergence"; gradients: Tang and Munos 2025.) In a reward, where no
gradient runs through it, k1 is the right one. In a loss k3 multiplied by the importance ratio
exp(log pi - log pi_old), gradient through both, is unbiased in value and gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from referee.trainers.objective.options import Estimator, one_of
from referee.trainers.objective.presets import Preset
from referee.trainers.objective.shapes import one_each, same_shape, same_token_shape


def kl_estimate(logprobs_BT: Tensor, ref_logprobs_BT: Tensor, estimator: Estimator = "k3") -> Tensor:
    """Return the per-token estimate of KL(pi, ref), in nats, by the named estimator."""
    one_of("estimator", estimator, Estimator)
    return {"k1": k1, "k2": k2, "k3": k3}[estimator](logprobs_BT, ref_logprobs_BT)


def k1(logprobs_BT: Tensor, ref_logprobs_BT: Tensor) -> Tensor:
    """k1 = log pi - log ref: unbiased, high variance; the one to put in a reward."""
    same_shape(logprobs_BT=logprobs_BT, ref_logprobs_BT=ref_logprobs_BT)
    return logprobs_BT - ref_logprobs_BT


def k2(logprobs_BT: Tensor, ref_logprobs_BT: Tensor) -> Tensor:
    """k2 = (log pi - log ref)^2 / 2: biased in value, yet its gradient is that of KL(pi, ref)."""
    return 0.5 * k1(logprobs_BT, ref_logprobs_BT) ** 2


def k3(logprobs_BT: Tensor, ref_logprobs_BT: Tensor) -> Tensor:
    """k3 = ref / pi - 1 - log(ref / pi): unbiased and never negative (DeepSeekMath, equation 4)."""
    log_ratio = -k1(logprobs_BT, ref_logprobs_BT)
    return torch.expm1(log_ratio) - log_ratio  # expm1 keeps the digits where the two nearly agree


def kl_divergence(logprobs_V: Tensor, ref_logprobs_V: Tensor) -> Tensor:
    """KL(pi, ref) = sum_y pi(y) (log pi(y) - log ref(y)), exact, over the last dimension."""
    same_shape(logprobs_V=logprobs_V, ref_logprobs_V=ref_logprobs_V)
    pi = logprobs_V.exp()
    return torch.where(pi > 0, pi * (logprobs_V - ref_logprobs_V), torch.zeros_like(pi)).sum(-1)


def rewards_with_kl(
    scores_B: Tensor,
    logprobs_BT: Tensor,
    ref_logprobs_BT: Tensor,
    mask_BT: Tensor,
    *,
    kl_coef: float,
    estimator: Estimator = "k1",
) -> Tensor:
    """Per-token rewards: -kl_coef times the KL of each token, and the score on the last one.

    r_t = -kl_coef k(y_t) + [t is the last token of the mask] score
    (Ziegler et al. 2019, equation 2; InstructGPT, Ouyang et al. 2022, equation 2). No gradient runs
    through it. Rows without a token get nothing.
    """
    same_token_shape(logprobs_BT=logprobs_BT, ref_logprobs_BT=ref_logprobs_BT, mask_BT=mask_BT)
    one_each(logprobs_BT=logprobs_BT, scores_B=scores_B)
    mask = mask_BT.bool()
    kl_BT = kl_estimate(logprobs_BT, ref_logprobs_BT, estimator).detach()
    rewards_BT = (-kl_coef * kl_BT).masked_fill(~mask, 0.0)
    positions_T = torch.arange(mask.shape[1], device=mask.device)
    last_BT = mask & (positions_T == (mask * positions_T).amax(1, keepdim=True))
    return rewards_BT + torch.where(last_BT, scores_B[:, None], torch.zeros_like(rewards_BT))


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedKL:
    """A KL coefficient that stays what it is."""

    kl_coef: float

    def updated(self, kl: float, *, samples: int) -> FixedKL:
        """Return the controller itself."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveKL:
    """A KL coefficient that steers the KL of whole completions (nats, summed over tokens) towards a target.

    e = clip(KL / target - 1, -0.2, 0.2);  kl_coef <- kl_coef (1 + e samples / horizon)
    (Ziegler et al. 2019, section 2.2, with gain 1 / horizon per sample)

    >>> AdaptiveKL(kl_coef=1.0, target=6.0, horizon=800).updated(12.0, samples=100).kl_coef
    1.025
    """

    kl_coef: float
    target: float = 6.0
    horizon: int = 10_000

    def __post_init__(self) -> None:
        if self.target <= 0 or self.horizon <= 0:
            raise ValueError(f"target and horizon must be above 0, got {self.target} and {self.horizon}")

    def updated(self, kl: float, *, samples: int) -> AdaptiveKL:
        """Return the controller after a batch of ``samples`` completions with mean ``kl``."""
        error = min(max(kl / self.target - 1.0, -0.2), 0.2)
        return replace(self, kl_coef=self.kl_coef * (1.0 + error * samples / self.horizon))


def controller_of(preset: Preset) -> FixedKL | AdaptiveKL:
    """Return what holds a preset's KL coefficient."""
    if preset.adaptive_kl:
        return AdaptiveKL(kl_coef=preset.kl_coef, target=preset.kl_target, horizon=preset.kl_horizon)
    return FixedKL(kl_coef=preset.kl_coef)
