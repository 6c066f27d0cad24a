"""Whether what is late was kept from running, by the kernel's own account of each process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

LEAST_SHARE = 0.1  # of a processor


def starved(server: int, wall_s: float) -> bool:
    """Tell whether a process below ``server`` was ready to run for ``wall_s`` and hardly ever did.

    It had less than a tenth of a processor, and stood in line for one nearly all the time, or stands
    there now. Its main thread counts: one that computes in more threads than there are processors waits
    for itself. False where the kernel keeps no such account (``/proc/PID/schedstat``).
    """
    return any(_waits(pid, wall_s) for pid in _below(server))


def _waits(pid: int, wall_s: float) -> bool:
    try:
        ran, waited = (int(n) / 1e9 for n in Path(f"/proc/{pid}/schedstat").read_text().split()[:2])
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError, IndexError):  # it ended meanwhile, or there is no account
        return False
    # a wait is added up when it is over
    return ran < LEAST_SHARE * wall_s and (waited > (1 - LEAST_SHARE) * wall_s or state == "R")


def _below(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _below(child)
