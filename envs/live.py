"""Episodes that someone else's environment drives: a server's, or another package's.

A session is one episode over there. :class:`LiveEpisode` makes it an episode here, so that
:func:`referee.envs.rollout.roll_out` plays many at once: each answers in a thread, and a slow
environment holds no other back. Where the session raises, the episode abstains.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from referee.envs.episode import Episode, EpisodeLimits, Step
from referee.envs.records import Rollout, Stop
from referee.envs.tools import Toolbox
from referee.verifiers.combine import Composable
from referee.verifiers.protocol import Range
from referee.verifiers.records import Completion, Json, Problem, Reward, Verdict
from referee.verifiers.rubric import Rubric


class Session(Protocol):
    """One episode of another environment, from its first observation to its end."""

    @property
    def name(self) -> str:
        """The environment's name."""
        ...

    @property
    def problem(self) -> Problem:
        """What the episode asks; its prompt is the first observation."""
        ...

    @property
    def schemas(self) -> list[dict[str, Json]]:
        """The tools that completions may call there, for a chat template."""
        ...

    def step(self, completion: Completion) -> Step:
        """Take a completion and answer it; raise where the environment fails."""
        ...

    def verdict(self) -> Verdict:
        """Return what the environment says of the finished episode."""
        ...

    def close(self) -> None:
        """Let go of the environment; calling it again does nothing."""
        ...


class LiveEpisode(Episode):
    """An episode of a session. The default rubric pays the session's own verdict.

    The session is closed when the episode's rollout is taken.
    """

    def __init__(
        self,
        session: Session,
        *,
        limits: EpisodeLimits | None = None,
        rubric: Rubric | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        own = rubric or Rubric({session.name: _Own(session=session)})
        super().__init__(_NoFamily(session.name), session.problem, limits=limits, rubric=own, clock=clock)

    @property
    def tools(self) -> Toolbox:
        """The session's tools. True even without any, so that the session answers in a thread."""
        return _Elsewhere(self._session)

    def rollout(self, *, policy_step: int = 0, reward: Reward | None = None) -> Rollout:
        """Return the finished episode with its reward, and close the session."""
        try:
            return super().rollout(policy_step=policy_step, reward=reward)
        finally:
            self._session.close()

    def _answer(self, completion: Completion) -> Step:
        return Step(stop=Stop.TOKENS) if completion.truncated else self._session.step(completion)


class _Elsewhere(Toolbox):
    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    @property
    def schemas(self) -> list[dict[str, Json]]:
        return self._session.schemas

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class _Own(Composable):
    """The session's verdict, whatever the completion: the session has seen it."""

    session: Session
    range: ClassVar[Range] = (-math.inf, math.inf)

    def __call__(self, completion: Completion, problem: Problem) -> Verdict:
        return self.session.verdict()


@dataclass(frozen=True)
class _NoFamily:
    """Stands where an episode of ours has the family that its problem comes from."""

    name: str
    levels: int = 1

    def problem(self, seed: int, index: int, level: int = 0) -> Problem:
        raise NotImplementedError("a session makes its own problem")

    def gold(self, problem: Problem) -> str:
        raise NotImplementedError("nobody knows what is right in a session")

    def __call__(self, completion: str | Completion, problem: Problem, /) -> Verdict:
        raise NotImplementedError("a session makes its own verdict")
