"""Checkpoints of a training run: what is in them, and how a run goes on from one.

    policy/      weights or adapters, and the tokenizer: ``load_policy`` reads it
    reference/   where the reference is an average
    state.pt     optimiser, critic, and the random states of every process
    state.json   step, position in the data, KL coefficient, moments, and what the run was asked to do

All processes call :func:`save`, and one writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from referee.trainers.policy.policy import restore
from referee.trainers.record.best import best_step
from referee.verifiers.errors import UserMistake
from referee.verifiers.learned.normalise import Moments
from referee.verifiers.records import Json

if TYPE_CHECKING:
    from referee.trainers.loop.grpo import GroupTrainer


class OtherRun(UserMistake, ValueError):
    """A folder that holds the run of another rubric, preset or data."""


def save(trainer: GroupTrainer) -> None:
    """Write a checkpoint of the trainer's step."""
    random = trainer.placement.gathered([_random()])
    run = trainer.run
    if run is not None and run.writes:
        with run.checkpoint(trainer.step) as folder:
            trainer.policy.save(folder / "policy")
            if trainer.reference is not None:
                trainer.reference.save(folder / "reference")
            torch.save({**trainer.learner.state(), "rng": random}, folder / "state.pt")
            state: dict[str, Json] = {**_state(trainer), "asked": dict(trainer.asked)}
            (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
        best = best_step(trainer.measured) if trainer.training.keep_best else None
        run.prune(trainer.training.keep_checkpoints, also=best)
    trainer.placement.wait()


def resume(trainer: GroupTrainer) -> bool:
    """Go back to the run's newest checkpoint; False where there is none.

    Raises:
        OtherRun: where the run was begun with another rubric, preset or data.
    """
    run = trainer.run
    found = run.checkpoints() if run is not None else []
    if run is None or not found:
        return False
    step, folder = found[-1]
    plain = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    _check(run.folder, plain.get("asked"), trainer.asked)
    restore(trainer.policy.model, folder / "policy")
    if trainer.reference is not None:
        trainer.reference.restore(folder / "reference", found[0][1] / "policy")
    state = torch.load(folder / "state.pt", weights_only=True, map_location="cpu")
    trainer.learner.restore(state)
    _set_random(state["rng"], trainer.placement.rank)
    _restore(trainer, plain)
    run.cut(step)
    measured = [(line["step"], line["greedy"]["pass_at_1"]) for line in run.read("heldout")]
    trainer.measured = [m for m in measured if m[0] <= step]
    return True


def _state(trainer: GroupTrainer) -> dict[str, Json]:
    return {
        "step": trainer.step,
        "position": trainer.position,
        "kl_coef": trainer.kl.kl_coef,
        "moments": asdict(trainer.moments),
        "problems": trainer.source.state(),
    }


def _restore(trainer: GroupTrainer, state: Mapping[str, Any]) -> None:
    trainer.step, trainer.position = state["step"], state["position"]
    trainer.kl = replace(trainer.kl, kl_coef=state["kl_coef"])
    trainer.moments = Moments(**state.get("moments", {}))
    trainer.source.restore(state["problems"])


def _check(folder: Path, before: Any, now: Mapping[str, Json]) -> None:
    """Refuse to go on with what was begun otherwise; a record of before this was kept says nothing."""
    if not isinstance(before, Mapping):
        return
    said = [
        f"{name}: {_short(before[name])} then, {_short(now[name])} now"
        for name in now
        if name in before and before[name] != json.loads(json.dumps(now[name]))
    ]
    if said:
        raise OtherRun(
            f"run must be one that was begun with the same rubric, preset and data, got {folder} "
            f"({'; '.join(said)}): give it another folder"
        )


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _random() -> dict[str, Any]:
    return {"cpu": torch.get_rng_state(), "devices": torch.cuda.get_rng_state_all()}


def _set_random(states: Any, rank: int) -> None:
    if not isinstance(states, list):  # of before each process kept its own
        torch.set_rng_state(states)
        return
    mine = states[min(rank, len(states) - 1)]
    torch.set_rng_state(mine["cpu"])
    if mine["devices"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(mine["devices"])
