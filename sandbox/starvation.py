"""How long a process waited for a processor that others had, by the kernel's own account of it.

What a program did with its time is its own: sleeping, computing, and waiting behind its own threads.
Only the delay in the run queue (``/proc/PID/schedstat``) is the machine's, less what the threads that it
may have waited behind ran meanwhile. No state of a process is ever looked at: it can be chosen.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

DOUBT = 0.5  # of its time: so much waiting, and what is late is given more
MOST = 4.0  # times its limit, for one that waits
STARVED = 0.9  # of its time: so much waiting, and it was never given a chance
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PID = re.compile(r"^Pid:\t(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Account:
    """What one process ran, and what it waited for others' sake, in seconds."""

    ran_s: float = 0.0
    waited_s: float = 0.0


def read_account(pidfd: int) -> Account:
    """Read a process's account; nothing of it where the kernel keeps none, or it is gone.

    The wait is that of the thread that waited longest, less all that its siblings ran. Of a process that
    has ended and was not yet reaped it is the main thread's, and final: a wait is added up when it is over.
    """
    try:
        pid = _number(pidfd)
        threads = [_thread(pid, name) for name in os.listdir(f"/proc/{pid}/task")]
        figures = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if _number(pidfd) != pid:
            return Account()
    except (OSError, ValueError, IndexError):
        return Account()
    all_ran = max((int(figures[11]) + int(figures[12])) / _TICKS_PER_S, sum(ran for ran, _ in threads))
    return Account(all_ran, max((waited - (all_ran - ran) for ran, waited in threads), default=0.0))


def _thread(pid: int, name: str) -> tuple[float, float]:
    ran, waited, *_ = Path(f"/proc/{pid}/task/{name}/schedstat").read_text().split()
    return int(ran) / 1e9, int(waited) / 1e9


def _number(pidfd: int) -> int:
    """Return a process's number as this process sees it; ValueError where it has none."""
    found = _PID.search(Path(f"/proc/self/fdinfo/{pidfd}").read_text())
    if found is None or not int(found[1]):
        raise ValueError("it is not to be seen from here")
    return int(found[1])


def waited_for_others(accounts: Sequence[Account]) -> float:
    """Return the longest wait among processes that work together, less what the rest of them ran."""
    together = sum(a.ran_s for a in accounts)
    return max((a.waited_s - (together - a.ran_s) for a in accounts), default=0.0)


def doubtful(waited_s: float, wall_s: float) -> bool:
    """Tell whether what was late may have been so for want of a processor alone."""
    return waited_s > DOUBT * wall_s


def starved(waited_s: float, wall_s: float) -> bool:
    """Tell whether what was late was hardly ever given a processor."""
    return waited_s > STARVED * wall_s


class TimeLimit:
    """When a job's time is up.

    Where it waited for a processor most of its time, it is given what it waited on top, again and again,
    up to ``MOST`` times its limit. ``waited(final)`` tells how long that was; ``final`` ends what it asks
    about.
    """

    def __init__(self, wall_s: float, waited: Callable[[bool], float]) -> None:
        self.start = time.monotonic()
        self.limit_s = wall_s
        self.given_s = wall_s
        self._waited = waited

    @property
    def deadline(self) -> float:
        """When the time is up, on the monotonic clock."""
        return self.start + self.given_s

    @property
    def wall_s(self) -> float:
        """The time since it was started."""
        return time.monotonic() - self.start

    @property
    def left_s(self) -> float:
        """The time until it is up."""
        return max(0.0, self.deadline - time.monotonic())

    def extend(self) -> bool:
        """Tell, when the time is up, whether there is more of it after all."""
        most = MOST * self.limit_s
        if self.given_s >= most or not doubtful(waited := self._waited(False), self.given_s):
            return False
        self.given_s = min(most, self.limit_s + waited)
        return self.left_s > 0

    def final_wait(self) -> float:
        """End what is late, and return what it waited for a processor in all."""
        return max(0.0, self._waited(True))
