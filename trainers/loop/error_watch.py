"""The end of a run whose verifier is broken: training goes on paying nobody until somebody looks."""

from __future__ import annotations

from collections.abc import Sequence

from referee.envs.records import Group, Rollout
from referee.trainers.record.metrics import failed
from referee.verifiers.errors import BrokenVerifier
from referee.verifiers.evidence import evidence
from referee.verifiers.records import Reason
from referee.verifiers.rubric import Rubric


class ErrorWatch:
    """Counts, for each paid part, the steps running in which every verdict was an error.

    Args:
        rubric: its parts of weight 0 are reported and not paid: they may fail.
        limit: so many steps running end the run; 0 lets it go on.
    """

    def __init__(self, rubric: Rubric, limit: int) -> None:
        self._unpaid = {name for name, part in rubric.parts.items() if part.weight == 0.0}
        self._limit = limit
        self._running: dict[str, int] = {}

    def see(self, step: int, groups: Sequence[Group]) -> None:
        """Take note of what was sampled in a step.

        Raises:
            BrokenVerifier: where a part failed on everything in ``limit`` steps running.
        """
        rollouts = [r for group in groups for r in group.rollouts]
        names = {name for r in rollouts if r.reward is not None for name in r.reward.parts} - self._unpaid
        self._running = {
            name: self._running.get(name, 0) + 1
            for name in sorted(names)
            if all(failed(r, name) for r in rollouts)
        }
        for name, steps in self._running.items():
            if 0 < self._limit <= steps:
                raise BrokenVerifier(
                    f"stopped in step {step}: every verdict of {name} was an error in {steps} "
                    f"step{'' if steps == 1 else 's'} running, the first: {_first_error(rollouts, name)}; "
                    "mend the verifier and give the same command again, or set "
                    "training.stop_after_errors to 0 to go on all the same"
                )


def _first_error(rollouts: Sequence[Rollout], part: str) -> str:
    for r in rollouts:
        if r.reward is not None and r.reward.parts[part].reason is Reason.ERROR:
            return evidence(r.reward.parts[part]) or "it says nothing"
    raise ValueError(f"part must be one that failed, got {part!r}")
