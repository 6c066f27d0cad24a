"""Worker processes that many threads and event loops hand work to, for as long as a client lives."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TypeAlias

from referee.verifiers.protocol import Item
from referee.verifiers.records import Reward
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.pool import Pool, Unit

Rewards: TypeAlias = Sequence[Sequence[Reward]]


class LivePool:
    """A pool and the thread that runs it.

    Calls take turns, one unit each, so that a short one does not wait until a long one is done.
    """

    def __init__(self, rubric: Rubric, workers: int, deadline_s: float) -> None:
        self._pool = Pool(rubric, workers=workers, deadline_s=deadline_s)
        self._lock = threading.Lock()
        self._inbox: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._open: set[_Call] = set()
        self._turns: deque[_Call] = deque()
        self._working: dict[int, tuple[_Call, int]] = {}
        self._ended: BaseException | None = None
        threading.Thread(target=self._run, name="referee-pool", daemon=True).start()

    @property
    def alive(self) -> bool:
        """False once the processes have ended, because they failed or were closed."""
        return self._ended is None

    def submit(self, units: Sequence[Sequence[Item]]) -> Future[Rewards]:
        """Hand in units, the items of each scored together; the future holds their rewards, in order.

        Cancelling the future takes back the units that have not begun.
        """
        call = _Call(units)
        with self._lock:
            if not units:
                call.future.set_result([])
            elif self._ended is not None:
                call.future.set_exception(self._ended)
            else:
                self._inbox.put(call)
        return call.future

    def close(self) -> None:
        """End the processes once what was handed in before is done."""
        self._inbox.put(None)

    def _run(self) -> None:
        error: BaseException = RuntimeError("the worker processes were closed")
        try:
            with self._pool:
                self._serve()
        except Exception as e:  # noqa: BLE001  # told to everyone who waits; the next call starts anew
            error = e
        with self._lock:
            self._ended = error
        while not self._inbox.empty():
            if (call := self._inbox.get()) is not None:
                self._open.add(call)
        for call in self._open:
            if call.future.set_running_or_notify_cancel():
                call.future.set_exception(error)

    def _serve(self) -> None:
        closing, number = False, 0
        while not closing or self._turns or self._pool.busy:
            closing = closing or self._admit(wait=not (self._turns or self._pool.busy))
            for _ in range(self._pool.room):
                if not self._submit_next(number + 1):
                    break
                number += 1
            if self._pool.busy:
                for done, rewards, _ in self._pool.results():
                    call, place = self._working.pop(done)
                    if call.settle(place, rewards):
                        self._open.discard(call)

    def _admit(self, *, wait: bool) -> bool:
        """Take in the calls that have come, or wait for the first; return whether to close after them."""
        while True:
            try:
                call = self._inbox.get(block=wait)
            except queue.Empty:
                return False
            if call is None:
                return True
            self._open.add(call)
            self._turns.append(call)
            wait = False

    def _submit_next(self, number: int) -> bool:
        """Submit a unit of the call whose turn it is, if there is one that somebody still waits for."""
        while self._turns:
            call = self._turns.popleft()
            if call.future.cancelled():
                self._open.discard(call)
                continue
            place = call.begun
            call.begun += 1
            self._working[number] = (call, place)
            self._pool.submit(Unit(number, call.units[place]))
            if call.begun < len(call.units):
                self._turns.append(call)
            return True
        return False


class _Call:
    """Units that were handed in together, their rewards as they come, and who waits for them."""

    def __init__(self, units: Sequence[Sequence[Item]]) -> None:
        self.units = units
        self.future: Future[Rewards] = Future()
        self.begun = 0
        self._rewards: list[Sequence[Reward]] = [() for _ in units]
        self._left = len(units)

    def settle(self, place: int, rewards: list[Reward]) -> bool:
        """Keep a unit's rewards; with the last one, tell who waits, and return True."""
        self._rewards[place] = rewards
        self._left -= 1
        if self._left == 0 and self.future.set_running_or_notify_cancel():
            self.future.set_result(self._rewards)
        return self._left == 0
