"""referee: rewards and verifiers for language models, the same in every trainer.

The public names live in the subpackages; the ones that nearly everyone needs are here too. Nothing
heavy is imported before it is used: ``import referee`` loads no torch, no sympy and no numpy.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {  # public name -> the subpackage that holds it, imported when the name is first used
    "Completion": "verifiers",
    "Group": "envs",
    "Message": "verifiers",
    "Problem": "verifiers",
    "Reason": "verifiers",
    "Reward": "verifiers",
    "Rollout": "envs",
    "Rubric": "verifiers",
    "Verdict": "verifiers",
    "verifier": "verifiers",
}
_SUBPACKAGES = ("envs", "sandbox", "trainers", "verifiers")

__all__ = ["__version__", *_HOME, *_SUBPACKAGES]


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"referee.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'referee' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"referee.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
