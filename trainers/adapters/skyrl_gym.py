"""SkyRL-gym: a single-turn text environment.

SkyRL needs a number: what an abstention becomes is the ``on_abstention`` that you state, and the step's
metadata and the environment's metrics carry ``abstained``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from referee.trainers.adapters.abstention import OnAbstention, check_on_abstention, flat, number, why
from referee.trainers.adapters.outside_rows import completion_of, problem_from
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.extras import missing
from referee.verifiers.rubric import Rubric


def to_skyrl_gym(
    rubric: Rubric, *, on_abstention: OnAbstention, deadline_s: float | None = None, workers: int = 1
) -> SkyRLEntryPoint:
    """Return ``rubric`` as an entry point: ``skyrl_gym.register("referee", entry_point=...)``.

    The answer is the row's ``reward_spec["ground_truth"]``, its ``extra_info`` the problem's info.

    Raises:
        ValueError: where the rubric needs siblings: an environment knows only its own episode.
    """
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    scorer.require_single("SkyRL-gym")
    return SkyRLEntryPoint(scorer=scorer, on_abstention=check_on_abstention(on_abstention))


@dataclass(frozen=True, kw_only=True)
class SkyRLEntryPoint:
    """Makes an environment for each rollout. Picklable where its rubric is."""

    scorer: Scorer
    on_abstention: OnAbstention

    @property
    def __name__(self) -> str:
        return "RefereeEnv"

    def __call__(self, env_config: Any = None, extras: Mapping[str, Any] | None = None) -> Any:
        """Return the environment of one row.

        Raises:
            ValueError: where the row has no ``reward_spec`` with a ``ground_truth``.
            ImportError: where skyrl_gym is not installed.
        """
        try:
            from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput
        except ImportError as e:
            raise missing("to_skyrl_gym", "skyrl_gym", install="skyrl-gym") from e
        row = dict(extras or {})
        if "ground_truth" not in (row.get("reward_spec") or {}):
            raise ValueError(
                f"extras must hold reward_spec with ground_truth, got {', '.join(row) or 'nothing'}"
            )
        entry = self

        class RefereeEnv(BaseTextEnv):  # type: ignore[misc]
            """One question, one completion, one reward."""

            def __init__(self) -> None:
                super().__init__()
                self.prompt: Any = ""
                self.metrics: dict[str, float] = {}

            def init(self, prompt: Any) -> tuple[Any, dict[str, Any]]:
                self.prompt = prompt
                return prompt, {}

            def step(self, action: str) -> Any:
                problem = problem_from(self.prompt, row["reward_spec"]["ground_truth"], row.get("extra_info"))
                (reward,) = entry.scorer.score([(completion_of(action), problem)])
                self.metrics = flat(reward)
                return BaseTextEnvStepOutput(
                    observations=[],
                    reward=number(reward, entry.on_abstention),
                    done=True,
                    metadata={**self.metrics, "why": why(reward) if reward.abstains else ""},
                )

            def get_metrics(self) -> dict[str, Any]:
                return self.metrics

        return RefereeEnv()
