"""PrimeIntellect ``verifiers``' classic environments, single-turn, multi-turn and with tools, as episodes.

Needs ``pip install "verifiers<0.4"``. The environment's own rollout runs, in a thread, with a client
that asks our policy in place of a model's endpoint, so that its turns, tools and stop conditions are its
own. Its rubric's functions are called one by one: what one raises is an abstention here, where the
package scores it 0.0.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from referee.envs.episode import EpisodeLimits, Step
from referee.envs.live import LiveEpisode
from referee.envs.records import Stop
from referee.envs.stream import Stream
from referee.envs.tools import calls_in
from referee.verifiers.combine import Composable
from referee.verifiers.errors import UnreadableText
from referee.verifiers.protocol import Range, as_verdict, failure
from referee.verifiers.records import (
    Completion,
    Json,
    Message,
    Problem,
    Reason,
    Verdict,
    as_completion,
    plain,
)
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.loops import run_coroutine

GROUP = {"prompts", "completions", "answers", "states", "tasks", "infos"}
UNBOUNDED: Range = (-math.inf, math.inf)


@dataclass(frozen=True, kw_only=True)
class PrimeEnvironment(Composable):
    """A classic environment as a family of problems with one level, and their verifier.

    ``environment`` is what ``verifiers.load_environment(...)`` returns. ``problem(seed, index)`` goes
    through its data set in an order that ``seed`` names, again and again. Called as a verifier it plays
    the completion's assistant messages, its text where it has none; ``episode(problem)`` plays live.

    Raises:
        ValueError: where a function of its rubric scores groups.
    """

    environment: Any
    name: str = "prime"
    deadline_s: float = 60.0
    range: ClassVar[Range] = UNBOUNDED
    levels: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not self.deadline_s > 0.0:
            raise ValueError(f"deadline_s must be above 0, got {self.deadline_s}")
        reward_functions(self.environment.rubric)

    def problem(self, seed: int, index: int, level: int = 0) -> Problem:
        """Return problem ``index`` of stream ``seed``.

        Raises:
            ValueError: for another level than 0.
        """
        if level:
            raise ValueError(f"level must be 0 in {self.name}, got {level}")
        rows = self.environment.get_dataset()
        epoch, place = divmod(index, len(rows))
        place = Stream(f"{self.name}/{seed}/{epoch}").shuffled(range(len(rows)))[place]
        return self._problem(rows[place], f"{self.name}/0/{seed}/{index}")

    def problems(self, *, heldout: bool = False) -> list[Problem]:
        """Return the problems of the environment's training or evaluation data, in order."""
        rows = self.environment.get_eval_dataset() if heldout else self.environment.get_dataset()
        return [self._problem(row, f"{self.name}/{i}") for i, row in enumerate(rows)]

    def gold(self, problem: Problem) -> str:
        """Return the row's answer; empty where it has none."""
        return "" if problem.answer is None else str(problem.answer)

    def episode(
        self, problem: Problem, *, limits: EpisodeLimits | None = None, rubric: Rubric | None = None
    ) -> LiveEpisode:
        """Begin a live episode on a problem of this environment."""
        return LiveEpisode(PrimeSession(self, problem), limits=limits, rubric=rubric)

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Play a completion and return what the rubric's functions make of it."""
        if problem.info.get("family") != self.name or not isinstance(problem.info.get("row"), dict):
            return failure(f"info must hold a row of {self.name}", Reason.BAD_REFERENCE)
        session = PrimeSession(self, problem)
        try:
            for turn in _turns(as_completion(completion)):
                if session.step(turn).stop is not None:
                    break
            return session.verdict()
        except Exception as e:  # noqa: BLE001  # the environment's failure is no verdict on the completion
            return failure(e, Reason.UNAVAILABLE if isinstance(e, TimeoutError) else Reason.ERROR)
        finally:
            session.close()

    def _problem(self, row: Mapping[str, Any], id: str) -> Problem:
        kept: dict[str, Any] = {k: _dumped(v) for k, v in row.items()}
        return Problem(
            prompt=kept.get("prompt") or "",
            answer=kept.get("answer"),
            id=id,
            info={"family": self.name, "level": 0, "row": plain("row", kept)},
        )


