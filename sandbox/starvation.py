"""Whether what is late was kept from running, by the kernel's own account of each process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

LEAST_SHARE = 0.1  # of a processor
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def starved(server: int, wall_s: float) -> bool:
    """Tell whether a process below ``server`` was ready to run for ``wall_s`` and hardly ever did.

    It is about as old as that (what a program just started is no sign), had less than a tenth of a
    processor, and stood in line for one nearly all the time, or stands there now. Its main thread
    counts: one that computes in more threads than there are processors waits for itself. False where
    the kernel keeps no such account (``/proc/PID/schedstat``).
    """
    return any(_waits(pid, wall_s) for pid in _below(server))


def _waits(pid: int, wall_s: float) -> bool:
    try:
        ran, waited = (int(n) / 1e9 for n in Path(f"/proc/{pid}/schedstat").read_text().split()[:2])
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        state, started = after_name[0], int(after_name[19]) / _TICKS_PER_S
    except (OSError, ValueError, IndexError):  # it ended meanwhile, or there is no account
        return False
    nearly_all = (1 - LEAST_SHARE) * wall_s
    if ran >= LEAST_SHARE * wall_s or time.clock_gettime(time.CLOCK_BOOTTIME) - started < nearly_all:
        return False
    return waited > nearly_all or state == "R"  # a wait is added up when it is over


def _below(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _below(child)
