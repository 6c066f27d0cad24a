"""Carrying out a recipe: load the policy, warm it up, train it, record the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from accelerate import Accelerator

from referee.trainers.grpo import GroupTrainer
from referee.trainers.policy import load_policy
from referee.trainers.ppo import PPOTrainer
from referee.trainers.recipe import Recipe, run_of
from referee.trainers.recipe_problems import demonstrations_of, problems_of, rollouts_of, rubric_of
from referee.trainers.run_options import Training
from referee.trainers.run_record import Run
from referee.trainers.sft import fine_tune
from referee.verifiers.jsonl import to_dict
from referee.verifiers.scoring.engine import DEADLINE_S

OnStep = Callable[[str, Mapping[str, float]], None]


def carry_out(recipe: Recipe, folder: Path, *, on_step: OnStep | None = None) -> Run:
    """Carry out a recipe in a folder, going on where an interrupted run of it stopped.

    ``on_step`` is called with ``warm start`` or ``training`` and the figures of each step.

    Raises:
        RecipeError: where the recipe cannot be carried out, or the folder holds another one's run.
    """
    accelerator = Accelerator(log_with=list(recipe.trackers) or None, project_dir=str(folder))
    rubric, (problems, heldout) = rubric_of(recipe), problems_of(recipe)
    run = run_of(recipe, folder, writes=accelerator.is_main_process)
    accelerator.wait_for_everyone()
    policy = load_policy(
        recipe.policy.name,
        dtype=recipe.policy.dtype,
        tiny=recipe.policy.tiny,
        lora=recipe.policy.lora,
        seed=recipe.training.seed,
    )
    if recipe.trackers:
        options = {k: v for k, v in to_dict(recipe.preset()).items() if isinstance(v, int | float | str)}
        accelerator.init_trackers("referee", config=options)
    if recipe.warm_start is not None and not run.checkpoints():
        fine_tune(
            policy,
            demonstrations_of(recipe, problems, policy),
            options=recipe.warm_start,
            accelerator=accelerator,
            on_step=(lambda figures: on_step("warm start", figures)) if on_step else None,
        )
        accelerator.free_memory()  # the trainer prepares the model anew, with an optimiser of its own
    preset = recipe.preset()
    trainer = (PPOTrainer if preset.advantage == "gae" else GroupTrainer)(
        policy,
        problems,
        rubric,
        preset=preset,
        training=timed(recipe.training),
        run=run,
        heldout=heldout,
        accelerator=accelerator,
        on_step=(lambda figures: on_step("training", figures)) if on_step else None,
        rollouts=rollouts_of(recipe),
    )
    trainer.train()
    accelerator.end_training()
    return run


def timed(training: Training) -> Training:
    """Return the options with a deadline: a recipe's verifiers can be sent to workers, so none may hang."""
    return training if training.deadline_s is not None else replace(training, deadline_s=DEADLINE_S)
