"""What came of a prompt: turns, rollouts, and the group of siblings that one problem got."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from referee.verifiers.records import Completion, Json, Message, Problem, Reward


class Stop(StrEnum):
    """Why an episode ended: by the rules of the environment, by a limit, or by a failure of the machine."""

    TERMINATED = "terminated"
    TURNS = "turns"
    TOKENS = "tokens"
    SECONDS = "seconds"
    FAILED = "failed"

    @property
    def truncated(self) -> bool:
        """True where a limit cut the episode off."""
        return self in (Stop.TURNS, Stop.TOKENS, Stop.SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One completion, what the environment answered, and the reward for this turn where it gave one.

    ``observation_ids`` are the tokens that the policy reads after its own: the observation with
    whatever the chat template puts around it. They are never trained on.
    """

    completion: Completion
    observation: tuple[Message, ...] = ()
    reward: float | None = None
    observation_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One episode on one problem: its turns, how it ended, and what it was paid.

    ``policy_step`` is the number of the training step whose weights sampled it. ``prompt_ids`` are
    the tokens that the first completion was sampled after.
    """

    problem: Problem
    turns: tuple[Turn, ...]
    stop: Stop = Stop.TERMINATED
    reward: Reward | None = None
    policy_step: int = 0
    info: dict[str, Json] = field(default_factory=dict)
    prompt_ids: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", tuple(self.turns))
        object.__setattr__(self, "stop", Stop(self.stop))

    @property
    def completion(self) -> Completion:
        """The last turn's completion: all there is in a single-turn environment."""
        if not self.turns:
            raise ValueError("the rollout has no turns, so it has no completion")
        return self.turns[-1].completion

    @property
    def text(self) -> str:
        """What the policy wrote in all turns, a line for each."""
        return "\n".join(turn.completion.text for turn in self.turns)

    @property
    def sampled_ids(self) -> tuple[int, ...]:
        """All tokens that were sampled, in order, without what stood between them."""
        return tuple(i for turn in self.turns for i in turn.completion.token_ids or ())

    @property
    def total(self) -> float | None:
        """What was paid in all: the final reward and each turn's own; None where it abstained."""
        if self.reward is None or self.reward.total is None:
            return None
        return self.reward.total + math.fsum(turn.reward or 0.0 for turn in self.turns)

    @property
    def terminated(self) -> bool:
        """True where the environment ended the episode."""
        return self.stop is Stop.TERMINATED

    @property
    def truncated(self) -> bool:
        """True where a limit on turns, tokens or seconds ended the episode."""
        return self.stop.truncated


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rollouts that one problem got from one policy: what an advantage compares."""

    problem: Problem
    rollouts: tuple[Rollout, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rollouts", tuple(self.rollouts))
        if any(r.problem != self.problem for r in self.rollouts):
            raise ValueError("every rollout of a group must be of the group's problem")

    @property
    def totals(self) -> tuple[float | None, ...]:
        """Each rollout's total; None where it abstained or was not scored."""
        return tuple(r.total for r in self.rollouts)
