"""The scoring engine: rows in, rewards out in the same order, each distinct pair decided once.

How the work is done follows from the rubric. Rules run in worker processes with a deadline for each
completion. A rubric with a part that must be awaited (a judge) runs in an event loop, many at a
time. A rubric with a part that scores in batches (a learned model) runs in this process, many
completions to a batch.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, Literal

from referee.verifiers.evaluate import run_coroutine
from referee.verifiers.protocol import failure
from referee.verifiers.records import Completion, Json, Problem, Reason, Reward, as_completion
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.order import Ordered
from referee.verifiers.scoring.pool import Pool, Unit
from referee.verifiers.scoring.rows import Columns, Row, RowError, read_rows
from referee.verifiers.scoring.store import Store, StoreError
from referee.verifiers.scoring.summary import Summary, Tally
from referee.verifiers.scoring.worker import Result

DEADLINE_S = 10.0
BATCH = 256
CONCURRENCY = 32

Progress = Callable[[int], None]


def score(
    rubric: Rubric,
    pairs: Iterable[tuple[str | Completion, Problem]],
    *,
    workers: int | None = None,
    deadline_s: float = DEADLINE_S,
) -> list[Reward]:
    """Return the reward of each (completion, problem) pair, in order.

    Neighbours with the same problem are siblings of one group. ``workers`` processes are used (by
    default one for each core; 0 scores in this process, without deadlines); ``deadline_s`` is the
    time each completion may take.

    Raises:
        TypeError: where the rubric cannot be pickled, and workers are wanted.
    """
    rows = [
        Row(i, "", group, problem, as_completion(completion))
        for group, (_, siblings) in enumerate(groupby(enumerate(pairs, 1), key=lambda p: p[1][1]))
        for i, (completion, problem) in siblings
    ]
    out = Ordered(rubric)
    rewards: list[Reward] = []
    for released in _run(rubric, rows, out, workers, deadline_s):
        rewards.extend(reward for _, reward in released)
    return rewards


def score_file(
    rubric: Rubric,
    source: str | Path | Iterable[Mapping[str, Json]],
    out: str | Path,
    *,
    columns: Columns | None = None,
    workers: int | None = None,
    deadline_s: float = DEADLINE_S,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Score the rows of ``source`` into the JSON-lines file ``out``, going on where it was cut off.

    ``progress`` is told after each step how many completions are on file. However often the run is
    killed and started again, ``out`` ends equal byte for byte to that of an undisturbed run.

    Raises:
        RowError: at a line that is no row; what came before it is scored and kept.
        StoreError: where ``out`` belongs to something else, or the source has changed since.
    """
    columns = columns or Columns()
    started = time.monotonic()
    store = Store(out, rubric, columns, overwrite=overwrite)
    complete = False
    try:
        tally, ordered = Tally(), Ordered(rubric, store)
        rows = read_rows(source, columns)
        rows = _skip(store, rows, tally, ordered, whole_groups=rubric.is_group)
        resumed = tally.completions
        if progress:
            progress(tally.completions)
        for released in _run(rubric, rows, ordered, workers, deadline_s):
            for _, reward in released:
                tally.add(reward)
            if progress:
                progress(tally.completions)
        complete = True
    finally:
        store.close(complete=complete)
    seconds = time.monotonic() - started
    return tally.summary(resumed=resumed, duplicates=ordered.duplicates, seconds=seconds)


def _skip(
    store: Store, rows: Iterator[Row], tally: Tally, ordered: Ordered, *, whole_groups: bool
) -> Iterator[Row]:
    """Pass over the rows that are on file, making sure that they are the same; return the rest.

    Where siblings are judged together and a kill cut a group in two, the whole group is left.
    """
    held: list[tuple[Row, int, Reward]] = []  # the last group on file, which may be cut

    def count_held() -> None:
        for row, offset, reward in held:
            ordered.remember(row, offset)
            tally.add(reward)
        held.clear()

    for number, (offset, scored) in enumerate(store.earlier(), 1):
        row = next(rows, None)
        if row is None or (row.problem, row.completion) != (scored.problem, scored.completion):
            raise StoreError(
                f"{store.out}, line {number}: the source has changed since this was scored: choose "
                "another output, or overwrite it"
            )
        if held and (not whole_groups or held[-1][0].group != row.group):
            count_held()
        held.append((row, offset, scored.reward))
    following = next(rows, None)
    if whole_groups and held and following is not None and held[-1][0].group == following.group:
        store.cut(held[0][1])
        rows = chain((row for row, _, _ in list(held)), [following], rows)
    else:
        count_held()
        rows = chain([following] if following is not None else [], rows)
    return rows


