"""The demonstration behind ``make demo``: score completions, explain three, train a tiny policy on verdicts.

Each half leaves an HTML report.
"""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from referee import explain_reward, scored_report, show_summary
from referee.commands.train import train
from referee.verifiers import Reason, Scored, load_rubric, read_scored, score_file

HERE = Path(__file__).resolve().parent

SHOWN: dict[str, Callable[[Scored], bool]] = {
    "Paid in full": lambda s: all(s.reward.parts[p].score == 1.0 for p in ("right", "format")),
    "The answer stands only in the thinking": lambda s: (
        s.reward.parts["right"].reason is Reason.NO_ANSWER and "\\boxed" in s.completion.text
    ),
    "Nobody wrote down the reference": lambda s: s.reward.abstains,
}


def main(folder: Path, changes: list[str]) -> None:
    """Run the demonstration and leave what it makes in ``folder``; ``changes`` are the training recipe's."""
    console = Console(highlight=False, markup=False)
    folder.mkdir(parents=True, exist_ok=True)
    scored = folder / "scored.jsonl"
    score_completions(scored, console)
    explain_three(scored, console)
    page = folder / "report.html"
    page.write_text(scored_report(scored, title="referee demo"), encoding="utf-8")
    run = folder / "run"
    train_a_policy(run, changes, console)
    say_what_next(scored, page, run, console)


def score_completions(scored: Path, console: Console) -> None:
    """Score the completions that lie beside this file with the rubric that does."""
    source, rubric = HERE / "completions.jsonl", HERE / "rubric.yaml"
    console.rule("1. Scoring", align="left", style="dim")
    console.print(f"completions: {_short(source)}\nrubric:      {_short(rubric)}\n", soft_wrap=True)
    summary = score_file(load_rubric(rubric), source, scored, overwrite=True)
    show_summary(summary, console)


def explain_three(scored: Path, console: Console) -> None:
    """Say in words what three rewards are, and why."""
    console.print()
    console.rule("2. Three verdicts in words", align="left", style="dim")
    waiting = dict(SHOWN)
    for record in read_scored(scored):
        for title in [t for t, wanted in waiting.items() if wanted(record)]:
            del waiting[title]
            console.print(f"\n{title} ({record.problem.id})", style="bold")
            said = " ".join(record.completion.text.split())
            console.print(f"  model: {textwrap.shorten(said, 150, placeholder=' ...')}", style="dim")
            for line in explain_reward(record.reward, record.problem):
                console.print(f"  {line}", soft_wrap=True)


def train_a_policy(run: Path, changes: list[str], console: Console) -> None:
    """Train a tiny policy on verified sums; a run that was interrupted goes on where it stopped."""
    console.print()
    console.rule("3. Training on verdicts", align="left", style="dim")
    recipe = HERE / "train.yaml"
    console.print(
        f"recipe: {_short(recipe)}\nA small transformer reads sums like 30+95= and writes the answer. After "
        "a supervised\nwarm start it learns from nothing but verdicts on its own completions.\n",
        soft_wrap=True,
    )
    train(recipe, out=run, set=changes)


def say_what_next(scored: Path, page: Path, run: Path, console: Console) -> None:
    """Name the files that were made, and what to try."""
    console.print()
    console.rule("What next", align="left", style="dim")
    console.print(
        f"look at     {_short(page)}   (open it in a browser)\n"
        f"            {_short(run / 'report.html')}\n"
        f"read        {_short(scored)}   (one JSON line for each completion)\n"
        "try         . .venv/bin/activate\n"
        '            referee verify math --text "so x = 3/4" --answer 0.75\n'
        "            referee score examples/demo/rubric.yaml YOUR.jsonl -o scored.jsonl\n"
        "            referee train examples/demo/train.yaml -o runs/mine --algorithm rloo\n"
        "learn       docs/tutorial.md",
        soft_wrap=True,
    )


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


if __name__ == "__main__":
    started = time.monotonic()
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"), sys.argv[2:])
    Console(highlight=False).print(f"\ndone in {time.monotonic() - started:.1f} s", style="dim")
