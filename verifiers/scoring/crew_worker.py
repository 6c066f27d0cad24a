"""What runs in a worker process: take tasks, ask the verifiers, send the verdicts back.

The worker notes in shared memory which verifier it is asking about what, since when, and how much
processor time it had used by then. The parent reads this, so it can tell a hang without the worker's
help, and a completion that burned its time from a machine that stood still.

What the parent sends, and what comes back:

- ``("load", payload, pickled verifiers, surroundings)`` and ``("loaded", payload, seconds)`` or
  ``("failed", payload, why)``; a worker keeps the last few payloads;
- ``("judge", [(ticket, payload, items, decided)])`` and ``("judged", [(ticket, cells)])``. A cell is what
  one question decided: (part, first item, verdicts, seconds). ``decided`` are the cells not to ask for.
"""

from __future__ import annotations

import ctypes
import multiprocessing.spawn
import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeAlias

from referee.verifiers.protocol import AnyVerifier, Item
from referee.verifiers.records import Verdict
from referee.verifiers.scoring.asking import evaluate
from referee.verifiers.scoring.plan import is_group, leaves

IDLE = -1.0
loading = False  # True while this process imports what a payload needs
KEPT = 8  # payloads that a worker holds; the parent counts along
_FLUSH_S = 0.005

Question: TypeAlias = tuple[int, int]  # part, first item


class Ruling(NamedTuple):
    """What one question to one verifier decided."""

    part: int
    first: int
    verdicts: list[Verdict]
    seconds: float


Assignment: TypeAlias = tuple[int, int, Sequence[Item], frozenset[Question]]
Reply: TypeAlias = tuple[int, list[Ruling]]


class Clock(ctypes.Structure):
    """What a worker is asking, in memory that it shares with its parent."""

    _fields_ = (
        ("ticket", ctypes.c_double),
        ("part", ctypes.c_double),
        ("first", ctypes.c_double),
        ("start", ctypes.c_double),
        ("cpu", ctypes.c_double),
    )


def serve(pipe_fd: int, clock_fd: int) -> None:
    """Serve the pipe until it closes."""
    die_with_parent(os.getppid())
    pipe = Connection(pipe_fd)
    clock = _mapped(clock_fd)
    held: dict[int, list[tuple[AnyVerifier, bool]]] = {}
    try:
        while True:
            kind, *message = pipe.recv()
            if kind == "load":
                _load(pipe, held, *message)
            else:
                _judge(pipe, clock, held, message[0])
    except (EOFError, OSError):
        return  # the parent has gone, or wants no more


def _mapped(clock_fd: int) -> Clock:
    """Map the clock and close its descriptor, which a verifier could write to; ``mmap`` would keep a copy."""
    library = ctypes.CDLL(None, use_errno=True)
    size, read_write, shared = ctypes.sizeof(Clock), 1 | 2, 1
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    address = library.mmap(None, size, read_write, shared, clock_fd, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "the clock cannot be mapped")
    os.close(clock_fd)
    return Clock.from_address(address)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when the thread that started it ends, however that ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def _load(pipe: Connection, held: dict[int, Any], payload: int, pickled: bytes, around: Any) -> None:
    global loading
    start = time.monotonic()
    loading = True
    try:
        multiprocessing.spawn.prepare(around)
        verifiers = pickle.loads(pickled)  # noqa: S301  # our own parent wrote it
        for leaf in chain.from_iterable(map(leaves, verifiers)):
            if (prepare := getattr(leaf, "prepare", None)) is not None:
                prepare()
    except Exception as e:  # noqa: BLE001  # whatever a user's module raises when it is imported
        pipe.send(("failed", payload, f"{type(e).__name__}: {e}"))
        return
    finally:
        loading = False
    held[payload] = [(v, is_group(v)) for v in verifiers]
    while len(held) > KEPT:
        del held[next(iter(held))]
    pipe.send(("loaded", payload, time.monotonic() - start))


def _judge(pipe: Connection, clock: Clock, held: dict[int, Any], jobs: Sequence[Assignment]) -> None:
    answers: list[Reply] = []
    flushed = time.monotonic()
    for ticket, payload, items, decided in jobs:
        cells: list[Ruling] = []
        answers.append((ticket, cells))
        for part, (verifier, whole) in enumerate(held[payload]):
            for first, asked in portions(items, whole=whole):
                if (part, first) in decided:
                    continue
                start = time.monotonic()
                clock.part, clock.first, clock.start, clock.cpu = part, first, start, time.process_time()
                clock.ticket = ticket
                verdicts = evaluate(verifier, asked)
                clock.ticket = IDLE
                end = time.monotonic()
                cells.append(Ruling(part, first, verdicts, end - start))
                if end - flushed > _FLUSH_S:
                    pipe.send(("judged", answers))
                    cells = []
                    answers, flushed = [(ticket, cells)], end
    if any(cells for _, cells in answers):
        pipe.send(("judged", answers))


def portions(items: Sequence[Item], *, whole: bool) -> Iterator[tuple[int, Sequence[Item]]]:
    """Yield what a verifier is asked about in one question: all siblings, or each item by itself."""
    if whole:
        yield 0, items
    else:
        for i, item in enumerate(items):
            yield i, (item,)
