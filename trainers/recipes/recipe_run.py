"""Carrying out a recipe: load the policy, warm it up, train it, record the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.loop.ppo import PPOTrainer
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.sft import fine_tune
from referee.trainers.placement import accelerator_of
from referee.trainers.policy.policy import Policy, load_policy
from referee.trainers.recipes.hub import push_to_hub
from referee.trainers.recipes.recipe import Recipe, RecipeError, check_folder, run_of
from referee.trainers.recipes.recipe_problems import demonstrations_of, problems_of, rollouts_of, rubric_of
from referee.trainers.record.run_record import Run, alone
from referee.verifiers.extras import EXTRAS, missing
from referee.verifiers.jsonl import to_dict
from referee.verifiers.rules_version import rules_of
from referee.verifiers.scoring.engine import DEADLINE_S

OnStep = Callable[[str, Mapping[str, float]], None]


def carry_out(recipe: Recipe, folder: Path, *, overwrite: bool = False, on_step: OnStep | None = None) -> Run:
    """Carry out a recipe in a folder, going on where an interrupted run of it stopped.

    Everything that a recipe names is tried before anything is written. ``overwrite`` begins anew where the
    folder holds a run. ``on_step`` is called with ``warm start`` or ``training`` and each step's figures.

    Raises:
        RecipeError: where the recipe cannot be carried out, or the folder holds another one's run, or one
            that another process is writing.
        BrokenVerifier: where the verifier failed on everything, as ``training.stop_after_errors`` says; the
            same call then goes on from the last checkpoint.
    """
    check_trackers(recipe.trackers)
    rubric, (problems, heldout), rollouts = rubric_of(recipe), problems_of(recipe), rollouts_of(recipe)
    rules = rules_of(rubric)
    if not overwrite:
        check_folder(recipe, folder, rules=rules)
    policy = _policy(recipe)
    shown = demonstrations_of(recipe, problems, policy) if recipe.warm_start is not None else None
    preset = recipe.preset()
    trainer = PPOTrainer if preset.advantage == "gae" else GroupTrainer
    accelerator = accelerator_of(
        recipe.training.precision, log_with=list(recipe.trackers) or None, project_dir=str(folder)
    )
    with alone(folder) if accelerator.is_main_process else nullcontext(True) as free:
        if not free:
            raise RecipeError(
                f"another run is writing to {folder}: wait for its end, or choose another folder"
            )
        run = run_of(recipe, folder, rules=rules, overwrite=overwrite, writes=accelerator.is_main_process)
        accelerator.wait_for_everyone()
        if recipe.trackers:
            options = {k: v for k, v in to_dict(recipe.preset()).items() if isinstance(v, int | float | str)}
            accelerator.init_trackers("referee", config=options)
        if recipe.warm_start is not None and shown is not None and not run.checkpoints():
            fine_tune(
                policy,
                shown,
                options=recipe.warm_start,
                accelerator=accelerator,
                on_step=(lambda figures: on_step("warm start", figures)) if on_step else None,
            )
            accelerator.free_memory()  # the trainer prepares the model anew, with an optimiser of its own
        training = trainer(
            policy,
            problems,
            rubric,
            preset=preset,
            training=timed(recipe.training),
            run=run,
            heldout=heldout,
            accelerator=accelerator,
            on_step=(lambda figures: on_step("training", figures)) if on_step else None,
            rollouts=rollouts,
        )
        try:
            training.train()
        finally:
            accelerator.end_training()
        if recipe.push_to_hub and accelerator.is_main_process:
            push_to_hub(run, recipe.push_to_hub)
        return run


def timed(training: Training) -> Training:
    """Return the options with a deadline: a recipe's verifiers can be sent to workers, so none may hang."""
    return training if training.deadline_s is not None else replace(training, deadline_s=DEADLINE_S)


def check_trackers(names: Sequence[str]) -> None:
    """Make sure that each tracker is one that accelerate knows, and is installed.

    Raises:
        RecipeError: for a name that it does not know.
        MissingExtra: for one whose package is missing; without it nothing would be tracked.
    """
    known = [str(name.value if hasattr(name, "value") else name) for name in LOGGER_TYPE_TO_CLASS]
    for name in names:
        if name not in known:
            raise RecipeError(f"trackers must be of {', '.join(known)}, got {name!r}")
        if name not in {str(getattr(t, "value", t)) for t in get_available_trackers()}:
            extra = "track" if name in EXTRAS["track"] else ""
            raise missing(f"trackers: [{name}]", name, extra=extra, install=name.replace("_", "-"))


def _policy(recipe: Recipe) -> Policy:
    p = recipe.policy
    try:
        return load_policy(
            p.name,
            dtype=p.dtype,
            tiny=p.tiny,
            lora=p.lora,
            seed=recipe.training.seed,
            chat_template_kwargs=p.chat_template_kwargs,
            skip_special_tokens=p.skip_special_tokens,
        )
    except (OSError, ValueError) as e:
        said = (str(e).strip().splitlines() or [type(e).__name__])[0]
        raise RecipeError(f"policy.name: {p.name!r} cannot be loaded: {said}") from e
