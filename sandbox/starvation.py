"""Whether what is late was kept from running, by the kernel's own account of each process."""

from __future__ import annotations

import os
from pathlib import Path

LEAST_SHARE = 0.1  # of a processor
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def starved(server: int, wall_s: float) -> bool:
    """Tell whether a sample of ``server`` was ready to run for ``wall_s`` and hardly ever did.

    All its threads had less than a tenth of a processor, and the main one stood in line for one nearly
    all the time, or stands there now. False where the kernel keeps no such account (``/proc/PID/schedstat``).
    """
    below = _children(server)
    # where the server is process 1 of a namespace it is itself a child, and its samples a level below
    return any(_waits(pid, wall_s) for pid in (*below, *(c for pid in below for c in _children(pid))))


def _waits(pid: int, wall_s: float) -> bool:
    try:
        waited = int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
        state, *figures = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ran = (int(figures[10]) + int(figures[11])) / _TICKS_PER_S  # all its threads
    except (OSError, ValueError, IndexError):  # it ended meanwhile, or there is no account
        return False
    # a wait is added up when it is over
    return ran < LEAST_SHARE * wall_s and (waited > (1 - LEAST_SHARE) * wall_s or state == "R")


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
