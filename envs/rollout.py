"""Rollouts of many episodes at once: tokens in, tokens out.

In each round the episodes that are ready are sampled in one batch. Episodes with tools answer in
threads: one whose tool is slow misses rounds, and the others go on. What an episode gets depends on
its seed alone, never on which others were ready beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from referee.envs.dialogue import Dialogue
from referee.envs.episode import Episode, Step
from referee.envs.records import Rollout, Stop
from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion, Reward
from referee.verifiers.rubric import Rubric

Sampler: TypeAlias = Callable[[Sequence[Sequence[int]], Sequence[int]], Sequence[Completion]]
"""Takes prefixes (token ids) and one seed for each; returns a completion with its token ids for each."""


class Tokens(NamedTuple):
    """A rollout as one sequence. ``turns`` numbers the turn that each trained token belongs to, else -1."""

    token_ids: tuple[int, ...]
    mask: tuple[bool, ...]
    logprobs: tuple[float, ...]
    turns: tuple[int, ...]


@dataclass(slots=True)
class _Flight:
    """An episode under way, with its tokens so far."""

    episode: Episode
    seed: int
    ids: list[int]
    prompt_ids: tuple[int, ...]
    observations: list[tuple[int, ...]] = field(default_factory=list)
    deadline: float = float("inf")


def roll_out(
    episodes: Sequence[Episode],
    sampler: Sampler,
    dialogue: Dialogue,
    *,
    seeds: Sequence[int],
    context_tokens: int | None = None,
    policy_step: int = 0,
    rubric: Rubric | None = None,
    group_size: int = 1,
) -> list[Rollout]:
    """Run episodes to their ends and return their rollouts, in order.

    ``context_tokens`` truncates an episode whose next prefix would be longer. An episode whose tool is
    still at work when the episode's seconds are over is truncated without waiting for it. ``rubric``
    pays in place of the episodes' own, all of them in one batch in which every ``group_size`` that
    follow each other are siblings.

    Raises:
        ValueError: where the sampler returns completions without token ids, or too few.
    """
    if len(seeds) != len(episodes):
        raise ValueError(f"seeds must have one for each of {len(episodes)} episodes, got {len(seeds)}")
    flights = []
    for episode, seed in zip(episodes, seeds, strict=True):
        ids = dialogue.prompt(episode.prompt, episode.tools.schemas)
        flights.append(_Flight(episode=episode, seed=seed, ids=ids, prompt_ids=tuple(ids)))
    ready = list(flights)
    waiting: dict[Future[Step], _Flight] = {}
    while ready or waiting:
        for flight in ready:
            if context_tokens is not None and len(flight.ids) >= context_tokens:
                flight.episode.truncate(Stop.TOKENS)
        ready = [f for f in ready if f.episode.stop is None]
        next_ready = []
        for flight, completion in zip(ready, _sample(sampler, ready, dialogue), strict=True):
            flight.ids += completion.token_ids or ()
            if flight.episode.tools:
                left = flight.episode.seconds_left
                flight.deadline = float("inf") if left is None else time.monotonic() + left
                waiting[_in_thread(flight.episode, completion)] = flight
            else:
                _observe(flight, flight.episode.step(completion), dialogue)
                next_ready.append(flight)
        ready = [f for f in next_ready if f.episode.stop is None]
        ready += _landed(waiting, dialogue, block=not ready)
    rewards = _paid(flights, rubric, group_size) if rubric is not None else [None] * len(flights)
    return [_finished(f, policy_step, paid) for f, paid in zip(flights, rewards, strict=True)]


def tokens_of(rollout: Rollout) -> Tokens:
    """Return a rollout's tokens in the order in which the policy read and wrote them.

    The mask is True at the tokens that were sampled; the prompt and the observations are masked out.

    Raises:
        ValueError: where a token record is missing, so that it would have to be made up.
    """
    if rollout.prompt_ids is None:
        raise ValueError("rollout.prompt_ids must be the prompt's token ids, got None")
    ids, mask = list(rollout.prompt_ids), [False] * len(rollout.prompt_ids)
    logprobs, turns = [0.0] * len(ids), [-1] * len(ids)
    for number, turn in enumerate(rollout.turns):
        drawn = turn.completion.token_ids
        if drawn is None:
            raise ValueError(f"turn {number} must keep the token ids that were sampled, got None")
        ids += drawn
        mask += [True] * len(drawn)
        logprobs += turn.completion.logprobs or [0.0] * len(drawn)
        turns += [number] * len(drawn)
        if number + 1 < len(rollout.turns):
            if turn.observation_ids is None:
                raise ValueError(f"turn {number} must keep its observation's token ids, got None")
            ids += turn.observation_ids
            mask += [False] * len(turn.observation_ids)
            logprobs += [0.0] * len(turn.observation_ids)
            turns += [-1] * len(turn.observation_ids)
    return Tokens(tuple(ids), tuple(mask), tuple(logprobs), tuple(turns))


def turn_returns(rollout: Rollout, *, gamma: float = 1.0) -> tuple[float, ...] | None:
    """Return what each turn is credited with: its own reward and, discounted, all that came later.

    G_t = r_t + gamma G_{t+1}, where the last turn's r has the final reward added to it. None where the
    final reward abstains.

    >>> from referee.envs.records import Turn
    >>> from referee.verifiers.records import Problem, Reward
    >>> turns = (Turn(completion=Completion(), reward=0.5), Turn(completion=Completion()))
    >>> turn_returns(Rollout(problem=Problem(), turns=turns, reward=Reward(total=1.0)), gamma=0.5)
    (1.0, 1.0)
    """
    if not 0.0 <= gamma <= 1.0:
        raise ValueError(f"gamma must be from 0 to 1, got {gamma}")
    if rollout.reward is None or rollout.reward.total is None:
        return None
    credit, out = rollout.reward.total, []
    for number, turn in enumerate(reversed(rollout.turns)):
        credit = (turn.reward or 0.0) + (credit if number == 0 else gamma * credit)
        out.append(credit)
    return tuple(reversed(out))


def turn_seed(seed: int, turn: int) -> int:
    """Return the seed of a turn: of an episode's turns no two share one."""
    return int.from_bytes(sha256(f"{seed}/{turn}".encode()).digest()[:8], "big") >> 1


