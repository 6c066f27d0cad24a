"""Dropout that is a function of the row: the same units are dropped however rows are batched.

torch draws its masks for a whole tensor from one global stream: the log-probabilities before an update and
those of the update would have other masks, their ratio would be off before anything has moved, and no run
could be repeated. Here each row has a seed, and each dropout layer a stream of its own from it.
Dropout inside attention, which has no layer, is switched off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from referee.trainers.policy.sampling import seed_of


class RowDropout:
    """Takes over a model's dropout: none outside :meth:`of_rows`, and inside it one that rows decide."""

    def __init__(self, model: nn.Module) -> None:
        self._layers: list[tuple[int, nn.Dropout, float]] = []
        for module in model.modules():
            if isinstance(module, nn.Dropout) and module.p > 0.0:
                self._layers.append((len(self._layers), module, module.p))
                module.p = 0.0
            elif isinstance(getattr(module, "attention_dropout", None), float):
                setattr(module, "attention_dropout", 0.0)  # noqa: B010  # a module has no such field by its type

    @contextmanager
    def of_rows(self, seeds: Sequence[int]) -> Iterator[None]:
        """Drop units of a batch's rows, each by its own seed."""
        hooks: list[Any] = [
            layer.register_forward_hook(_dropping(number, p, seeds)) for number, layer, p in self._layers
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _dropping(number: int, p: float, seeds: Sequence[int]) -> Any:
    def hook(_layer: nn.Module, _inputs: Any, out: Tensor) -> Tensor:
        kept = torch.stack([_kept(seed_of(seed, number), out.shape[1:], p) for seed in seeds])
        return out * kept.to(out.device, out.dtype) / (1.0 - p)

    return hook


def _kept(seed: int, shape: torch.Size, p: float) -> Tensor:
    # Drawn token by token, so that padding behind a row changes nothing before it.
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape.numel(), generator=generator).view(shape) >= p