def _run(
    rubric: Rubric, rows: Iterable[Row], out: Ordered, workers: int | None, deadline_s: float
) -> Iterator[list[tuple[Row, Reward]]]:
    """Score rows and yield them, with their rewards, as their turn comes."""
    if not deadline_s > 0:
        raise ValueError(f"deadline_s must be above 0, got {deadline_s}")
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    if workers < 0:
        raise ValueError(f"workers must be at least 0, got {workers}")
    source = _Source(rows)
    units = out.admit(source.units(whole_groups=rubric.is_group))
    yield from _drain(_solve(rubric, units, workers, deadline_s), out)
    yield out.release()
    if source.error is not None:
        raise source.error


def _solve(rubric: Rubric, units: Iterator[Unit], workers: int, deadline_s: float) -> Iterator[Result | None]:
    match _manner(rubric):
        case "await":
            return _in_loop(rubric, units, deadline_s)
        case "batch":
            return _in_batches(rubric, units, BATCH)
        case _:
            return _in_pool(rubric, units, workers, deadline_s) if workers else _in_batches(rubric, units, 1)


class _Source:
    """Rows as units of work. An error in a row ends them; it is raised when all before is done."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self.error: RowError | None = None

    def units(self, *, whole_groups: bool) -> Iterator[list[Row]]:
        """Yield rows one by one, or all siblings together."""
        if whole_groups:
            for _, siblings in groupby(self._safe(), key=lambda row: row.group):
                yield list(siblings)
        else:
            for row in self._safe():
                yield [row]

    def _safe(self) -> Iterator[Row]:
        try:
            yield from self._rows
        except RowError as e:
            self.error = e


def _drain(results: Iterator[Result | None], out: Ordered) -> Iterator[list[tuple[Row, Reward]]]:
    """Settle results; at each None, which ends a step of work, release what is due."""
    for result in results:
        if result is None:
            yield out.release()
        else:
            out.settle(*result)


def _manner(rubric: Rubric) -> Literal["await", "batch", "rules"]:
    if rubric.is_async:
        return "await"
    batched = any(_has_batch(part.verifier) for part in rubric.parts.values())
    return "batch" if batched else "rules"


def _has_batch(verifier: Any) -> bool:
    return hasattr(verifier, "verify_batch") or any(_has_batch(c) for c in getattr(verifier, "children", ()))


def _in_pool(
    rubric: Rubric, units: Iterator[Unit], workers: int, deadline_s: float
) -> Iterator[Result | None]:
    first = next(units, None)
    if first is None:
        return
    with Pool(rubric, workers=workers, deadline_s=deadline_s) as pool:
        pool.submit(first)
        exhausted = False
        while not exhausted or pool.busy:
            wanted = pool.room
            new = list(islice(units, wanted))
            exhausted = exhausted or (wanted > 0 and not new)
            for unit in new:
                pool.submit(unit)
            yield from pool.results()
            yield None


def _in_batches(rubric: Rubric, units: Iterator[Unit], size: int) -> Iterator[Result | None]:
    while batch := list(islice(units, size)):
        start = time.monotonic()
        items = [item for unit in batch for item in unit.items]
        rewards = iter(rubric.score_items(items))
        seconds = (time.monotonic() - start) / len(items)
        for unit in batch:
            yield unit.number, list(islice(rewards, len(unit.items))), seconds * len(unit.items)
        yield None


def _in_loop(rubric: Rubric, units: Iterator[Unit], deadline_s: float) -> Iterator[Result | None]:
    while batch := list(islice(units, CONCURRENCY)):
        yield from run_coroutine(_awaited(rubric, batch, deadline_s))
        yield None


async def _awaited(rubric: Rubric, batch: Sequence[Unit], deadline_s: float) -> list[Result]:
    return list(await asyncio.gather(*(_await_one(rubric, unit, deadline_s) for unit in batch)))


async def _await_one(rubric: Rubric, unit: Unit, deadline_s: float) -> Result:
    start = time.monotonic()
    try:
        async with asyncio.timeout(deadline_s * len(unit.items)):
            rewards = await rubric.ascore_items(unit.items)
    except TimeoutError:
        verdict = failure(f"no verdict in {deadline_s:g} s", Reason.UNAVAILABLE)
        verdicts = dict.fromkeys(rubric.parts, verdict)
        rewards = [rubric.pay(verdicts, truncated=i.completion.truncated) for i in unit.items]
    return unit.number, rewards, time.monotonic() - start
