"""The order in which data is gone through: all of it once, then all of it again in another order.

A seed and a round decide an order, so that a position says by itself which item comes, and a resumed run goes
on where it stopped. Orders are kept: the first position of a round pays for the whole shuffle, the
others for a look-up.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from referee.trainers.policy.sampling import seed_of


def shuffled(count: int, *, seed: int, round: int) -> list[int]:
    """Return the numbers below ``count`` in the order of a round, counted from 0."""
    return _order(count, seed, round).tolist()


def item_at(position: int, count: int, *, seed: int) -> int:
    """Return which of ``count`` items stands at a position, counted from 0, of all rounds on end.

    >>> sorted(item_at(position, 3, seed=0) for position in range(3, 6))
    [0, 1, 2]
    """
    done, index = divmod(position, count)
    return int(_order(count, seed, done)[index])


@lru_cache(maxsize=4)  # a round is gone through before the next; 8 bytes an item
def _order(count: int, seed: int, round: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed_of(seed, "order", round))
    return torch.randperm(count, generator=generator)
