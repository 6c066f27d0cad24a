"""``referee compare``: which verdicts flip between two scorings, and what would be taught otherwise."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from referee.commands.inputs import BadInput, finite, load_judge, opening, reading_scored
from referee.verifiers.scored.flips import Changes, changes
from referee.verifiers.scoring import score_file


def compare(
    before: str,
    after: str,
    rows: Path | None = None,
    /,
    *,
    at_least: float = 1.0,
    most: int = 10,
    fail_over: float | None = None,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Compare two scored files, or two rubrics on a file of completions. Exits 1 where --fail-over says so.

    Args:
        before: What `referee score` wrote; or, with rows, a rubric's file or a verifier's name.
        after: Another scoring of the same completions; or the other rubric.
        rows: Completions to be scored by both.
        at_least: The total that passes.
        most: How many flips to print.
        fail_over: Exit with 1 where a greater share of the verdicts flips.
        json_: Print JSON.
    """
    finite("--at-least", at_least)
    finite("--fail-over", fail_over)
    if most < 0:
        raise BadInput(f"--most must be at least 0, got {most}")
    with _scored(before, after, rows) as (old, new), reading_scored(old) as a, reading_scored(new) as b:
        found = changes(a, b, at_least=at_least, most=most)
    if not found.completions:
        raise BadInput(f"{before} holds no scored completion")
    if json_:
        print(json.dumps({**asdict(found), "share": found.share}))  # noqa: T201
    else:
        _show(found)
    return 1 if fail_over is not None and found.share > fail_over else 0


@contextmanager
def _scored(before: str, after: str, rows: Path | None) -> Iterator[tuple[Path, Path]]:
    """Give the two scored files, making them where rubrics and rows are given."""
    if rows is None:
        yield Path(before), Path(after)
        return
    judges = [load_judge(before), load_judge(after)]
    with tempfile.TemporaryDirectory(prefix="referee-compare-") as folder:
        out = [Path(folder) / f"{name}.jsonl" for name in ("before", "after")]
        with opening("rows", rows):
            for judge, path in zip(judges, out, strict=True):
                score_file(judge, rows, path)
        for path in out:
            path.touch()
        yield out[0], out[1]


def _show(found: Changes) -> None:
    out = Console(highlight=False, markup=False, soft_wrap=True)
    out.print(
        f"{found.flips:,} of {found.completions:,} verdicts flip: {found.share:.2%} "
        f"({found.low:.2%} to {found.high:.2%})"
    )
    out.print(
        f"to right {found.to_right:,}, to wrong {found.to_wrong:,}, "
        f"to an abstention {found.to_abstention:,}, from one {found.from_abstention:,}"
    )
    out.print(
        f"{found.signs:,} advantages change their sign; the expected policy gradients' cosine is "
        f"{found.cosine:.3f} over {found.groups:,} problems"
    )
    for why, count in found.reasons.items():
        out.print(f"  {count:,} x {why}")
    for flip in found.shown:
        out.print(f"line {flip.line}: {flip.before} to {flip.after} ({flip.why}): {flip.text[-100:]!r}")
