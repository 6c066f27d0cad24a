"""The lines of ``timings.jsonl``: seconds, speed and memory, which never repeat."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping, Sequence

import torch

from referee.envs.records import Group


def timings(groups: Sequence[Group], seconds: Mapping[str, float]) -> dict[str, float]:
    """Return a step's seconds with the sampled tokens a second and the most memory held so far, in bytes.

    On a GPU the memory is its own; elsewhere it is the process's.
    """
    tokens = sum(len(r.sampled_ids) for g in groups for r in g.rollouts)
    step = seconds.get("step_seconds", 0.0)
    return {
        **seconds,
        "tokens_per_second": tokens / step if step else 0.0,
        "peak_memory_bytes": float(_peak()),
    }


def _peak() -> int:
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
