"""What to do about rewards: built-in trainers, and adapters to other people's."""

from __future__ import annotations

import importlib
from typing import Any

if __name__ != "referee.trainers":
    raise ImportError("import referee.trainers, not trainers")

_HOME: dict[str, str] = {  # public name -> the module that holds it, imported when the name is first used
    "Abstained": "adapters.abstention",
    "AdaptiveKL": "kl",
    "Alarm": "monitors",
    "FixedKL": "kl",
    "PPOTrainer": "ppo",
    "Preset": "presets",
    "ServiceLimits": "adapters.service",
    "aggregate": "losses",
    "alarms": "monitors",
    "gae": "advantages",
    "group_advantages": "advantages",
    "kl_estimate": "kl",
    "loss_normaliser": "losses",
    "loss_weights": "losses",
    "policy_loss": "losses",
    "preset": "presets",
    "rloo_advantages": "advantages",
    "to_openrlhf": "adapters.openrlhf",
    "to_service": "adapters.service",
    "to_trl": "adapters.trl",
    "to_trl_environment": "adapters.trl",
    "to_verl": "adapters.verl",
    "token_logprobs": "logprobs",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOME)
