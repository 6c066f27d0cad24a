"""Asking what scores batches, one batch at a time in a thread of this process.

A batch has the deadline of all its items together. One that is still not decided then is interrupted
and asked again in halves, down to the items on which it hangs; these abstain, since a model that hangs is
the machine's failure. Where the thread cannot be interrupted (it is in C code) the whole batch abstains,
and those behind it are asked in a new thread. What bounds itself has no deadline here.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from referee.verifiers.protocol import AnyVerifier, Item, failure
from referee.verifiers.records import Reason, Verdict
from referee.verifiers.scoring.asking import evaluate
from referee.verifiers.scoring.call import Call, Heard
from referee.verifiers.scoring.loops import Interrupted, interrupt
from referee.verifiers.scoring.plan import bounds_itself, is_asked_once

_INTERRUPT_S = 0.5
_PACES = 20


@dataclass(slots=True, eq=False)
class _Batch:
    call: Call
    verifier: AnyVerifier
    items: Sequence[Item]
    done: Heard
    ended: bool = False
    given_up: bool = False  # what its thread may still say is not heard


class Batches:
    """The batches of one client, in the order in which they came."""

    def __init__(self, deadline_s: float | None) -> None:
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._waiting: deque[_Batch] = deque()
        self._thread: threading.Thread | None = None
        self._prepared: set[int] = set()
        self._pace: dict[int, float] = {}  # seconds an item in the last batch, by verifier

    def ask(self, call: Call, verifier: AnyVerifier, items: Sequence[Item], done: Heard) -> None:
        """Ask about a batch; ``done`` is told the verdicts and the seconds, in some other thread."""
        with self._lock:
            self._waiting.append(_Batch(call, verifier, items, done))
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="referee-batches", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        with contextlib.suppress(Interrupted):
            while True:
                with self._lock:
                    if self._thread is not threading.current_thread():
                        return  # given up
                    if not self._waiting:
                        self._thread = None
                        return
                    batch = self._waiting.popleft()
                if not batch.call.cancelled:
                    self._judge(batch)

    def _judge(self, batch: _Batch) -> None:
        timer = None
        start = time.monotonic()
        try:
            self._prepare(batch.verifier)
            if (limit := self._limit(batch)) is not None:
                timer = threading.Timer(limit, self._late, (batch, limit))
                timer.daemon = True
                timer.start()
            start = time.monotonic()
            verdicts = evaluate(batch.verifier, batch.items)
            self._pace[id(batch.verifier)] = (time.monotonic() - start) / len(batch.items)
        except Interrupted:
            raise
        except BaseException as e:  # noqa: BLE001  # other people's code: reported in the verdicts
            verdicts = [failure(e)] * len(batch.items)
        if timer is not None:
            timer.cancel()
        self._end(batch, verdicts, time.monotonic() - start, given_up=False)

    def _limit(self, batch: _Batch) -> float | None:
        """Return the seconds that a batch has: its items' deadlines, or far more than the last took."""
        if self._deadline_s is None or bounds_itself(batch.verifier):
            return None
        whole = self._deadline_s * len(batch.items)
        pace = self._pace.get(id(batch.verifier))
        return whole if pace is None else min(whole, self._deadline_s + _PACES * pace * len(batch.items))

    def _prepare(self, verifier: object) -> None:
        """Let a verifier load what it needs, before its first deadline is counted."""
        prepare = getattr(verifier, "prepare", None)
        if prepare is not None and id(verifier) not in self._prepared:
            prepare()
            self._prepared.add(id(verifier))

    def _late(self, batch: _Batch, limit: float) -> None:
        """Give up on a batch. Where its thread can be ended, its halves are asked, down to what hangs."""
        with self._lock:
            if batch.ended:
                return
            batch.given_up = True
            thread, self._thread = self._thread, None
        if thread is not None:
            interrupt(thread)
            thread.join(_INTERRUPT_S)
        stuck = thread is not None and thread.is_alive()
        if len(batch.items) > 1 and not stuck and not is_asked_once(batch.verifier):
            self._halve(batch)
        else:
            message = f"no verdict on a batch of {len(batch.items)} in {limit:g} s"
            self._end(batch, [failure(message, Reason.UNAVAILABLE)] * len(batch.items), limit, given_up=True)
        with self._lock:
            if self._waiting and self._thread is None:
                self._start()

    def _halve(self, batch: _Batch) -> None:
        middle, heard = len(batch.items) // 2, dict[int, tuple[list[Verdict], float]]()

        def done(half: int, verdicts: list[Verdict], seconds: float) -> None:
            with self._lock:
                heard[half] = verdicts, seconds
                if len(heard) < 2:
                    return
            self._end(batch, heard[0][0] + heard[1][0], heard[0][1] + heard[1][1], given_up=True)

        parts = (batch.items[:middle], batch.items[middle:])
        halves = [_Batch(batch.call, batch.verifier, p, partial(done, i)) for i, p in enumerate(parts)]
        with self._lock:
            self._waiting.extendleft(reversed(halves))

    def _end(self, batch: _Batch, verdicts: list[Verdict], seconds: float, *, given_up: bool) -> None:
        """Tell a batch's verdicts: its own thread's, or those of whoever gave it up."""
        with self._lock:
            if batch.ended or batch.given_up is not given_up:
                return
            batch.ended = True
        batch.done(verdicts, seconds)