class PrimeSession:
    """One rollout of a classic environment, in a thread of its own."""

    def __init__(self, env: PrimeEnvironment, problem: Problem) -> None:
        self._env, self._problem = env, problem
        self._said: queue.SimpleQueue[Completion | None] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._seen = 0
        self._state: Any = None
        self._error: Exception | None = None
        self._tools: list[dict[str, Json]] = []
        threading.Thread(target=self._run, name="referee-prime", daemon=True).start()
        self._next()

    @property
    def name(self) -> str:
        """The environment's name."""
        return self._env.name

    @property
    def problem(self) -> Problem:
        """The row that is asked."""
        return self._problem

    @property
    def schemas(self) -> list[dict[str, Json]]:
        """The environment's tools."""
        return self._tools

    def step(self, completion: Completion) -> Step:
        """Hand a completion to the environment and return what it says.

        Raises:
            TimeoutError: where it says nothing within the deadline.
            Exception: what the environment raised.
        """
        seen: tuple[Message, ...] = ()
        if not self._over:
            self._said.put(completion)
            seen = self._next()
        if self._error is not None:
            raise self._error
        return Step(observation=seen, stop=Stop.TERMINATED if self._over else None)

    def verdict(self) -> Verdict:
        """Return the weighted sum of the rubric's functions; a rollout that is still open ends first."""
        if not self._over:
            self.close()
            self._next()
        if self._error is not None:
            return failure(self._error)
        error = self._state.get("error")
        if error is not None and not isinstance(error.__cause__, _NothingLeft):
            return failure(error)
        return score_state(self._env.environment.rubric, self._state)

    @property
    def _over(self) -> bool:
        return self._state is not None or self._error is not None

    def close(self) -> None:
        """Tell the rollout that nothing more will be said."""
        self._said.put(None)

    def _next(self) -> tuple[Message, ...]:
        try:
            kind, value = self._asked.get(timeout=self._env.deadline_s)
        except queue.Empty:
            raise TimeoutError(f"{self.name} did not answer within {self._env.deadline_s:g} s") from None
        if kind == "failed":
            self._error = value
            return ()
        if kind == "ended":
            self._state = value
            return _observed(value.get("final_env_response") or ())
        new = value[self._seen + 1 :] if self._seen else ()
        self._seen = len(value)
        return _observed(new)

    def _run(self) -> None:
        try:
            row = {"example_id": 0, **_row(self._problem)}
            state = asyncio.run(self._env.environment.rollout(row, self._client(), "referee"))
            self._asked.put(("ended", state))
        except Exception as e:  # noqa: BLE001  # told to whoever plays
            self._asked.put(("failed", e))

    def _client(self) -> Any:
        """Return a client of theirs whose answers are ours."""
        package = _package(self._env.environment)
        types = importlib.import_module(f"{package}.types")
        errors = importlib.import_module(f"{package}.errors")
        base = importlib.import_module(f"{package}.clients").Client

        async def get_response(client: Any, prompt: Any, *args: Any, **more: Any) -> Any:
            self._tools = [_schema(t) for t in more.get("tools") or ()]
            self._asked.put(("asked", list(prompt)))
            completion = await asyncio.to_thread(self._said.get)
            if completion is None:
                raise errors.ModelError("no move is left") from _NothingLeft()
            return types.Response(
                id="referee", created=int(time.time()), model="referee", message=_message(types, completion)
            )

        made = type("Policy", (base,), {"get_response": get_response})
        made.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]  # what speaks to endpoints
        return made(None)


class _NothingLeft(UnreadableText, RuntimeError):
    """The completion has no more moves, and the environment asks for one."""


