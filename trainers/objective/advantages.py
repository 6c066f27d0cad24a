"""Advantages: what a reward means beside its siblings, or beside what the critic expected.

Every function is pure. Completion-level functions take ``rewards_NG`` (N problems, G completions of
each) and an optional boolean ``mask_NG``; an item whose mask is False (its verdict abstained) is left
out of every mean and standard deviation, whatever number stands there (NaN too), and gets advantage
0, so that the result for the others is what it would be if the item had never been sampled. Groups of
unequal size are padded with masked items. A group with one item left, or none, has no signal: all 0.

Token-level functions take ``_BT`` tensors and a mask of the tokens that the policy chose; tokens
outside it (prompt, tool output, padding) are stepped over: an episode goes on behind them.

Two conventions that differ by 15 % at group size 4: ``population`` divides the sum of squares by n
(DeepSeekMath's code, torchtitan), ``sample`` by n - 1 (TRL).
"""

from __future__ import annotations

import torch
from torch import Tensor

from referee.trainers.objective.options import Baseline, SharedBaseline, Std, one_of
from referee.trainers.objective.shapes import one_each, same_shape, same_token_shape


def group_advantages(
    rewards_NG: Tensor, mask_NG: Tensor | None = None, *, std: Std = "population", eps: float = 1e-4
) -> Tensor:
    """GRPO: how much better than its siblings, in units of the group's standard deviation.

    A_i = (r_i - mean(r)) / (std(r) + eps)        (DeepSeekMath, Shao et al. 2024, section 4.1.2)

    ``std``: ``population`` (n), ``sample`` (n - 1), ``batch`` (n - 1 over all rewards of the batch;
    the mean is still the group's), or ``none``: A_i = r_i - mean(r) (Dr. GRPO, Liu et al. 2025,
    section 3, which shows that dividing favours questions that are nearly always or never solved).
    A group whose rewards are all equal gets exactly 0, with no rounding error blown up by 1 / eps.

    >>> group_advantages(torch.tensor([[1.0, 0.0, 0.0, 1.0]]), eps=0.0)
    tensor([[ 1., -1., -1.,  1.]])
    """
    one_of("std", std, Std)
    r, m = _masked(rewards_NG, mask_NG)
    centred = (r - _mean(r, m, dim=-1)).masked_fill(~m | no_signal(r, m)[..., None], 0.0)
    if std == "none":
        return centred
    if std == "batch":
        return centred / (_std(r, m, dim=None, correction=1) + eps)
    return _safe_divide(centred, _std(r, m, dim=-1, correction=int(std == "sample")) + eps)


def rloo_advantages(rewards_NG: Tensor, mask_NG: Tensor | None = None) -> Tensor:
    """RLOO: each reward less the mean of the others' (leave one out), an unbiased baseline.

    A_i = r_i - sum_{j != i} r_j / (n - 1) = n / (n - 1) (r_i - mean(r))
    (Kool et al. 2019; Ahmadian et al. 2024)

    >>> rloo_advantages(torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([[ 1.0000, -0.5000, -0.5000]])
    """
    r, m = _masked(rewards_NG, mask_NG)
    n = m.sum(-1, keepdim=True)
    centred = (r - _mean(r, m, dim=-1)).masked_fill(~m | no_signal(r, m)[..., None], 0.0)
    return centred * n / (n - 1).clamp(min=1)


def maxrl_advantages(rewards_NG: Tensor, mask_NG: Tensor | None = None) -> Tensor:
    """MaxRL: how much better than its siblings, in units of what the group is paid on average.

    A_i = (r_i - mean(r)) / mean(r)        (Maximum Likelihood Reinforcement Learning,
    Tajwar et al. 2026, arXiv 2602.02710)

    With rewards of 0 and 1 the mean over a group of n estimates the gradient of the log of the pass rate,
    sum_k (1 - p)^k d p, cut off after n - 1 terms; the first alone is that of the pass rate itself, which
    REINFORCE follows. Rare successes count for more.
    A group whose mean is 0 or below has nothing to divide by, and no signal.

    >>> maxrl_advantages(torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    tensor([[ 3., -1., -1., -1.]])
    """
    r, m = _masked(rewards_NG, mask_NG)
    mean = _mean(r, m, dim=-1)
    centred = (r - mean).masked_fill(~m | no_signal(r, m)[..., None] | ~(mean > 0), 0.0)
    return _safe_divide(centred, mean)


def reinforce_advantages(
    rewards_NG: Tensor, mask_NG: Tensor | None = None, *, baseline: Baseline = "batch"
) -> Tensor:
    """REINFORCE: the reward, less the mean of the group or of the batch, or nothing.

    A_i = r_i - b        (Williams 1992)

    A mean that holds r_i itself shrinks the expected gradient by (n - 1) / n and turns it nowhere.
    """
    one_of("baseline", baseline, Baseline)
    r, m = _masked(rewards_NG, mask_NG)
    if baseline == "none":
        return r
    return (r - _mean(r, m, dim=-1 if baseline == "group" else None)).masked_fill(~m, 0.0)


