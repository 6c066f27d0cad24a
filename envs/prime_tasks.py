"""PrimeIntellect ``verifiers`` v1: tasks as problems, and their own scoring as a verifier.

Needs ``pip install verifiers`` (0.4 or newer). A task's rewards are called as the package calls them, on
a trace that holds the completion. Rewards that need a runtime of theirs (a container, a harness) cannot
be had from a completion alone: the verdict then abstains, as it does where a reward raises.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from referee.envs.stream import Stream
from referee.verifiers.combine import Composable
from referee.verifiers.protocol import Range, failure
from referee.verifiers.records import Completion, Json, Message, Problem, Reason, Verdict, as_completion
from referee.verifiers.scoring.loops import run_coroutine

UNBOUNDED: Range = (-math.inf, math.inf)


@dataclass(frozen=True, kw_only=True)
class PrimeTaskset(Composable):
    """A v1 taskset as a family of problems with one level, and their verifier.

    ``problem(seed, index)`` goes through a finite taskset in an order that ``seed`` names, again and
    again; an endless one is read from its beginning, whatever the seed. The problem's ``info["data"]``
    is the task's data.
    """

    taskset: Any
    name: str = "prime"
    range: ClassVar[Range] = UNBOUNDED
    levels: ClassVar[int] = 1
    _tasks: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)
    _source: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    def problem(self, seed: int, index: int, level: int = 0) -> Problem:
        """Return problem ``index`` of stream ``seed``.

        Raises:
            ValueError: for another level than 0, and for a taskset without tasks.
        """
        if level:
            raise ValueError(f"level must be 0 in {self.name}, got {level}")
        place = index
        if self.taskset.bounded:
            count = self._read(None)
            if not count:
                raise ValueError(f"taskset must have at least one task, got none in {self.name}")
            epoch, place = divmod(index, count)
            place = Stream(f"{self.name}/{seed}/{epoch}").shuffled(range(count))[place]
        else:
            self._read(place + 1)
        return self._problem(self._tasks[place], f"{self.name}/0/{seed}/{index}")

    def problems(self) -> list[Problem]:
        """Return all problems of a finite taskset, in its own order.

        Raises:
            ValueError: for an endless one.
        """
        if not self.taskset.bounded:
            raise ValueError("taskset must be finite to list its problems: use problem(seed, index)")
        self._read(None)
        return [self._problem(t, t.data.id or f"{self.name}/{i}") for i, t in enumerate(self._tasks)]

    def gold(self, problem: Problem) -> str:
        """Return the task's answer; empty where its data has none."""
        return "" if problem.answer is None else str(problem.answer)

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return what the task's own rewards make of a completion."""
        data = problem.info.get("data")
        if not isinstance(data, dict) or problem.info.get("family") != self.name:
            return failure(f"info must hold the data of a task of {self.name}", Reason.BAD_REFERENCE)
        self._read(1)
        task = self._tasks[0].with_data()
        try:
            task.data = type(task.data).model_validate(data)
        except ValueError as e:
            return failure(e, Reason.BAD_REFERENCE)
        return score_task(task, as_completion(completion))

    def _read(self, count: int | None) -> int:
        if not self._source:
            self._source.append(iter(self.taskset))
        while count is None or len(self._tasks) < count:
            task = next(self._source[0], None)
            if task is None:
                break
            self._tasks.append(task)
        return len(self._tasks)

    def _problem(self, task: Any, id: str) -> Problem:
        data = task.data.model_dump(mode="json")
        return Problem(
            prompt=prompt_of(data),
            answer=data.get("answer"),
            id=id,
            info={"family": self.name, "level": 0, "data": data},
        )


def prompt_of(data: Mapping[str, Any]) -> Any:
    """Return a task's prompt, with its system prompt in front where it has one."""
    prompt, system = data.get("prompt") or "", data.get("system_prompt")
    if not system:
        return prompt
    rest = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return [{"role": "system", "content": system}, *rest]


def score_task(task: Any, completion: Completion) -> Verdict:
    """Return the weighted sum of a task's rewards; abstain where one raises or was not computed."""
    trace = trace_of(task.data, completion, type(task).__name__)
    wanted = [fn.__name__ for fn in task.hooks("reward")] + [j.reward_name for j in task.plugged_judges()]
    if not wanted:
        return failure(f"{type(task).__name__} has no reward", Reason.UNAVAILABLE)
    try:
        run_coroutine(task.score(trace))
    except Exception as e:  # noqa: BLE001  # whatever a reward raises is no verdict on the completion
        return failure(e.__cause__ or e, Reason.ERROR)
    skipped = [n for n in wanted if n not in trace.rewards] if not trace.rewards else []
    unscored = [n for n, r in trace.rewards.items() if r is None] + skipped + _needs_runtime(task)
    if unscored:
        return failure(f"no runtime for the rewards {', '.join(sorted(set(unscored)))}", Reason.UNAVAILABLE)
    detail: dict[str, Json] = {name: float(r.score) for name, r in trace.rewards.items()}
    return verdict_of(float(trace.reward), detail)


def verdict_of(total: float, detail: dict[str, Json]) -> Verdict:
    """Return a sum of rewards as a verdict; one that is no finite number is the rewards' failure."""
    if not math.isfinite(total):
        return failure(f"the rewards must add up to a finite number, got {total}")
    return Verdict(score=total, detail=detail if len(detail) > 1 else {})


def trace_of(data: Any, completion: Completion, kind: str = "Task") -> Any:
    """Return a completed v1 trace that holds the prompt and the completion's messages."""
    module = importlib.import_module("verifiers.v1.trace")
    node = importlib.import_module("verifiers.v1.graph").MessageNode
    prompt = prompt_of(data.model_dump(mode="json"))
    asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    said = completion.messages or (Message(role="assistant", content=completion.text),)
    nodes: list[Any] = []
    for message, sampled in [
        *((m, False) for m in asked),
        *((_plain(m), m.role == "assistant") for m in said),
    ]:
        parent = len(nodes) - 1 if nodes else None
        nodes.append(node(parent=parent, message=message, sampled=sampled))
    return module.Trace(
        task=module.TraceTask(type=kind, data=data),
        agent=module.AgentInfo.model_construct(),
        nodes=nodes,
        root_reply=completion.text,
        is_completed=True,
        ok=True,
        stop_condition="max_output_tokens" if completion.truncated else None,
    )


def _plain(message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "tool":
        out["tool_call_id"] = message.tool_call_id
    return out


def _needs_runtime(task: Any) -> list[str]:
    """Return the rewards that the package leaves out where there is no runtime."""

    def needs(function: Callable[..., Any]) -> bool:
        parameter = inspect.signature(function).parameters.get("runtime")
        return parameter is not None and parameter.default is parameter.empty

    judges = [(j.reward_name, j.score) for j in task.plugged_judges()]
    return [n for n, f in [*((f.__name__, f) for f in task.hooks("reward")), *judges] if needs(f)]