def reward_functions(rubric: Any) -> list[tuple[Callable[..., Any], float, Mapping[str, Any]]]:
    """Return the functions of a classic rubric, or of a group of rubrics, that are paid.

    Each comes with its weight and the objects of its rubric. Functions of weight 0 are metrics.

    Raises:
        ValueError: where a function scores groups.
    """
    found: list[tuple[Callable[..., Any], float, Mapping[str, Any]]] = []
    for one in _rubrics(rubric):
        for function, weight in zip(one.funcs, one.weights, strict=True):
            if plural := GROUP & set(inspect.signature(function).parameters):
                name = getattr(function, "__name__", type(function).__name__)
                raise ValueError(
                    f"function must score one rollout, got {name} with {', '.join(sorted(plural))}"
                )
            if weight:
                objects = {**getattr(one, "class_objects", {}), "parser": one.parser}
                found.append((function, float(weight), objects))
    return found


def _rubrics(rubric: Any) -> list[Any]:
    inner = getattr(rubric, "rubrics", None)
    return [rubric] if inner is None else [r for one in inner for r in _rubrics(one)]


def score_state(rubric: Any, state: Any) -> Verdict:
    """Return the weighted sum of a rubric's functions on a finished state; abstain where one raises."""
    row = dict(state.get("input") or {})
    known = {
        **{k: v for k, v in row.items() if isinstance(k, str)},
        "prompt": state["prompt"],
        "completion": state["completion"],
        "answer": state.get("answer", ""),
        "info": state.get("info", {}),
        "task": state.get("task"),
        "state": state,
    }
    total, scores = 0.0, {}
    for function, weight, objects in reward_functions(rubric):
        name = getattr(function, "__name__", type(function).__name__)
        try:
            verdict = as_verdict(called(function, {**known, **objects}), _Unbounded())
        except Exception as e:  # noqa: BLE001  # whatever a function raises is no verdict on the completion
            return failure(e)
        if verdict.score is None:
            return verdict
        scores[name] = verdict.score
        total += weight * verdict.score
    if not math.isfinite(total):
        return failure(f"the rewards must add up to a finite number, got {total}")
    return Verdict(score=total, detail=dict(scores) if len(scores) > 1 else {})


def called(function: Callable[..., Any], known: Mapping[str, Any]) -> Any:
    """Call a reward function with what it names, and await it where that is what it wants."""
    parameters = inspect.signature(function).parameters.values()
    everything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    value = function(
        **(known if everything else {p.name: known[p.name] for p in parameters if p.name in known})
    )
    return run_coroutine(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Any) -> Any:
    return await value


@dataclass(frozen=True)
class _Unbounded(Composable):
    range: ClassVar[Range] = UNBOUNDED


def _package(environment: Any) -> str:
    """Return the package that the classic API lives in: it moved."""
    homes = [c.__module__ for c in type(environment).__mro__]
    return "verifiers.legacy" if any(h.startswith("verifiers.legacy.") for h in homes) else "verifiers"


def _row(problem: Problem) -> dict[str, Any]:
    row = problem.info["row"]
    assert isinstance(row, dict)
    return dict(row)


def _turns(completion: Completion) -> Sequence[Completion]:
    if not completion.messages:
        return [completion]
    return [Completion(messages=(m,)) for m in completion.messages if m.role == "assistant"]


def _message(types: Any, completion: Completion) -> Any:
    calls = [
        types.ToolCall(id=call.id or f"call-{i}", name=call.name, arguments=json.dumps(call.arguments))
        for i, call in enumerate(calls_in(completion))
        if not call.malformed
    ]
    return types.ResponseMessage(
        content=completion.text,
        tool_calls=calls or None,
        finish_reason="length" if completion.truncated else "tool_calls" if calls else "stop",
        is_truncated=completion.truncated,
    )


def _observed(messages: Any) -> tuple[Message, ...]:
    if isinstance(messages, str):
        return (Message(role="user", content=messages),)
    out = []
    for message in messages:
        data = _dumped(message)
        text = data.get("content")
        said = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
        name = str(data.get("tool_call_id") or "")
        out.append(Message(role=str(data.get("role", "user")), content=said, tool_call_id=name))
    return tuple(out)


def _schema(tool: Any) -> dict[str, Json]:
    data = _dumped(tool)
    about: dict[str, Json] = {k: data.get(k) for k in ("name", "description", "parameters")}
    return {"type": "function", "function": about}


def _dumped(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return _dumped(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {str(k): _dumped(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_dumped(v) for v in value]
    return value
