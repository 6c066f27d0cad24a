"""Placement: all that knows of processes. Who computes which rows, and where what they found is put together.

Every process holds the whole batch and computes a share of its rows. All have the same number of
micro-batches, so that none waits for a collective that another never enters: where rows run out, a share
is a row that counts for nothing. Gradients meet once an optimiser step, and are sums over all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, gather_object
from torch import Tensor

from referee.trainers.objective.options import Precision
from referee.trainers.policy.batch import Batch

T = TypeVar("T")


class Share(NamedTuple):
    """Some rows of a batch, as one forward pass, and what they count for: 1, or 0 where none were left."""

    rows_B: Tensor
    weight: float


def accelerator_of(precision: Precision = "float32", **options: Any) -> Accelerator:
    """Return an accelerator whose passes are in a precision, and whose processes wait for hours.

    One of them may write a checkpoint of a large model while the others wait.
    """
    waiting = InitProcessGroupKwargs(timeout=timedelta(hours=6))
    mixed = None if precision == "float32" else precision
    return Accelerator(mixed_precision=mixed, kwargs_handlers=[waiting], **options)


class Placement:
    """One process among ``world`` of them, around an accelerator."""

    def __init__(self, accelerator: Accelerator | None = None, *, precision: Precision = "float32") -> None:
        self.accelerator = accelerator or accelerator_of(precision)

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        return int(self.accelerator.process_index)

    @property
    def world(self) -> int:
        """How many processes there are."""
        return int(self.accelerator.num_processes)

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return torch.device(self.accelerator.device)

    @property
    def is_main(self) -> bool:
        """True in the one process that writes."""
        return bool(self.accelerator.is_main_process)

    def model(self, model: Any, *, apart: Sequence[Tensor] = ()) -> Any:
        """Return a model ready to train, its gradients shared by all processes but those of ``apart``."""
        if self.world > 1 and apart:
            ids = {id(p) for p in apart}
            names = [name for name, p in model.named_parameters() if id(p) in ids]
            ddp: Any = torch.nn.parallel.DistributedDataParallel
            ddp._set_params_and_buffers_to_ignore_for_model(model, names)
        return self.accelerator.prepare(model)

    def optimizer(self, optimizer: torch.optim.Optimizer) -> Any:
        """Return an optimiser of a prepared model's parameters."""
        return self.accelerator.prepare(optimizer)

    # ------------------------------------------------------------------ rows

    def shares(self, batch: Batch, rows_B: Tensor | None = None, *, tokens: int) -> list[Share]:
        """Return this process's shares of some rows (all, for None), of at most ``tokens`` tokens each.

        The longest come first, dealt in turn, so that processes finish together.
        """
        if rows_B is None:
            rows_B = torch.arange(len(batch), device=batch.tokens_BT.device)
        order = torch.argsort(batch.lengths_B[rows_B], descending=True, stable=True)
        dealt = [rows_B[order[rank :: self.world]] for rank in range(self.world)]
        parts = [[of[part] for part in batch.select(of).split(tokens)] if len(of) else [] for of in dealt]
        mine = [Share(rows, 1.0) for rows in parts[self.rank]]
        idle = Share(rows_B[order[-1:]] if len(rows_B) else torch.zeros_like(batch.lengths_B[:1]), 0.0)
        return [*mine, *[idle] * (max(map(len, parts)) - len(mine))]

    def backward(self, model: Any, shares: Sequence[Share], loss_of: Callable[[Share], Tensor]) -> Tensor:
        """Add up the gradients of a loss that is a sum over all processes' rows; return this one's part.

        Data-parallel training averages gradients over processes, and accelerate divides by its accumulation
        steps: both are undone, for each share's loss is divided by the whole batch's normaliser already.
        """
        whole = float(self.world * self.accelerator.gradient_accumulation_steps)
        total = torch.zeros((), device=self.device)
        for i, share in enumerate(shares):
            last = i + 1 == len(shares)
            with nullcontext() if last else self.accelerator.no_sync(model):
                loss = loss_of(share) * share.weight
                self.accelerator.backward(loss * whole)
            total = total + loss.detach()
        return total

    def clip(self, parameters: Sequence[Tensor], most: float) -> float:
        """Scale gradients down to the norm ``most`` (0 for none) and return the norm that they had."""
        return float(self.accelerator.clip_grad_norm_(parameters, most or float("inf")))

    # ------------------------------------------------------------------ together

    def summed(self, value: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.world == 1:
            return value
        return self.accelerator.reduce(value, reduction="sum")  # type: ignore[no-any-return]

    def averaged(self, value: Tensor) -> Tensor:
        """Return the mean over all processes."""
        if self.world == 1:
            return value
        return self.accelerator.reduce(value, reduction="mean")  # type: ignore[no-any-return]

    def gathered(self, mine: Sequence[T]) -> list[T]:
        """Return the lists of all processes behind each other."""
        return list(mine) if self.world == 1 else list(gather_object(list(mine)))

    def wait(self) -> None:
        """Go on when all processes are here."""
        self.accelerator.wait_for_everyone()
