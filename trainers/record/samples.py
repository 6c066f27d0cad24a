"""The lines of ``samples.jsonl``: completions of a step with their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from referee.envs.records import Group
from referee.verifiers.jsonl import to_dict


def sample_lines(groups: Sequence[Group], *, step: int, kept: int) -> list[dict[str, Any]]:
    """Return completions spread over a step's groups, at most ``kept`` of them."""
    lines: list[dict[str, Any]] = []
    rollouts = [r for g in groups for r in g.rollouts]
    count = min(kept, len(rollouts))
    for r in (rollouts[i * len(rollouts) // count] for i in range(count)):
        lines.append(
            {
                "step": step,
                "prompt": to_dict(r.problem).get("prompt", ""),
                "answer": r.problem.answer,
                "id": r.problem.id,
                "completion": r.text,
                "finish_reason": r.turns[-1].completion.finish_reason if r.turns else None,
                "tokens": len(r.sampled_ids),
                "reward": to_dict(r.reward) if r.reward is not None else None,
            }
        )
    return lines
