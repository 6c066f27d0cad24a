"""What a training run writes down of itself as it goes: a step's figures, and held-out measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from referee.envs.records import Group
from referee.trainers.loop.heldout import measure_both
from referee.trainers.record.samples import sample_lines
from referee.trainers.record.timings import timings

if TYPE_CHECKING:
    from referee.trainers.loop.grpo import GroupTrainer


def record_step(
    trainer: GroupTrainer,
    figures: Mapping[str, float],
    groups: Sequence[Group],
    seconds: Mapping[str, float],
) -> None:
    """Tell whoever listens of a step, and write it down where there is a run."""
    t, step = trainer, trainer.step
    if t.on_step is not None:
        t.on_step({"step": step, **figures})
    t.placement.accelerator.log(dict(figures), step=step)
    if t.run is not None:
        t.run.append("metrics", [{"step": step, **figures}])
        t.run.append("timings", [{"step": step, **timings(groups, seconds)}])
        t.run.append("samples", sample_lines(groups, step=step, kept=t.training.samples_kept))


def measure_heldout(trainer: GroupTrainer) -> None:
    """Measure on the held-out problems, and say and write down what came of it; nothing without any."""
    t, step = trainer, trainer.step
    if not t.heldout:
        return
    held = measure_both(
        t.policy,
        t.heldout,
        t.rubric.at(step),
        sampling=t.sampling,
        samples=t.training.eval_samples,
        seed=t.training.seed,
        rollouts=t.rollouts,
        placement=t.placement,
    )
    greedy = held["greedy"]["pass_at_1"]
    t.measured.append((step, greedy))
    if t.run is not None:
        t.run.append("heldout", [{"step": step, **held}])
    t.placement.accelerator.log({f"heldout/{k}": v["pass_at_1"] for k, v in held.items()}, step)
    if t.on_step is not None:
        t.on_step({"step": step, "heldout": greedy})
