"""Asking what must be awaited: many at a time, each under a deadline that nothing awaited can disarm.

A thread of its own watches the deadlines, so that they hold also where the event loop does not run.
What waits past its deadline (for a network, for a model elsewhere) is cancelled and abstains. What
blocks the loop is told apart as rules are (:mod:`~referee.verifiers.scoring.lateness`); the loop is then
given up, and what was awaited beside it is asked again in a new one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from referee.verifiers.protocol import AnyVerifier, Item, failure
from referee.verifiers.records import Reason, Verdict
from referee.verifiers.scoring.asking import aevaluate
from referee.verifiers.scoring.call import Call, Heard
from referee.verifiers.scoring.lateness import late, use_of_thread
from referee.verifiers.scoring.loops import Interrupted, LoopThread, running_loop

CONCURRENCY = 32
_LOOK_S = 0.02
_BEAT_S = 0.2  # a loop that does not answer within this is blocked
_TRIES = 2


@dataclass(slots=True, eq=False)
class _Flight:
    """One question that is awaited."""

    call: Call
    verifier: AnyVerifier
    items: Sequence[Item]
    limit_s: float
    done: Heard
    thread: LoopThread | None = None
    started: float = 0.0
    tries: int = 0
    task: Any = None
    running: tuple[float, float] | None = None  # since when it holds the loop, and the processor time then

    @property
    def overdue_at(self) -> float:
        return self.started + self.limit_s


class Awaiting:
    """Awaited questions of one client, ``concurrency`` at a time."""

    def __init__(self, deadline_s: float, concurrency: int = CONCURRENCY) -> None:
        self._deadline_s = deadline_s
        self._concurrency = concurrency
        self._changed = threading.Condition()
        self._waiting: deque[_Flight] = deque()
        self._flying: set[_Flight] = set()
        self._watched = False

    def ask(self, call: Call, verifier: AnyVerifier, items: Sequence[Item], done: Heard) -> None:
        """Ask one question; ``done`` is told the verdicts and the seconds, in some other thread."""
        with self._changed:
            self._waiting.append(_Flight(call, verifier, items, self._deadline_s * len(items), done))
            self._launch()

    def _launch(self) -> None:
        """Begin what may begin; the lock is held."""
        while self._waiting and len(self._flying) < self._concurrency:
            flight = self._waiting.popleft()
            if flight.call.cancelled:
                continue
            flight.thread, flight.started = running_loop(), time.monotonic()
            flight.tries += 1
            self._flying.add(flight)
            thread, tries = flight.thread, flight.tries
            thread.loop.call_soon_threadsafe(self._begin, flight, tries)
        if self._flying and not self._watched:
            self._watched = True
            threading.Thread(target=self._watch, name="referee-watch", daemon=True).start()

    def _begin(self, flight: _Flight, tries: int) -> None:
        flight.task = asyncio.ensure_future(self._fly(flight, tries))

    async def _fly(self, flight: _Flight, tries: int) -> None:
        try:
            verdicts = await _Noted(flight)
        except (asyncio.CancelledError, Interrupted):
            return  # the watch has decided, or asks again
        if flight.tries == tries:
            self._land(flight, verdicts)

    def _land(self, flight: _Flight, verdicts: list[Verdict]) -> None:
        with self._changed:
            if flight not in self._flying:
                return
            self._flying.discard(flight)
            self._launch()
            self._changed.notify()
        flight.done(verdicts, time.monotonic() - flight.started)

    # ---- the watch's own thread

    def _watch(self) -> None:
        while True:
            with self._changed:
                if not self._flying:
                    self._watched = False
                    return
                first = min(self._flying, key=lambda f: f.overdue_at)
                wait_s = first.overdue_at - time.monotonic()
                if wait_s > 0:
                    self._changed.wait(min(wait_s, 1.0))
                    continue
                overdue = [f for f in self._flying if f.overdue_at <= time.monotonic()]
            self._end_overdue(overdue)

    def _end_overdue(self, overdue: list[_Flight]) -> None:
        for thread in {f.thread for f in overdue if f.thread is not None}:
            mine = [f for f in overdue if f.thread is thread]
            if _answers(thread):
                for flight in mine:
                    self._end(flight, self._late())
            else:
                self._end_blocked(thread, mine)

    def _end_blocked(self, thread: LoopThread, overdue: list[_Flight]) -> None:
        """Decide what blocks a loop, once it is past its deadline, and ask the others in a new one."""
        with self._changed:
            here = [f for f in self._flying if f.thread is thread]
        holder = next((f for f in here if f.running is not None), None)
        running = holder.running if holder is not None else None
        if holder is not None and running is not None:
            since, cpu_before = running
            seconds = time.monotonic() - since
            cpu, asleep = use_of_thread(thread.thread)
            verdict = None
            if seconds >= holder.limit_s:
                verdict = late(
                    deadline_s=self._deadline_s,
                    limit_s=holder.limit_s,
                    seconds=seconds,
                    cpu_s=cpu - cpu_before,
                    asleep=asleep,
                )
            if verdict is None or holder.running is not running:
                time.sleep(_LOOK_S)  # not past its own deadline, or not let run; the others wait for it
                return
            thread.give_up()
            self._end(holder, verdict)
        else:  # something blocks it that is not ours, or that ours started beside itself
            thread.give_up()
        lost: list[_Flight] = []
        with self._changed:
            for flight in [f for f in here if f in self._flying]:
                self._flying.discard(flight)
                if holder is not None or flight.tries < _TRIES:
                    self._waiting.appendleft(flight)
                else:
                    flight.tries += 1
                    lost.append(flight)
            self._launch()
        for flight in lost:
            flight.done([self._late()] * len(flight.items), time.monotonic() - flight.started)

    def _end(self, flight: _Flight, verdict: Verdict) -> None:
        flight.tries += 1  # what comes of it later is not heard
        if flight.task is not None and flight.thread is not None:
            flight.thread.loop.call_soon_threadsafe(flight.task.cancel)
        self._land(flight, [verdict] * len(flight.items))

    def _late(self) -> Verdict:
        return failure(f"no verdict in {self._deadline_s:g} s", Reason.UNAVAILABLE)


class _Noted:
    """Awaits a flight's verifier, noting when it holds the loop."""

    def __init__(self, flight: _Flight) -> None:
        self._flight = flight

    def __await__(self) -> Generator[Any, Any, list[Verdict]]:
        flight = self._flight
        inner = aevaluate(flight.verifier, flight.items).__await__()
        step: Callable[[], Any] = inner.__next__
        while True:
            flight.running = (time.monotonic(), time.thread_time())
            try:
                waited_for = step()
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            finally:
                flight.running = None
            try:
                step = partial(inner.send, (yield waited_for))
            except BaseException as e:  # noqa: BLE001  # handed on to what awaits
                step = partial(inner.throw, e)


def _answers(thread: LoopThread) -> bool:
    heard = threading.Event()
    thread.loop.call_soon_threadsafe(heard.set)
    return heard.wait(_BEAT_S)
