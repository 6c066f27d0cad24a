"""referee: rewards and verifiers for language models, the same in every trainer.

The public names live in the subpackages; the ones that nearly everyone needs are here too. Nothing
heavy is imported before it is used: ``import referee`` loads no torch, no sympy and no numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for readers of types; a test holds it equal to the tables below
    from referee import envs as envs
    from referee import sandbox as sandbox
    from referee import trainers as trainers
    from referee import verifiers as verifiers
    from referee.commands.score import show_summary as show_summary
    from referee.envs.records import Group as Group
    from referee.envs.records import Rollout as Rollout
    from referee.report.scored import scored_report as scored_report
    from referee.report.sentences import explain_reward as explain_reward
    from referee.report.training import write_training_report as write_training_report
    from referee.verifiers.protocol import verifier as verifier
    from referee.verifiers.records import Completion as Completion
    from referee.verifiers.records import Message as Message
    from referee.verifiers.records import Problem as Problem
    from referee.verifiers.records import Reason as Reason
    from referee.verifiers.records import Reward as Reward
    from referee.verifiers.records import Verdict as Verdict
    from referee.verifiers.rubric import Rubric as Rubric

__version__ = "0.1.0"

_HOME = {  # public name -> the module that holds it, imported when the name is first used
    "Completion": "verifiers.records",
    "Group": "envs.records",
    "Message": "verifiers.records",
    "Problem": "verifiers.records",
    "Reason": "verifiers.records",
    "Reward": "verifiers.records",
    "Rollout": "envs.records",
    "Rubric": "verifiers.rubric",
    "Verdict": "verifiers.records",
    "explain_reward": "report.sentences",
    "scored_report": "report.scored",
    "show_summary": "commands.score",
    "verifier": "verifiers.protocol",
    "write_training_report": "report.training",
}
_SUBPACKAGES = ("envs", "sandbox", "trainers", "verifiers")

__all__ = ["__version__", *_HOME, *_SUBPACKAGES]

if not TYPE_CHECKING:  # a module with this function would have every name there is, and all of no type

    def __getattr__(name: str) -> object:
        if name in _SUBPACKAGES:
            return importlib.import_module(f"referee.{name}")
        if name not in _HOME:
            raise AttributeError(f"module 'referee' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"referee.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
