"""tinker-cookbook: a group of single-turn environments that a rubric pays together.

tinker's rewards are floats: what an abstention becomes is the ``on_abstention`` that you state, and the
metric ``abstained`` flags it. The rewards come from ``compute_group_rewards``, so that group verifiers
see all siblings.
"""

from __future__ import annotations

from typing import Any

from referee.trainers.adapters.abstention import OnAbstention, check_on_abstention, flat, number
from referee.trainers.adapters.outside_rows import completion_of
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.extras import missing
from referee.verifiers.jsonl import to_dict
from referee.verifiers.records import Problem
from referee.verifiers.rubric import Rubric


def to_tinker(
    rubric: Rubric,
    problem: Problem,
    *,
    renderer: Any,
    group_size: int,
    on_abstention: OnAbstention,
    deadline_s: float | None = None,
    workers: int = 1,
) -> Any:
    """Return an ``EnvGroupBuilder`` of ``group_size`` environments for ``problem``.

    ``renderer`` is tinker-cookbook's, which turns messages into tokens and tokens into a message.

    Raises:
        ImportError: where tinker_cookbook is not installed.
    """
    try:
        import tinker as api
        from tinker_cookbook.rl.types import Env, EnvGroupBuilder, StepResult
    except ImportError as e:
        raise missing("to_tinker", "tinker_cookbook", install="tinker-cookbook") from e
    if group_size < 1:
        raise ValueError(f"group_size must be at least 1, got {group_size}")
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    choice = check_on_abstention(on_abstention)

    class RefereeEnv(Env):  # type: ignore[misc]
        """Asks the problem and keeps what was answered."""

        def __init__(self) -> None:
            self.text = ""
            self.truncated = False

        async def initial_observation(self) -> Any:
            prompt = problem.prompt
            messages = (
                [{"role": "user", "content": prompt}]
                if isinstance(prompt, str)
                else [dict(to_dict(m)) for m in prompt]
            )
            return renderer.build_generation_prompt(messages), renderer.get_stop_sequences()

        async def step(self, action: list[int], *, extra: Any = None) -> Any:
            message, ended = renderer.parse_response(action)
            content = message["content"]
            self.text = content if isinstance(content, str) else completion_of([message]).text
            self.truncated = not (ended if isinstance(ended, bool) else ended.is_clean)
            return StepResult(
                reward=0.0,  # the group's reward is paid below, for all siblings together
                episode_done=True,
                next_observation=api.ModelInput.empty(),
                next_stop_condition=renderer.get_stop_sequences(),
            )

    class RefereeGroup(EnvGroupBuilder):  # type: ignore[misc]
        """The siblings of one problem."""

        async def make_envs(self) -> list[Any]:
            return [RefereeEnv() for _ in range(group_size)]

        async def compute_group_rewards(self, trajectory_group: list[Any], env_group: Any) -> Any:
            pairs = [(completion_of(e.text, truncated=e.truncated), problem) for e in env_group]
            rewards = await scorer.ascore(pairs)
            return [(number(r, choice), flat(r)) for r in rewards]

        def logging_tags(self) -> list[str]:
            return ["referee"]

    return RefereeGroup()
