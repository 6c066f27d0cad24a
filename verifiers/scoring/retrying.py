"""Deciding again what a machine's failure left open in a scored file; all else stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from referee.verifiers.jsonl import dumps, loads
from referee.verifiers.records import Reason, Reward
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.engine import DEADLINE_S
from referee.verifiers.scoring.order import Ordered
from referee.verifiers.scoring.rows import Columns, Row
from referee.verifiers.scoring.score_rows import run_rows
from referee.verifiers.scoring.store import Scored, Store, StoreError, room_on_disk

RETRIED = (Reason.UNAVAILABLE, Reason.ERROR)  # what nobody who wrote is to blame for


@dataclass(frozen=True, slots=True)
class Retried:
    """How many completions a file holds, how many were asked about again, and how many are open still."""

    completions: int
    tried: int
    open: int


def retry_file(
    rubric: Rubric,
    out: str | Path,
    *,
    columns: Columns | None = None,
    reasons: Collection[Reason] = RETRIED,
    workers: int | None = None,
    deadline_s: float = DEADLINE_S,
) -> Retried:
    """Ask again for the parts of a scored file that abstained for one of ``reasons``.

    A part that is decided keeps its verdict, and a line without such a part its bytes. The new file takes the
    old one's place at once when all is done, so that a kill leaves the old one. A row that could not be read
    has nothing to ask about and stays.

    Raises:
        StoreError: where ``out`` is not a whole file of this rubric and these columns, or the rubric judges
            siblings together, whose lines do not say who they are.
    """
    out = Path(out)
    if rubric.is_group:
        raise StoreError("a rubric that judges siblings together cannot be asked about one: score anew")
    store = Store(out, rubric, columns or Columns())
    try:
        if store.ahead:
            raise StoreError(f"{out} is not complete: let the run that made it end first")
        with room_on_disk(out):
            return _rewritten(rubric, out, frozenset(reasons), workers, deadline_s)
    finally:
        store.close(complete=False)


def _rewritten(
    rubric: Rubric, out: Path, reasons: frozenset[Reason], workers: int | None, deadline_s: float
) -> Retried:
    answers = (
        reward
        for released in run_rows(rubric, _open_rows(out, reasons), Ordered(rubric), workers, deadline_s)
        for _, reward in released
    )
    scratch = out.with_name(out.name + ".retry")
    lines = tried = still = 0
    try:
        with out.open("rb") as before, scratch.open("wb") as after:
            for line in before:
                lines += 1
                scored = _open_line(line, reasons)
                if scored is not None:
                    mended = _mended(rubric, scored, next(answers), reasons)
                    line = f"{dumps(mended)}\n".encode()
                    tried, still = tried + 1, still + bool(_open_parts(mended.reward, reasons))
                after.write(line)
        if tried:
            scratch.replace(out)
    finally:
        scratch.unlink(missing_ok=True)
    return Retried(lines, tried, still)


def _open_rows(out: Path, reasons: frozenset[Reason]) -> Iterator[Row]:
    with out.open("rb") as file:
        for line in file:
            scored = _open_line(line, reasons)
            if scored is not None:
                yield Row(scored.line, scored.column, scored.line, scored.problem, scored.completion)


def _open_line(line: bytes, reasons: frozenset[Reason]) -> Scored | None:
    if not any(f'"{reason}"'.encode() in line for reason in reasons):  # most lines are not parsed for this
        return None
    scored = loads(Scored, line)
    if "unreadable" in scored.problem.info or not _open_parts(scored.reward, reasons):
        return None
    return scored


def _open_parts(reward: Reward, reasons: frozenset[Reason]) -> set[str]:
    return {name for name, v in reward.parts.items() if v.score is None and v.reason in reasons}


def _mended(rubric: Rubric, scored: Scored, answer: Reward, reasons: frozenset[Reason]) -> Scored:
    again = _open_parts(scored.reward, reasons)
    parts = {n: answer.parts[n] if n in again else v for n, v in scored.reward.parts.items()}
    return Scored(
        line=scored.line,
        column=scored.column,
        problem=scored.problem,
        completion=scored.completion,
        reward=rubric.pay(parts, truncated=scored.completion.truncated),
    )