def _sample(sampler: Sampler, ready: Sequence[_Flight], dialogue: Dialogue) -> list[Completion]:
    if not ready:
        return []
    prefixes = [tuple(f.ids) for f in ready]
    drawn = sampler(prefixes, [turn_seed(f.seed, len(f.observations)) for f in ready])
    if len(drawn) != len(ready) or any(c.token_ids is None for c in drawn):
        raise ValueError(f"sampler must return {len(ready)} completions with their token_ids")
    return [c if c.text else replace(c, text=dialogue.decode(c.token_ids or ())) for c in drawn]


def _observe(flight: _Flight, step: Step, dialogue: Dialogue) -> None:
    if step.stop is None:
        observed = dialogue.observation(step.observation, ended=dialogue.ended(flight.ids))
        flight.observations.append(tuple(observed))
        flight.ids += observed


def _in_thread(episode: Episode, completion: Completion) -> Future[Step]:
    """Step an episode in a daemon thread: a tool that never returns must not keep the process alive."""
    future: Future[Step] = Future()

    def work() -> None:
        try:
            future.set_result(episode.step(completion))
        except BaseException as e:  # noqa: BLE001  # whatever it is, it belongs to whoever waits
            future.set_exception(e)

    threading.Thread(target=work, daemon=True).start()
    return future


def _landed(waiting: dict[Future[Step], _Flight], dialogue: Dialogue, *, block: bool) -> list[_Flight]:
    """Return the flights whose tools have answered, waiting for the first where ``block`` is set."""
    if not waiting:
        return []
    first = min(f.deadline for f in waiting.values())
    timeout = 0.0 if not block else None if first == float("inf") else max(0.0, first - time.monotonic())
    done = wait(waiting, timeout=timeout, return_when=FIRST_COMPLETED).done
    out = []
    for future in done:
        flight = waiting.pop(future)
        _observe(flight, future.result(), dialogue)
        out.append(flight)
    for future in [f for f, flight in waiting.items() if flight.deadline <= time.monotonic()]:
        waiting.pop(future).episode.truncate(Stop.SECONDS)
    return [f for f in out if f.episode.stop is None]


def _paid(flights: Sequence[_Flight], rubric: Rubric, group_size: int) -> list[Reward | None]:
    """Return each episode's reward; None where the environment failed, which its rollout then says."""
    out: list[Reward | None] = [None] * len(flights)
    judged = [(i, f.episode.judged, f.episode.problem) for i, f in enumerate(flights)]
    items = [(i, Item(text, problem, i // group_size)) for i, text, problem in judged if text is not None]
    rewards = rubric.score_items([item for _, item in items])
    for (i, _), reward in zip(items, rewards, strict=True):
        out[i] = reward
    return out


def _finished(flight: _Flight, policy_step: int, reward: Reward | None) -> Rollout:
    rollout = flight.episode.rollout(policy_step=policy_step, reward=reward)
    seen = [*flight.observations, *[None] * len(rollout.turns)]
    turns = tuple(replace(turn, observation_ids=ids) for turn, ids in zip(rollout.turns, seen, strict=False))
    return replace(rollout, turns=turns, prompt_ids=flight.prompt_ids)