def reinforce_pp_advantages(
    rewards_NG: Tensor,
    mask_NG: Tensor | None = None,
    *,
    baseline: SharedBaseline = "none",
    eps: float = 1e-8,
) -> Tensor:
    """REINFORCE++: rewards normalised over the whole batch, so that no single group's std is divided by.

    A_i = (r_i - mean_batch(r)) / (std_batch(r) + eps)        (Hu et al. 2025)

    With ``baseline="group"`` the group's mean is taken off first (REINFORCE++-baseline). std is n.
    With KL penalties per token, whiten the rewards to go (:func:`discounted_returns`, :func:`whiten`).
    """
    one_of("baseline", baseline, SharedBaseline)
    r, m = _masked(rewards_NG, mask_NG)
    if baseline == "group":
        r = (r - _mean(r, m, dim=-1)).masked_fill(~m | no_signal(r, m)[..., None], 0.0)
    return _normalise(r, m, eps)


def gdpo_advantages(
    parts_PNG: Tensor,
    weights_P: Tensor,
    mask_NG: Tensor | None = None,
    *,
    std: Std = "sample",
    eps: float = 1e-4,
    batch_normalise: bool = True,
    has_PNG: Tensor | None = None,
) -> Tensor:
    """GDPO: each reward part normalised in its group, then the weighted sum, so that no part drowns another.

    A_i = sum_p w_p (r_pi - mean(r_p)) / (std(r_p) + eps), then normalised over the batch (n - 1)
    (Liu et al. 2026, "Group reward-Decoupled Normalization Policy Optimization", arXiv 2601.05242;
    the defaults are those of TRL's ``normalize_then_sum``)

    ``has_PNG`` is False where a part abstained: it is in none of that part's means, and adds nothing.
    Normalising the sum instead gives (1, 0) and (0, 1) the same advantage wherever their totals are equal.
    """
    if parts_PNG.dim() != 3 or weights_P.shape != parts_PNG.shape[:1]:
        raise ValueError(
            "parts_PNG must have three dimensions and weights_P one weight for each part, "
            f"got shapes {tuple(parts_PNG.shape)} and {tuple(weights_P.shape)}"
        )
    _, m_NG = _masked(parts_PNG[0], mask_NG)
    has = m_NG.expand_as(parts_PNG) if has_PNG is None else m_NG & has_PNG.bool()
    each = torch.stack(
        [group_advantages(part, m, std=std, eps=eps) for part, m in zip(parts_PNG, has, strict=True)]
    )
    total_NG, m = _masked((weights_P[:, None, None] * each).sum(0), mask_NG)
    return _normalise(total_NG, m, eps, correction=1) if batch_normalise else total_NG


def no_signal(rewards_NG: Tensor, mask_NG: Tensor | None = None, *, tolerance: float = 0.0) -> Tensor:
    """Tell which groups teach nothing: max - min <= tolerance over what is left of them. Returns ``_N`` bool.

    Rewards that differ by no more than rounding (a few units in the last place) are equal.

    The spread is tested, never the mean: a group of all 0.5 has no signal although its mean is
    neither 0 nor 1, and a standard deviation of equal numbers is often 1e-9 and not 0.
    """
    r, m = _masked(rewards_NG, mask_NG)
    high = r.masked_fill(~m, -torch.inf).amax(-1)
    low = r.masked_fill(~m, torch.inf).amin(-1)
    size = r.abs().amax(-1) * 8 * torch.finfo(r.dtype).eps if r.is_floating_point() else 0.0
    return ~(high - low > tolerance + size)  # all masked: -inf - inf is not above any tolerance


