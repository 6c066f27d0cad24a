"""The other way round: reward functions that people already have, as verifiers of ours.

What they return is the verdict's score, None an abstention; what they raise is an abstention with
the error in its detail, whatever the trainer they were written for made of it. Their range is
unbounded unless you state it: combinators that need scores from 0 to 1 ask for
``range=(0.0, 1.0)``, and a score outside the stated range is reported as the function's failure.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from referee.envs.prime_classic import called, reward_functions
from referee.envs.prime_tasks import score_task, trace_of
from referee.trainers.adapters.outside_rows import kept
from referee.verifiers.combine import Composable
from referee.verifiers.jsonl import to_dict
from referee.verifiers.protocol import Item, Range, as_verdict, failure
from referee.verifiers.records import Completion, Json, Message, Problem, Reason, Verdict
from referee.verifiers.scoring.loops import run_coroutine

UNBOUNDED: Range = (-math.inf, math.inf)


def from_trl(
    function: Callable[..., Any], *, answer: str = "answer", chat: bool = False, range: Range = UNBOUNDED
) -> FromTRL:
    """Return a TRL reward function as a verifier; it is called with whole batches.

    It gets ``prompts``, ``completions``, ``completion_ids``, the problem's answer in the column that
    ``answer`` names, and each entry of the problem's info as a column. ``chat`` passes messages in
    place of texts, as TRL does for conversational data. ``async`` functions are awaited.
    """
    return FromTRL(function=function, answer=answer, chat=chat, range=_range(range))


@dataclass(frozen=True, kw_only=True)
class FromTRL(Composable):
    """A TRL reward function as a verifier that scores batches."""

    function: Callable[..., Any]
    answer: str = "answer"
    chat: bool = False
    range: Range = UNBOUNDED

    @property
    def name(self) -> str:
        """The function's name."""
        return _name(self.function)

    def __call__(self, completion: Completion, problem: Problem) -> Verdict:
        """Return the verdict on one completion."""
        return self.verify_batch([Item(completion, problem)])[0]

    def verify_batch(self, items: Sequence[Item]) -> list[Verdict]:
        """Return the verdicts on many, from one call of the function."""
        names = {name for item in items for name in item.problem.info} - {self.answer}
        columns: dict[str, Any] = {name: [i.problem.info.get(name) for i in items] for name in names}
        columns[self.answer] = [i.problem.answer for i in items]
        values = _called(
            self.function,
            prompts=[self._prompt(i.problem) for i in items],
            completions=[self._completion(i.completion) for i in items],
            completion_ids=[list(i.completion.token_ids or ()) for i in items],
            **columns,
        )
        if len(values) != len(items):
            return [failure(f"{self.name} must return {len(items)} rewards, got {len(values)}")] * len(items)
        return [as_verdict(v, self) for v in values]

    def _prompt(self, problem: Problem) -> Any:
        return _prompt_messages(problem) if self.chat else problem.prompt_text

    def _completion(self, completion: Completion) -> Any:
        return _completion_messages(completion) if self.chat else completion.text


def from_verl(
    compute_score: Callable[..., Any], *, data_source: str = "", range: Range = UNBOUNDED
) -> FromVerl:
    """Return a verl ``compute_score`` as a verifier.

    The problem's answer is its ``ground_truth``, its info the ``extra_info``; ``data_source`` is the
    info's entry of that name where it has one. What the function returns beside ``score`` is kept in
    the verdict's detail. ``async`` functions are awaited.
    """
    return FromVerl(function=compute_score, data_source=data_source, range=_range(range))


@dataclass(frozen=True, kw_only=True)
class FromVerl(Composable):
    """A verl reward function as a verifier."""

    function: Callable[..., Any]
    data_source: str = ""
    range: Range = UNBOUNDED

    @property
    def name(self) -> str:
        """The function's name."""
        return _name(self.function)

    def __call__(self, completion: Completion, problem: Problem) -> Verdict:
        """Return the verdict on one completion."""
        value = _called(
            self.function,
            data_source=problem.info.get("data_source", self.data_source),
            solution_str=completion.text,
            ground_truth=problem.answer,
            extra_info=dict(problem.info),
        )
        if isinstance(value, Mapping):
            if "score" not in value:
                return failure(f"{self.name} must return a score, got the keys {', '.join(map(str, value))}")
            return _with_detail(as_verdict(value["score"], self), value)
        return as_verdict(value, self)


