"""``referee train``: a recipe in, a trained policy and the record of its run out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from referee.commands.inputs import opening
from referee.verifiers.errors import BrokenVerifier

if TYPE_CHECKING:
    from referee.trainers.recipes.recipe import Recipe
    from referee.trainers.record.run_record import Run


def train(
    recipe: Path,
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    steps: int | None = None,
    seed: int | None = None,
    policy: str | None = None,
    algorithm: str | None = None,
    set: Annotated[list[str] | None, Parameter(name=["--set", "-s"], negative=())] = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    report: bool = True,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False,
) -> int:
    """Train a policy on verified rewards. Interrupted, the same command goes on where it stopped.

    Args:
        recipe: A recipe's YAML file.
        out: The run's folder: figures, samples, checkpoints and the report go there.
        steps: Training steps, instead of the recipe's.
        seed: The seed, instead of the recipe's.
        policy: The policy's name or folder, instead of the recipe's.
        algorithm: The preset, instead of the recipe's (its options stay).
        set: Any other change, as key.path=value (training.eval_every=5); may be repeated.
        overwrite: Begin anew where the folder holds a run.
        report: Write the run's HTML report at the end.
        quiet: No progress bar and no summary.
    """
    named = {
        "training.steps": steps,
        "training.seed": seed,
        "policy.name": policy,
        "algorithm": algorithm,
    }
    changes = [*(f"{key}={value}" for key, value in named.items() if value is not None), *(set or ())]
    with opening("recipe", recipe), opening("--out", out):
        carry_out(recipe, out, changes, overwrite=overwrite, report=report, console=_console(quiet=quiet))
    return 0


def carry_out(
    recipe: Path, out: Path, changes: list[str], *, overwrite: bool, report: bool, console: Console
) -> None:
    """Carry out a recipe's file with a progress bar, a summary and a report."""
    from referee.trainers.recipes.recipe import load_recipe

    loaded = load_recipe(recipe, changes)
    for warning in loaded.preset().warnings():
        console.print(f"note: {warning}", style="yellow", markup=False)
    started = time.monotonic()
    with _Bars(loaded, console) as bars:
        from referee.trainers.recipes.recipe_run import carry_out as begin

        try:
            run = begin(loaded, out, overwrite=overwrite, on_step=bars.update)
        except BrokenVerifier:
            if report:  # what failed, and how, is in it
                _write_report(out, console)
            raise
    show_run(run, loaded, console, time.monotonic() - started)
    if report:
        _write_report(out, console)


def _write_report(out: Path, console: Console) -> None:
    from referee.report.training import write_training_report
    from referee.trainers.record.run_record import Run

    if not Run(out, writes=False).read("metrics"):
        console.print("no report: no step was taken", markup=False)
        return
    console.print(f"report: {write_training_report(out)}", markup=False, soft_wrap=True)


class _Bars:
    """A bar for the warm start and one for training, with the latest figures beside it."""

    def __init__(self, recipe: Recipe, console: Console) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
        )
        self.totals = {"training": recipe.training.steps}
        if recipe.warm_start is not None:
            self.totals["warm start"] = recipe.warm_start.steps
        self.tasks: dict[str, Any] = {}
        self.heldout = ""

    def __enter__(self) -> _Bars:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def update(self, phase: str, figures: Mapping[str, float]) -> None:
        """Show a step's figures."""
        if phase not in self.tasks:
            self.tasks[phase] = self.progress.add_task(phase, total=self.totals[phase], figures="")
        shown: dict[str, Any] = {"completed": figures["step"]}
        if "heldout" in figures:
            self.heldout = f"  held-out {figures['heldout']:.1%}"
        if "reward" in figures:
            shown["figures"] = f"reward {figures['reward']:.3f}{self.heldout}"
        elif "loss" in figures:
            shown["figures"] = f"loss {figures['loss']:.3f}"
        self.progress.update(self.tasks[phase], **shown)


def show_run(run: Run, recipe: Recipe, console: Console, seconds: float) -> None:
    """Print what came of a run: held-out accuracy before and after, with 95 % intervals."""
    from referee.trainers.record.headline import headline
    from referee.trainers.record.monitors import alarms

    metrics, heldout = run.read("metrics"), run.read("heldout")
    if heldout:
        before, after = heldout[0], heldout[-1]
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("held-out pass@1")
        for heading in (f"step {before['step']}", f"step {after['step']}"):
            table.add_column(heading, justify="right")
        for mode in (name for name in before if name != "step"):
            table.add_row(mode, *(_share(line[mode]) for line in (before, after)))
        console.print(table)
    if reward := headline(metrics):
        console.print(
            f"{recipe.algorithm}: mean reward {reward.first:.3f} in the first {reward.steps} of "
            f"{reward.of} steps, {reward.last:.3f} in the last {reward.steps}; {seconds:.0f} s",
            markup=False,
        )
    for alarm in alarms(metrics, heldout):
        console.print(f"alarm: {alarm}", style="yellow", markup=False, soft_wrap=True)


def _share(held: Mapping[str, Any]) -> str:
    # A field that holds its default is not written.
    at_k = f", pass@{held['k']} {held['pass_at_k']:.1%}" if held.get("pass_at_k") is not None else ""
    return f"{held['pass_at_1']:.1%} ({held['low']:.1%} to {held['high']:.1%}){at_k}"


def _console(*, quiet: bool) -> Console:
    return Console(stderr=True, highlight=False, quiet=quiet)
