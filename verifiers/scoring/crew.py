"""The worker processes of this process, and the thread that hands work to them.

All who score share one crew: a file, an adapter, a service, a trainer. Each client has its own number of
workers and its own deadline; workers are forked when there is work, kept warm for a while, and load
any client's verifiers on demand.

A question past its deadline costs its worker's life, once it is clear whose fault that is
(:mod:`~referee.verifiers.scoring.lateness`). Only that question is lost: what its task had decided before
stands, and the rest is asked in another worker. A worker that dies takes nothing along: its question is
asked once more, alone, and then abstains. Workers that cannot be started, or cannot load the verifiers, are
the machine's failure: what they should have been asked abstains.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import mmap
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from referee.verifiers.protocol import failure
from referee.verifiers.records import Reason, Verdict
from referee.verifiers.scoring import crew_worker
from referee.verifiers.scoring.crew_orders import CrewOrder, CrewTask, Payload, give_up
from referee.verifiers.scoring.crew_worker import IDLE, KEPT, Clock, Question, Ruling
from referee.verifiers.scoring.lateness import late, use_of_process
from referee.verifiers.scoring.nursery import Nursery, NurseryDied
from referee.verifiers.scoring.pipe import Pipe, wait

TICK_S = 0.02
START_S = 120.0  # a worker may have to import a large library first
KEPT_WARM_S = 30.0
_SLOW_LOAD_S = 1.0  # verifiers that take longer to load get a spare worker
_RELEASE_S = 5.0

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Worker:
    pid: int
    pipe: Pipe
    clock: Clock
    since: float  # when it was last given something or told us something
    loaded: list[int] = field(default_factory=list)
    loading: bool = False
    order: CrewOrder | None = None
    tasks: dict[int, CrewTask] = field(default_factory=dict)
    code: int | None = None  # that it ended with


class Crew:
    """Workers and the thread that runs them."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.failed: BaseException | None = None
        self._lock = threading.RLock()  # a client may be let go by the garbage collector, anywhere
        self._inbox: deque[CrewOrder | threading.Event | None] = deque()
        self._held: set[object] = set()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._nursery: Nursery | None = None
        self._workers: list[_Worker] = []
        self._orders: deque[CrewOrder] = deque()
        self._tickets = iter(range(1, 1 << 62))
        self._thread = threading.Thread(target=self._run, name="referee-crew", daemon=True)
        self._thread.start()

    def submit(self, order: CrewOrder) -> None:
        """Hand in work."""
        self._put(order)

    def wake(self) -> None:
        """Look again at what was handed in: a call was cancelled."""
        self._put(None)

    def hold(self, client: object) -> None:
        """Keep the workers warm for a client."""
        with self._lock:
            self._held.add(client)

    def release(self, client: object) -> None:
        """Let go for a client; without any, all processes end, which is waited for."""
        with self._lock:
            if client not in self._held:
                return
            self._held.discard(client)
            last = not self._held
        if last and threading.current_thread() is not self._thread:
            ended = threading.Event()
            self._put(ended)
            ended.wait(_RELEASE_S)

    def _put(self, message: CrewOrder | threading.Event | None) -> None:
        with self._lock:
            failed = self.failed
            if failed is None:
                self._inbox.append(message)
        if failed is not None:
            if isinstance(message, CrewOrder):
                give_up(message, message.waiting, failure(failed, Reason.UNAVAILABLE))
            elif message is not None:
                message.set()
            return
        with contextlib.suppress(BlockingIOError):  # it rings already
            self._bell.send(b"!")

    # ---- the crew's own thread

    def _run(self) -> None:
        try:
            while True:
                self._turn()
        except BaseException as e:  # noqa: BLE001  # told to everyone who waits; the next call starts anew
            _log.exception("the worker processes cannot be used any more")
            with self._lock:
                self.failed = e
            orders = [*self._orders, *(o for o in self._inbox if isinstance(o, CrewOrder))]
            for message in self._inbox:
                if isinstance(message, threading.Event):
                    message.set()
            for w in self._workers:
                if w.order is not None:
                    give_up(w.order, w.tasks.values(), failure(e, Reason.UNAVAILABLE))
            for order in orders:
                give_up(order, order.waiting, failure(e, Reason.UNAVAILABLE))
            if self._nursery is not None:
                self._nursery.close()

    def _turn(self) -> None:
        self._take_in()
        self._hand_out()
        working = any(w.tasks or w.loading for w in self._workers)
        timeout = TICK_S if working else KEPT_WARM_S if self._workers else None
        ready = wait(self._ear, [w.pipe for w in self._workers], timeout)
        if self._ear.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                self._ear.recv(4096)
        for w in [w for w in self._workers if w.pipe.fileno() in ready]:
            self._receive(w)
        now = time.monotonic()
        for w in list(self._workers):
            if w.tasks or w.loading:
                self._end_overdue(w, now)
            elif now - w.since >= KEPT_WARM_S:
                self._end(w)
        if not self._held:
            self._close_nursery()

    def _take_in(self) -> None:
        dismissed: list[threading.Event] = []
        while self._inbox:
            message = self._inbox.popleft()
            if isinstance(message, CrewOrder):
                if message.payload.failed is not None:
                    give_up(message, message.waiting, message.payload.failed)
                    continue
                for task in message.waiting:
                    task.open = message.payload.places(task.items)
                self._orders.append(message)
            elif message is not None:
                dismissed.append(message)
        for order in [o for o in self._orders if o.call.cancelled]:
            order.waiting.clear()
            self._orders.remove(order)
        for w in [w for w in self._workers if w.order is not None and w.order.call.cancelled]:
            self._end(w)  # nobody waits for it, and it may hold its client's only place
        if dismissed and not self._held:
            for w in [w for w in self._workers if w.order is None]:
                self._end(w)
            self._close_nursery()
        for ended in dismissed:
            ended.set()

    def _close_nursery(self) -> None:
        if self._nursery is not None and not self._workers and not self._orders:
            self._nursery.close()
            self._nursery = None

    def _hand_out(self) -> None:
        """Give a chunk to each worker that is free, the orders taking turns."""
        given = True
        while given:
            given = False
            for order in list(self._orders):
                if order.waiting and self._busy(order.client) < order.workers:
                    w = self._free(order)
                    if w is not None:
                        self._give(w, order)
                        given = True
                        self._orders.remove(order)
                        self._orders.append(order)
        self._orders = deque(o for o in self._orders if o.waiting)

    def _busy(self, client: object) -> int:
        return sum(w.order is not None and w.order.client == client for w in self._workers)

    def _free(self, order: CrewOrder) -> _Worker | None:
        """Return a worker that does nothing, if possible one that has the payload; else start one."""
        free = [w for w in self._workers if w.order is None and not w.loading]
        number = order.payload.number
        known = [w for w in free if number in w.loaded]
        if known or free:
            return (known or free)[0]
        try:
            return self._start(order.payload)
        except (NurseryDied, OSError) as e:
            if self._nursery is not None:
                self._nursery.close()
                self._nursery = None
            if not any(w.tasks for w in self._workers):
                give_up(order, order.waiting, failure(e, Reason.UNAVAILABLE))
                order.waiting.clear()
            return None

    def _start(self, payload: Payload) -> _Worker:
        if self._nursery is None:
            self._nursery = Nursery()
        here, there = socket.socketpair()
        clock_fd = os.memfd_create("referee-clock")
        os.ftruncate(clock_fd, ctypes.sizeof(Clock))
        try:
            pid = self._nursery.fork(there.fileno(), clock_fd, payload.modules)
            clock = Clock.from_buffer(mmap.mmap(clock_fd, ctypes.sizeof(Clock)))
        except BaseException:
            here.close()
            raise
        finally:
            there.close()
            os.close(clock_fd)
        clock.ticket = IDLE
        w = _Worker(pid, Pipe(here), clock, time.monotonic())
        self._workers.append(w)
        return w

    def _give(self, w: _Worker, order: CrewOrder) -> None:
        tasks = [order.waiting.popleft()]
        if tasks[0].died is None:  # a suspect goes alone
            while order.waiting and len(tasks) < order.payload.chunk and order.waiting[0].died is None:
                tasks.append(order.waiting.popleft())
        w.order, w.since = order, time.monotonic()
        w.tasks = {next(self._tickets): task for task in tasks}
        number = order.payload.number
        try:
            self._load(w, order.payload)
            w.pipe.send(
                ("judge", [(t, number, task.items, frozenset(task.cells)) for t, task in w.tasks.items()])
            )
        except OSError:
            return  # it died: the closed pipe is seen on receiving

    def _load(self, w: _Worker, payload: Payload) -> None:
        if payload.number in w.loaded:
            return
        w.loaded = [*w.loaded, payload.number][-KEPT:]
        w.loading = True
        w.pipe.send(("load", payload.number, payload.pickled, payload.surroundings()))

    def _spare(self, payload: Payload, clients_workers: int) -> None:
        """Keep one worker more than a client may use, where a new one would have to be waited for."""
        having = [w for w in self._workers if payload.number in w.loaded]
        if len(having) <= clients_workers and not any(w.loading for w in having):
            with contextlib.suppress(NurseryDied, OSError):
                self._load(self._start(payload), payload)

    def _receive(self, w: _Worker) -> None:
        with contextlib.suppress(OSError):  # that it has gone is seen on receiving
            w.pipe.flush()
        messages, gone = w.pipe.receive()
        for message in messages:
            self._take(w, *message)
        if gone and w in self._workers:
            self._end_dead(w)

    def _take(self, w: _Worker, kind: str, *message: Any) -> None:
        w.since = time.monotonic()
        if kind == "judged":
            self._settle(w, message[0])
            return
        w.loading = False
        order = w.order
        if kind == "failed":
            w.loaded.remove(message[0])
            self._lose(w, failure(f"a worker process could not load the verifiers: {message[1]}"))
        elif message[1] > _SLOW_LOAD_S and order is not None:
            order.payload.slow = True
        if order is not None and order.payload.slow:
            self._spare(order.payload, order.workers)

    def _settle(self, w: _Worker, answers: Iterable[tuple[int, list[Ruling]]]) -> None:
        order = w.order
        if order is None:
            return
        ended: list[CrewTask] = []
        for ticket, cells in answers:
            task = w.tasks.get(ticket)
            if task is None:
                continue
            for cell in cells:
                task.cells[cell.part, cell.first] = cell
                task.open.discard((cell.part, cell.first))
            if not task.open:
                del w.tasks[ticket]
                order.payload.adapt(sum(c.seconds for c in task.cells.values()))
                ended.append(task)
        if not w.tasks:
            w.order = None
        if ended and not order.call.cancelled:
            order.done(ended)

    def _end_overdue(self, w: _Worker, now: float) -> None:
        """End a worker whose question is past its deadline, once it is clear whose fault that is."""
        order, clock = w.order, w.clock
        ticket, place, start, cpu_before = (
            clock.ticket, (int(clock.part), int(clock.first)), clock.start, clock.cpu,
        )  # fmt: skip
        task = w.tasks.get(int(ticket))
        if task is None or order is None:
            if now - w.since > START_S:
                self._end_slow(w)
            return
        if place not in task.open:
            return
        count = len(task.items) if order.payload.whole[place[0]] else 1
        deadline, seconds = order.deadline_s * count, now - start
        if seconds <= deadline:
            return
        cpu, asleep = use_of_process(w.pid)
        verdict = late(
            deadline_s=order.deadline_s,
            limit_s=deadline,
            seconds=seconds,
            cpu_s=cpu - cpu_before,
            asleep=asleep,
            least=order.payload.least[place[0]],
        )
        if verdict is None:
            return
        if (clock.ticket, clock.start) != (ticket, start):
            return  # it went on to the next question while it was looked at
        self._drain(w)
        if place in task.open:
            self._decide(w, int(ticket), task, place, Ruling(*place, [verdict] * count, seconds))
            self._end(w)

    def _end_slow(self, w: _Worker) -> None:
        """Give up on a worker that does not get to its work: it still imports, or nothing moves."""
        self._lose(w, failure(f"a worker process was not ready after {START_S:.0f} s", Reason.UNAVAILABLE))

    def _lose(self, w: _Worker, verdict: Verdict) -> None:
        """End a worker that cannot be used, and with it the order: another would fare no better."""
        order, tasks = w.order, list(w.tasks.values())
        w.order, w.tasks = None, {}
        self._end(w)
        if order is not None:
            order.payload.failed = verdict
        if order is not None:
            give_up(order, [*tasks, *order.waiting], verdict)
            order.waiting.clear()

    def _end_dead(self, w: _Worker) -> None:
        """End a worker that died or wrote rubbish; what it was asked is asked once more, alone."""
        code = self._end_code(w)  # first: while it lives it goes on to other questions
        suspects = self._suspects(w)
        if not suspects and w.loading and w.order is not None:
            w.order.payload.deaths += 1
            if w.order.payload.deaths > 1:
                lost = failure(
                    f"a worker process ended with code {code} while it loaded the verifiers, twice"
                )
                self._lose(w, lost)
                return
        for ticket, task, place in suspects:
            if task.died == place:
                whole = w.order is not None and w.order.payload.whole[place[0]]
                count = len(task.items) if whole else 1
                lost = failure(f"the worker process ended with code {code}, twice")
                self._decide(w, ticket, task, place, Ruling(*place, [lost] * count, 0.0))
            else:
                task.died = place
        self._end(w)

    def _suspects(self, w: _Worker) -> list[tuple[int, CrewTask, Question]]:
        """Return the question that a worker ended at; where it was at none, the next of each task."""
        ticket, place = int(w.clock.ticket), (int(w.clock.part), int(w.clock.first))
        task = w.tasks.get(ticket)
        if task is not None and place in task.open:
            return [(ticket, task, place)]
        return [] if w.loading else [(t, task, min(task.open)) for t, task in w.tasks.items()]

    def _drain(self, w: _Worker) -> None:
        """Take in what a worker sent before it is ended."""
        for kind, *message in w.pipe.receive()[0]:
            if kind == "judged":
                self._settle(w, message[0])
            else:
                w.loading = False

    def _decide(self, w: _Worker, ticket: int, task: CrewTask, place: Question, cell: Ruling) -> None:
        task.cells[place] = cell
        task.open.discard(place)
        task.died = None
        if not task.open:
            w.tasks.pop(ticket, None)
            if w.order is not None and not w.order.call.cancelled:
                w.order.done([task])

    def _end(self, w: _Worker) -> None:
        """End a worker; what it had not decided is asked again, first of all."""
        self._end_code(w)
        if w in self._workers:
            self._workers.remove(w)
        w.pipe.close()
        order, w.order = w.order, None
        if order is not None and w.tasks and not order.call.cancelled:
            order.waiting.extendleft(reversed(w.tasks.values()))
            w.tasks = {}
            if order not in self._orders:
                self._orders.appendleft(order)
        if order is not None and order.payload.slow:
            self._spare(order.payload, order.workers)

    def _end_code(self, w: _Worker) -> int:
        if w.code is None:
            w.code = self._ended(w.pid)
        return w.code

    def _ended(self, pid: int) -> int:
        if self._nursery is None:
            return -1
        try:
            return self._nursery.end(pid)
        except NurseryDied:  # its workers died with it
            self._nursery.close()
            self._nursery = None
            return -1

    def abandon(self) -> None:
        """Close, in a process that was forked, what belongs to the parent."""
        self._bell.close()
        self._ear.close()
        for w in self._workers:
            w.pipe.close()
        if self._nursery is not None:
            self._nursery.abandon()


_crew: Crew | None = None
_crew_lock = threading.RLock()


def crew() -> Crew:
    """Return this process's crew.

    Raises:
        RuntimeError: in a worker that is importing the script which defines the verifiers.
    """
    global _crew
    if crew_worker.loading:
        raise RuntimeError(
            "the script that defines the verifiers scores while it is imported: put what it does under "
            'if __name__ == "__main__":'
        )
    with _crew_lock:
        if _crew is None or _crew.pid != os.getpid() or _crew.failed is not None:
            _crew = Crew()
        return _crew


def release(client: object) -> None:
    """Let go of this process's workers for a client."""
    if (held := _held()) is not None:
        held.release(client)


def wake() -> None:
    """Tell this process's crew that a call was cancelled."""
    if (held := _held()) is not None:
        held.wake()


def _held() -> Crew | None:
    with _crew_lock:
        return _crew if _crew is not None and _crew.pid == os.getpid() else None


def _reset_after_fork() -> None:
    global _crew, _crew_lock
    _crew_lock = threading.RLock()
    if _crew is not None:
        _crew.abandon()
        _crew = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