def from_verifiers(
    function: Callable[..., Any], *, parser: Any = None, range: Range = UNBOUNDED
) -> FromVerifiers | FromVerifiersV1:
    """Return a reward of PrimeIntellect ``verifiers``, classic or v1, as a verifier.

    Classic: a reward function, which gets by the names of its parameters any of ``prompt``,
    ``completion`` (messages), ``answer``, ``info``, ``state``, ``task``, ``parser`` and the entries of
    the problem's info; or a whole ``Rubric`` or group of them, whose every weighted function is called
    and the sum paid. What one raises is an abstention and not its 0.0. Group functions
    (``completions``, ``states`` ...) are not taken.

    v1: a reward function ``(task, trace)``, or a ``Task`` class, all of whose rewards and judges are
    paid by their weights. The task's data are the problem's prompt, answer, id and the entries of its
    info; the trace holds the completion's messages.

    Raises:
        ValueError: where a function scores groups.
    """
    if hasattr(function, "data_type") or "trace" in _parameters(function):
        return FromVerifiersV1(function=function, range=_range(range))
    rubric: Any = function if hasattr(function, "funcs") else _OneFunction(funcs=(function,), parser=parser)
    reward_functions(rubric)  # raises where one scores groups
    return FromVerifiers(rubric=rubric, parser=parser, range=_range(range))


@dataclass(frozen=True)
class _OneFunction:
    """A function in the shape of a classic rubric."""

    funcs: tuple[Callable[..., Any], ...]
    parser: Any = None
    weights: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, kw_only=True)
class FromVerifiers(Composable):
    """Classic reward functions as a verifier: the weighted sum of what they return."""

    rubric: Any
    parser: Any = None
    range: Range = UNBOUNDED

    @property
    def name(self) -> str:
        """The functions' names."""
        return "+".join(_name(f) for f, _, _ in reward_functions(self.rubric))

    def __call__(self, completion: Completion, problem: Problem) -> Verdict:
        """Return the verdict on one completion."""
        known: dict[str, Any] = {
            **problem.info,
            "prompt": _prompt_messages(problem),
            "completion": _completion_messages(completion),
            "answer": "" if problem.answer is None else problem.answer,
            "info": dict(problem.info),
            "task": problem.info.get("task", "default"),
        }
        known["state"] = {k: known[k] for k in ("prompt", "completion", "answer", "info", "task")}
        total, scores = 0.0, {}
        for function, weight, objects in reward_functions(self.rubric):
            given = {**objects, "parser": self.parser} if self.parser is not None else objects
            verdict = as_verdict(called(function, {**known, **given}), self)
            if verdict.score is None:
                return verdict
            scores[_name(function)] = verdict.score
            total += weight * verdict.score
        return _with_detail(as_verdict(total, self), scores if len(scores) > 1 else {})


@dataclass(frozen=True, kw_only=True)
class FromVerifiersV1(Composable):
    """A v1 reward function, or all rewards of a v1 task class, as a verifier."""

    function: Callable[..., Any]
    range: Range = UNBOUNDED

    @property
    def name(self) -> str:
        """The function's or the class's name."""
        return _name(self.function)

    def __call__(self, completion: Completion, problem: Problem) -> Verdict:
        """Return the verdict on one completion."""
        row: dict[str, Any] = {
            **problem.info,
            "prompt": problem.prompt,
            "answer": problem.answer,
            "id": problem.id or None,
        }
        if not isinstance(problem.prompt, str):
            row["prompt"] = _prompt_messages(problem)
        kind: Any = self.function
        is_task = hasattr(kind, "data_type")
        model = kind.data_type() if is_task else importlib.import_module("verifiers.v1").WireTaskData
        try:
            data = model.model_validate(row)
        except ValueError as e:  # pydantic's own is one
            return failure(e, Reason.BAD_REFERENCE)
        if is_task:
            return as_verdict(score_task(kind(data), completion), self)
        value = called(kind, {"task": data, "trace": trace_of(data, completion)})
        if isinstance(value, Mapping):
            return _with_detail(as_verdict(math.fsum(value.values()), self), value)
        return as_verdict(value, self)


def _called(function: Callable[..., Any], **arguments: Any) -> Any:
    """Call a function, and await it where that is what it wants."""
    value = function(**arguments)
    return run_coroutine(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Any) -> Any:
    return await value


def _prompt_messages(problem: Problem) -> list[dict[str, Any]]:
    prompt = problem.prompt
    return _messages((Message(role="user", content=prompt),) if isinstance(prompt, str) else prompt)


def _completion_messages(completion: Completion) -> list[dict[str, Any]]:
    return _messages(completion.messages or (Message(role="assistant", content=completion.text),))


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [{"content": "", **to_dict(m)} for m in messages]


def _with_detail(verdict: Verdict, detail: Mapping[str, Any]) -> Verdict:
    extra: dict[str, Json] = {k: v for k, v in kept(detail).items() if k != "score"}
    if not extra:
        return verdict
    return Verdict(
        score=verdict.score, reason=verdict.reason, answer=verdict.answer, detail={**extra, **verdict.detail}
    )


def _parameters(function: Any) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a rubric, which is not called
        return ()


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


def _range(range: Range) -> Range:
    low, high = float(range[0]), float(range[1])
    if not low <= high:
        raise ValueError(f"range must be (least, greatest), got {range}")
    return low, high
