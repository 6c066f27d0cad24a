"""One episode on one problem, used once: nothing is carried from an episode to the next.

The same object drives trainers and the gymnasium environments. It takes completions, answers with
observations, ends by the family's rules or at a limit, and then tells what the rollout was paid.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from referee.envs.game import Game
from referee.envs.procedural import Family
from referee.envs.records import Rollout, Stop, Turn
from referee.envs.tools import Tool, Toolbox
from referee.verifiers.protocol import Item, failure
from referee.verifiers.records import (
    Completion,
    FinishReason,
    Json,
    Message,
    Problem,
    Reward,
    answer_of,
    as_completion,
)
from referee.verifiers.rubric import Rubric


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeLimits:
    """When to cut an episode off: after ``turns`` completions, ``tokens`` sampled, ``seconds`` passed.

    None sets no limit. A game's own number of turns holds besides.
    """

    turns: int | None = 20
    tokens: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("turns", "tokens", "seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0 or None, got {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the environment answered: messages, this turn's own reward, and why the episode ended."""

    observation: tuple[Message, ...] = ()
    reward: float | None = None
    stop: Stop | None = None


class Episode:
    """An episode of ``family`` on ``problem``.

    A completion that calls tools gets their results as its observation. Any other completion is a
    move where the family is a game, and the answer, which ends the episode, where it is not.
    ``rubric`` pays at the end; the default pays the family's own verdict. A problem of no family
    (``None``) needs a rubric.

    >>> from referee.envs.families import family
    >>> sums = family("arithmetic")
    >>> episode = Episode(sums, sums.problem(0, 0))
    >>> episode.step(sums.gold(episode.problem)).stop
    <Stop.TERMINATED: 'terminated'>
    >>> episode.rollout().reward.total
    1.0
    """

    def __init__(
        self,
        family: Family | None,
        problem: Problem,
        *,
        tools: Sequence[Tool] | None = None,
        limits: EpisodeLimits | None = None,
        rubric: Rubric | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if rubric is None and family is None:
            raise ValueError("rubric must be given for a problem of no family, got None")
        self.problem = problem
        self.stop: Stop | None = None
        self._family = family
        self._tools = Toolbox(getattr(family, "tools", ()) if tools is None else tools)
        self._limits = limits or EpisodeLimits()
        self._rubric = rubric or Rubric({family.name: family} if family else {})
        self._marked = self._rubric.marked([Item(Completion(), problem)])[0].problem
        self._clock = clock
        self._started = clock()
        self._turns: list[Turn] = []
        self._error = ""
        self._state: Json = family.start(problem) if isinstance(family, Game) else None

    @property
    def tools(self) -> Toolbox:
        """The tools that completions may call."""
        return self._tools

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The prompt as chat messages."""
        prompt = self.problem.prompt
        return (Message(role="user", content=prompt),) if isinstance(prompt, str) else prompt

    def step(self, completion: str | Completion) -> Step:
        """Take a completion and answer it.

        Raises:
            RuntimeError: where the episode has ended already.
        """
        if self.stop is not None:
            raise RuntimeError(f"the episode has ended ({self.stop}): start another one")
        completion = as_completion(completion)
        self._turns.append(Turn(completion=completion))  # kept even where the answer never comes
        try:
            step = self._answer(completion)
        except Exception as e:  # noqa: BLE001  # the environment's own failure must not pass for a wrong answer
            self._error = f"{type(e).__name__}: {e}"[:1000]
            step = Step(stop=Stop.FAILED)
        if self.stop is not None:  # its driver gave up waiting
            return Step(stop=self.stop)
        self._turns[-1] = Turn(completion=completion, observation=step.observation, reward=step.reward)
        if step.stop is None:
            step = replace(step, stop=self._limit())
        self.stop = step.stop
        return step

    def truncate(self, stop: Stop) -> None:
        """End the episode at a limit that its driver sees: the context is full, a tool takes too long."""
        if not stop.truncated:
            raise ValueError(f"stop must be a limit: turns, tokens or seconds, got {stop}")
        self.stop = self.stop or stop

    @property
    def seconds_left(self) -> float | None:
        """The seconds until the episode's own limit; None where it has none."""
        seconds = self._limits.seconds
        return None if seconds is None else max(0.0, seconds - (self._clock() - self._started))

    @property
    def transcript(self) -> tuple[Message, ...]:
        """Everything after the prompt: completions and observations, in order."""
        out: list[Message] = []
        for turn in self._turns:
            out += turn.completion.messages or (Message(role="assistant", content=turn.completion.text),)
            out += turn.observation
        return tuple(out)

    @property
    def judged(self) -> Completion | None:
        """What a rubric judges: the last text, with all messages where there are several turns.

        None where the environment failed: then there is nothing to judge, and the reward abstains.
        """
        if self.stop is Stop.FAILED:
            return None
        if not self._turns:
            return Completion(finish_reason=FinishReason.LENGTH)
        last = self._turns[-1].completion
        if len(self._turns) > 1:
            last = replace(last, messages=self.transcript, text=last.text)
        cut = self.stop is not None and self.stop.truncated
        return replace(last, finish_reason=FinishReason.LENGTH) if cut else last

    def rollout(self, *, policy_step: int = 0, reward: Reward | None = None) -> Rollout:
        """Return the finished episode with its reward: ``reward`` where its driver has had it judged already.

        Raises:
            RuntimeError: where the episode has not ended.
        """
        if self.stop is None:
            raise RuntimeError("the episode has not ended: step it until step().stop is set")
        return Rollout(
            problem=self.problem,
            turns=tuple(self._turns),
            stop=self.stop,
            reward=self._reward() if reward is None else reward,
            policy_step=policy_step,
        )

    def _answer(self, completion: Completion) -> Step:
        if completion.truncated:
            return Step(stop=Stop.TOKENS)
        if self._tools and (answers := self._tools.answer(completion, self._marked.thinking)):
            return Step(observation=answers)
        if not isinstance(self._family, Game):
            return Step(stop=Stop.TERMINATED)
        move = self._family.move(self.problem, self._state, answer_of(completion, self._marked))
        self._state = move.state
        seen = (Message(role="user", content=move.observation),) if move.observation else ()
        stop = None if move.verdict is None else Stop.TERMINATED
        if stop is None and len(self._turns) >= self._family.turns:
            stop = Stop.TURNS
        return Step(observation=seen, reward=move.reward, stop=stop)

    def _limit(self) -> Stop | None:
        limits = self._limits
        if limits.tokens is not None and self._sampled() >= limits.tokens:
            return Stop.TOKENS
        if limits.turns is not None and len(self._turns) >= limits.turns:
            return Stop.TURNS
        if limits.seconds is not None and self._clock() - self._started > limits.seconds:
            return Stop.SECONDS
        return None

    def _sampled(self) -> int:
        return sum(len(turn.completion.token_ids or ()) for turn in self._turns)

    def _reward(self) -> Reward:
        judged = self.judged
        if judged is None:
            return Reward(total=None, parts={"environment": failure(self._error or "the environment failed")})
        return self._rubric(judged, self.problem)
