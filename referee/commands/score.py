"""``referee score``: a file of completions in, a file of rewards out."""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from referee.commands.inputs import BadInput, above_0, finite, load_judge, opening
from referee.verifiers.records import Reason
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring import Columns, PartSummary, Summary, read_rows, score_file
from referee.verifiers.scoring.retrying import RETRIED, retry_file
from referee.verifiers.scoring.rows import BAD_ROWS
from referee.verifiers.scoring.score_rows import cores


def score(
    rubric: str,
    source: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"], allow_leading_hyphen=True)],
    completion: Annotated[list[str] | None, Parameter(negative=())] = None,
    prompt: str = "prompt",
    answer: str = "answer",
    answer_pattern: str = "",
    id: str = "id",
    info: str = "info",
    info_column: Annotated[list[str] | None, Parameter(negative=())] = None,
    group: str = "",
    finish_reason: str = "",
    references: Path | None = None,
    bad_rows: str = "stop",
    retry: str = "",
    option: Annotated[list[str] | None, Parameter(name=["--option", "-O"], negative=())] = None,
    workers: int | None = None,
    deadline_s: float = 10.0,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    fail_under: float | None = None,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False,
) -> int:
    """Score a file of completions with a rubric. Interrupted, the same command goes on where it stopped.

    Exits 0 whatever the verdicts are, or 1 where --fail-under says so. Column names may be dotted paths, such
    as ground_truth.answer or samples.0.text.

    Args:
        rubric: A rubric's YAML file, or a verifier's name (math, numeric, package.module:name, ...).
        source: One problem with its completions in each row: JSON lines, a JSON array, CSV, Parquet (gzip or
            zstd around any), a folder that datasets saved, datasets:NAME:SPLIT, or what batch APIs, vLLM,
            lm-evaluation-harness, inspect_ai and verl write; - reads standard input.
        out: Where the scored completions go, one JSON line each; - writes to standard output, where nothing
            can be resumed.
        completion: The column of the completions; may be repeated. By default "completion", or what a known
            format has.
        prompt: The column of the prompt.
        answer: The column of the reference.
        answer_pattern: A regular expression; the first group of its last match in the answer column
            is the reference.
        id: The column of the problem's id.
        info: The column of what else the verifiers read, an object.
        info_column: A column to copy into the problem's info; may be repeated.
        group: A column whose equal values are siblings of one problem, which are brought together by a first
            pass; by default, and where it holds null, a row is a group.
        finish_reason: The column that says why a completion ended; by default it is looked for beside
            the text.
        references: A file with the references (and prompts) of the rows, joined by id.
        bad_rows: What to do with a line that is no row: stop there, keep it in the output with its reason and
            no verdict, or skip it. They are counted.
        retry: Decide again, in the output, what was left open: "abstained" where the machine failed
            (unavailable, error), "abstained:REASON" for one reason. All else stays byte for byte.
        option: An option of a verifier that was given by name, as name=value; may be repeated.
        workers: Processes for the rules; by default one for each core. 0 asks them here, without deadlines.
        deadline_s: Seconds that each part of the rubric may take for each completion.
        overwrite: Begin anew where the output exists.
        fail_under: Exit with 1 where the mean total is below this, or nothing was decided.
        quiet: No progress bar and no summary; what failed is said all the same.
    """
    source = Path("/dev/stdin") if str(source) == "-" else source
    columns = _columns(
        completion, prompt, answer, answer_pattern, id, info, info_column, group, finish_reason
    )
    above_0("--deadline-s", deadline_s)
    finite("--fail-under", fail_under)
    if workers is not None and workers < 0:
        raise BadInput(f"--workers must be at least 0, got {workers}")
    if bad_rows not in BAD_ROWS:
        raise BadInput(f"--bad-rows must be one of {', '.join(BAD_ROWS)}, got {bad_rows!r}")
    judge = load_judge(rubric, option or ())
    if source.resolve() == out.resolve():
        raise BadInput(f"--out must be another file than the source, got {out}")
    if retry:
        return _retry(judge, out, retry, columns, workers, deadline_s, quiet=quiet)
    console = Console(stderr=True, highlight=False, quiet=quiet)
    with _written(out) as (target, pass_on), _progress(console) as bar:
        task = bar.add_task("scoring", total=_expected(source, columns))

        read_as: list[str] = []  # said when the first row was read: a mistake is one line

        def progress(done: int) -> None:
            while read_as:
                console.print(f"{source} is read as {read_as.pop(0)}", markup=False, soft_wrap=True)
            bar.update(task, completed=done)
            pass_on()

        with (
            opening("source", source),
            opening("--references", references) if references else nullcontext(),
            opening("--out", target),
        ):
            summary = score_file(
                judge,
                source,
                target,
                columns=columns,
                workers=cores() if workers is None else workers,
                deadline_s=deadline_s,
                overwrite=overwrite,
                progress=progress,
                bad_rows=bad_rows,
                references=references,
                told=read_as.append,
            )
    show_summary(summary, console)
    if summary.completions and str(out) != "-":
        console.print(f"read {out} with: referee report {out} -o report.html", markup=False, soft_wrap=True)
    for warning in warnings(summary, source):
        print(f"referee: {warning}", file=sys.stderr)  # noqa: T201
    passes = fail_under is None or summary.total.mean >= fail_under
    return 0 if passes else 1


