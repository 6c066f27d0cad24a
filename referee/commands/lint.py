"""``referee lint``: what is wrong with a data file, line by line, before anything is scored against it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from referee.commands.inputs import BadInput, load_judge, opening
from referee.commands.lint_run import run_solutions
from referee.verifiers.errors import UserMistake
from referee.verifiers.evidence import evidence
from referee.verifiers.files.containers import BadLine, open_container
from referee.verifiers.files.row_formats import problem_row
from referee.verifiers.jsonl import write_json
from referee.verifiers.records import Completion, Json, Problem, Reason
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring import Columns, Row, RowError, read_rows
from referee.verifiers.scoring.plan import children_of

_MATHEMATICAL = re.compile(r"[0-9\\^]|\\frac|\$")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a line. A warning is worth a look, and does not fail the file."""

    line: int
    message: str
    warning: bool = False


@dataclass(slots=True)
class _Seen:
    rows: int = 0
    ids: dict[str, int] = field(default_factory=dict)
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    references: int = 0
    lists: int = 0  # of numbers
    several: int = 0  # the first line whose list holds more than one


def lint(
    source: Path,
    /,
    *,
    completion: Annotated[list[str] | None, Parameter(negative=())] = None,
    prompt: str = "prompt",
    answer: str = "answer",
    answer_pattern: str = "",
    id: str = "id",
    info: str = "info",
    verifier: str = "",
    option: Annotated[list[str] | None, Parameter(name=["--option", "-O"], negative=())] = None,
    most: int = 50,
    fix: Path | None = None,
    run: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Check a data file line by line. Exits 1 where something is wrong.

    Said of each line: no JSON, a missing column, an empty prompt, an id that another line has, the
    prompt of another line with another reference, a missing reference, or one that cannot be judged
    against. With ``--run``, also: a solution of its own that is not correct, and tests that a program which
    does nothing passes. Said once: that all references are lists of numbers, any of which would be right.

    Args:
        source: One problem in each row, in any file that `referee score` reads.
        completion: The column of the completions; may be repeated. Not given, they need not be there.
        prompt: The column of the prompt.
        answer: The column of the reference.
        answer_pattern: A regular expression; the first group of its last match is the reference.
        id: The column of the problem's id.
        info: The column of what else the verifiers read, an object.
        verifier: The verifier (or rubric file) that is to judge against these references. Without it,
            references that look mathematical are read as mathematics.
        option: An option of that verifier, as name=value; may be repeated.
        most: How many findings to print.
        fix: Write the file here with the references repaired whose escapes are damaged: a doubled backslash,
            a control sign where a command began, a degree sign that was lost. It must not exist.
        run: Run each row's own solution against its tests, in a sandbox. The file is one of a known
            data set, read as :func:`referee.envs.load` reads it; ``verifier`` judges, else unit_tests.
    """
    if fix is not None and answer_pattern:
        raise BadInput("--fix repairs a whole column; leave out --answer-pattern")
    if fix is not None and fix.exists():
        raise BadInput(f"{fix} exists; --fix writes a new file")
    if fix is not None and open_container(source).kind:
        raise BadInput(f"--fix copies a file line by line, and can do so with JSON lines only, got {source}")
    judge = load_judge(verifier, option or ()) if verifier else None
    try:
        columns = Columns(
            completion=tuple(completion or ("completion",)),
            prompt=prompt,
            answer=answer,
            id=id,
            info=info,
            answer_pattern=answer_pattern,
        )
    except ValueError as e:
        raise BadInput(str(e)) from None
    out = Console(highlight=False, markup=False, soft_wrap=True)
    seen, errors, warnings = _Seen(), 0, 0
    with opening("source", source):
        if run:
            seen.rows, issues = run_solutions(source, judge)
            found = iter([Finding(line, message) for line, message in issues])
        else:
            found = findings(source, columns, seen, judge=judge, need_completions=bool(completion))
        for finding in found:
            errors, warnings = errors + (not finding.warning), warnings + finding.warning
            if errors + warnings <= most:
                kind = "warning: " if finding.warning else ""
                out.print(f"{source}, line {finding.line}: {kind}{finding.message}")
    if errors + warnings > most:
        out.print(f"... and {errors + warnings - most:,} more (--most prints more of them)")
    if not seen.rows and not errors:
        raise BadInput(f"{source} holds no rows")
    out.print(f"{seen.rows:,} rows: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    if fix is not None:
        out.print(f"{fix}: {_count(_write_repaired(source, fix, answer), 'reference')} repaired")
    return 1 if errors else 0


def _write_repaired(source: Path, target: Path, column: str) -> int:
    """Copy a file with its damaged references repaired, other lines as they are; return how many were."""
    from referee.verifiers.mathematics.reference_lint import repaired_reference

    count = 0
    with source.open("rb") as lines, opening("fix", target), target.open("xb") as out:
        for line in lines:
            try:
                data = json.loads(line)
            except (ValueError, RecursionError):
                data = None
            answer = data.get(column) if isinstance(data, dict) else None
            if isinstance(data, dict) and (mended := repaired_reference(answer)) is not None:
                line, count = (
                    json.dumps(data | {column: mended}, ensure_ascii=False).encode() + b"\n",
                    count + 1,
                )
            out.write(line)
    return count


def findings(
    source: Path, columns: Columns, seen: _Seen, *, judge: Rubric | None = None, need_completions: bool = True
) -> Iterator[Finding]:
    """Yield what is wrong with each line of a file, in order; ``seen`` counts the rows."""
    for number, data in open_container(source, pairs=_no_double_keys).rows:
        if isinstance(data, BadLine):
            yield Finding(number, data.why)
            continue
        seen.rows += 1
        if not need_completions and isinstance(data, dict):
            data = problem_row(data)
        try:
            rows = list(read_rows([data], columns))
        except RowError as e:
            yield Finding(number, str(e).removeprefix("row 1: "))
            continue
        yield from (Finding(number, *found) for found in _row_findings(number, data, rows, seen, judge))
    if seen.several and seen.lists == seen.references and _takes_any(judge):
        message = (
            "all references are lists of numbers, which means any of them: where an answer must hold all, "
            "math and exact take list_means=all"
        )
        yield Finding(seen.several, message, warning=True)


def _row_findings(
    number: int, data: dict[str, Any], rows: Sequence[Row], seen: _Seen, judge: Rubric | None
) -> Iterator[tuple[str, bool]]:
    if not rows:
        yield "no completions", False
        return
    faults = dict.fromkeys(evidence(row.failure) for row in rows if row.failure is not None)
    yield from ((fault, False) for fault in faults)
    if rows[0].failure is not None:
        return
    problem = rows[0].problem
    _count_lists(number, problem.answer, seen)
    if not problem.prompt_text.strip():
        yield "the prompt is empty", False
    if problem.id and (first := seen.ids.setdefault(problem.id, number)) != number:
        yield f"the id {problem.id!r:.80} is line {first}'s already", False
    if problem.prompt_text.strip():
        text = write_json(problem.answer)
        first, other = seen.answers.setdefault(problem.prompt_text, (number, text))
        if first != number:
            same = other == text
            yield f"the prompt is line {first}'s, with {'the same' if same else 'another'} reference", same
    yield from _reference_findings(problem, judge)


def _reference_findings(problem: Problem, judge: Rubric | None) -> Iterator[tuple[str, bool]]:
    """Ask the verifiers themselves: they abstain where a reference cannot be judged against."""
    if judge is not None:
        for name, verdict in judge(Completion(), problem).parts.items():
            if verdict.reason is Reason.BAD_REFERENCE:
                yield f"{name}: {evidence(verdict) or 'the reference cannot be used'}", False
        if _reads_mathematics(judge):
            yield from _damage(problem.answer)
        return
    answer = problem.answer
    if answer in (None, []) or (isinstance(answer, str) and not answer.strip()):
        yield "the reference is empty", False
    elif isinstance(answer, str) and _MATHEMATICAL.search(answer):
        from referee.verifiers.mathematics.reference_lint import lint_reference

        if found := lint_reference(answer):
            yield f"as mathematics, {found}: {answer!r:.80}", True


def _damage(answer: Json) -> Iterator[tuple[str, bool]]:
    from referee.verifiers.mathematics.reference_lint import repaired_reference

    if (mended := repaired_reference(answer)) is not None:
        yield f"escapes are damaged, it is read as {mended.strip()[:400]!r} (--fix writes it)", True


def _reads_mathematics(judge: Any) -> bool:
    from referee.verifiers.mathematics.math_verifier import Math

    if isinstance(judge, Rubric):
        return any(_reads_mathematics(part.verifier) for part in judge.parts.values())
    return isinstance(judge, Math) or any(map(_reads_mathematics, children_of(judge)))


def _count_lists(number: int, answer: Json, seen: _Seen) -> None:
    seen.references += 1
    if isinstance(answer, list) and answer and all(map(_is_number, answer)):
        seen.lists += 1
        if len(answer) > 1:
            seen.several = seen.several or number


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _takes_any(judge: Any) -> bool:
    """Tell whether a list of references means any of them to a verifier of the rubric; yes without one."""
    if judge is None:
        return True
    if isinstance(judge, Rubric):
        return any(_takes_any(part.verifier) for part in judge.parts.values())
    means = getattr(judge, "list_means", None)
    return means == "any" or any(map(_takes_any, children_of(judge)))


class _DoubleKey(UserMistake, ValueError):
    """A key that stands twice in an object: JSON readers drop the first in silence."""


def _no_double_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise _DoubleKey(f"the key {double!r:.80} stands twice in an object")
    return made


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
