"""Atropos: a reward function, and the scored group of an environment's ``collect_trajectories``.

Atropos turns what a reward function raises into zeros for all, so an abstention must become a number
that you state there. In an environment of yours use :func:`atropos_scores` instead, which leaves out
the completions that have no reward, as Atropos itself does with rollouts that failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from referee.trainers.adapters.abstention import check_stand_in, number
from referee.trainers.adapters.outside_rows import completion_of, problem_from
from referee.trainers.adapters.scorer import Pair, Scorer
from referee.verifiers.extras import missing
from referee.verifiers.rubric import Rubric


def to_atropos(
    rubric: Rubric,
    *,
    on_abstention: float,
    weight: float = 1.0,
    name: str = "referee",
    deadline_s: float | None = None,
    workers: int = 1,
) -> Any:
    """Return ``rubric`` as an Atropos ``RewardFunction``.

    ``compute(completions, solution=...)`` takes one solution for all completions or a list with one
    for each, and ``prompt`` or ``prompts`` likewise.

    Raises:
        ValueError: where ``on_abstention`` is no number: Atropos scores what raises as 0.0 for all.
        ImportError: where atroposlib is not installed.
    """
    stand_in = check_stand_in("Atropos", on_abstention)
    try:
        from atroposlib.envs.reward_fns.reward_function import RewardFunction
    except ImportError as e:
        raise missing("to_atropos", "atroposlib", install="atroposlib") from e
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)

    class RefereeReward(RewardFunction):  # type: ignore[misc]
        """The rubric as a reward function."""

        def compute(self, completions: list[Any], **kwargs: Any) -> list[float]:
            """Return a number for each completion."""
            pairs = _pairs(completions, kwargs)
            return [number(r, stand_in) for r in scorer.score(pairs)]

    return RefereeReward(weight=weight, name=name)


def atropos_scores(
    scorer: Scorer, completions: Sequence[Any], *, prompt: Any = "", answer: Any = None, info: Any = None
) -> tuple[list[int], list[float]]:
    """Return which completions of a group have a reward, and those rewards.

    Build the group's ``ScoredDataGroup`` from the completions at these places only, and tell Atropos its
    size, ``"group_overrides": {"group_size": len(kept)}``: it drops a group of any other size than its
    configuration's. Return None in its place where nothing is kept.
    """
    problem = problem_from(prompt, answer, info)
    rewards = scorer.score([(_completion(c), problem) for c in completions])
    kept = [(i, r.total) for i, r in enumerate(rewards) if r.total is not None]
    return [i for i, _ in kept], [total for _, total in kept]


def _pairs(completions: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Pair]:
    count = len(completions)
    answers = _each(kwargs.get("solution", kwargs.get("answer")), count)
    prompts = _each(kwargs.get("prompts", kwargs.get("prompt", "")), count)
    return [
        (_completion(c), problem_from(p, a)) for c, p, a in zip(completions, prompts, answers, strict=True)
    ]


def _each(value: Any, count: int) -> list[Any]:
    if isinstance(value, list) and len(value) == count and not _is_chat(value):
        return value
    return [value] * count


def _is_chat(value: list[Any]) -> bool:
    return bool(value) and isinstance(value[0], Mapping) and "role" in value[0]


def _completion(value: Any) -> Any:
    return completion_of(value["message"] if isinstance(value, Mapping) and "message" in value else value)
