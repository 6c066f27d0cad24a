"""Policy-gradient losses over ``tokens_BT``, and how they are summed up.

A loss is made in two steps. :func:`policy_loss` (or one of the functions under it) gives a loss for
each token, ``loss_BT``; :func:`aggregate` sums it up to one number. The sum is divided by a normaliser
of the WHOLE batch, which the caller passes with every micro-batch: the micro-batches' losses then add
up to the batch's, and so do their gradients, exactly, however the batch is cut.

    normaliser = loss_normaliser(batch.mask_BT, by="token")
    for micro in batch.split(8):
        aggregate(policy_loss(...), micro.mask_BT, by="token", normaliser=normaliser).backward()

Masks are of the tokens that the policy chose. A completion that abstained has an empty row: it is then
neither in the sum nor in the normaliser, as if it had never been sampled.
Advantages are ``_B`` (one for each completion) or ``_BT``; log-probabilities are natural logarithms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from referee.trainers.objective.options import Aggregation, Level, Loss, one_of
from referee.trainers.objective.shapes import per_token, same_shape, same_token_shape


def policy_loss(
    logprobs_BT: Tensor,
    old_logprobs_BT: Tensor,
    advantages: Tensor,
    mask_BT: Tensor,
    *,
    loss: Loss = "clip",
    ratio: Level = "token",
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = None,
) -> Tensor:
    """Return ``loss_BT`` by name: ``clip`` (PPO, GRPO, DAPO, GSPO), ``cispo`` or ``reinforce``."""
    one_of("loss", loss, Loss)
    same_token_shape(logprobs_BT=logprobs_BT, old_logprobs_BT=old_logprobs_BT, mask_BT=mask_BT)
    A = per_token(advantages, logprobs_BT)
    if loss == "reinforce":
        return reinforce_loss(logprobs_BT, A)
    log_ratio_BT = log_ratio(logprobs_BT, old_logprobs_BT, mask_BT, level=ratio)
    if loss == "cispo":
        return cispo_loss(logprobs_BT, log_ratio_BT, A, clip_low=clip_low, clip_high=clip_high)
    return clip_loss(log_ratio_BT, A, clip_low=clip_low, clip_high=clip_high, dual_clip=dual_clip)


def log_ratio(
    logprobs_BT: Tensor, old_logprobs_BT: Tensor, mask_BT: Tensor, *, level: Level = "token"
) -> Tensor:
    """Return the logarithm of the policy's ratio to the policy that sampled, ``_BT``; 0 outside the mask.

    token: log pi(y_t) - log pi_old(y_t).
    sequence: their mean over the sequence, s = (pi(y) / pi_old(y))^(1/|y|), at each of its tokens, with
    the gradient of GSPO-token: value s, gradient s * d log pi(y_t) (GSPO, Zheng et al. 2025,
    equation 7 and section 4.3). Where the advantage is one number a sequence, that is GSPO's own gradient.
    """
    one_of("ratio", level, Level)
    same_token_shape(logprobs_BT=logprobs_BT, old_logprobs_BT=old_logprobs_BT, mask_BT=mask_BT)
    mask = mask_BT.bool()
    each_BT = (logprobs_BT - old_logprobs_BT).masked_fill(~mask, 0.0)
    if level == "token":
        return each_BT
    mean_B1 = each_BT.detach().sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp(min=1)
    return (mean_B1 + each_BT - each_BT.detach()).masked_fill(~mask, 0.0)


def clip_loss(
    log_ratio_BT: Tensor,
    advantages: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = None,
) -> Tensor:
    """PPO's clipped surrogate: no reward for moving a token's probability further than the clip allows.

    L_t = -min(rho_t A_t, clip(rho_t, 1 - clip_low, 1 + clip_high) A_t)
    (Schulman et al. 2017, equation 7; clip-higher, clip_high > clip_low: DAPO, Yu et al. 2025,
    equation 10). Where A_t < 0 the minimum has no floor as rho grows; ``dual_clip`` c > 1 gives it one:
    L_t = min(L_t, -c A_t) where A_t < 0 (Ye et al. 2020; the same as INTELLECT-2's
    two-sided clip with delta = c, and TRL's ``delta``).
    """
    if not (clip_low >= 0 and clip_high >= 0):
        raise ValueError(f"clip_low and clip_high must be at least 0, got {clip_low} and {clip_high}")
    if dual_clip is not None and dual_clip <= 1 + clip_high:
        raise ValueError(f"dual_clip must be above 1 + clip_high = {1 + clip_high}, got {dual_clip}")
    A = per_token(advantages, log_ratio_BT)
    rho = log_ratio_BT.exp()
    kept = torch.minimum(rho * A, rho.clamp(1 - clip_low, 1 + clip_high) * A)
    if dual_clip is not None:
        kept = torch.where(A < 0, torch.maximum(kept, dual_clip * A), kept)
    return -kept


def cispo_loss(
    logprobs_BT: Tensor,
    log_ratio_BT: Tensor,
    advantages: Tensor,
    *,
    clip_low: float = 1.0,
    clip_high: float = 4.0,
) -> Tensor:
    """CISPO: clip the weight and not the update, so that rare but decisive tokens keep their gradient.

    L_t = -sg(clip(rho_t, 1 - clip_low, 1 + clip_high)) A_t log pi(y_t)
    (MiniMax-M1, Chen et al. 2025, section 3.1; clip_low = 1 leaves the lower side open, as there).
    TRL's ``epsilon_high`` is the cap itself: its 5.0 is clip_high = 4.0 here.
    """
    same_token_shape(logprobs_BT=logprobs_BT, log_ratio_BT=log_ratio_BT)
    weight = log_ratio_BT.detach().exp().clamp(1 - clip_low, 1 + clip_high)
    return -weight * per_token(advantages, logprobs_BT) * logprobs_BT


def reinforce_loss(logprobs_BT: Tensor, advantages: Tensor) -> Tensor:
    """REINFORCE: L_t = -A_t log pi(y_t), whose gradient is -A_t d log pi(y_t) (Williams 1992)."""
    return -per_token(advantages, logprobs_BT) * logprobs_BT


def value_loss(
    values_BT: Tensor, returns_BT: Tensor, old_values_BT: Tensor | None = None, *, clip: float | None = 0.2
) -> Tensor:
    """The critic's squared error, per token, kept near its old values as the policy is to its old self.

    L_t = 1/2 max((V_t - R_t)^2, (V_old_t + clip(V_t - V_old_t, -clip, clip) - R_t)^2)
    (Schulman et al. 2016's code; Engstrom et al. 2020, section 3). ``clip=None`` or no
    ``old_values_BT``: the plain squared error. The clip is in units of the return.
    """
    same_shape(values_BT=values_BT, returns_BT=returns_BT, old_values_BT=old_values_BT)
    loss_BT = (values_BT - returns_BT) ** 2
    if clip is not None and old_values_BT is not None:
        near_BT = old_values_BT + (values_BT - old_values_BT).clamp(-clip, clip)
        loss_BT = torch.maximum(loss_BT, (near_BT - returns_BT) ** 2)
    return 0.5 * loss_BT


def loss_normaliser(
    mask_BT: Tensor, *, by: Aggregation = "token", max_new_tokens: int | None = None
) -> Tensor:
    """Return what :func:`aggregate` divides by: tokens, sequences, or sequences times ``max_new_tokens``.

    Normalisers add up: that of a batch is the sum of those of its micro-batches and of its ranks.
    Sequences without a token in the mask do not count.
    """
    one_of("by", by, Aggregation)
    same_token_shape(mask_BT=mask_BT)
    mask = mask_BT.bool()
    if by == "token":
        return mask.sum()
    if by in ("sequence", "sum"):
        return mask.any(-1).sum()
    if max_new_tokens is None or max_new_tokens < 1:
        raise ValueError(f'max_new_tokens must be at least 1 where by is "constant", got {max_new_tokens}')
    return mask.any(-1).sum() * max_new_tokens


def loss_weights(mask_BT: Tensor, *, by: Aggregation = "token", normaliser: Tensor | float) -> Tensor:
    """Return what each token's loss counts for, ``_BT``: aggregate(loss) = sum(loss_BT * weights_BT).

    token: 1 / normaliser for every token: each counts the same (DAPO, equation 8; TRL's ``dapo``).
    sequence: 1 / (its sequence's length * normaliser): the mean over each sequence, then over
    sequences, so that tokens of long ones count less (GRPO, DeepSeekMath equation 3; TRL's ``grpo``).
    constant: 1 / normaliser, which counts max_new_tokens for every sequence: no bias towards length
    either way (Dr. GRPO, Liu et al. 2025; TRL's ``dr_grpo``).
    sum: 1 / normaliser, which counts sequences: the sum over each sequence, then the mean over sequences,
    as REINFORCE has it for the sequence's log-probability (Ahmadian et al. 2024; TRL's RLOO). 0 outside
    the mask.
    ``normaliser`` is :func:`loss_normaliser` of the whole batch that one optimiser step sees.
    """
    one_of("by", by, Aggregation)
    same_token_shape(mask_BT=mask_BT)
    if isinstance(normaliser, Tensor) and normaliser.numel() != 1:
        raise ValueError(f"normaliser must be one number, that of the batch, got {tuple(normaliser.shape)}")
    kept_BT = mask_BT.bool().to(mask_BT.dtype if mask_BT.is_floating_point() else torch.float32)
    if by == "sequence":
        kept_BT = kept_BT / kept_BT.sum(-1, keepdim=True).clamp(min=1)
    return kept_BT / torch.as_tensor(normaliser, dtype=kept_BT.dtype, device=kept_BT.device).clamp(min=1)


def aggregate(
    loss_BT: Tensor, mask_BT: Tensor, *, by: Aggregation = "token", normaliser: Tensor | float
) -> Tensor:
    """Sum a per-token loss up to one number, with the weights of :func:`loss_weights`."""
    same_token_shape(loss_BT=loss_BT, mask_BT=mask_BT)
    weights_BT = loss_weights(mask_BT.bool().to(loss_BT.dtype), by=by, normaliser=normaliser)
    return (loss_BT.masked_fill(~mask_BT.bool(), 0.0) * weights_BT).sum()


def clip_metrics(
    log_ratio_BT: Tensor, advantages: Tensor, mask_BT: Tensor, *, clip_low: float, clip_high: float
) -> dict[str, float]:
    """Return the shares of tokens whose gradient the clip took: below (A < 0), above (A > 0), and both."""
    same_token_shape(log_ratio_BT=log_ratio_BT, mask_BT=mask_BT)
    mask = mask_BT.bool()
    A, rho = per_token(advantages, log_ratio_BT).expand_as(log_ratio_BT), log_ratio_BT.detach().exp()
    low, high = mask & (rho < 1 - clip_low) & (A < 0), mask & (rho > 1 + clip_high) & (A > 0)
    tokens = max(int(mask.sum()), 1)
    shares = int(low.sum()) / tokens, int(high.sum()) / tokens
    return {"clip_share_low": shares[0], "clip_share_high": shares[1], "clip_share": sum(shares)}
