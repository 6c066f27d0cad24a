"""``referee sample``: the completions that pass, ready for supervised fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from referee.commands.inputs import BadInput, finite, reading_scored, write_rows
from referee.verifiers.scored.rejection import Preference, accepted, tuning_row


def sample(
    source: Path,
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    at_least: float = 1.0,
    part: str = "",
    cap: int = 4,
    prefer: Preference = "first",
) -> int:
    """Write the completions that pass as rows for supervised fine-tuning, each text once.

    Args:
        source: What `referee score` wrote.
        out: Where the rows go: `prompt` and `completion`, texts or chat messages as the prompts are.
        at_least: The least total, or score of the part, that passes. Abstentions and cut-off texts never do.
        part: The part whose score counts, in place of the total.
        cap: How many completions of a problem are kept at most.
        prefer: Which of them: the first, the shortest, or the most diverse.
    """
    finite("--at-least", at_least)
    if cap < 1:
        raise BadInput(f"--cap must be at least 1, got {cap}")
    with reading_scored(source) as scored:
        kept = accepted(scored, at_least=at_least, part=part, cap=cap, prefer=prefer)
    write_rows(map(tuning_row, kept), out, source)
    Console(stderr=True, highlight=False).print(
        f"{len(kept):,} completions are in {out}", markup=False, soft_wrap=True
    )
    return 0
