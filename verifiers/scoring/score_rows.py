"""Scoring rows: in, and out in the same order, each distinct pair decided once, resumable.

Rubrics whose parts all bound themselves (mathematics) begin in this process, and go on in workers where
there is enough to do: starting processes for a few rows would take longer than the rows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, groupby, islice
from pathlib import Path
from queue import SimpleQueue

from referee.verifiers.files.joining import References
from referee.verifiers.records import Completion, Json, Problem, Reward, as_completion
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.call import Call
from referee.verifiers.scoring.crew import wake
from referee.verifiers.scoring.engine import BATCH, DEADLINE_S, Engine, Settled, WorkUnit
from referee.verifiers.scoring.order import Ordered
from referee.verifiers.scoring.rows import BadRows, Columns, Row, RowError, read_rows
from referee.verifiers.scoring.store import Store, StoreError, room_on_disk
from referee.verifiers.scoring.summary import Summary, Tally

HERE_S = (
    3.0  # of work that bounds itself is done before processes are started, which takes a second of theirs
)
_AT_ONCE = 64  # units that are asked about together where nobody wants to know each one's time
_STEP_S = 0.05  # how often what is settled is written

Progress = Callable[[int], None]


def score(
    rubric: Rubric,
    pairs: Iterable[tuple[str | Completion, Problem]],
    *,
    workers: int | None = None,
    deadline_s: float = DEADLINE_S,
) -> list[Reward]:
    """Return the reward of each (completion, problem) pair, in order.

    Neighbours with the same problem are siblings of one group. Rules use ``workers`` processes (by
    default one for each core; 0 asks them in this process, where nothing ends one that hangs);
    ``deadline_s`` is the time that each part may take for each completion. What bounds itself
    (mathematics) is asked in this process at first, unless ``workers`` are given, and in workers where
    there is enough of it.

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
    for released in run_rows(rubric, rows, out, workers, deadline_s):
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
    bad_rows: BadRows = "stop",
    references: str | Path | None = None,
    told: Callable[[str], None] = lambda said: None,
) -> Summary:
    """Score the rows of ``source`` into the JSON-lines file ``out``, going on where it was cut off.

    ``source`` is a file of any kind that :func:`read_rows` reads, as are the ``references`` that are joined
    to its rows by their ids; ``bad_rows`` and ``told`` are as there.
    ``progress`` is told after each step how many completions are on file. However often the run is
    killed and started again, ``out`` ends equal byte for byte to that of an undisturbed run.

    Raises:
        RowError: at a line that is no row; what came before it is scored and kept.
        StoreError: where ``out`` belongs to something else, the source has changed since, or the
            disk is full.
    """
    columns = columns or Columns()
    started = time.monotonic()
    with room_on_disk(out):
        store = Store(out, rubric, columns, overwrite=overwrite)
        complete = False
        try:
            tally, ordered = Tally(), Ordered(rubric, store)
            bad = _Count()
            rows = read_rows(
                source,
                columns,
                bad_rows=bad_rows,
                references=None if references is None else References(references),
                told=told,
                on_bad=bad.add,
            )
            rows = _skip(store, rows, tally, ordered, whole_groups=rubric.is_group)
            resumed = tally.completions
            if progress:
                progress(tally.completions)
            for released in run_rows(rubric, rows, ordered, workers, deadline_s):
                for _, reward in released:
                    tally.add(reward)
                if progress:
                    progress(tally.completions)
            complete = True
        finally:
            store.close(complete=complete)
    seconds = time.monotonic() - started
    return tally.summary(resumed=resumed, duplicates=ordered.duplicates, seconds=seconds, bad_rows=bad.total)


class _Count:
    def __init__(self) -> None:
        self.total = 0

    def add(self) -> None:
        self.total += 1


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


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0))


def run_rows(
    rubric: Rubric, rows: Iterable[Row], out: Ordered, workers: int | None, deadline_s: float
) -> Iterator[list[tuple[Row, Reward]]]:
    """Score rows and yield them, with their rewards, as their turn comes."""
    source = _Source(rows)
    units = out.admit(source.units(whole_groups=rubric.is_group))
    yield from _drain(_solve(rubric, units, workers, deadline_s, timed=out.timed), out)
    yield out.release()
    if source.error is not None:
        raise source.error


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


def _drain(results: Iterator[Settled | None], out: Ordered) -> Iterator[list[tuple[Row, Reward]]]:
    """Settle results; at each None, which ends a step of work, release what is due."""
    for result in results:
        if result is None:
            yield out.release()
        else:
            out.settle(result)


def _solve(
    rubric: Rubric, units: Iterator[WorkUnit], workers: int | None, deadline_s: float, *, timed: bool
) -> Iterator[Settled | None]:
    engine = Engine(rubric, deadline_s=deadline_s, workers=cores() if workers is None else workers)
    if engine.plan.self_bounded and not workers:
        seconds = HERE_S if workers is None and cores() > 1 else None
        yield from _here(engine, units, seconds, at_once=1 if timed else _AT_ONCE)
    try:
        yield from _flow(engine, units)
    finally:
        engine.close()


def _here(
    engine: Engine, units: Iterator[WorkUnit], seconds: float | None, *, at_once: int
) -> Iterator[Settled | None]:
    """Settle units in this thread, for ``seconds`` or to their end."""
    began = step = time.thread_time()
    while block := list(islice(units, at_once)):
        yield from engine.settle_here(block)
        now = time.thread_time()
        if now - step > _STEP_S:
            yield None
            step = now
        if seconds is not None and now - began > seconds:
            break
    yield None


def _flow(engine: Engine, units: Iterator[WorkUnit]) -> Iterator[Settled | None]:
    """Keep as many units in flight as keep everything busy; yield what is settled as it comes."""
    call = Call()
    told: SimpleQueue[Settled] = SimpleQueue()
    flying = 0
    exhausted = False
    try:
        while True:
            while not exhausted and flying <= engine.window // 2:
                block = list(islice(units, BATCH if engine.plan.batches else engine.window - flying))
                exhausted = not block
                flying += len(block)
                engine.begin(block, told.put, call)
            if not flying:
                return
            yield told.get()
            flying -= 1
            while not told.empty():
                yield told.get()
                flying -= 1
            yield None
    finally:
        call.cancelled = True  # also where the reader of these results wants no more
        wake()
