"""Asking what must be awaited: many at a time, each under a deadline that nothing awaited can disarm.

A question in flight is in one of three states: it *waits* (for a network, for a model elsewhere), it *holds*
the event loop, or threads that it started work for it. A thread of its own watches the deadlines, so that
they hold also where the loop does not run. What waits past its deadline is cancelled and abstains. What
computed in its place is told apart as rules are (:mod:`~referee.verifiers.scoring.lateness`). A loop that is
held is given up, and what was in flight beside the holder is asked again in a new one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from referee.verifiers.protocol import AnyVerifier, Item, failure, least_of
from referee.verifiers.records import Reason, Verdict
from referee.verifiers.scoring.asking import aevaluate
from referee.verifiers.scoring.call import Call, Heard
from referee.verifiers.scoring.lateness import late, use_of_thread
from referee.verifiers.scoring.loops import Interrupted, LoopThread, interrupt

CONCURRENCY = 32
_LOOK_S = 0.02
_BEAT_S = 0.2  # a loop that does not answer within this is held
_TRIES = 3  # of what was beside a holder that could not be named


@dataclass(slots=True, eq=False)
class _Question:
    """What a verifier is asked; it may take several flights, where others hold the loop."""

    call: Call
    verifier: AnyVerifier
    items: Sequence[Item]
    limit_s: float
    done: Heard
    tries: int = 0


@dataclass(slots=True, eq=False)
class _Flight:
    """One try to answer a question, in one loop."""

    question: _Question
    where: LoopThread
    started: float
    task: Any = None
    holds: tuple[float, float] | None = None  # the loop: since when, and its thread's processor time then
    threads: list[tuple[threading.Thread, float]] = field(default_factory=list)  # and when each began

    @property
    def overdue_at(self) -> float:
        return self.started + self.question.limit_s


_current: ContextVar[_Flight | None] = ContextVar("referee_flight", default=None)


class Awaiting:
    """Awaited questions of one client, ``concurrency`` at a time, in a loop of its own."""

    def __init__(self, deadline_s: float, concurrency: int = CONCURRENCY) -> None:
        self._deadline_s = deadline_s
        self._concurrency = concurrency
        self._changed = threading.Condition()
        self._waiting: deque[_Question] = deque()
        self._flying: set[_Flight] = set()
        self._where: LoopThread | None = None
        self._watched = False

    def ask(self, call: Call, verifier: AnyVerifier, items: Sequence[Item], done: Heard) -> None:
        """Ask one question; ``done`` is told the verdicts and the seconds, in some other thread."""
        with self._changed:
            self._waiting.append(_Question(call, verifier, items, self._deadline_s * len(items), done))
            self._launch()

    def close(self) -> None:
        """Let the loop go; the next question starts another."""
        with self._changed:
            if self._where is not None and not self._flying:
                self._where.loop.call_soon_threadsafe(self._where.loop.stop)
                self._where = None

    def _launch(self) -> None:
        """Begin what may begin; the lock is held."""
        while self._waiting and len(self._flying) < self._concurrency:
            question = self._waiting.popleft()
            if question.call.cancelled:
                continue
            if self._where is None:
                self._where = LoopThread(_note_thread)
                self._where.loop.set_task_factory(_watched_task)
            question.tries += 1
            flight = _Flight(question, self._where, time.monotonic())
            self._flying.add(flight)
            flight.where.loop.call_soon_threadsafe(self._begin, flight)
        if self._flying and not self._watched:
            self._watched = True
            threading.Thread(target=self._watch, name="referee-watch", daemon=True).start()

    def _begin(self, flight: _Flight) -> None:
        if flight.where.given_up:
            return  # it is asked again in another
        _current.set(flight)  # in this callback's context, which the task and what it starts inherit
        flight.task = flight.where.loop.create_task(self._fly(flight))

    async def _fly(self, flight: _Flight) -> None:
        question = flight.question
        try:
            verdicts = await aevaluate(question.verifier, question.items)
        except (asyncio.CancelledError, Interrupted):
            return  # the watch has decided, or asks again
        except BaseException as e:  # noqa: BLE001  # other people's code: reported in the verdicts
            verdicts = [failure(e)] * len(question.items)
        self._land(flight, verdicts)

    def _land(self, flight: _Flight, verdicts: list[Verdict]) -> None:
        with self._changed:
            if flight not in self._flying:
                return
            self._flying.discard(flight)
            self._launch()
            self._changed.notify()
        flight.question.done(verdicts, time.monotonic() - flight.started)

    # ---- the watch's own thread

    def _watch(self) -> None:
        while True:
            with self._changed:
                if not self._flying:
                    self._watched = False
                    return
                wait_s = min(f.overdue_at for f in self._flying) - time.monotonic()
                if wait_s > 0:
                    self._changed.wait(min(wait_s, 1.0))
                    continue
                overdue = [f for f in self._flying if f.overdue_at <= time.monotonic()]
            for where in {f.where for f in overdue}:
                if _answers(where):
                    for flight in [f for f in overdue if f.where is where]:
                        self._end_waiting(flight)
                else:
                    self._end_held(where)
            time.sleep(_LOOK_S)

    def _end_waiting(self, flight: _Flight) -> None:
        """Decide what waits past its deadline, by the threads that work for it where there are any."""
        working = [(t, at) for t, at in flight.threads if t.is_alive()]
        verdict: Verdict | None = self._waited()
        if working:
            thread, began = min(working, key=lambda pair: pair[1])
            cpu, asleep = use_of_thread(thread)
            verdict = self._late(flight, time.monotonic() - began, cpu, asleep)
        if verdict is not None:
            self._end(flight, verdict)
            for thread, _ in working:
                interrupt(thread)

    def _end_held(self, where: LoopThread) -> None:
        """Decide what holds a loop, once it is past its deadline, and ask the others in a new one."""
        with self._changed:
            here = [f for f in self._flying if f.where is where]
        holder, holds = next(((f, f.holds) for f in here if f.holds is not None), (None, None))
        if holder is not None and holds is not None:
            since, cpu_before = holds
            cpu, asleep = use_of_thread(where.thread)
            seconds = time.monotonic() - since
            verdict = None
            if seconds >= holder.question.limit_s:
                verdict = self._late(holder, seconds, cpu - cpu_before, asleep)
            if verdict is None or holder.holds is not holds:
                return  # not past its own deadline, or not let run; the others wait for it
            self._give_up(where)
            self._end(holder, verdict)
        else:  # nobody of ours: something that ours started beside itself
            self._give_up(where)
        lost: list[_Flight] = []
        with self._changed:
            for flight in [f for f in here if f in self._flying]:
                self._flying.discard(flight)
                if holder is not None or flight.question.tries < _TRIES:
                    self._waiting.appendleft(flight.question)
                else:
                    lost.append(flight)
            self._launch()
        for flight in lost:
            flight.question.done([self._waited()] * len(flight.question.items), 0.0)

    def _give_up(self, where: LoopThread) -> None:
        with self._changed:
            if self._where is where:
                self._where = None
        where.give_up()

    def _end(self, flight: _Flight, verdict: Verdict) -> None:
        if flight.task is not None:
            flight.where.loop.call_soon_threadsafe(flight.task.cancel)
        self._land(flight, [verdict] * len(flight.question.items))

    def _late(self, flight: _Flight, seconds: float, cpu_s: float, asleep: bool) -> Verdict | None:
        return late(
            deadline_s=self._deadline_s,
            limit_s=flight.question.limit_s,
            seconds=seconds,
            cpu_s=cpu_s,
            asleep=asleep,
            least=least_of(flight.question.verifier),
        )

    def _waited(self) -> Verdict:
        return failure(f"no verdict in {self._deadline_s:g} s", Reason.UNAVAILABLE)


def _note_thread(thread: threading.Thread) -> None:
    flight = _current.get()
    if flight is not None:
        flight.threads.append((thread, time.monotonic()))


def _watched_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    """Make a task that notes when it holds the loop, for the flight in whose course it is made."""
    flight = _current.get()
    if flight is not None and asyncio.iscoroutine(coroutine):
        coroutine = _noted(flight, coroutine)
    return asyncio.Task(coroutine, loop=loop, **options)


async def _noted(flight: _Flight, coroutine: Coroutine[Any, Any, Any]) -> Any:
    return await _Steps(flight, coroutine)


class _Steps:
    """Awaits a coroutine, noting for its flight when it holds the loop; a loop given up begins no step."""

    def __init__(self, flight: _Flight, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._flight, self._coroutine = flight, coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        flight, inner = self._flight, self._coroutine.__await__()
        step: Callable[[], Any] = inner.__next__
        while True:
            if flight.where.given_up:
                self._coroutine.close()
                raise Interrupted
            flight.holds = (time.monotonic(), time.thread_time())
            try:
                waited_for = step()
            except StopIteration as stop:
                return stop.value
            finally:
                flight.holds = None
            try:
                step = partial(inner.send, (yield waited_for))
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as e:  # noqa: BLE001  # handed on to what awaits
                step = partial(inner.throw, e)


def _answers(where: LoopThread) -> bool:
    heard = threading.Event()
    where.loop.call_soon_threadsafe(heard.set)
    return heard.wait(_BEAT_S)
