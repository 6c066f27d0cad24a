"""What runs in a worker process: take units of work, score them, send the rewards back.

The worker notes in shared memory which unit it is at, since when, and how much processor time it
had used by then. The parent reads these three numbers, so it can tell a hang without the worker's
help, and a completion that burned its time from a machine that stood still.
"""

from __future__ import annotations

import contextlib
import ctypes
import pickle
import signal
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from referee.verifiers.protocol import Item
from referee.verifiers.records import Reward

Result: TypeAlias = tuple[int, list[Reward], float]  # the unit's number, its rewards, seconds

IDLE = -1.0
_FLUSH_S = 0.005


def serve(pipe: Connection, clock: Any, rubric_bytes: bytes) -> None:
    """Score the units that come through ``pipe`` until it closes.

    A message in is a list of ``(number, items)``; a message out a list of :data:`Result`.
    """
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    try:
        rubric = pickle.loads(rubric_bytes)  # noqa: S301  # our own parent wrote it
        with contextlib.suppress(EOFError, OSError):
            pipe.send([])  # ready
            while True:
                _work(rubric, pipe, clock, pipe.recv())
    except ImportError as e:
        pipe.send(f"{type(e).__name__}: {e}")


def _work(rubric: Any, pipe: Connection, clock: Any, units: Sequence[tuple[int, Sequence[Item]]]) -> None:
    results: list[Result] = []
    flushed = time.monotonic()
    for number, items in units:
        start = time.monotonic()
        clock[1], clock[2] = start, time.process_time()
        clock[0] = number
        rewards = rubric.score_items(items)
        clock[0] = IDLE
        end = time.monotonic()
        results.append((number, rewards, end - start))
        if end - flushed > _FLUSH_S:
            pipe.send(results)
            results, flushed = [], end
    if results:
        pipe.send(results)


def _die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends, however that ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
