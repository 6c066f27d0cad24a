"""OpenEnv: a rubric of its own kind, called with an action and an observation.

OpenEnv's reward may be None, which is what an abstention becomes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from referee.trainers.adapters.abstention import verdicts
from referee.trainers.adapters.outside_rows import completion_of, problem_from
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.extras import missing
from referee.verifiers.records import Problem, Verdict
from referee.verifiers.rubric import Rubric


def to_openenv(
    rubric: Rubric,
    *,
    completion: str = "message",
    problem: Callable[[Any], Problem] | None = None,
    deadline_s: float | None = None,
    workers: int = 1,
) -> Any:
    """Return ``rubric`` as an OpenEnv ``Rubric``, for ``Environment(rubric=...)``.

    ``completion`` names the action's field that holds the text; ``problem`` reads the problem from the
    observation, by default from its metadata's ``prompt``, ``answer`` and ``info``. The parts of the
    last verdict are in the rubric's ``last_parts``.

    Raises:
        ValueError: where the rubric needs siblings: OpenEnv scores one action a call.
        ImportError: where openenv is not installed.
    """
    try:
        from openenv.core.rubrics import Rubric as OpenEnvRubric
    except ImportError as e:
        raise missing("to_openenv", "openenv", install="openenv") from e
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    scorer.require_single("OpenEnv")
    read: Callable[[Any], Problem | Verdict] = problem or problem_of_observation

    class RefereeRubric(OpenEnvRubric):  # type: ignore[misc]
        """The rubric, as OpenEnv calls it."""

        def __init__(self) -> None:
            super().__init__()
            self.last_parts: dict[str, Any] = {}

        def forward(self, action: Any, observation: Any) -> float | None:
            """Return the total, None where the rubric abstains."""
            text = getattr(action, completion)
            (reward,) = scorer.score([(completion_of(text), read(observation))])
            self.last_parts = verdicts(reward)
            return reward.total

    return RefereeRubric()


def problem_of_observation(observation: Any) -> Problem | Verdict:
    """Return the problem that an observation's metadata describes."""
    metadata = getattr(observation, "metadata", None) or {}
    return problem_from(metadata.get("prompt", ""), metadata.get("answer"), metadata.get("info"))
