"""Where problems and rollouts come from."""

from __future__ import annotations

import importlib
from typing import Any

if __name__ != "referee.envs":
    raise ImportError("import referee.envs, not envs")

_HOME: dict[str, str] = {  # public name -> the module that holds it, imported when the name is first used
    "Cell": "curriculum",
    "Curriculum": "curriculum",
    "CurriculumState": "curriculum",
    "Episode": "episode",
    "EpisodeLimits": "episode",
    "FAMILIES": "families",
    "Family": "procedural",
    "FamilySource": "mixture",
    "Game": "game",
    "Group": "records",
    "LiveEpisode": "live",
    "Mixture": "mixture",
    "OpenEnv": "openenv_client",
    "Part": "mixture",
    "PrimeEnvironment": "prime_classic",
    "PrimeTaskset": "prime_tasks",
    "ReasoningGym": "reasoning_gym_adapter",
    "Rollout": "records",
    "Session": "live",
    "Stop": "records",
    "TextEnv": "text_env",
    "Tool": "tools",
    "Tokens": "rollout",
    "Turn": "records",
    "check_env": "laws",
    "dialogue_for": "dialogue",
    "family": "families",
    "held_out": "mixture",
    "lint": "loaders",
    "load": "loaders",
    "load_rows": "loaders",
    "make_env": "text_env",
    "make_vec": "text_env",
    "roll_out": "rollout",
    "split": "mixture",
    "tokens_of": "rollout",
    "turn_returns": "rollout",
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
