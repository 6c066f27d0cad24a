"""Whose fault it is that a question is past its deadline: the completion's, or the machine's.

What had spent at least half of the deadline on the processor is slow by itself: ``timeout``, score 0.
What is asleep waits for something else, and abstains. What wants to compute and is not let by the machine
is given more time, up to ten deadlines, and is then treated as the one that waits.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time

import psutil

from referee.verifiers.protocol import failure
from referee.verifiers.records import Reason, Verdict

BUSY_SHARE = 0.5
PATIENCE = 10
_WINDOW_S = 0.1
_LOOKS = 4


def late(
    *, deadline_s: float, limit_s: float, seconds: float, cpu_s: float, asleep: bool, least: float = 0.0
) -> Verdict | None:
    """Return the verdict on what has taken ``seconds`` of its ``limit_s``; None where it gets more time.

    ``cpu_s`` is the processor time that it used in them, ``asleep`` whether it waits for something else
    than the processor. ``deadline_s`` is a single completion's, which the verdict names; ``least`` the
    least score that the verifier gives: being slow must not pay better than being wrong.
    """
    if cpu_s >= BUSY_SHARE * limit_s:
        return Verdict(score=least, reason=Reason.TIMEOUT, detail={"deadline_s": deadline_s})
    if asleep or seconds > PATIENCE * limit_s:
        message = f"no verdict in {deadline_s:g} s, and the processor was not what it waited for"
        return failure(message, Reason.UNAVAILABLE)
    return None


def use_of_process(pid: int) -> tuple[float, bool]:
    """Return the processor time of a process, and whether it is asleep rather than computing.

    One that waits for a program which it started, and which computes, is as busy as that program: its time
    is then given as endless.
    """
    try:
        process = psutil.Process(pid)
        times, status = process.cpu_times(), process.status()
    except psutil.Error:
        return 0.0, True
    cpu = float(times.user + times.system)
    if status == psutil.STATUS_RUNNING:
        return cpu, False
    computing, wanting = _descendants(process)
    return (math.inf if computing else cpu), not wanting


def _descendants(process: psutil.Process) -> tuple[bool, bool]:
    """Tell whether what a process started computes, and whether it at least wants to."""
    spent, wanting = _spent(process)
    if not wanting:
        return False, False
    time.sleep(_WINDOW_S)
    return _spent(process)[0] - spent >= BUSY_SHARE * _WINDOW_S, True


def _spent(process: psutil.Process) -> tuple[float, bool]:
    total, wanting = 0.0, False
    with contextlib.suppress(psutil.Error):
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                times = child.cpu_times()
                total += times.user + times.system
                wanting = wanting or child.status() == psutil.STATUS_RUNNING
    return total, wanting


def use_of_thread(thread: threading.Thread) -> tuple[float, bool]:
    """Return the processor time of a thread of this process, and whether it is asleep."""
    if thread.ident is None or not thread.is_alive():
        return 0.0, True
    clock = time.pthread_getcpuclockid(thread.ident)
    cpu = time.clock_gettime(clock)
    # One that waits for the interpreter's lock looks asleep, too: it is not where its time goes on.
    for _ in range(_LOOKS):
        time.sleep(_WINDOW_S / _LOOKS)
        if not thread.is_alive():
            return cpu, True
        if time.clock_gettime(clock) > cpu + _WINDOW_S / 100:
            return time.clock_gettime(clock), False
    return cpu, True
