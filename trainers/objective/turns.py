"""Rewards and advantages of the turns of an episode.

``episode``  what was paid in all counts for every token that was sampled: A_i for all of rollout i.
``turn``     each turn counts for what came after it: G_k = r_k + gamma G_{k+1}, where the last turn has
             the final reward, compared with the siblings' returns from their turn k. The advantage's rule
             is the preset's own, applied to each k among those that got so far. A turn that only one
             sibling reached has nothing to be compared with, and advantage 0.

A critic needs neither: it sees each turn's own reward at the turn's last token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from referee.envs.records import Rollout
from referee.envs.rollout import tokens_of, turn_returns


def turn_rewards(rollouts: Sequence[Rollout], mask_BT: Tensor) -> Tensor:
    """Return ``rewards_BT``: each turn's own reward at the turn's last token, without the final one."""
    out_BT = torch.zeros_like(mask_BT, dtype=torch.promote_types(mask_BT.dtype, torch.float32))
    for row, rollout in enumerate(rollouts):
        if not any(turn.reward for turn in rollout.turns):
            continue
        numbers = tokens_of(rollout).turns
        for number, turn in enumerate(rollout.turns):
            if turn.reward and turn.completion.token_ids:
                last = len(numbers) - 1 - numbers[::-1].index(number)
                out_BT[row, last] = turn.reward
    return out_BT


def turn_advantages(
    rollouts: Sequence[Rollout],
    decided_NG: Tensor,
    rule: Callable[[Tensor, Tensor], Tensor],
    *,
    gamma: float,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return ``advantages_BK``, one for each turn k: the rule's among those that got there.

    ``rule`` takes ``(returns_NG, mask_NG)``. ``decided_NG`` is False where a rollout abstained. Turns
    that a rollout does not have are 0.
    """
    turns = max((len(r.turns) for r in rollouts), default=0)
    returns_BK = torch.zeros(len(rollouts), turns, dtype=dtype, device=decided_NG.device)
    has_BK = torch.zeros(len(rollouts), turns, dtype=torch.bool, device=decided_NG.device)
    for row, rollout in enumerate(rollouts):
        returns = turn_returns(rollout, gamma=gamma)
        if returns is not None:
            returns_BK[row, : len(returns)] = torch.tensor(returns, dtype=dtype)
            has_BK[row, : len(returns)] = True
    columns = [
        rule(returns_BK[:, k].view_as(decided_NG), decided_NG & has_BK[:, k].view_as(decided_NG))
        for k in range(turns)
    ]
    return torch.stack([c.reshape(-1) for c in columns], 1) if columns else returns_BK


def to_tokens(advantages_BK: Tensor, rollouts: Sequence[Rollout], mask_BT: Tensor) -> Tensor:
    """Return ``advantages_BT``: each sampled token has its turn's advantage, all others 0."""
    out_BT = torch.zeros_like(mask_BT, dtype=advantages_BK.dtype)
    for row, rollout in enumerate(rollouts):
        numbers = torch.tensor(tokens_of(rollout).turns, device=mask_BT.device)
        sampled = (numbers >= 0).nonzero()[:, 0]
        out_BT[row, sampled] = advantages_BK[row, numbers[sampled]]
    return out_BT
