"""Where a trainer's groups come from: a completion for each sibling, or an episode of several turns.

The trainer, its critic and its measures ask a :class:`Rollouts` for groups and never look behind it.
Whatever it is, what one sibling gets depends on its seed alone, and the tokens that it returns are the
tokens that were sampled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from referee.envs.episode import Episode, EpisodeLimits
from referee.envs.procedural import Family
from referee.envs.records import Group, Rollout, Stop, Turn
from referee.envs.rollout import roll_out, tokens_of
from referee.envs.tools import Tool
from referee.trainers.policy.batch import TokenRow, completion_row
from referee.trainers.policy.policy import Policy
from referee.trainers.policy.sampling import Sampling, sample, seed_of
from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion, FinishReason, Problem
from referee.verifiers.rubric import Rubric


class Rollouts(Protocol):
    """Samples and pays the siblings of problems."""

    def __call__(
        self,
        policy: Policy,
        problems: Sequence[Problem],
        rubric: Rubric,
        *,
        group_size: int,
        sampling: Sampling,
        seeds: Sequence[int],
        policy_step: int = 0,
    ) -> list[Group]:
        """Return a group of ``group_size`` paid rollouts for each problem; each problem has a seed."""
        ...

    def figures(self, groups: Sequence[Group]) -> dict[str, float]:
        """Return figures of a step's groups beside those that every group has."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleTurn:
    """A completion is a rollout. Siblings share the prompt's cache; the rubric scores them in one batch."""

    def __call__(
        self,
        policy: Policy,
        problems: Sequence[Problem],
        rubric: Rubric,
        *,
        group_size: int,
        sampling: Sampling,
        seeds: Sequence[int],
        policy_step: int = 0,
    ) -> list[Group]:
        """Return a group of paid completions for each problem."""
        drawn = self.draw(
            policy, problems, group_size=group_size, sampling=sampling, seeds=seeds, policy_step=policy_step
        )
        return self.pay(problems, drawn, rubric)

    def draw(
        self,
        policy: Policy,
        problems: Sequence[Problem],
        *,
        group_size: int,
        sampling: Sampling,
        seeds: Sequence[int],
        siblings: Sequence[Sequence[int]] | None = None,
        policy_step: int = 0,
    ) -> list[list[Rollout]]:
        """Return each problem's rollouts, not yet paid: all siblings, or those whose numbers are given."""
        prompts = [tuple(policy.encode(p.prompt)) for p in problems]
        sampled = sample(
            policy, prompts, group_size=group_size, sampling=sampling, seeds=seeds, siblings=siblings
        )
        return [
            [
                Rollout(
                    problem=problem,
                    turns=(Turn(completion=c),),
                    stop=Stop.TOKENS if c.truncated else Stop.TERMINATED,
                    policy_step=policy_step,
                    prompt_ids=prompt,
                )
                for c in completions
            ]
            for problem, prompt, completions in zip(problems, prompts, sampled, strict=True)
        ]

    def pay(
        self, problems: Sequence[Problem], drawn: Sequence[Sequence[Rollout]], rubric: Rubric
    ) -> list[Group]:
        """Return the groups with what the rubric pays, all in one batch in which siblings are together."""
        items = [Item(r.completion, r.problem, i) for i, group in enumerate(drawn) for r in group]
        rewards = iter(rubric.score_items(items))
        return [
            Group(problem=problem, rollouts=tuple(replace(r, reward=next(rewards)) for r in group))
            for problem, group in zip(problems, drawn, strict=True)
        ]

    def figures(self, groups: Sequence[Group]) -> dict[str, float]:
        """Return none: the figures that every group has say it all."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiTurn:
    """A rollout is an episode: games, tools, several turns (:class:`~referee.envs.episode.Episode`).

    A problem is played by the one of ``families`` that it names; one that names none of them is
    answered, with ``tools`` where there are any. ``tools`` None gives each family its own. All
    episodes of a step go on together, and a slow tool holds no other episode back.
    ``max_new_tokens`` bounds each turn, ``context_tokens`` the whole episode with its prompt.
    """

    families: Sequence[Family] = field(default=())
    tools: Sequence[Tool] | None = None
    limits: EpisodeLimits | None = None
    context_tokens: int | None = None

    def __call__(
        self,
        policy: Policy,
        problems: Sequence[Problem],
        rubric: Rubric,
        *,
        group_size: int,
        sampling: Sampling,
        seeds: Sequence[int],
        policy_step: int = 0,
    ) -> list[Group]:
        """Return a group of paid episodes for each problem."""

        def sampler(prefixes: Sequence[Sequence[int]], turn_seeds: Sequence[int]) -> list[Completion]:
            return [one for (one,) in sample(policy, prefixes, sampling=sampling, seeds=turn_seeds)]

        by_name = {f.name: f for f in self.families}
        episodes = [
            Episode(
                by_name.get(str(p.info.get("family", ""))),
                p,
                tools=self.tools,
                limits=self.limits,
                rubric=rubric,
            )
            for p in problems
            for _ in range(group_size)
        ]
        rollouts = roll_out(
            episodes,
            sampler,
            policy.dialogue(stop=sampling.stop),
            seeds=[seed_of(seed, g) for seed in seeds for g in range(group_size)],
            context_tokens=self.context_tokens or _context(policy, sampling),
            policy_step=policy_step,
            rubric=rubric,
            group_size=group_size,
        )
        return _groups(problems, rollouts, group_size)

    def figures(self, groups: Sequence[Group]) -> dict[str, float]:
        """Return the mean number of turns, and the share of episodes that ended for each reason."""
        rollouts = [r for g in groups for r in g.rollouts]
        ends = Counter(r.stop for r in rollouts)
        return {
            "turns": sum(len(r.turns) for r in rollouts) / len(rollouts),
            **{f"stops/{stop}": ends[stop] / len(rollouts) for stop in Stop},
        }


def demonstration(policy: Policy, family: Family, problem: Problem, moves: Sequence[str]) -> Rollout:
    """Return the rollout of someone who plays ``moves``, as the policy would read and write it.

    It can be fine-tuned on: each move is trained on, in the tokens that it is encoded in.
    """
    left = iter(moves)

    def sampler(prefixes: Sequence[Sequence[int]], turn_seeds: Sequence[int]) -> list[Completion]:
        text = next(left)
        ids = [int(i) for i in policy.tokenizer(text, add_special_tokens=False)["input_ids"]]
        return [Completion(text=text, token_ids=(*ids, policy.eos_ids[0]), finish_reason=FinishReason.STOP)]

    limits = EpisodeLimits(turns=len(moves))
    episode = Episode(family, problem, limits=limits)
    (rollout,) = roll_out([episode], sampler, policy.dialogue(), seeds=[0])
    return rollout


def row_of(rollout: Rollout, policy: Policy) -> TokenRow:
    """Return a rollout as it is trained on: what was sampled counts, the prompt and observations do not.

    Raises:
        ValueError: where token ids were not kept; they are never made up.
    """
    if not all(turn.completion.token_ids is not None for turn in rollout.turns):
        raise ValueError("completions must keep the token ids that were sampled, got none")
    known = all(turn.completion.logprobs is not None for turn in rollout.turns)
    if rollout.prompt_ids is None and len(rollout.turns) == 1:
        one = rollout.completion
        prompt = policy.encode(rollout.problem.prompt)
        drawn = one.drawn_logprobs if known else None
        return completion_row(prompt, one.token_ids or (), one.logprobs or (), drawn or ())
    tokens = tokens_of(rollout)
    written = [turn.completion for turn in rollout.turns]
    narrowed = known and any(c.drawn_logprobs is not None for c in written)
    logps = iter([p for c in written for p in c.drawn_logprobs or c.logprobs or ()])
    return TokenRow(
        token_ids=tokens.token_ids,
        mask=tokens.mask,
        logprobs=tokens.logprobs if known else (),
        drawn=tuple(next(logps) if chosen else 0.0 for chosen in tokens.mask) if narrowed else (),
    )


def _groups(problems: Sequence[Problem], rollouts: Sequence[Rollout], size: int) -> list[Group]:
    return [
        Group(problem=problem, rollouts=tuple(rollouts[i * size : (i + 1) * size]))
        for i, problem in enumerate(problems)
    ]


def _context(policy: Policy, sampling: Sampling) -> int | None:
    """Return the longest prefix after which a turn still fits the model; None where no bound is known."""
    return None if policy.context is None else max(policy.context - sampling.max_new_tokens + 1, 1)
