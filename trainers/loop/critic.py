"""A critic for token-level values: a head on the policy's own last hidden state, or a model of its own.

V(s_t) is what is still to be earned before token t is chosen, read at token t - 1. Three ways to hold it:

- ``head``: one linear layer on the policy's last hidden state; policy and critic share their body,
  and its gradient flows into both. One copy of the weights.
- ``model``, full fine-tuning: a copy of the body with its own head.
- ``model``, a policy with LoRA adapters: a second adapter on the same frozen weights, and a head.
  Policy, reference (adapters off) and critic are then one copy of the weights and two small adapters.

The head starts at 0, so that the first advantages are the rewards to go.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from referee.trainers.objective.options import CriticKind, one_of
from referee.trainers.policy.policy import Policy
from referee.trainers.policy.reference import active_adapter

_ADAPTER = "critic"


class Critic:
    """Values of a policy's tokens. ``parameters`` are what trains beside the policy's own.

    ``seed`` decides the first weights of an adapter.
    """

    def __init__(self, policy: Policy, kind: CriticKind = "head", *, seed: int = 0) -> None:
        one_of("critic", kind, CriticKind)
        self.kind, self._policy = kind, policy
        model = policy.model.get_base_model() if policy.has_adapters else policy.model
        weight = model.get_output_embeddings().weight
        dtype = torch.promote_types(weight.dtype, torch.float32)
        self.head = nn.Linear(weight.shape[1], 1, dtype=dtype, device=weight.device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self._output = model.get_output_embeddings()
        self._body: Any = model.base_model
        self._own: list[nn.Parameter] = []
        if kind == "model" and policy.has_adapters:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                policy.model.add_adapter(_ADAPTER, policy.model.peft_config["default"])
            self._own = [p for name, p in policy.model.named_parameters() if f".{_ADAPTER}." in name]
            for p in self._own:  # peft freezes those that are not active
                p.requires_grad_()
        elif kind == "model":
            self._body = copy.deepcopy(model.base_model)
            self._own = list(self._body.parameters())

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The head's parameters, and those of a body or adapter of its own."""
        return [*self.head.parameters(), *self._own]

    def state(self) -> list[Tensor]:
        """Return the parameters' values, for a checkpoint."""
        return [p.detach() for p in self.parameters]

    def restore(self, state: list[Tensor]) -> None:
        """Take the values that :meth:`state` returned."""
        with torch.no_grad():
            for p, value in zip(self.parameters, state, strict=True):
                p.copy_(value)

    def values(self, tokens_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``values_BT``, V before each token (0 before the first), and ``after_BT``, V after it."""
        switched = self.kind == "model" and self._policy.has_adapters
        with active_adapter(self._policy.model, _ADAPTER) if switched else nullcontext():
            hidden_BTH = self._body(input_ids=tokens_BT, use_cache=False).last_hidden_state
        after_BT = self._head(hidden_BTH)
        return nn.functional.pad(after_BT[:, :-1], (1, 0)), after_BT

    @contextmanager
    def watching(self) -> Iterator[list[Tensor]]:
        """Collect the last hidden states of the policy's forward passes meanwhile (``head`` only)."""
        seen: list[Tensor] = []
        hook = self._output.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            yield seen
        finally:
            hook.remove()

    def values_of(self, hidden_BCH: Tensor, mask_BT: Tensor) -> Tensor:
        """Return ``values_BT`` from hidden states in the columns before those that the mask has tokens in."""
        columns = mask_BT[:, 1:].any(0).nonzero()[:, 0]
        if hidden_BCH.shape[1] != len(columns):
            hidden_BCH = hidden_BCH[:, columns]
        values_BC = self._head(hidden_BCH)
        return values_BC.new_zeros(mask_BT.shape).index_copy(1, columns + 1, values_BC)

    def values_beside(self, hidden: list[Tensor], tokens_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Return ``values_BT`` beside a pass of the policy that was :meth:`watching`."""
        if self.kind == "head" and hidden:
            return self.values_of(hidden[0], mask_BT)
        return self.values(tokens_BT)[0]

    def _head(self, hidden_BTH: Tensor) -> Tensor:
        return self.head(hidden_BTH.to(self.head.weight.dtype))[..., 0]  # type: ignore[no-any-return]
