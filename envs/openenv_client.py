"""OpenEnv environments as episodes: a client of any OpenEnv server, whose code need not be here.

Needs ``pip install openenv``. The server's null for a reward is no 0: an episode whose last step has
no reward abstains.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from referee.envs.episode import EpisodeLimits, Step
from referee.envs.live import LiveEpisode
from referee.envs.records import Stop
from referee.verifiers.extras import missing
from referee.verifiers.protocol import failure
from referee.verifiers.records import Completion, Json, Message, Problem, Reason, Verdict
from referee.verifiers.rubric import Rubric

HIDDEN = ("done", "reward", "metadata")


@dataclass(frozen=True, kw_only=True)
class OpenEnv:
    """The environment that an OpenEnv server offers at ``url``.

    ``action`` names the field of the action that a completion's text goes into, or is a function that
    makes the whole action; ``observation`` names the field that the policy reads, or is a function that
    writes the observation as a text. By default the one text field is read, else the observation as
    JSON without done, reward and metadata. ``reset`` holds more arguments for the server's reset.

    Each episode is a session of its own over a websocket. ``timeout_s`` bounds each answer.
    """

    url: str
    action: str | Callable[[Completion], Mapping[str, Any]]
    observation: str | Callable[[Mapping[str, Any]], str] | None = None
    reset: Mapping[str, Any] = field(default_factory=dict)
    name: str = "openenv"
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        if not self.timeout_s > 0.0:
            raise ValueError(f"timeout_s must be above 0, got {self.timeout_s}")
        try:
            import openenv.core  # noqa: F401
        except ImportError as e:
            raise missing("OpenEnv", "openenv") from e

    def episode(
        self, seed: int, *, limits: EpisodeLimits | None = None, rubric: Rubric | None = None
    ) -> LiveEpisode:
        """Begin an episode: the server's reset with ``seed``. Episodes of one seed are siblings.

        Raises:
            OSError: where the server cannot be reached.
        """
        return LiveEpisode(OpenEnvSession(self, seed), limits=limits, rubric=rubric)

    def payload(self, completion: Completion) -> dict[str, Any]:
        """Return the action that a completion makes."""
        if callable(self.action):
            return dict(self.action(completion))
        return {self.action: completion.text}

    def text(self, observation: Mapping[str, Any]) -> str:
        """Return an observation as the policy reads it.

        Raises:
            ValueError: where the field that ``observation`` names is not there.
        """
        if callable(self.observation):
            return self.observation(observation)
        if self.observation is not None:
            if self.observation not in observation:
                raise ValueError(
                    f"observation must name one of {', '.join(observation)}, got {self.observation!r}"
                )
            return str(observation[self.observation])
        shown = {k: v for k, v in observation.items() if k not in HIDDEN}
        texts = [v for v in shown.values() if isinstance(v, str)]
        return texts[0] if len(texts) == 1 else json.dumps(shown, ensure_ascii=False)


class OpenEnvSession:
    """One episode on an OpenEnv server."""

    def __init__(self, env: OpenEnv, seed: int) -> None:
        from openenv.core.generic_client import GenericEnvClient

        self._env = env
        self._verdict = Verdict(score=0.0, reason=Reason.NO_ANSWER)  # where limits cut it off
        self._client: Any = GenericEnvClient(base_url=env.url, message_timeout_s=env.timeout_s).sync()
        self._open = True
        try:
            self._client.connect()
            first = self._client.reset(seed=seed, **env.reset)
            asked = env.text(first.observation)
        except BaseException:
            self.close()
            raise
        info: dict[str, Json] = {"family": env.name, "seed": seed}
        self._problem = Problem(prompt=asked, id=f"{env.name}/{seed}", info=info)

    @property
    def name(self) -> str:
        """The environment's name."""
        return self._env.name

    @property
    def problem(self) -> Problem:
        """What the episode asks."""
        return self._problem

    @property
    def schemas(self) -> list[dict[str, Json]]:
        """None: an OpenEnv action is whatever the completion makes."""
        return []

    def step(self, completion: Completion) -> Step:
        """Send a completion's action; the last step's reward is the verdict, the others' the turns' own."""
        result = self._client.step(self._env.payload(completion))
        seen = (Message(role="user", content=self._env.text(result.observation)),)
        if not result.done:
            return Step(observation=seen, reward=None if result.reward is None else float(result.reward))
        if result.reward is None:
            self._verdict = failure("the environment gave no reward", Reason.UNAVAILABLE)
        else:
            self._verdict = Verdict(score=float(result.reward))
        return Step(observation=seen, stop=Stop.TERMINATED)

    def verdict(self) -> Verdict:
        """Return the last step's reward, 0 for an episode that was cut off before."""
        return self._verdict

    def close(self) -> None:
        """End the session."""
        if self._open:
            self._open = False
            self._client.close()