def _columns(
    completion: list[str] | None,
    prompt: str,
    answer: str,
    answer_pattern: str,
    id: str,
    info: str,
    info_column: list[str] | None,
    group: str,
    finish_reason: str,
) -> Columns:
    try:
        return Columns(
            completion=tuple(completion or ("completion",)),
            prompt=prompt,
            answer=answer,
            id=id,
            info=info,
            info_columns=tuple(info_column or ()),
            answer_pattern=answer_pattern,
            group=group,
            finish_reason=finish_reason,
        )
    except ValueError as e:
        raise BadInput(str(e)) from None


def show_summary(summary: Summary, console: Console) -> None:
    """Print the total and the parts as a table, and how the work went."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("part")
    for heading in ("mean", "95 % interval", "decided", "abstained"):
        table.add_column(heading, justify="right")
    table.add_column("reasons")
    for name, part in (*summary.parts.items(), ("total", summary.total)):
        reasons = ", ".join(f"{reason} {n}" for reason, n in part.reasons.items())
        style = "bold" if name == "total" else None
        table.add_row(name, *_numbers(part), str(part.decided), str(part.abstained), reasons, style=style)
    console.print(table)
    rate = (summary.completions - summary.resumed) / summary.seconds if summary.seconds > 0 else math.nan
    console.print(
        f"{summary.completions:,} completions ({summary.resumed:,} were on file, {summary.duplicates:,} "
        f"decided by an equal one, {summary.truncated:,} cut off) in {summary.seconds:.1f} s: "
        f"{rate:,.0f} a second",
        soft_wrap=True,
    )


def warnings(summary: Summary, source: Path) -> list[str]:
    """Return what must not go unnoticed: nothing was read, or a part failed, and how it first did."""
    if not summary.completions:
        return [f"0 completions were read from {source}"]
    out = []
    if summary.bad_rows:
        lines = "1 line was" if summary.bad_rows == 1 else f"{summary.bad_rows:,} lines were"
        out.append(f"{lines} no row")
    for name, part in summary.parts.items():
        for reason, first in part.failures.items():
            n = part.reasons[reason]
            share = f"{n:,} of {summary.completions:,} ({n / summary.completions:.1%})"
            out.append(
                f"{name}: {reason} in {share}, the first: {' '.join(first.split()) or 'it says nothing'}"
            )
    return out


def _numbers(part: PartSummary) -> tuple[str, str]:
    if not part.decided:
        return "-", "-"
    interval = f"{part.low:.3f} to {part.high:.3f}" if math.isfinite(part.low) else "-"
    return f"{part.mean:.3f}", interval


@contextmanager
def _written(out: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Yield the file to write, and what passes on what was written since, where standard output is asked.

    A run reads back what it wrote, which standard output cannot give: a file of ours stands for it.
    """
    if str(out) != "-":
        yield out, lambda: None
        return
    with tempfile.TemporaryDirectory() as folder:
        target, done = Path(folder) / "scored.jsonl", 0

        def pass_on() -> None:
            nonlocal done
            if not target.exists():
                return
            with target.open("rb") as file:
                file.seek(done)
                shutil.copyfileobj(file, sys.stdout.buffer)
                done = file.tell()
            sys.stdout.buffer.flush()

        try:
            yield target, pass_on
        finally:
            pass_on()


def _retry(
    judge: Rubric,
    out: Path,
    what: str,
    columns: Columns,
    workers: int | None,
    deadline_s: float,
    *,
    quiet: bool,
) -> int:
    """Decide again what a machine's failure left open in ``out``."""
    word, colon, reason = what.partition(":")
    reasons = [reason] if colon else [str(r) for r in RETRIED]
    if word != "abstained" or not set(reasons) <= set(Reason):
        raise BadInput(f"--retry must be abstained or abstained:REASON, got {what!r}")
    if not out.is_file():
        raise BadInput(f"--out must be a scored file to retry in, got {out}")
    done = retry_file(
        judge,
        out,
        columns=columns,
        reasons=[Reason(r) for r in reasons],
        workers=workers,
        deadline_s=deadline_s,
    )
    if not quiet:
        print(  # noqa: T201
            f"{done.tried:,} of {done.completions:,} completions were asked again; "
            f"{done.open:,} are open still",
            file=sys.stderr,
        )
    return 0


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=console.quiet or not console.is_terminal,
    )


def _expected(source: Path, columns: Columns) -> int | None:
    """About how many completions there are: the file's lines times what its first row holds.

    A pipe can be read once only, and not for this.
    """
    if not source.is_file() or source.suffix not in (".jsonl", ".ndjson"):
        return None
    with source.open("rb") as file:
        lines = sum(1 for line in file if line.strip())
    try:
        rows = read_rows(source, replace(columns, group=""))
        first = next(rows, None)
        siblings = 1 + sum(1 for _ in takewhile(lambda row: first and row.line == first.line, rows))
    except (ValueError, ImportError):
        return None  # the scoring itself says what is wrong with the file
    return lines * siblings
