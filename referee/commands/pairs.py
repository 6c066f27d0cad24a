"""``referee pairs``: scored completions as preferences, in the formats that DPO and KTO trainers read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from referee.commands.inputs import BadInput, finite, reading_scored, write_rows
from referee.verifiers.scored.preference_pairs import PairKind, PairOptions
from referee.verifiers.scored.preference_pairs import pairs as make


def pairs(
    source: Path,
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    kind: PairKind = "best_worst",
    gap: float = 0.1,
    cap: int = 0,
    longer: float = 0.0,
    part: str = "",
    at_least: float = 1.0,
) -> int:
    """Write pairs of a better and a worse completion of one problem; abstentions are in none.

    Args:
        source: What `referee score` wrote.
        out: Where the rows go: `prompt`, `chosen` and `rejected`, or `prompt`, `completion` and `label`.
        kind: best_worst, ranking (all pairs), right_wrong, gold (the reference against what is wrong), or
            unpaired (each completion with a label).
        gap: The least difference of scores in a pair.
        cap: How many rows of a problem at most; 0 for all.
        longer: How many times as long the longer text of a pair may be; 0 for any length.
        part: The part whose score counts, in place of the total.
        at_least: The score that is right.
    """
    finite("--gap", gap)
    finite("--longer", longer)
    finite("--at-least", at_least)
    try:
        options = PairOptions(kind=kind, gap=gap, cap=cap, longer=longer, part=part, at_least=at_least)
    except ValueError as e:
        raise BadInput(f"--{e}") from None
    with reading_scored(source) as scored:
        rows, summary = make(scored, options)
    write_rows(rows, out, source)
    Console(stderr=True, highlight=False).print(f"{out}: {summary}", markup=False, soft_wrap=True)
    return 0
