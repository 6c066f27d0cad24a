"""Modules by the paths that they had before they were put into rooms: imports of them still work.

``import referee.trainers.losses`` gives :mod:`referee.trainers.objective.losses`, the same module.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_PACKAGE = "referee.trainers."
_ROOMS = {
    "objective": "advantages losses kl importance credit logprobs step_rewards presets options shapes",
    "policy": "sampling batch",
    "record": "run_record metrics monitors headline",
    "loop": "grpo ppo critic sft rollouts problem_source heldout error_watch run_options shuffling",
    "reward_models": "reward_training reward_loss process_model process_data outcome_data frozen_heads "
    "preferences preference_eval reward_bench",
    "recipes": "recipe recipe_run recipe_problems",
}
_NOW = {
    f"{_PACKAGE}{name}": f"{_PACKAGE}{room}.{name}"
    for room, names in _ROOMS.items()
    for name in names.split()
}


class EarlierPaths(MetaPathFinder, Loader):
    """Finds a module by its earlier path: it is the one that stands in a room now."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module of an earlier path is; None for every other name."""
        return importlib.util.spec_from_loader(fullname, self) if fullname in _NOW else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module itself."""
        module = importlib.import_module(_NOW[spec.name])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing but say again what the module is: it has been run."""
        spec = module.__spec__
        if spec is not None:
            module.__spec__ = spec.loader_state


def install() -> None:
    """Have imports find them, behind all that exists."""
    if not any(isinstance(finder, EarlierPaths) for finder in sys.meta_path):
        sys.meta_path.append(EarlierPaths())
