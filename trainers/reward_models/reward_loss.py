"""The loss of reward models, as pure functions of scores."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from referee.trainers.reward_models.preferences import Ranking


def bradley_terry_loss(
    better_P: Tensor,
    worse_P: Tensor,
    *,
    margin: Tensor | float = 0.0,
    weight: Tensor | None = None,
    centre_coef: float = 0.0,
) -> Tensor:
    """Return -log sigmoid(better - worse - margin), averaged, and what keeps scores around 0.

    loss = sum_p w_p [ -log sigmoid(b_p - v_p - m_p) + c (b_p + v_p)^2 ] / sum_p w_p

    Bradley and Terry 1952; the margin by Touvron et al. 2023 (Llama 2), equation 2; centring by
    Eisenstein et al. 2023 (arXiv 2312.09244), as in TRL's ``center_rewards_coefficient``. With the
    weights of :func:`ranking_pairs` each ranking counts as one, InstructGPT's 1 / C(K, 2).

    >>> float(bradley_terry_loss(torch.tensor([1.0]), torch.tensor([1.0])))
    0.6931471824645996
    """
    if better_P.shape != worse_P.shape:
        raise ValueError(f"better and worse must have one shape, got {better_P.shape} and {worse_P.shape}")
    loss_P = -logsigmoid(better_P - worse_P - margin)
    if centre_coef:
        loss_P = loss_P + centre_coef * (better_P + worse_P) ** 2
    return loss_P.mean() if weight is None else (weight * loss_P).sum() / weight.sum()


def ranking_pairs(read: Sequence[Ranking]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return, for all pairs of some rankings, the rows of the better and the worse completion, the
    margin, the weight 1 / C(K, 2), and the ranking's number. Rows count all completions, in order.
    """
    better, worse, margin, weight, unit = [], [], [], [], []
    start = 0
    for number, ranking in enumerate(read):
        pairs = ranking.pairs
        for i, j in pairs:
            better.append(start + i)
            worse.append(start + j)
            margin.append(ranking.margin * (j - i))
            weight.append(1.0 / len(pairs))
            unit.append(number)
        start += len(ranking.completions)
    return (
        torch.tensor(better),
        torch.tensor(worse),
        torch.tensor(margin),
        torch.tensor(weight),
        torch.tensor(unit),
    )
