"""A pool of worker processes with a deadline for each unit of work.

A unit past its deadline costs its worker's life, once it is clear whose fault that is. If the worker
had spent at least half of the deadline on the processor, the completion is what was slow: the
decision is ``timeout``, score 0. If it is asleep, it waits for something else: the unit is tried once
more, alone in a fresh worker, and then abstains. If it wants to compute and the machine does not let
it, it is given more time, up to ten deadlines, and is then treated as the one that waits. A worker
that dies takes nothing along: its unit is tried once more, then abstains, and the units behind it
are handed out again.
"""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any

import psutil

from referee.verifiers.protocol import Item, failure
from referee.verifiers.records import Reason, Reward, Verdict
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring import worker

_TICK_S = 0.05
_START_S = 120.0  # a worker may have to import a large library first
_BUSY_SHARE = 0.5  # of the deadline: the completion is slow
_PATIENCE = 10  # deadlines that a unit gets on a machine that gives it too little time to tell


@dataclass(slots=True)
class Unit:
    """Items that are scored together: one completion, or the siblings of a group."""

    number: int
    items: Sequence[Item]
    tries: int = 0


@dataclass(slots=True)
class _Worker:
    process: Any
    pipe: Any
    clock: Any
    started: float
    ready: bool = False
    units: dict[int, Unit] = field(default_factory=dict)