def gae(
    rewards_BT: Tensor,
    values_BT: Tensor,
    mask_BT: Tensor | None = None,
    *,
    gamma: float = 1.0,
    lam: float = 0.95,
    bootstrap_B: Tensor | None = None,
    terminated_BT: Tensor | None = None,
    truncated_BT: Tensor | None = None,
    final_values_BT: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation; returns ``(advantages_BT, returns_BT)``, returns = A + V.

    delta_t = r_t + gamma V(s_{t+1}) - V(s_t)
    A_t = delta_t + gamma lam A_{t+1}        (Schulman et al. 2016, equations 12 and 16)

    ``values_BT`` is V(s_t), before token t is chosen. What follows the last step is worth
    ``bootstrap_B``: V of the state that a truncated episode was cut off in, and 0 (the default) where
    the episode terminated. Where a row holds several episodes, ``terminated_BT`` marks steps that
    nothing follows, ``truncated_BT`` steps after which the episode was cut off, in a state worth
    ``final_values_BT``. Rewards on masked tokens are ignored; advantages and returns are 0 there.
    lam = 0 gives the one-step error delta_t, lam = 1 the discounted return less V(s_t).
    """
    same_token_shape(
        rewards_BT=rewards_BT,
        values_BT=values_BT,
        mask_BT=mask_BT,
        terminated_BT=terminated_BT,
        truncated_BT=truncated_BT,
        final_values_BT=final_values_BT,
    )
    one_each(rewards_BT=rewards_BT, bootstrap_B=bootstrap_B)
    if (truncated_BT is None) is not (final_values_BT is None):
        raise ValueError("truncated_BT and final_values_BT must be given together, got only one of them")
    B, T = rewards_BT.shape
    mask = torch.ones_like(rewards_BT, dtype=torch.bool) if mask_BT is None else mask_BT.bool()
    ended = torch.zeros_like(mask) if terminated_BT is None else terminated_BT.bool()
    cut = torch.zeros_like(mask) if truncated_BT is None else truncated_BT.bool() & ~ended
    zero = rewards_BT.new_zeros(B)
    following, carry = (zero if bootstrap_B is None else bootstrap_B), zero
    advantages_BT = torch.zeros_like(rewards_BT)
    for t in reversed(range(T)):
        value = following.masked_fill(ended[:, t], 0.0)
        if final_values_BT is not None:
            value = torch.where(cut[:, t], final_values_BT[:, t], value)
        after = carry.masked_fill(ended[:, t] | cut[:, t], 0.0)
        advantage = rewards_BT[:, t] + gamma * value - values_BT[:, t] + gamma * lam * after
        carry = torch.where(mask[:, t], advantage, carry)
        following = torch.where(mask[:, t], values_BT[:, t], following)
        advantages_BT[:, t] = torch.where(mask[:, t], advantage, zero)
    return advantages_BT, (advantages_BT + values_BT).masked_fill(~mask, 0.0)


def discounted_returns(
    rewards_BT: Tensor,
    mask_BT: Tensor | None = None,
    *,
    gamma: float = 1.0,
    bootstrap_B: Tensor | None = None,
    terminated_BT: Tensor | None = None,
    truncated_BT: Tensor | None = None,
    final_values_BT: Tensor | None = None,
) -> Tensor:
    """Rewards to go: G_t = r_t + gamma G_{t+1}. The other arguments are those of :func:`gae`.

    >>> discounted_returns(torch.tensor([[0.0, 0.0, 1.0]]), gamma=0.5)
    tensor([[0.2500, 0.5000, 1.0000]])
    """
    _, returns_BT = gae(
        rewards_BT,
        torch.zeros_like(rewards_BT),
        mask_BT,
        gamma=gamma,
        lam=1.0,
        # With V = 0 everywhere, lam = 1 turns the recursion of A into the one of G.
        bootstrap_B=bootstrap_B,
        terminated_BT=terminated_BT,
        truncated_BT=truncated_BT,
        final_values_BT=final_values_BT,
    )
    return returns_BT


def whiten(
    values: Tensor, mask: Tensor | None = None, *, shift_mean: bool = True, eps: float = 1e-8
) -> Tensor:
    """Bring values to variance 1 (n) and, with ``shift_mean``, to mean 0, over all that is not masked.

    w = (x - mean) / sqrt(var + eps) [+ mean]        (Ziegler et al. 2019 whiten rewards without
    shifting the mean, and advantages with it). Masked places become 0.
    """
    x, m = _masked(values, mask)
    mean = _mean(x, m, dim=None)
    white = (x - mean) * torch.rsqrt(_mean((x - mean) ** 2, m, dim=None) + eps)
    return (white if shift_mean else white + mean).masked_fill(~m, 0.0)


def place_step_rewards(rewards_BK: Tensor, ends_BK: Tensor, *, length: int) -> Tensor:
    """Put the reward of each step on the token that ends it; the rest is 0. Returns ``_BT``, T = ``length``.

    ``ends_BK`` holds token positions; -1 marks padding. Steps that end on one token are added.
    """
    same_shape(rewards_BK=rewards_BK, ends_BK=ends_BK)
    if ends_BK.numel() and int(ends_BK.max()) >= length:
        raise ValueError(f"ends_BK must be below length {length}, got {int(ends_BK.max())}")
    there = ends_BK >= 0
    out_BT = rewards_BK.new_zeros(rewards_BK.shape[0], length)
    return out_BT.scatter_add(1, ends_BK.clamp(min=0), rewards_BK.masked_fill(~there, 0.0))


def step_advantages(
    rewards_NGK: Tensor, ends_NGK: Tensor, *, length: int, std: Std = "population", eps: float = 1e-4
) -> Tensor:
    """Step rewards as token-level advantages: what the steps from here on scored, beside all of the group's.

    r'_k = (r_k - mean(R)) / (std(R) + eps) over every step R of the group's completions;
    A_t = sum of r'_k over the steps k that end at or after token t
    (DeepSeekMath, Shao et al. 2024, section 4.1.3). ``ends_NGK`` is -1 for padding. Returns ``_NGT``.
    """
    same_shape(rewards_NGK=rewards_NGK, ends_NGK=ends_NGK)
    N, G, K = rewards_NGK.shape
    normal = group_advantages(
        rewards_NGK.reshape(N, G * K), (ends_NGK >= 0).reshape(N, G * K), std=std, eps=eps
    )
    placed = place_step_rewards(normal.reshape(N * G, K), ends_NGK.reshape(N * G, K), length=length)
    return placed.flip(-1).cumsum(-1).flip(-1).reshape(N, G, length)


def potential_shaping(
    potentials_BT: Tensor, next_potentials_BT: Tensor, *, gamma: float, terminated_BT: Tensor | None = None
) -> Tensor:
    """Shaping that leaves the optimum alone: pay for the change of a potential, not for its level.

    F_t = gamma Phi(s_{t+1}) - Phi(s_t), with Phi = 0 after termination
    (Ng, Harada and Russell 1999, theorem 1). Along an episode the discounted sum of F is
    -Phi(s_0), whatever the policy does; paying Phi itself (a step score) does change the optimum.
    """
    same_shape(
        potentials_BT=potentials_BT, next_potentials_BT=next_potentials_BT, terminated_BT=terminated_BT
    )
    if terminated_BT is not None:
        next_potentials_BT = next_potentials_BT.masked_fill(terminated_BT.bool(), 0.0)
    return gamma * next_potentials_BT - potentials_BT


def step_potential_rewards(
    scores_BK: Tensor, ends_BK: Tensor, *, length: int, gamma: float = 1.0, initial: float = 0.0
) -> Tensor:
    """Step scores of a completion (from a PRM) as potential-based rewards on its tokens. Returns ``_BT``.

    The potential of a state is the score of the last finished step (``initial`` before the first, 0
    once the completion has ended), so that each step is paid for what it added. ``ends_BK`` ascends,
    -1 for padding; the last step's end is the completion's end.
    """
    there_BK1 = (ends_BK >= 0)[:, :, None]
    steps_T = torch.arange(length, device=ends_BK.device)
    phi_BK = torch.cat([torch.full_like(scores_BK[:, :1], initial), scores_BK], dim=1)
    now_BT = phi_BK.gather(1, (there_BK1 & (ends_BK[:, :, None] < steps_T)).sum(1))
    next_BT = phi_BK.gather(1, (there_BK1 & (ends_BK[:, :, None] <= steps_T)).sum(1))
    end_B1 = ends_BK.amax(1, keepdim=True)
    shaped_BT = potential_shaping(now_BT, next_BT, gamma=gamma, terminated_BT=steps_T == end_B1)
    return shaped_BT.masked_fill(steps_T > end_B1, 0.0)


def _masked(values: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    if mask is None:
        mask = torch.ones_like(values, dtype=torch.bool)
    same_shape(values=values, mask=mask)
    return values.masked_fill(~mask.bool(), 0.0), mask.bool()


def _mean(x: Tensor, m: Tensor, *, dim: int | None) -> Tensor:
    """Return the mean over what the mask keeps (0 of nothing), ready to broadcast against x."""
    x = x.masked_fill(~m, 0.0)
    if dim is None:
        return x.sum() / m.sum().clamp(min=1)
    return x.sum(dim, keepdim=True) / m.sum(dim, keepdim=True).clamp(min=1)


def _std(x: Tensor, m: Tensor, *, dim: int | None, correction: int) -> Tensor:
    count = m.sum() if dim is None else m.sum(dim, keepdim=True)
    variance = _mean((x - _mean(x, m, dim=dim)) ** 2, m, dim=dim)
    return (variance * count / (count - correction).clamp(min=1)).sqrt()


def _normalise(x: Tensor, m: Tensor, eps: float, *, correction: int = 0) -> Tensor:
    centred = (x - _mean(x, m, dim=None)).masked_fill(~m, 0.0)
    if no_signal(x.reshape(-1), m.reshape(-1)):
        return torch.zeros_like(x)
    return centred / (_std(x, m, dim=None, correction=correction) + eps)


def _safe_divide(x: Tensor, by: Tensor) -> Tensor:
    """Divide, giving 0 where x is 0, whatever by is (eps may be 0)."""
    return torch.where(x == 0, x, x / by)
