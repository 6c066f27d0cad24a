"""``referee audit``: attacks on a verifier, and the rates at which it is wrong."""

from __future__ import annotations

import json as json_lines
import random
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from referee.commands.inputs import BadInput, above_0, finite, load_judge, opening
from referee.verifiers.evidence import evidence
from referee.verifiers.files.row_formats import problem_row
from referee.verifiers.probing import TEMPLATE, Probed, overall
from referee.verifiers.probing import audit as run_probes
from referee.verifiers.records import Problem
from referee.verifiers.scoring import Columns, read_rows
from referee.verifiers.scoring.rows import parsed_lines
from referee.verifiers.scoring.score_rows import cores


def audit(
    verifier: str,
    /,
    *,
    problems: Path,
    prompt: str = "prompt",
    answer: str = "answer",
    answer_pattern: str = "",
    info: str = "info",
    template: str = TEMPLATE,
    option: Annotated[list[str] | None, Parameter(name=["--option", "-O"], negative=())] = None,
    at_least: float = 1.0,
    limit: int = 200,
    seed: int = 0,
    workers: int | None = None,
    deadline_s: float = 10.0,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Try to fool a verifier, and measure how often it is wrong.

    Exits 1 where it was wrong, where it failed (raised, or gave no verdict), and where nothing was decided.

    Args:
        verifier: A name, package.module:name, file.py:name, or a rubric's YAML file.
        problems: A problem with its reference in each row, in any file that `referee score` reads.
        prompt: The column of the prompt.
        answer: The column of the reference.
        answer_pattern: A regular expression; the first group of its last match is the reference.
        info: The column of what else the verifier reads, an object.
        template: How an answer is stated; {answer} in it is replaced.
        option: An option of the verifier, as name=value; may be repeated.
        at_least: The least score that passes.
        limit: How many problems to draw from the file.
        seed: Of that draw, and of the random texts.
        workers: Processes to use; by default one for each core.
        deadline_s: Seconds that each verdict may take.
        json: Print the whole result as one JSON object.
    """
    if limit < 2:
        raise BadInput(f"--limit must be at least 2, got {limit}")
    above_0("--deadline-s", deadline_s)
    finite("--at-least", at_least)
    judge = load_judge(verifier, option or ())
    drawn = _problems(problems, prompt, answer, answer_pattern, info)
    if len(drawn) > limit:
        drawn = random.Random(seed).sample(drawn, limit)
    try:
        probed = run_probes(
            judge,
            drawn,
            template=template,
            at_least=at_least,
            seed=seed,
            workers=cores() if workers is None else workers,
            deadline_s=deadline_s,
        )
    except (ValueError, TypeError) as e:
        raise BadInput(str(e)) from None
    if json:
        rates = {kind: overall(probed, honest=kind == "false_negatives") for kind in _KINDS}
        print(json_lines.dumps({**rates, "probes": [asdict(p) for p in probed]}))  # noqa: T201
    else:
        _show(probed, len(drawn))
    return 1 if any(p.wrong or p.errors for p in probed) or not any(p.decided for p in probed) else 0


_KINDS = ("false_positives", "false_negatives")


def _problems(path: Path, prompt: str, answer: str, pattern: str, info: str) -> list[Problem]:
    """Read the problems of a file, which need hold no completions."""
    try:
        columns = Columns(prompt=prompt, answer=answer, answer_pattern=pattern, info=info)
    except ValueError as e:
        raise BadInput(str(e)) from None
    found: list[Problem] = []
    with opening("--problems", path):
        for number, data in parsed_lines(path):
            if isinstance(data, dict):
                data = problem_row(data) | {"completion": ""}
            try:
                for row in read_rows([data], columns):
                    if row.failure is not None:
                        raise ValueError(evidence(row.failure))
                    found.append(row.problem)
            except (ValueError, TypeError) as e:
                raise BadInput(f"{path}, line {number}: {str(e).removeprefix('row 1: ')}") from None
    return found


def _show(probed: list[Probed], problems: int) -> None:
    console = Console(highlight=False)
    for honest, title in (
        (False, "Attacks: passing one is a false positive"),
        (True, "Right answers: failing one is a false negative"),
    ):
        table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
        table.add_column("probe")
        for heading in ("wrong", "of", "rate", "95 % interval", "mean", "abstained"):
            table.add_column(heading, justify="right")
        wide = console.width >= 130
        if wide:
            table.add_column("what it says")
        for p in probed:
            if p.honest is honest:
                style = "bold red" if p.wrong else None
                rate = "-" if p.rate is None else f"{p.rate:.1%}"
                mean = "-" if p.mean is None else f"{p.mean:.3f}"
                interval = f"{p.low:.1%} to {p.high:.1%}"
                cells = (str(p.wrong), str(p.decided), rate, interval, mean, str(p.abstained))
                table.add_row(p.name, *cells, *([p.says] if wide else []), style=style)
        console.print(table)
        wrong, decided, low, high = overall(probed, honest=honest)
        share = f"{wrong / decided:.2%}" if decided else "-"
        console.print(f"together {wrong:,} of {decided:,}: {share}, 95 % interval {low:.2%} to {high:.2%}\n")
    for p in (p for p in probed if p.wrong):
        console.print(f"{p.name}, for example: {p.examples[0][:200]!r}", markup=False, soft_wrap=True)
    _show_failures(probed, console)
    console.print(f"{problems:,} problems, {len(probed)} probes")


def _show_failures(probed: list[Probed], console: Console) -> None:
    """Say how often the verifier failed, and why there is no verdict where there is none at all."""
    asked = sum(p.decided + p.abstained for p in probed)
    errors = sum(p.errors for p in probed)
    if errors:
        first = next(p.first_error for p in probed if p.errors)
        says = f"it failed on {errors:,} of {asked:,} completions ({errors / asked:.1%}), the first: {first}"
        console.print(says, style="bold red", markup=False, soft_wrap=True)
    if not any(p.decided for p in probed):
        why = next((p.first_abstention for p in probed if p.abstained), "no probe could be written")
        console.print(f"nothing was decided: {why}", style="bold red", markup=False, soft_wrap=True)
