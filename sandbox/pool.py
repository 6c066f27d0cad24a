"""Lanes shared between threads, and thousands of jobs taken through them."""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from referee.sandbox.channel import ServerDown
from referee.sandbox.lane import Lane
from referee.sandbox.records import Execution, Job, Limits, OnValue, Outcome, Sandbox
from referee.sandbox.starvation import doubtful, starved

TRIES = 2


class Lanes:
    """At most ``count`` lanes, started when they are first needed, each used by one thread at a time.

    ``make`` is told the processor that a lane should keep to; None where it may use any.
    """

    def __init__(self, make: Callable[[int | None], Lane], count: int) -> None:
        self._make = make
        self._count = count
        self._free: deque[Lane] = deque()
        self._all: dict[Lane, int] = {}  # and the place of each
        self._slots = threading.BoundedSemaphore(count)
        self._alone = threading.Lock()
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, *, alone: bool = False) -> Iterator[Lane]:
        """Wait for a free lane, or with ``alone`` until all are, and let none run meanwhile.

        A lane whose servers fail is closed, and started anew by its next user.
        """
        with self._slots if not alone else self._every_slot():
            with self._lock:
                lane = self._free.pop() if self._free else self._new()
            try:
                yield lane
            except BaseException:
                lane.close()
                with self._lock:
                    self._all.pop(lane, None)
                raise
            with self._lock:
                if lane in self._all:
                    self._free.append(lane)

    @contextmanager
    def _every_slot(self) -> Iterator[None]:
        with self._alone:  # two that each held some would wait for each other
            taken = 0
            try:
                for _ in range(self._count):
                    self._slots.acquire()
                    taken += 1
                yield
            finally:
                for _ in range(taken):
                    self._slots.release()

    def _new(self) -> Lane:
        place = min(set(range(self._count)) - set(self._all.values()))
        lane = self._make(processor_for(place, self._count))
        self._all[lane] = place
        return lane

    def run(self, job: Job, limits: Limits, on_value: OnValue | None) -> Execution:
        """Run one job.

        What was late, and may have been so only because others had the processors, is run once more with
        no other job beside it, and then decided: it is the machine's failure where the kernel's account
        says that it still waited nearly all the time.
        """
        run = self._run(job, limits, on_value)
        waited = run.waited_s, run.wall_s
        in_doubt = starved(*waited) or (self._count > 1 and doubtful(*waited))
        if in_doubt:
            run = self._run(job, limits, on_value, alone=True)
        if in_doubt and starved(run.waited_s, run.wall_s):
            why = "the machine was too busy to run it: it waited for a processor nearly all the time"
            return Execution(outcome=Outcome.SANDBOX_UNAVAILABLE, error=why, wall_s=run.wall_s)
        return run

    def _run(self, job: Job, limits: Limits, on_value: OnValue | None, *, alone: bool = False) -> Execution:
        """Run one job; where a fork server fails it is tried once more, and then is unavailable."""
        failure: BaseException | None = None
        for _ in range(TRIES):
            try:
                with self.borrow(alone=alone) as lane:
                    return lane.run(job, limits, on_value)
            except (ServerDown, OSError) as e:
                failure = e
        return Execution(outcome=Outcome.SANDBOX_UNAVAILABLE, error=str(failure)[:1000])

    def start(self, roles: Iterable[str]) -> None:
        """Start every lane's fork servers now, so that no job waits for them; ServerDown where one fails."""
        together = threading.Barrier(self._count)

        def warm(_: int) -> None:
            with self.borrow() as lane:
                together.wait()  # each thread holds a lane of its own
                for role in roles:
                    lane.channel(role)

        with ThreadPoolExecutor(self._count) as threads:
            list(threads.map(warm, range(self._count)))

    def close(self) -> None:
        """End every lane."""
        with self._lock:
            lanes, self._all = self._all, {}
            self._free.clear()
        for lane in lanes:
            lane.close()


def processor_for(place: int, count: int) -> int | None:
    """Return the processor for one of ``count`` lanes, where together they use all of them.

    What a fork shares is then never copied from one processor's cache to another's. Fewer lanes are
    better off with room to fork ahead on a processor that idles.
    """
    processors = sorted(os.sched_getaffinity(0))
    return processors[place % len(processors)] if count >= len(processors) > 1 else None


_lanes: dict[Hashable, Lanes] = {}
_lock = threading.Lock()


def lanes_of(owner: Hashable, make: Callable[[int | None], Lane], count: int) -> Lanes:
    """Return this process's lanes for a sandbox's configuration: equal configurations share them."""
    with _lock:
        if owner not in _lanes:
            _lanes[owner] = Lanes(make, count)
        return _lanes[owner]


def close_lanes(owner: Hashable) -> None:
    """End the lanes of a configuration."""
    with _lock:
        lanes = _lanes.pop(owner, None)
    if lanes is not None:
        lanes.close()


@atexit.register
def _close_all() -> None:
    for owner in list(_lanes):
        close_lanes(owner)


def _forget_after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    _lanes.clear()


os.register_at_fork(after_in_child=_forget_after_fork)


def run_many(
    sandbox: Sandbox, jobs: Iterable[Job], *, limits: Limits | None = None, in_order: bool = True
) -> Iterator[tuple[int, Execution]]:
    """Run jobs as they are read, at most four for each worker ahead; yield (index, execution).

    With ``in_order=False`` what is done first comes first. Leaving the loop early starts no more.
    """
    bound = limits or Limits()
    with ThreadPoolExecutor(sandbox.workers) as threads:
        pending: dict[Future[Execution], int] = {}
        order: deque[Future[Execution]] = deque()
        source = enumerate(jobs)
        try:
            while True:
                while len(pending) < 4 * sandbox.workers and (job := next(source, None)) is not None:
                    future = threads.submit(sandbox.execute, job[1], limits=bound)
                    pending[future] = job[0]
                    order.append(future)
                if not pending:
                    return
                done = [order[0]] if in_order else list(wait(pending, return_when=FIRST_COMPLETED).done)
                for future in done:
                    result = future.result()
                    order.remove(future)
                    yield pending.pop(future), result
        finally:
            for future in pending:
                future.cancel()


async def arun_many(
    sandbox: Sandbox, jobs: Iterable[Job], *, limits: Limits | None = None, in_order: bool = True
) -> AsyncIterator[tuple[int, Execution]]:
    """Like :func:`run_many`, for callers in an event loop."""
    import asyncio

    results = run_many(sandbox, jobs, limits=limits, in_order=in_order)
    try:
        while (item := await asyncio.to_thread(next, results, None)) is not None:
            yield item
    finally:
        await asyncio.to_thread(results.close)  # type: ignore[attr-defined]
