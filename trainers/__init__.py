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
    "GroupTrainer": "grpo",
    "HeldOut": "heldout",
    "LoRA": "policy",
    "PPOTrainer": "ppo",
    "Policy": "policy",
    "Preset": "presets",
    "Recipe": "recipe",
    "Run": "run",
    "SFT": "sft",
    "Sampling": "sampling",
    "Scorer": "adapters.scorer",
    "ServiceLimits": "adapters.service",
    "Tiny": "policy",
    "Training": "training",
    "aggregate": "losses",
    "alarms": "monitors",
    "atropos_scores": "adapters.atropos",
    "carry_out": "start",
    "fine_tune": "sft",
    "from_trl": "adapters.wrap",
    "from_verifiers": "adapters.wrap",
    "from_verl": "adapters.wrap",
    "gae": "advantages",
    "group_advantages": "advantages",
    "kl_estimate": "kl",
    "load_policy": "policy",
    "load_recipe": "recipe",
    "loss_normaliser": "losses",
    "loss_weights": "losses",
    "measure": "heldout",
    "policy_loss": "losses",
    "preset": "presets",
    "rloo_advantages": "advantages",
    "sample": "sampling",
    "tiny_policy": "policy",
    "to_atropos": "adapters.atropos",
    "to_evaluate": "adapters.hf_evaluate",
    "to_gem": "adapters.gym",
    "to_gymnasium": "adapters.gym",
    "to_inspect": "adapters.inspect_ai",
    "to_lm_eval": "adapters.lm_eval",
    "to_lm_eval_filter": "adapters.lm_eval",
    "to_ms_swift": "adapters.ms_swift",
    "to_nemo_gym": "adapters.nemo_gym",
    "to_openenv": "adapters.openenv",
    "to_openrlhf": "adapters.openrlhf",
    "to_ray_data": "adapters.ray_data",
    "to_service": "adapters.service",
    "to_skyrl_gym": "adapters.skyrl_gym",
    "to_tinker": "adapters.tinker",
    "to_trl": "adapters.trl",
    "to_trl_environment": "adapters.trl",
    "to_trl_episodes": "adapters.trl_episodes",
    "to_trl_rollouts": "adapters.trl_rollouts",
    "to_verifiers": "adapters.prime_verifiers",
    "to_verifiers_classic": "adapters.prime_verifiers",
    "to_verl": "adapters.verl",
    "token_logprobs": "logprobs",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    except ModuleNotFoundError as e:
        from referee.verifiers.extras import missing_in

        if (why := missing_in(e, name)) is not None:
            raise why from e
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOME)
