"""Step scores as rewards for tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from referee.envs.records import Rollout
from referee.trainers.objective.advantages import place_step_rewards, step_advantages
from referee.trainers.objective.presets import Preset
from referee.verifiers.records import Reason, Verdict

_WITHOUT_STEPS = (Reason.NO_ANSWER, Reason.RESOURCE_LIMIT)
Decode: TypeAlias = "Callable[[Sequence[int]], str]"


def step_ends(
    verdict: Verdict, token_ids: Sequence[int], decode: Decode
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return the scores of a completion's steps, and for each the index of the token that ends it.

    ``verdict`` is a :class:`~referee.verifiers.learned.process.ProcessModel`'s, ``decode`` the policy's.
    A step's end is found in the text of the tokens before it, so tokens that split a character count
    where it is whole.

    Raises:
        ValueError: where the verdict has no steps, or the tokens' text is shorter than its spans.
    """
    scores: Any = verdict.detail.get("steps")
    spans: Any = verdict.detail.get("spans")
    if not isinstance(scores, list) or not isinstance(spans, list) or len(scores) != len(spans):
        raise ValueError("verdict must be a process model's, with steps and spans in its detail")
    text, ends, token = decode(token_ids), [], 0
    for _, end in spans:
        if end > len(text):
            raise ValueError(f"token_ids must spell the text that was judged, got {len(token_ids)} tokens")
        low, high = token, len(token_ids)
        while low < high:  # the fewest tokens whose text begins with the text up to the step's end
            middle = (low + high) // 2
            whole = decode(token_ids[:middle])[:end] == text[:end]
            low, high = (low, middle) if whole else (middle + 1, high)
        ends.append(low - 1)
        token = low
    return tuple(map(float, scores)), tuple(ends)


def step_rewards(
    verdict: Verdict, token_ids: Sequence[int], decode: Decode, *, centre: float = 0.0
) -> list[float]:
    """Return a reward for each token: a step's score, less ``centre``, at the token that ends the step.

    The rewards add up to the sum of (score - centre) over the steps.

    Raises:
        ValueError: as :func:`step_ends`.
    """
    rewards = [0.0] * len(token_ids)
    for score, end in zip(*step_ends(verdict, token_ids, decode), strict=True):
        rewards[end] += score - centre
    return rewards


def rollout_steps(
    rollouts: Sequence[Rollout], part: str, decode: Decode, mask_BT: Tensor
) -> tuple[Tensor, Tensor]:
    """Return ``rewards_BK`` and ``ends_BK`` of rollouts whose rubric has a process model as ``part``.

    ``ends_BK`` are places in the rows that ``mask_BT`` marks, -1 for padding: what
    :func:`~referee.trainers.objective.advantages.place_step_rewards` and ``step_advantages``
    take. A rollout on
    which the part abstained has none. One that is refused before its steps are read (a gate before the
    model is closed, nothing was written, or more than the model reads) has one step of score 0, its whole
    completion, so that no text escapes its steps' scores.

    Raises:
        ValueError: where the rubric has no such part, it is no process model, or a rollout has turns.
    """
    starts = mask_BT.bool().int().argmax(1).tolist()
    rows: list[tuple[tuple[float, ...], tuple[int, ...]]] = []
    for rollout, start in zip(rollouts, starts, strict=True):
        parts = rollout.reward.parts if rollout.reward is not None else {}
        if rollout.reward is not None and part not in parts:
            raise ValueError(f"step_part must be one of {', '.join(parts)}, got {part!r}")
        if len(rollout.turns) > 1:
            raise ValueError(f"rollouts must have one turn with a step_part, got {len(rollout.turns)}")
        verdict, token_ids = parts.get(part), rollout.completion.token_ids or ()
        if verdict is None or verdict.score is None:
            rows.append(((), ()))
            continue
        if not verdict.detail.get("steps"):
            refused = "gate" in verdict.detail or verdict.reason in _WITHOUT_STEPS
            if verdict.score or not refused:
                raise ValueError(f"step_part must name a process model, got {part!r}: {verdict}")
            rows.append(((0.0,), (start + len(token_ids) - 1,)) if token_ids else ((), ()))
            continue
        scores, ends = step_ends(verdict, token_ids, decode)
        rows.append((scores, tuple(start + e for e in ends)))
    width = max([1, *(len(s) for s, _ in rows)])
    rewards_BK = torch.zeros(len(rows), width, device=mask_BT.device)
    ends_BK = torch.full((len(rows), width), -1, dtype=torch.long, device=mask_BT.device)
    for b, (scores, ends) in enumerate(rows):
        rewards_BK[b, : len(scores)] = torch.tensor(scores)
        ends_BK[b, : len(ends)] = torch.tensor(ends, dtype=torch.long)
    return rewards_BK, ends_BK


def token_step_rewards(
    preset: Preset, rollouts: Sequence[Rollout], decode: Decode, mask_BT: Tensor
) -> Tensor:
    """Return ``step_coef`` (score - ``step_centre``) of each step at the token that ends it, ``_BT``."""
    rewards_BK, ends_BK = rollout_steps(rollouts, preset.step_part, decode, mask_BT)
    placed_BT = place_step_rewards(rewards_BK - preset.step_centre, ends_BK, length=mask_BT.shape[1])
    return preset.step_coef * placed_BT.masked_fill(~mask_BT.bool(), 0.0)


def step_credit(
    preset: Preset, rollouts: Sequence[Rollout], decode: Decode, mask_BT: Tensor, decided_NG: Tensor
) -> Tensor:
    """Return ``step_coef`` times the groups' :func:`~.advantages.step_advantages`, ``_BT``.

    Rollouts that are not decided are in no mean.
    """
    rewards_BK, ends_BK = rollout_steps(rollouts, preset.step_part, decode, mask_BT)
    ends_BK = ends_BK.masked_fill(~decided_NG.reshape(-1, 1), -1)
    shape = (-1, preset.group_size, rewards_BK.shape[1])
    advantages_NGT = step_advantages(
        rewards_BK.view(shape),
        ends_BK.view(shape),
        length=mask_BT.shape[1],
        std=preset.std,
        eps=preset.advantage_eps,
    )
    return preset.step_coef * advantages_NGT.flatten(0, 1) * mask_BT
