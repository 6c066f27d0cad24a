"""Groups over processes: all sample, all score, and no group verifier sees a part of a group.

Completions of one turn are dealt sibling by sibling, so that eight processes share one group of eight; what
a sibling gets depends on its problem's seed and its number alone. Then whole groups are dealt for scoring.
Episodes are dealt by problems.
"""

from __future__ import annotations

from collections.abc import Sequence

from referee.envs.records import Group, Rollout
from referee.trainers.loop.rollouts import Rollouts, SingleTurn
from referee.trainers.placement import Placement
from referee.trainers.policy.policy import Policy
from referee.trainers.policy.sampling import Sampling
from referee.verifiers.records import Problem
from referee.verifiers.rubric import Rubric


def roll_out_together(
    rollouts: Rollouts,
    placement: Placement,
    policy: Policy,
    problems: Sequence[Problem],
    rubric: Rubric,
    *,
    group_size: int,
    sampling: Sampling,
    seeds: Sequence[int],
    policy_step: int = 0,
) -> list[Group]:
    """Return a group of paid rollouts for each problem, in order, the same in every process."""
    rank, world = placement.rank, placement.world
    if isinstance(rollouts, SingleTurn) and world > 1:
        drawn = _drawn(
            rollouts, placement, policy, problems,
            group_size=group_size, sampling=sampling, seeds=seeds, policy_step=policy_step,
        )  # fmt: skip
        mine = rollouts.pay(problems[rank::world], drawn[rank::world], rubric)
    else:
        mine = rollouts(
            policy,
            problems[rank::world],
            rubric,
            group_size=group_size,
            sampling=sampling,
            seeds=seeds[rank::world],
            policy_step=policy_step,
        )
    numbered = placement.gathered(list(zip(range(rank, len(problems), world), mine, strict=True)))
    return [group for _, group in sorted(numbered, key=lambda pair: pair[0])]


def _drawn(
    rollouts: SingleTurn,
    placement: Placement,
    policy: Policy,
    problems: Sequence[Problem],
    *,
    group_size: int,
    sampling: Sampling,
    seeds: Sequence[int],
    policy_step: int,
) -> list[list[Rollout]]:
    """Return every problem's rollouts, each process having drawn a run of siblings."""
    flat = [(i, g) for i in range(len(problems)) for g in range(group_size)]
    low, high = (len(flat) * (placement.rank + k) // placement.world for k in (0, 1))
    mine = flat[low:high]
    numbers = sorted({i for i, _ in mine})
    drawn = rollouts.draw(
        policy,
        [problems[i] for i in numbers],
        group_size=group_size,
        sampling=sampling,
        seeds=[seeds[i] for i in numbers],
        siblings=[[g for of, g in mine if of == i] for i in numbers],
        policy_step=policy_step,
    )
    found = placement.gathered(list(zip(mine, [r for group in drawn for r in group], strict=True)))
    placed: dict[tuple[int, int], Rollout] = dict(found)
    return [[placed[i, g] for g in range(group_size)] for i in range(len(problems))]
