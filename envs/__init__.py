"""Where problems and rollouts come from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if __name__ != "referee.envs":
    raise ImportError("import referee.envs, not envs")

if TYPE_CHECKING:  # for readers of types; a test holds it equal to the table below
    from referee.envs.curriculum import Cell as Cell
    from referee.envs.curriculum import Curriculum as Curriculum
    from referee.envs.curriculum import CurriculumState as CurriculumState
    from referee.envs.dialogue import dialogue_for as dialogue_for
    from referee.envs.episode import Episode as Episode
    from referee.envs.episode import EpisodeLimits as EpisodeLimits
    from referee.envs.families import FAMILIES as FAMILIES
    from referee.envs.families import family as family
    from referee.envs.game import Game as Game
    from referee.envs.laws import check_env as check_env
    from referee.envs.live import LiveEpisode as LiveEpisode
    from referee.envs.live import Session as Session
    from referee.envs.loaders import lint as lint
    from referee.envs.loaders import load as load
    from referee.envs.loaders import load_rows as load_rows
    from referee.envs.mixture import FamilySource as FamilySource
    from referee.envs.mixture import Mixture as Mixture
    from referee.envs.mixture import Part as Part
    from referee.envs.mixture import held_out as held_out
    from referee.envs.mixture import split as split
    from referee.envs.openenv_client import OpenEnv as OpenEnv
    from referee.envs.prime_classic import PrimeEnvironment as PrimeEnvironment
    from referee.envs.prime_tasks import PrimeTaskset as PrimeTaskset
    from referee.envs.procedural import Family as Family
    from referee.envs.reasoning_gym_adapter import ReasoningGym as ReasoningGym
    from referee.envs.records import Group as Group
    from referee.envs.records import Rollout as Rollout
    from referee.envs.records import Stop as Stop
    from referee.envs.records import Turn as Turn
    from referee.envs.rollout import Tokens as Tokens
    from referee.envs.rollout import roll_out as roll_out
    from referee.envs.rollout import tokens_of as tokens_of
    from referee.envs.rollout import turn_returns as turn_returns
    from referee.envs.text_env import TextEnv as TextEnv
    from referee.envs.text_env import make_env as make_env
    from referee.envs.text_env import make_vec as make_vec
    from referee.envs.tools import Tool as Tool

_HOME = {  # public name -> the module that holds it, imported when the name is first used
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
    "Tokens": "rollout",
    "Tool": "tools",
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

if not TYPE_CHECKING:  # a module with this function would have every name there is, and all of no type

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(_HOME)
