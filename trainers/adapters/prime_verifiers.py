"""PrimeIntellect ``verifiers``: a v1 reward function, and a rubric of the classic API.

v1 (0.4): ``rewards={"referee": {"fn": "my_package.rewards:reward"}}`` in a task's configuration, where
``reward = to_verifiers(rubric)``. A reward that raises leaves the trace's rewards at None with a
TaskError: that is what an abstention becomes.

Classic (0.1.x, and ``verifiers.legacy`` of 0.3): whatever a reward function raises is scored 0.0
there, so an abstention must become a number that you state, flagged by the metric ``abstained``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from referee.trainers.adapters.abstention import (
    OnAbstention,
    check_on_abstention,
    check_stand_in,
    flat,
    number,
)
from referee.trainers.adapters.outside_rows import completion_of, problem_from
from referee.trainers.adapters.scorer import Pair, Scorer
from referee.verifiers.extras import missing
from referee.verifiers.records import Reward
from referee.verifiers.rubric import Rubric

_STATE_KEY = "referee_reward"


def to_verifiers(
    rubric: Rubric,
    *,
    answer: str = "answer",
    on_abstention: OnAbstention = "raise",
    name: str = "referee",
    deadline_s: float | None = None,
    workers: int = 1,
) -> VerifiersReward:
    """Return ``rubric`` as a v1 reward function ``async (task, trace) -> float``.

    ``answer`` names the field of the task's data that holds the reference; every other field that
    JSON can hold is the problem's info. A trace that says ``is_truncated`` counts as truncated. The
    parts are recorded among the trace's metrics.

    Raises:
        ValueError: where the rubric needs siblings: v1 scores one trace a call.
    """
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    scorer.require_single("verifiers v1")
    choice = check_on_abstention(on_abstention)
    return VerifiersReward(scorer=scorer, answer=answer, on_abstention=choice, name=name)


@dataclass(frozen=True, kw_only=True)
class VerifiersReward:
    """A rubric as a v1 reward function."""

    scorer: Scorer
    answer: str
    on_abstention: OnAbstention
    name: str

    @property
    def __name__(self) -> str:
        return self.name

    async def __call__(self, task: Any, trace: Any) -> float:
        """Return the total for the trace's last reply."""
        data = task.model_dump(mode="json") if hasattr(task, "model_dump") else dict(vars(task))
        if self.answer not in data:
            raise ValueError(f"the task's data must have the field {self.answer!r}, it has {', '.join(data)}")
        info = {k: v for k, v in data.items() if k not in ("prompt", self.answer, "id")}
        problem = problem_from(data.get("prompt") or "", data[self.answer], info, data.get("id"))
        completion = completion_of(trace.last_reply, truncated=bool(trace.is_truncated))
        (reward,) = await self.scorer.ascore([(completion, problem)])
        trace.record_metrics({f"{self.name}/{k}": v for k, v in flat(reward).items()})
        return number(reward, self.on_abstention)


def to_verifiers_classic(
    rubric: Rubric,
    *,
    on_abstention: float,
    parser: Any = None,
    name: str = "referee",
    deadline_s: float | None = None,
    workers: int = 1,
) -> Any:
    """Return ``rubric`` as a classic ``Rubric``, for ``SingleTurnEnv(rubric=...)`` and the others.

    The reward has weight 1; each part and ``abstained`` are metrics of weight 0. A rubric with a group
    verifier becomes a group reward function.

    Raises:
        ValueError: where ``on_abstention`` is no number: what raises there is scored 0.0 in silence.
        ImportError: where no verifiers package with the classic API is installed.
    """
    stand_in = check_stand_in("classic verifiers", on_abstention)
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    kind = ClassicGroupReward if rubric.is_group else ClassicReward
    reward = kind(scorer=scorer, on_abstention=stand_in, name=name)
    keys = [*(f"part/{part}{flag}" for part in rubric.parts for flag in ("", "/abstained")), "abstained"]
    metrics = [ClassicMetric(key=key, name=f"{name}/{key}") for key in keys]
    classic = _classic_api()
    return classic.Rubric(
        funcs=[reward, *metrics],
        weights=[1.0] + [0.0] * len(metrics),
        **({"parser": parser} if parser is not None else {}),
    )


@dataclass(frozen=True, kw_only=True)
class ClassicReward:
    """A rubric as a classic reward function; the verdict stays in the rollout's state for the metrics."""

    scorer: Scorer
    on_abstention: float
    name: str

    @property
    def __name__(self) -> str:
        return self.name

    async def __call__(self, prompt: Any, completion: Any, answer: Any, info: Any, state: Any) -> float:
        """Return the total for one rollout."""
        pair = _classic_pair(prompt, completion, answer, info, state)
        (reward,) = await self.scorer.ascore([pair])
        return _kept(state, reward, self.on_abstention)


@dataclass(frozen=True, kw_only=True)
class ClassicGroupReward(ClassicReward):
    """The same for all rollouts of a group together."""

    async def __call__(  # type: ignore[override]
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        answers: Sequence[Any],
        infos: Sequence[Any],
        states: Sequence[Any],
    ) -> list[float]:
        """Return the total for each rollout."""
        rows = zip(prompts, completions, answers, infos, states, strict=True)
        rewards = await self.scorer.ascore([_classic_pair(*row) for row in rows])
        return [_kept(s, r, self.on_abstention) for s, r in zip(states, rewards, strict=True)]


@dataclass(frozen=True, kw_only=True)
class ClassicMetric:
    """A number of the verdict that the reward function left in the state."""

    key: str
    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, state: Any) -> float:
        """Return the number; what stands in for the reward also stands in for a part that abstains.

        Not NaN: the classic rubric adds every metric to the reward, times its weight 0.
        """
        return float(state[_STATE_KEY][self.key])


def _classic_pair(prompt: Any, completion: Any, answer: Any, info: Any, state: Any) -> Pair:
    truncated = bool(state.get("is_truncated", False)) if isinstance(state, Mapping) else False
    return completion_of(completion, truncated=truncated), problem_from(prompt, answer, info)


def _kept(state: Any, reward: Reward, on_abstention: float) -> float:
    state[_STATE_KEY] = flat(reward, missing=on_abstention)
    return number(reward, on_abstention)


def _classic_api() -> Any:
    """Return the module that holds the classic API: it moved, and then went."""
    for name in ("verifiers.legacy", "verifiers"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if hasattr(module, "Rubric"):
            return module
    raise missing(
        "to_verifiers_classic (to_verifiers is for verifiers.v1)",
        "a verifiers package with the classic API",
        install="'verifiers<0.4'",
    )
