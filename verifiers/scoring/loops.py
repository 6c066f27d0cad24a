"""The event loops in which verifiers are awaited, each in a daemon thread of its own.

One loop serves a process, so that HTTP clients keep their connections between calls. It is given up,
and a new one made, where something that is awaited blocks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupted(BaseException):
    """Raised inside code that was given up: it holds a thread past its deadline."""


class LoopThread:
    """An event loop that runs in a daemon thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="referee-async", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        with contextlib.suppress(Interrupted):
            self.loop.run_forever()

    def give_up(self) -> None:
        """Let the loop end as soon as what blocks it can be interrupted, or returns."""
        with _lock:
            if _loops.get(os.getpid()) is self:
                del _loops[os.getpid()]
        self.loop.call_soon_threadsafe(self._stop)
        interrupt(self.thread)

    def _stop(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_soon(self.loop.stop)


def running_loop() -> LoopThread:
    """Return this process's loop."""
    with _lock:
        found = _loops.get(os.getpid())
        if found is None:
            _loops.clear()  # a loop does not survive a fork
            found = _loops[os.getpid()] = LoopThread()
        return found


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from synchronous code, also where this thread already has a running loop.

    Called from within the process's loop, it takes a thread and a loop of its own.
    """
    here = running_loop()
    if threading.current_thread() is not here.thread:
        return asyncio.run_coroutine_threadsafe(coroutine, here.loop).result()
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def interrupt(thread: threading.Thread) -> None:
    """Raise :class:`Interrupted` in a thread, at its next step in Python code.

    A call into C is not ended by it; such a thread is a daemon, and ends with the process.
    """
    if thread.ident is not None and thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(Interrupted)
        )


_loops: dict[int, LoopThread] = {}
_lock = threading.Lock()


def _reset_after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    _loops.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
