"""Event loops in daemon threads: one for callers without deadlines, and those that a watch may give up.

What runs in a loop may block it, and what it hands to threads may never return. So nothing here is waited
for when the process ends: threads are daemons, the default executor's too.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupted(BaseException):
    """Raised inside code that was given up: it holds a thread past its deadline."""


class LoopThread:
    """An event loop that runs in a daemon thread. ``started`` is told of the threads that it makes."""

    def __init__(self, started: Callable[[threading.Thread], None] | None = None) -> None:
        self.given_up = False
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(DaemonThreads(started))
        self.thread = threading.Thread(target=self._run, name="referee-async", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        with contextlib.suppress(Interrupted):
            self.loop.run_forever()

    def give_up(self) -> None:
        """Let the loop end as soon as what blocks it can be interrupted, or returns."""
        self.given_up = True
        self.loop.call_soon_threadsafe(self._end)
        interrupt(self.thread)

    def _end(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_soon(self.loop.stop)


class DaemonThreads(ThreadPoolExecutor):
    """Runs each call in a daemon thread of its own: one that never returns keeps no other waiting."""

    def __init__(self, started: Callable[[threading.Thread], None] | None = None) -> None:
        super().__init__(max_workers=1)
        self._started = started

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Begin a call; the future holds what it returns."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as e:  # noqa: BLE001  # it belongs to whoever waits
                future.set_exception(e)
            else:
                future.set_result(result)

        thread = threading.Thread(target=run, name="referee-async-call", daemon=True)
        if self._started is not None:
            self._started(thread)
        thread.start()
        return future


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from synchronous code, also where this thread already has a running loop.

    One loop serves a process, so that HTTP clients keep their connections between calls. Called from
    within it, a coroutine takes a thread and a loop of its own.
    """
    here = _running_loop()
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


def _running_loop() -> LoopThread:
    with _lock:
        found = _loops.get(os.getpid())
        if found is None:
            _loops.clear()  # a loop does not survive a fork
            found = _loops[os.getpid()] = LoopThread()
        return found


_loops: dict[int, LoopThread] = {}
_lock = threading.Lock()


def _reset_after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    _loops.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
