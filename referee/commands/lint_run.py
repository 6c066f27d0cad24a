"""``referee lint --run``: run each row's own solution, and a program that does nothing, against its tests."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from referee.commands.inputs import BadInput
from referee.verifiers.protocol import Verifier
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.plan import is_group


def run_solutions(source: Path, judge: Rubric | None) -> tuple[int, list[tuple[int, str]]]:
    """Return how many rows there are, and what is wrong with which, the first row being 1."""
    from referee.envs.loaders import lint, load
    from referee.verifiers import UnitTests

    if judge is not None and len(judge.parts) != 1:
        raise BadInput(f"--run asks one verifier, and the rubric has {len(judge.parts)} parts")
    verifier = UnitTests() if judge is None else next(iter(judge.parts.values())).verifier
    if is_group(verifier):
        raise BadInput("--run asks about one completion at a time, and this verifier compares several")
    problems = load(source)
    return len(problems), [(issue.row, issue.issue) for issue in lint(problems, cast(Verifier, verifier))]