class Pool:
    """Workers that score units with one rubric; use it as a context manager."""

    def __init__(self, rubric: Rubric, *, workers: int, deadline_s: float) -> None:
        self._rubric = rubric
        self._bytes = _pickled(rubric)
        self._deadline_s = deadline_s
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["referee.verifiers.scoring.worker"])
        self._size = workers
        self._workers: list[_Worker] = []
        self._waiting: deque[Unit] = deque()
        self._chunk = 1

    def __enter__(self) -> Pool:
        self._workers = [self._start() for _ in range(self._size)]
        return self

    def __exit__(self, *exc: object) -> None:
        for w in self._workers:
            w.process.kill()
        for w in self._workers:
            w.process.join()
            w.pipe.close()

    @property
    def room(self) -> int:
        """How many more units keep every worker busy."""
        held = len(self._waiting) + sum(len(w.units) for w in self._workers)
        return max(0, 4 * self._size * self._chunk - held)

    @property
    def busy(self) -> bool:
        """True while any unit is undecided."""
        return bool(self._waiting) or any(w.units for w in self._workers)

    def submit(self, unit: Unit) -> None:
        """Add a unit; its rewards come out of :meth:`results`."""
        self._waiting.append(unit)

    def results(self) -> Iterator[worker.Result]:
        """Wait a little, and yield what was decided: the unit's number, its rewards, seconds."""
        self._hand_out()
        ready = wait([w.pipe for w in self._workers], timeout=_TICK_S)
        for w in [w for w in self._workers if w.pipe in ready]:
            yield from self._receive(w)
        for w in list(self._workers):
            yield from self._end_overdue(w)

    def _start(self) -> _Worker:
        here, there = self._context.Pipe()
        clock = self._context.RawArray("d", 3)
        clock[0] = worker.IDLE
        process = self._context.Process(target=worker.serve, args=(there, clock, self._bytes), daemon=True)
        _start_from_anywhere(process)
        there.close()
        return _Worker(process, here, clock, time.monotonic())

    def _replace(self, w: _Worker) -> None:
        w.process.kill()
        w.process.join()
        w.pipe.close()
        self._waiting.extendleft(reversed(w.units.values()))
        self._workers[self._workers.index(w)] = self._start()

    def _hand_out(self) -> None:
        for w in self._workers:
            if not w.ready or w.units or not self._waiting:
                continue
            if self._waiting[0].tries:
                units = [self._waiting.popleft()]  # a suspect goes alone
            else:
                units = []
                while self._waiting and not self._waiting[0].tries and len(units) < self._chunk:
                    units.append(self._waiting.popleft())
            w.units = {u.number: u for u in units}
            try:
                w.pipe.send([(u.number, u.items) for u in units])
            except OSError:
                continue  # it died: the closed pipe is seen on receiving

    def _receive(self, w: _Worker) -> Iterator[worker.Result]:
        try:
            message = w.pipe.recv()
        except (EOFError, OSError):
            yield from self._end_dead(w)
            return
        if isinstance(message, str):
            raise RuntimeError(f"a worker process could not load the rubric: {message}")
        w.ready = True
        for number, rewards, seconds in message:
            w.units.pop(number, None)
            self._adapt(seconds)
            yield number, rewards, seconds

    def _adapt(self, seconds: float) -> None:
        """Aim at chunks of some 20 ms: cheap verdicts must not pay for a message each."""
        fitting = int(0.02 / seconds) if seconds > 1e-6 else 1024
        self._chunk = max(1, min(1024, (3 * self._chunk + fitting) // 4))

    def _end_overdue(self, w: _Worker) -> Iterator[worker.Result]:
        """End a worker whose unit is past its deadline, once it is clear whose fault that is."""
        now = time.monotonic()
        if not w.ready:
            if now - w.started > _START_S:
                raise RuntimeError(f"a worker process was not ready after {_START_S:.0f} s")
            return
        number, start, cpu_before = w.clock[0], w.clock[1], w.clock[2]
        unit = w.units.get(int(number))
        if unit is None:
            return
        seconds, deadline = now - start, self._deadline_s * len(unit.items)
        if seconds <= deadline:
            return
        cpu, asleep = _cpu_use(w.process.pid)
        busy = cpu - cpu_before >= _BUSY_SHARE * deadline
        if not (busy or asleep or seconds > _PATIENCE * deadline):
            return
        if (w.clock[0], w.clock[1]) != (number, start):
            return  # it went on to the next unit while it was looked at
        del w.units[unit.number]
        self._replace(w)
        if busy:
            late = Verdict(score=0.0, reason=Reason.TIMEOUT, detail={"deadline_s": self._deadline_s})
            yield unit.number, self._all(unit, late), seconds
        else:
            message = f"no verdict in {self._deadline_s:g} s, and the processor was not what it waited for"
            yield from self._again(unit, failure(message, Reason.UNAVAILABLE), seconds)

    def _end_dead(self, w: _Worker) -> Iterator[worker.Result]:
        w.process.join(timeout=1.0)
        if not w.ready:
            raise RuntimeError(f"a worker process ended with code {w.process.exitcode} before it was ready")
        current = w.units.pop(int(w.clock[0]), None)
        code = w.process.exitcode
        self._replace(w)
        if current is not None:
            yield from self._again(current, failure(f"the worker process ended with code {code}, twice"), 0.0)

    def _again(self, unit: Unit, verdict: Verdict, seconds: float) -> Iterator[worker.Result]:
        unit.tries += 1
        if unit.tries > 1:
            yield unit.number, self._all(unit, verdict), seconds
        else:
            self._waiting.appendleft(unit)

    def _all(self, unit: Unit, verdict: Verdict) -> list[Reward]:
        verdicts = dict.fromkeys(self._rubric.parts, verdict)
        return [self._rubric.pay(verdicts, truncated=item.completion.truncated) for item in unit.items]


def _pickled(rubric: Rubric) -> bytes:
    try:
        return pickle.dumps(rubric)
    except (pickle.PicklingError, AttributeError, TypeError) as e:
        raise TypeError(
            f"rubric must be picklable to be used in worker processes, got {e}: define its functions at the "
            "top of a module (no lambdas, no closures), or pass workers=0 to score without deadlines"
        ) from None


def _cpu_use(pid: int) -> tuple[float, bool]:
    """Return the processor time of a process, and whether it is asleep rather than computing."""
    try:
        process = psutil.Process(pid)
        times, status = process.cpu_times(), process.status()
    except psutil.Error:
        return 0.0, True
    return float(times.user + times.system), status != psutil.STATUS_RUNNING


def _start_from_anywhere(process: multiprocessing.process.BaseProcess) -> None:
    """Start a worker also where this process is a daemon, as TRL's rollout workers are.

    Python forbids daemons to have children, which would outlive them; ours die with their parent.
    """
    here = multiprocessing.current_process()
    daemon = here.daemon
    if daemon:
        here.daemon = False
    try:
        process.start()
    finally:
        if daemon:
            here.daemon = True
