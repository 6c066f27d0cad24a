"""The families as gymnasium environments with text observations and actions.

``gymnasium.make("referee/arithmetic-v0", level=2)`` after ``import referee.envs.text_env``. The
problems of ``reset(seed=s)`` are those of stream s: the first reset gives index 0, each later one
without a seed the next index. ``options={"index": i, "level": n}`` asks for a problem by name.

Vectorise with :func:`make_vec`: text needs ``shared_memory=False`` (shared memory carries no text of
varying length), and one-turn episodes need ``AutoresetMode.SAME_STEP`` (under NEXT_STEP every second
action goes nowhere).

A reward must be a number to gymnasium, and a verifier that failed has none to give. Such an episode is
truncated (it did not end by its rules), ``info["abstained"]`` is True, and the reward is NaN: no number that
a learner could take for a wrong answer, and one that no sum hides. Leave such episodes out, or state as
``on_abstention`` what they shall be worth.
"""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any, Literal

import gymnasium
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from referee.envs.episode import Episode, EpisodeLimits
from referee.envs.families import FAMILIES, family
from referee.envs.procedural import Family
from referee.envs.tools import Tool
from referee.verifiers.records import Json
from referee.verifiers.rubric import Rubric


class Text(spaces.Text):
    """Any text of at most ``max_length`` characters; samples are printable ASCII.

    gymnasium's own space checks each character against a set, which no set can do for a model's text.
    """

    def __init__(self, max_length: int, *, seed: int | None = None) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable[:95], seed=seed)

    def contains(self, x: object) -> bool:
        """Tell whether ``x`` is a text that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Return a random text of at most 64 characters."""
        if mask is None:
            mask = (int(self.np_random.integers(0, min(64, self.max_length) + 1)), None)
        return super().sample(mask=mask, probability=probability)

    def __repr__(self) -> str:
        return f"Text({self.max_length})"


class TextEnv(gymnasium.Env[str, str]):
    """A family as a gymnasium environment.

    An observation is a text: the prompt, then what the environment answered. An action is a text.
    ``info`` holds ``problem`` (its id), ``level``, ``index``, and at the end ``stop``, ``reasons`` and
    ``abstained``. ``on_abstention`` is the reward where there is no verdict.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012  # gymnasium's own name and type

    def __init__(
        self,
        family: Family,
        *,
        level: int = 0,
        tools: Sequence[Tool] | None = None,
        limits: EpisodeLimits | None = None,
        rubric: Rubric | None = None,
        max_length: int = 100_000,
        render_mode: str | None = None,
        on_abstention: float = math.nan,
    ) -> None:
        if not 0 <= level < family.levels:
            raise ValueError(f"level must be from 0 to {family.levels - 1}, got {level}")
        self.family = family
        self.level = level
        self.render_mode = render_mode
        self.observation_space = Text(max_length)
        self.action_space = Text(max_length)
        self._on_abstention = float(on_abstention)
        self._options: dict[str, Any] = {"tools": tools, "limits": limits, "rubric": rubric}
        self._stream: int | None = None
        self._index = 0
        self._episode: Episode | None = None

    @property
    def episode(self) -> Episode:
        """The episode under way, which also trainers can drive."""
        if self._episode is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        return self._episode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start the next problem of the stream, or the one that ``options`` names."""
        super().reset(seed=seed)
        options = options or {}
        if seed is not None or self._stream is None:
            # Without a seed gymnasium draws one from the machine; so does this.
            self._stream = seed if seed is not None else int(self.np_random.integers(2**63))
            self._index = 0
        else:
            self._index += 1
        self._index = int(options.get("index", self._index))
        level = int(options.get("level", self.level))
        problem = self.family.problem(self._stream, self._index, level)
        self._episode = Episode(self.family, problem, **self._options)
        return problem.prompt_text, {"problem": problem.id, "level": level, "index": self._index}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take a completion; terminated is apart from truncated (``info["stop"]`` says which limit)."""
        step = self.episode.step(action)
        observation = "\n".join(m.content for m in step.observation)
        reward = step.reward or 0.0
        info: dict[str, Any] = {"problem": self.episode.problem.id}
        if step.stop is None:
            return observation, reward, False, False, info
        paid = self.episode.rollout().reward
        assert paid is not None
        reasons: Json = {name: verdict.reason for name, verdict in paid.parts.items()}
        info |= {"stop": str(step.stop), "abstained": paid.abstains, "reasons": reasons}
        reward += self._on_abstention if paid.total is None else paid.total
        terminated = not (step.stop.truncated or paid.abstains)
        return observation, reward, terminated, not terminated, info

    def render(self) -> str:
        """Return the episode so far as text."""
        lines = [*self.episode.prompt, *self.episode.transcript]
        return "\n".join(f"{m.role}: {m.content}" for m in lines)


def make_env(
    name: str,
    *,
    terse: bool = False,
    level: int = 0,
    render_mode: str | None = None,
    on_abstention: float = math.nan,
) -> TextEnv:
    """Return the environment of the family called ``name``."""
    return TextEnv(
        family(name, terse=terse), level=level, render_mode=render_mode, on_abstention=on_abstention
    )


def make_vec(
    name: str,
    num_envs: int,
    *,
    mode: Literal["sync", "async"] = "sync",
    terse: bool = False,
    level: int = 0,
    on_abstention: float = math.nan,
) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    """Return ``num_envs`` copies as one of gymnasium's vector environments, set up for text."""

    def one() -> gymnasium.Env[str, str]:
        return make_env(name, terse=terse, level=level, on_abstention=on_abstention)

    if mode == "sync":
        return gymnasium.vector.SyncVectorEnv([one] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)
    if mode != "async":
        raise ValueError(f"mode must be sync or async, got {mode!r}")
    return gymnasium.vector.AsyncVectorEnv(
        [one] * num_envs, shared_memory=False, autoreset_mode=AutoresetMode.SAME_STEP
    )


def register() -> None:
    """Register every family with gymnasium as ``referee/<name>-v0``, once; dashes in the name will do too."""
    for name in FAMILIES:
        for spelt in {name, name.replace("_", "-")}:
            env_id = f"referee/{spelt}-v0"
            if env_id not in gymnasium.registry:
                gymnasium.register(
                    env_id, entry_point="referee.envs.text_env:make_env", kwargs={"name": name}
                )


register()
