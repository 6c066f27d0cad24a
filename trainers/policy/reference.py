"""The reference policy: what the KL is measured to.

| policy | ``frozen`` | ``average`` |
|---|---|---|
| all weights train | a copy of the policy as the run found it | a copy that follows slowly |
| adapters, fresh | the base weights, with the adapters off: no copy | an adapter that follows slowly |
| adapters that were trained before | a second, frozen adapter | an adapter that follows slowly |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from referee.trainers.objective.options import ReferenceKind
from referee.trainers.policy.policy import Policy, frozen_copy, restore, update_average

ADAPTER = "reference"
_POLICY = "default"


class ReferencePolicy:
    """A policy as it was, or its slow average. ``model`` is the copy, None where adapters are switched."""

    def __init__(self, policy: Policy, *, kind: ReferenceKind = "frozen") -> None:
        self._policy, self.kind = policy, kind
        self.model: Any = None if policy.has_adapters else frozen_copy(policy.model)
        if policy.has_adapters and (kind == "average" or _trained(policy.model)):
            self._add_adapter()

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """Give the model whose outputs are the reference's for a while."""
        if self.model is not None:
            yield self.model
            return
        model = self._policy.model
        if self._has_own:
            with active_adapter(model, ADAPTER):
                yield model
            return
        kept = [(p, p.requires_grad) for p in model.parameters()]
        with model.disable_adapter():
            yield model
        for parameter, trains in kept:
            parameter.requires_grad_(trains)

    def follow(self, *, decay: float) -> None:
        """Move an average towards the policy; a frozen reference stays."""
        if self.kind == "frozen":
            return
        if self.model is not None:
            update_average(self.model, self._policy.model, decay=decay)
            return
        with torch.no_grad():
            for slow, fast in _pairs(self._policy.model):
                slow.lerp_(fast.to(slow.dtype), 1.0 - decay)

    def save(self, folder: Path) -> None:
        """Write an average; a frozen reference is the run's first checkpoint."""
        if self.kind == "frozen":
            return
        if self.model is not None:
            self.model.save_pretrained(folder)
        else:
            self._policy.model.save_pretrained(folder, selected_adapters=[ADAPTER])

    def restore(self, average: Path, first: Path) -> None:
        """Take an average's weights from where they were saved, a frozen one's from the first policy."""
        if self.model is not None:
            restore(self.model, average if self.kind == "average" else first)
            return
        from peft import load_peft_weights, set_peft_model_state_dict

        weights = load_peft_weights(str(average / ADAPTER if self.kind == "average" else first), device="cpu")
        if any("lora_B" in name and bool(value.any()) for name, value in weights.items()) or self._has_own:
            if not self._has_own:
                self._add_adapter()
            set_peft_model_state_dict(self._policy.model, weights, adapter_name=ADAPTER)

    @property
    def _has_own(self) -> bool:
        return ADAPTER in self._policy.model.peft_config

    def _add_adapter(self) -> None:
        model = self._policy.model
        kept = [(p, p.requires_grad) for p in model.parameters()]
        with torch.random.fork_rng(devices=[]):
            model.add_adapter(ADAPTER, model.peft_config[_POLICY])
        with torch.no_grad():
            for slow, fast in _pairs(model):
                slow.copy_(fast)
                slow.requires_grad = False
        for parameter, trains in kept:
            parameter.requires_grad_(trains)


@contextmanager
def active_adapter(model: Any, name: str) -> Iterator[None]:
    """Read with another adapter for a while; peft freezes those that are not active: that is undone."""
    kept = [(p, p.requires_grad) for p in model.parameters()]
    model.set_adapter(name)
    try:
        yield
    finally:
        model.set_adapter(_POLICY)
        for parameter, trains in kept:
            parameter.requires_grad_(trains)


def _trained(model: Any) -> bool:
    """Tell whether adapters say anything: fresh ones add B A with B = 0."""
    named = [(n, p) for n, p in model.named_parameters() if f".{_POLICY}." in n]
    ups = [p for n, p in named if "lora_B" in n or "lora_embedding_B" in n]
    return not ups or any(bool(p.detach().any()) for p in ups)


def _pairs(model: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return the reference adapter's parameters, each with the policy's."""
    named = dict(model.named_parameters())
    return [
        (p, named[n.replace(f".{ADAPTER}.", f".{_POLICY}.")]) for n, p in named.items() if f".{ADAPTER}." in n
    ]
