"""Takes two steps of a tiny policy and saves where they lead; one process of as many as the environment says.

python two_steps.py PRESET FOLDER

With ``-uneven`` behind the preset's name nothing goes evenly into two processes: demonstrations of 2 and 60
characters first, one or three a step, then mini-batches that leave a remainder of one, and a verifier that
abstains on most.
"""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator

from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.loop.ppo import PPOTrainer
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.sft import SFT, fine_tune
from referee.trainers.objective.presets import preset
from referee.trainers.policy.policy import tiny_policy
from referee.trainers.record.run_record import Run
from referee.verifiers.records import Reason, Verdict
from referee.verifiers.rubric import Rubric

shared = runpy.run_path(str(Path(__file__).with_name("conftest.py")))


def seldom(completion: object, problem: object) -> Verdict:
    """Abstain on three of four completions."""
    if len(str(completion)) % 4:
        return Verdict(score=None, reason=Reason.UNAVAILABLE)
    return Verdict(score=float(str(completion).count("1") > 0))


def main(name: str, folder: Path) -> None:
    """Train in float64, so that what is left is rounding and nothing else."""
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True)
    uneven = name.endswith("-uneven")
    policy = tiny_policy(shared["TINY"], seed=3, dtype="float64")
    if uneven:
        problem = shared["PROBLEMS"][0]
        shown = [(problem, "1" * 60), (problem, "12"), (problem, "7")]
        for rows in (1, 3):
            options = SFT(steps=2, batch_size=rows, micro_batch_tokens=80, learning_rate=1e-3)
            fine_tune(policy, shown, options=options, accelerator=accelerator)
    chosen = replace(
        preset(name.removesuffix("-uneven")),
        batch_size=16,
        group_size=4,
        learning_rate=1e-3,
        max_new_tokens=5,
        kl_coef=0.1,
        mini_batch_size=8,
        update_epochs=2,
    )
    if uneven:
        chosen = replace(chosen, batch_size=12, mini_batch_size=11, mask_truncated=True, max_new_tokens=8)
    trainer = (PPOTrainer if chosen.advantage == "gae" else GroupTrainer)(
        policy,
        shared["PROBLEMS"],
        Rubric({"digits": seldom if uneven else shared["digits"]}, truncation="score"),
        preset=chosen,
        training=Training(steps=2, eval_every=1, save_every=1, micro_batch_tokens=32),
        run=Run(folder / "run", writes=accelerator.is_main_process),
        heldout=shared["PROBLEMS"][::7],
        accelerator=accelerator,
    )
    trainer.train()
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        torch.save(trainer.policy.model.state_dict(), folder / "weights.pt")
        (folder / "processes.json").write_text(json.dumps(accelerator.num_processes))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
