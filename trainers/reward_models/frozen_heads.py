"""Heads on frozen embeddings: trained in seconds on a CPU, since the backbone is run once.

The head is linear or a small perceptron over standardised features. Its L2 penalty is chosen on a
part of the training data that is held back by problem, then the head is trained on all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from referee.trainers.reward_models.preferences import Ranking
from referee.trainers.reward_models.reward_loss import bradley_terry_loss, ranking_pairs
from referee.verifiers.learned.embedding import Embedder
from referee.verifiers.learned.heads import Array, Head

HeadLoss = Callable[[Tensor, Tensor], Tensor]
"""(numbers of all rows, indices of the units to take the loss over) -> loss"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadTraining:
    """How a head is trained: ``steps`` of full-batch Adam, no hidden layer where ``hidden`` is 0.

    Each of ``penalties`` p is tried, p / 2 times the sum of squared weights added to the loss;
    ``held_back`` is the share of units (pairs, problems) that they are tried on. The first layer's
    weights of the last ``light`` features (surface features: few, and telling) get ``light_penalty``
    whatever the others get, so that many faint features can be held down without them.
    """

    hidden: int = 0
    steps: int = 150
    learning_rate: float = 1e-2
    penalties: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0)
    held_back: float = 0.2
    light: int = 0
    light_penalty: float = 0.01
    centre_coef: float = 0.01
    seed: int = 0


def train_reward_head(
    embedder: Embedder, features_BD: Array, read: Sequence[Ranking], options: HeadTraining | None = None
) -> Head:
    """Train a Bradley-Terry head; ``features_BD`` are those of all rankings' items, in order."""
    o = options or HeadTraining()
    starts = np.cumsum([0, *(len(r.completions) for r in read)])
    if len(features_BD) != starts[-1]:
        raise ValueError(
            f"features must have {starts[-1]} rows, one for each completion, got {len(features_BD)}"
        )
    better, worse, margin, weight, unit = ranking_pairs(read)

    def loss(scores_B: Tensor, units: Tensor) -> Tensor:
        kept = torch.isin(unit, units)
        return bradley_terry_loss(
            scores_B[better[kept]],
            scores_B[worse[kept]],
            margin=margin[kept],
            weight=weight[kept],
            centre_coef=o.centre_coef,
        )

    return _train(embedder, features_BD, len(read), loss, o)


def train_outcome_head(
    embedder: Embedder,
    features_BD: Array,
    labels: Sequence[bool] | NDArray[np.bool_],
    problems: Sequence[int],
    options: HeadTraining | None = None,
) -> Head:
    """Train a classifier of "is it right" by binary cross-entropy; ``problems`` has each row's problem."""
    o = options or HeadTraining()
    if not len(features_BD) == len(labels) == len(problems):
        raise ValueError(
            f"features, labels and problems must be equally many, got {len(features_BD)}, {len(labels)} "
            f"and {len(problems)}"
        )
    _, unit_of = np.unique(np.asarray(problems), return_inverse=True)
    unit = torch.from_numpy(unit_of)
    target = torch.tensor(np.asarray(labels, dtype=np.float32))

    def loss(scores_B: Tensor, units: Tensor) -> Tensor:
        kept = torch.isin(unit, units)
        return nn.functional.binary_cross_entropy_with_logits(scores_B[kept], target[kept])

    return _train(embedder, features_BD, int(unit_of.max()) + 1, loss, o)


def _train(embedder: Embedder, features_BD: Array, units: int, loss: HeadLoss, o: HeadTraining) -> Head:
    mean = features_BD.mean(0)
    scale = np.maximum(features_BD.std(0), 1e-6)
    x_BD = torch.from_numpy(((features_BD - mean) / scale).astype(np.float32))
    order = torch.randperm(units, generator=torch.Generator().manual_seed(o.seed))
    held = order[: max(1, int(o.held_back * units))]
    rest = order[len(held) :]
    best = o
    if len(o.penalties) > 1:
        tried = []
        for penalty in o.penalties:
            net = _fit(x_BD, rest, loss, replace(o, penalties=(penalty,)))
            with torch.no_grad():
                tried.append((float(loss(net(x_BD)[:, 0], held)), penalty))
        best = replace(o, penalties=(min(tried)[1],))
    net = _fit(x_BD, order, loss, best)
    layers = tuple(
        (m.weight.detach().numpy(), m.bias.detach().numpy())
        for m in net.modules()
        if isinstance(m, nn.Linear)
    )
    return Head(embedder=embedder, mean=mean, scale=scale, layers=layers)


def _fit(x_BD: Tensor, units: Tensor, loss: HeadLoss, o: HeadTraining) -> nn.Sequential:
    width = x_BD.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(o.seed)
        if o.hidden:
            net = nn.Sequential(nn.Linear(width, o.hidden), nn.ReLU(), nn.Linear(o.hidden, 1))
        else:
            linear = nn.Linear(width, 1)
            nn.init.zeros_(linear.weight)
            net = nn.Sequential(linear)
    weights = [m.weight for m in net.modules() if isinstance(m, nn.Linear)]
    penalty = o.penalties[0]
    penalty_D = torch.full((width,), penalty)
    penalty_D[width - o.light :] = o.light_penalty
    optimizer = torch.optim.Adam(net.parameters(), lr=o.learning_rate)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, o.steps)
    for _ in range(o.steps):
        optimizer.zero_grad()
        squares = (penalty_D * weights[0] ** 2).sum()
        for weight in weights[1:]:
            squares = squares + penalty * (weight**2).sum()
        (loss(net(x_BD)[:, 0], units) + 0.5 * squares).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rate.step()
    return net
