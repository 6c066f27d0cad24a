"""Off-policy correction: weights for tokens that another policy drew, and how far off that policy was.

The policy that sampled (an older step, or an engine with other arithmetic) is not the policy that is
trained. With w = pi_train(y) / pi_sample(y), E_sample[w f] = E_train[f]; clipping w trades its
variance for a bias. Everything here is detached: weights carry no gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from referee.trainers.objective.options import Correction, Level, one_of
from referee.trainers.objective.shapes import same_shape, same_token_shape


def importance_weights(
    logprobs_BT: Tensor,
    sampler_logprobs_BT: Tensor,
    mask_BT: Tensor,
    *,
    level: Level = "token",
    correction: Correction = "truncate",
    high: float = 2.0,
    low: float = 0.0,
) -> Tensor:
    """Return ``weights_BT`` to multiply a per-token loss with; 0 outside the mask.

    token: w_t = pi(y_t) / mu(y_t); sequence: w = prod_t pi(y_t) / mu(y_t), the same at every token.
    truncate: clip(w, low, high) (Ionides 2008; Espeholt et al. 2018, V-trace's rho-bar; Yao et al.
    2025); mask: w where low <= w <= high, else 0, so that what is far off says nothing at all.
    """
    one_of("level", level, Level)
    one_of("correction", correction, Correction)
    same_token_shape(logprobs_BT=logprobs_BT, sampler_logprobs_BT=sampler_logprobs_BT, mask_BT=mask_BT)
    if not 0.0 <= low <= high:
        raise ValueError(f"low and high must satisfy 0 <= low <= high, got {low} and {high}")
    mask = mask_BT.bool()
    log_w = (logprobs_BT - sampler_logprobs_BT).detach().masked_fill(~mask, 0.0)
    if level == "sequence":
        log_w = log_w.sum(-1, keepdim=True).expand_as(log_w)
    w = log_w.exp()
    kept = w.clamp(low, high) if correction == "truncate" else w.masked_fill((w < low) | (w > high), 0.0)
    return kept.masked_fill(~mask, 0.0)


def effective_sample_size(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the share of the samples that the weights leave effective: (sum w)^2 / (n sum w^2), in (0, 1].

    (Kish 1965.) 1 means on policy; 1/n that one sample carries everything.
    """
    same_shape(weights=weights, mask=mask)
    w = weights if mask is None else weights[mask.bool()]
    w = w / w.abs().amax().clamp(min=torch.finfo(w.dtype).tiny) if w.numel() else w
    return (w.sum() ** 2 / (w**2).sum().clamp(min=torch.finfo(w.dtype).tiny)) / max(w.numel(), 1)


def chi_square(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the estimate of the chi-square divergence of pi from mu: E_mu[w^2] - 1, with unclipped w."""
    same_shape(weights=weights, mask=mask)
    w = weights if mask is None else weights[mask.bool()]
    return (w**2).sum() / max(w.numel(), 1) - 1.0


def off_policy_metrics(logprobs_BT: Tensor, sampler_logprobs_BT: Tensor, mask_BT: Tensor) -> dict[str, float]:
    """Return how far the sampler was from the policy, as numbers for the log.

    ``kl`` is KL(mu, pi) per token by k3 (samples come from mu), ``gap_max`` the largest difference of
    log-probabilities, ``ess_*`` and ``chi2_*`` the two measures above by token and by sequence.
    """
    same_token_shape(logprobs_BT=logprobs_BT, sampler_logprobs_BT=sampler_logprobs_BT, mask_BT=mask_BT)
    mask = mask_BT.bool()
    gap = (logprobs_BT - sampler_logprobs_BT).detach().double().masked_fill(~mask, 0.0)
    rows = mask.any(-1)
    token_w, sequence_w = gap[mask].exp(), gap.sum(-1)[rows].exp()
    if not token_w.numel():
        return {}
    return {
        "kl": float((torch.expm1(gap) - gap)[mask].mean()),
        "gap_max": float(gap.abs().max()),
        "ess_token": float(effective_sample_size(token_w)),
        "ess_sequence": float(effective_sample_size(sequence_w)),
        "chi2_token": float(chi_square(token_w)),
        "chi2_sequence": float(chi_square(sequence_w)),
    }
