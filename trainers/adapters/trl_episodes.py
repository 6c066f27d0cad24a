"""TRL: our games and tool environments as its ``environment_factory``, one episode a rollout.

Every tool of an environment becomes a method that the model can call; a game's moves go through the
tool ``move``, other answers through the tool ``submit`` or, with ``answer="text"``, through the
model's last message. A rollout is paid its episode's final reward and all its turns' own rewards;
it is None, which TRL leaves out, where the episode abstains.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from referee.envs.episode import Episode, EpisodeLimits
from referee.envs.game import Game
from referee.envs.procedural import Family
from referee.envs.records import Rollout, Stop
from referee.envs.tools import Tool
from referee.trainers.adapters.outside_rows import completion_of
from referee.trainers.adapters.trl_log import log_rollouts
from referee.verifiers.jsonl import dumps, loads
from referee.verifiers.records import Completion, Json, Message, Problem, ToolCall
from referee.verifiers.rubric import Rubric

TAKEN = ("reset", "get_reward")  # what TRL itself calls on an environment
Answer = Literal["submit", "text"]


def to_trl_episodes(
    family: Family,
    *,
    rubric: Rubric | None = None,
    tools: Sequence[Tool] | None = None,
    limits: EpisodeLimits | None = None,
    answer: Answer = "submit",
    eos_token_ids: int | Sequence[int] = (),
) -> TRLEpisodes:
    """Return ``family`` as a factory for ``GRPOTrainer(environment_factory=...)``.

    ``rows(count)`` makes the data set: prompts, each with its problem, so that the siblings of a group
    play the same one. With ``answer="submit"`` the environment owns its reward and ``reward_funcs`` can
    be left out: what is neither submitted nor won scores 0, since TRL does not tell an environment
    whether the model gave up or was cut off. With ``answer="text"`` the model's last message is the
    answer and ``reward_funcs`` must hold the factory's ``reward``; given the tokenizer's
    ``eos_token_ids``, a last message without its end counts as truncated. Each call of a tool is a
    turn. ``rubric``, ``tools`` and ``limits`` are those of :class:`referee.envs.episode.Episode`.

    Raises:
        ValueError: where a tool has a name that TRL or the environment needs, where a game is to be
            answered by text, or where the rubric needs siblings.
    """
    offered = tuple(getattr(family, "tools", ()) if tools is None else tools)
    ids = (eos_token_ids,) if isinstance(eos_token_ids, int) else tuple(eos_token_ids)
    return TRLEpisodes(
        family=family, rubric=rubric, tools=offered, limits=limits, answer=answer, eos_token_ids=ids
    )


@dataclass(frozen=True, kw_only=True)
class TRLEpisodes:
    """Makes one environment for each rollout. Picklable where its parts are."""

    family: Family
    rubric: Rubric | None = None
    tools: tuple[Tool, ...] = ()
    limits: EpisodeLimits | None = None
    answer: Answer = "submit"
    eos_token_ids: tuple[int, ...] = ()
    _made: list[type] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.answer not in ("submit", "text"):
            raise ValueError(f"answer must be submit or text, got {self.answer!r}")
        if self.answer == "text" and isinstance(self.family, Game):
            raise ValueError(f"answer must be submit for the game {self.family.name}, got 'text'")
        if self.rubric is not None and self.rubric.is_group:
            raise ValueError("rubric must judge completions one by one: an environment knows only its own")
        taken = {*TAKEN, "move" if isinstance(self.family, Game) else "submit"}
        for tool in self.tools:
            if tool.name in taken or tool.name.startswith("_") or not tool.name.isidentifier():
                raise ValueError(f"tools must have names that TRL can call, got {tool.name!r}")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": []}

    @property
    def __name__(self) -> str:
        return self.family.name

    def __call__(self) -> TRLEpisode:
        """Return a new environment. All are of one class, by which TRL tells their rewards apart."""
        if not self._made:
            self._made.append(_class_of(self))
        made: TRLEpisode = self._made[0](self)
        return made

    def rows(self, count: int, *, seed: int = 0, level: int = 0, start: int = 0) -> list[dict[str, Any]]:
        """Return ``count`` rows for ``Dataset.from_list``: ``prompt``, ``problem`` and ``environment``.

        The problem is one line of JSON, because Arrow would give all rows' ``info`` the same keys. The
        column ``environment`` is for trainers with several factories.
        """
        return [
            row_of(self.family.problem(seed, i, level), self.family.name) for i in range(start, start + count)
        ]

    def begin(self, problem: Problem) -> Episode:
        """Start an episode."""
        return Episode(self.family, problem, tools=self.tools, limits=self.limits, rubric=self.rubric)

    @property
    def reward(self) -> TRLEpisodesReward:
        """The reward function for ``answer="text"``, which also logs what came of the episodes."""
        return TRLEpisodesReward(episodes=self)


class TRLEpisode:
    """One episode at a time, as TRL drives it. Its tools are methods of the class made for its factory."""

    def __init__(self, factory: TRLEpisodes) -> None:
        self._factory = factory
        self._episode: Episode | None = None

    def reset(self, **row: Any) -> None:
        """Begin an episode on a row of the dataset; the prompt is in the row."""
        self._episode = self._factory.begin(problem_in(row))

    def _take(self, completion: Completion) -> str:
        """Step the episode and return what the model gets to read."""
        episode = self._under_way()
        if episode.stop is not None:
            return "The episode is over."
        step = episode.step(completion)
        said = "\n".join(m.content for m in step.observation)
        if step.stop is Stop.FAILED:
            return "The environment failed."
        return said or ("The episode is over." if step.stop else "")

    def _call(self, name: str, arguments: Mapping[str, Any]) -> str:
        try:
            call = ToolCall(name=name, arguments=dict(arguments))
        except (TypeError, ValueError) as e:
            return f"Error: {name} got bad arguments: {str(e)[:300]}"
        return self._take(Completion(messages=(Message(role="assistant", tool_calls=(call,)),)))

    def _finished(self) -> Rollout:
        """Return the rollout; an episode that the model left unfinished is judged as it stands."""
        episode = self._under_way()
        if episode.stop is not None:
            return episode.rollout()
        episode.truncate(Stop.TURNS)
        rubric = self._factory.rubric or Rubric({self._factory.family.name: self._factory.family})
        gave_up = () if isinstance(self._factory.family, Game) else (Message(role="assistant"),)
        left = Completion(messages=(*episode.transcript, *gave_up))
        left_off = episode.rollout(reward=rubric(left, episode.problem))
        return replace(left_off, stop=Stop.TERMINATED)

    def _under_way(self) -> Episode:
        if self._episode is None:
            raise RuntimeError("call reset() first")
        return self._episode


@dataclass(frozen=True, kw_only=True)
class TRLEpisodesReward:
    """A TRL reward function that finishes each environment's episode with the model's last message."""

    episodes: TRLEpisodes

    @property
    def __name__(self) -> str:
        return self.episodes.family.name

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        environments: Sequence[Any] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **dataset: Any,
    ) -> list[float | None]:
        """Return what each rollout is paid, None where its episode abstains or is another environment's.

        Raises:
            ValueError: where TRL passes no environments, as its AsyncGRPOTrainer does.
        """
        if environments is None:
            raise ValueError(
                "environments must come with the completions, got none: answer must be submit in this trainer"
            )
        ids: Sequence[Any] = completion_ids if completion_ids is not None else [None] * len(completions)
        rollouts = [self._finished(e, c, i) for e, c, i in zip(environments, completions, ids, strict=True)]
        return log_rollouts(self.__name__, rollouts, log_extra, log_metric)

    def _finished(self, environment: Any, completion: Any, ids: Sequence[int] | None) -> Rollout | None:
        if not isinstance(environment, TRLEpisode) or environment._factory != self.episodes:
            return None
        episode = environment._under_way()
        if episode.stop is None:
            last = completion_of(completion).messages[-1:]
            ends = self.episodes.eos_token_ids
            cut = bool(ends) and ids is not None and (len(ids) == 0 or int(ids[-1]) not in ends)
            if not last or last[0].role != "assistant" or last[0].tool_calls:
                episode.truncate(Stop.TOKENS)  # a call that was not answered: there was no room left
            else:
                episode.step(completion_of(last[0].content, truncated=cut))
        return episode.rollout() if episode.stop is not None else environment._finished()


def row_of(problem: Problem, environment: str) -> dict[str, Any]:
    """Return a problem as a row of a conversational data set."""
    prompt = problem.prompt
    asked = (Message(role="user", content=prompt),) if isinstance(prompt, str) else prompt
    messages = [{"role": m.role, "content": m.content} for m in asked]
    return {"prompt": messages, "problem": dumps(problem), "environment": environment}


def problem_in(row: Mapping[str, Any]) -> Problem:
    """Return the problem of a row.

    Raises:
        ValueError: where the row has none.
    """
    line = row.get("problem")
    if not isinstance(line, str):
        raise ValueError(
            f"the data set must have the column 'problem', as rows() makes it, it has {', '.join(row)}"
        )
    return loads(Problem, line)


def _class_of(factory: TRLEpisodes) -> type:
    """Make the class whose public methods TRL shows to the model."""
    bases: tuple[type, ...] = (_Paid,) if factory.answer == "submit" else ()
    if isinstance(factory.family, Game):
        bases += (_Plays,)
    elif factory.answer == "submit":
        bases += (_Submits,)
    namespace = {tool.name: _method(tool) for tool in factory.tools}
    return type(factory.family.name, bases or (TRLEpisode,), {"__doc__": TRLEpisode.__doc__, **namespace})


class _Paid(TRLEpisode):
    def get_reward(self) -> float | None:
        """Return what the episode is paid, None where it abstains."""
        return log_rollouts(self._factory.family.name, [self._finished()], None, None)[0]


class _Plays(TRLEpisode):
    def move(self, move: str) -> str:
        """Make your next move.

        Args:
            move: Your move, written as the task asks for it.
        """
        return self._take(Completion(text=str(move)))


class _Submits(TRLEpisode):
    def submit(self, answer: str) -> str:
        """Submit the final answer, which ends the task.

        Args:
            answer: Your final answer, written as the task asks for it.
        """
        return self._take(Completion(text=str(answer)))


def _method(tool: Tool) -> Callable[..., str]:
    """Return a tool as a method with its own signature, types and documentation, which TRL reads."""

    def method(self: Any, **arguments: Any) -> str:
        return str(self._call(tool.name, arguments))

    hints = typing.get_type_hints(tool.function)
    signature = inspect.signature(tool.function)
    plain = [p.replace(annotation=hints[p.name]) for p in signature.parameters.values()]
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__name__ = method.__qualname__ = tool.name
    method.__signature__ = signature.replace(parameters=[first, *plain], return_annotation=str)  # type: ignore[attr-defined]
    method.__annotations__ = {p.name: p.annotation for p in plain} | {"return": str}
    method.__doc__ = _doc(tool)
    return method


def _doc(tool: Tool) -> str:
    """Return a docstring in the form that transformers reads: every argument is described."""
    function: Any = tool.schema["function"]
    described: dict[str, dict[str, Json]] = function["parameters"]["properties"]
    lines = [function["description"] or tool.name]
    if described:
        lines += ["", "Args:"]
        lines += [f"    {name}: {about.get('description', name)}" for name, about in described.items()]
    return "\n".join(lines)
