"""``referee summary``: what a scored file comes to, with intervals."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from referee.commands.inputs import BadInput, finite, load_judge, reading_scored
from referee.verifiers.records import Problem
from referee.verifiers.scored.pass_rates import Rate, broken_down, level_of, rates, source_of

Breakdown = Literal["none", "problem", "source", "level"]


def summary(
    source: Path,
    /,
    *,
    k: Annotated[list[int] | None, Parameter(name=["--k", "-k"], negative=())] = None,
    part: str = "",
    vote_by: str = "",
    same_by: str = "",
    breakdown: Breakdown = "none",
    at_least: float = 1.0,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Print pass@k, the majority's vote and best-of-n, each with its 95 % interval over problems.

    Args:
        source: What `referee score` wrote.
        k: A k of pass@k; may be repeated. By default powers of two.
        part: The part whose score and answers count, in place of the total and the first answers.
        vote_by: The part that chooses the best of a problem's completions, and weighs their votes.
        same_by: The verifier that tells whether two answers are one, such as math; else equal texts are.
        breakdown: Also by problem, source or level.
        at_least: The score that is right.
        json_: Print JSON.
    """
    finite("--at-least", at_least)
    options: dict[str, Any] = {
        "ks": tuple(k or ()), "part": part, "by": vote_by, "at_least": at_least, "same": _same(same_by)
    }  # fmt: skip
    with reading_scored(source) as scored:
        rows = list(scored)
        if not rows:
            raise BadInput(f"{source} holds no scored completion")
        total = rates(rows, **options)
        kinds = {} if breakdown == "none" else broken_down(rows, _KEYS[breakdown], **options)
    if json_:
        plain = {name: asdict(rate) for name, rate in total.items()}
        by = {kind: {n: asdict(r) for n, r in found.items()} for kind, found in kinds.items()}
        print(json.dumps({**plain, **({f"by_{breakdown}": by} if by else {})}))  # noqa: T201
        return 0
    out = Console(highlight=False)
    _show(out, "", total)
    for kind, found in kinds.items():
        _show(out, kind or "(none)", found)
    return 0


_KEYS: Mapping[str, Callable[[Problem], str]] = {
    "problem": lambda p: p.id or p.prompt_text[:60],
    "source": source_of,
    "level": level_of,
}


def _same(name: str) -> Callable[[str, str], bool] | None:
    """Return what tells equal answers: the verifier, asked whether one answers the other as reference."""
    if not name:
        return None
    judge = load_judge(name)

    def same(a: str, b: str) -> bool:
        return judge(f"\\boxed{{{b}}}", Problem(answer=a)).total == 1.0

    return same


def _show(out: Console, title: str, found: Mapping[str, Rate]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", title=title or None, title_justify="left")
    table.add_column("figure")
    for heading in ("mean", "95 % interval", "problems"):
        table.add_column(heading, justify="right")
    for name, rate in found.items():
        table.add_row(name, f"{rate.mean:.3f}", f"{rate.low:.3f} to {rate.high:.3f}", f"{rate.problems:,}")
    out.print(table)
