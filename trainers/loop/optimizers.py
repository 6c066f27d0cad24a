"""Optimisers by name, over parameters in groups, with float32 masters of weights in half precision.

| name | what it is |
|---|---|
| ``adamw`` | AdamW (Loshchilov and Hutter 2019) |
| ``adamw_8bit`` | the same with 8-bit states, from bitsandbytes |
| ``paged_adamw_8bit`` | and those in memory that is paged out to the host |
| ``muon`` | Muon (Jordan et al. 2024) for the layers' matrices, at AdamW's scale; AdamW for the rest |

Norms and biases take no weight decay. A weight in bfloat16 has 8 bits: steps below a half of its last bit
would be rounded away, every one of them. Such weights are trained as float32 copies, their masters, and the
model has the copies' rounded values.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from referee.trainers.objective.options import OptimizerName, one_of
from referee.verifiers.extras import missing

_HALF = (torch.bfloat16, torch.float16)


def decay_groups(parameters: Iterable[Any], weight_decay: float) -> list[dict[str, Any]]:
    """Return parameters as an optimiser takes them: norms and biases, of one dimension, do not decay."""
    listed = list(parameters)
    groups = [
        {"params": [p for p in listed if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in listed if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def optimizer_of(
    parameters: Sequence[Any],
    *,
    name: OptimizerName = "adamw",
    learning_rate: float,
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    apart: Iterable[Tensor] = (),
) -> torch.optim.Optimizer:
    """Return the optimiser called ``name`` over ``parameters``.

    ``apart`` are those that Muon leaves to AdamW beside what has one dimension: embeddings and heads.

    Raises:
        ValueError: for an unknown name.
        MissingExtra: where bitsandbytes is needed and not installed.
    """
    one_of("optimizer", name, OptimizerName)
    masters = [p.detach().to(torch.float32).requires_grad_() if p.dtype in _HALF else p for p in parameters]
    left = {id(m) for p, m in zip(parameters, masters, strict=True) if any(p is a for a in apart)}
    inner = _made(masters, name, learning_rate, weight_decay, betas, left)
    copied = [(p, m) for p, m in zip(parameters, masters, strict=True) if p is not m]
    return inner[0] if len(inner) == 1 and not copied else Optimizers(inner, copied)


def _made(
    parameters: Sequence[Any],
    name: OptimizerName,
    rate: float,
    decay: float,
    betas: tuple[float, float],
    apart: set[int],
) -> list[torch.optim.Optimizer]:
    if name == "muon":
        matrices = [p for p in parameters if p.dim() == 2 and id(p) not in apart]
        others = [p for p in parameters if p.dim() != 2 or id(p) in apart]
        muon = torch.optim.Muon(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
        return [muon, *_made(others, "adamw", rate, decay, betas, set())] if others else [muon]
    groups = decay_groups(parameters, decay)
    if name == "adamw":
        return [torch.optim.AdamW(groups, lr=rate, betas=betas, fused=True)]
    try:
        bitsandbytes: Any = importlib.import_module("bitsandbytes")
    except ImportError:
        raise missing(f"optimizer {name}", "bitsandbytes", install="bitsandbytes") from None
    made: Callable[..., torch.optim.Optimizer] = {
        "adamw_8bit": bitsandbytes.optim.AdamW8bit,
        "paged_adamw_8bit": bitsandbytes.optim.PagedAdamW8bit,
    }[name]
    return [made(groups, lr=rate, betas=betas)]


class Optimizers(torch.optim.Optimizer):
    """Several optimisers as one, over weights of which some are float32 masters of the model's own.

    A step takes the model's gradients to the masters, steps on them, and rounds them into the model.
    """

    def __init__(self, inner: Sequence[torch.optim.Optimizer], copied: Sequence[tuple[Any, Any]]) -> None:
        self._inner, self._copied = list(inner), list(copied)
        with warnings.catch_warnings():
            super().__init__([p for o in self._inner for g in o.param_groups for p in g["params"]], {})
        self.param_groups = [group for o in self._inner for group in o.param_groups]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step of each."""
        for weight, master in self._copied:
            master.grad = None if weight.grad is None else weight.grad.to(torch.float32)
        for optimizer in self._inner:
            optimizer.step()
        for weight, master in self._copied:
            weight.copy_(master)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for optimizer in self._inner:
            optimizer.zero_grad(set_to_none)
        for weight, _ in self._copied:
            weight.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Return all states, and the masters, which the model's rounded weights cannot give back."""
        return {
            "inner": [o.state_dict() for o in self._inner],
            "masters": [master.detach() for _, master in self._copied],
            "state": {},
            "param_groups": [],
        }

    @torch.no_grad()
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        for optimizer, state in zip(self._inner, state_dict["inner"], strict=True):
            optimizer.load_state_dict(state)
        self.param_groups = [group for o in self._inner for group in o.param_groups]
        for (weight, master), value in zip(self._copied, state_dict["masters"], strict=True):
            master.copy_(value)
            weight.copy_(master)
