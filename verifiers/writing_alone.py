"""One writer at a time: a lock that the operating system takes back from a process that was killed.

It is on the file or folder itself, so that nothing is left behind.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def take(fd: int, path: Path) -> bool:
    """Take what ``fd`` has open at ``path`` for as long as it stays open; False where somebody else has it.

    False also where ``path`` has become another file meanwhile.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system that knows no locks
        pass
    return path.exists() and os.path.samestat(os.fstat(fd), path.stat())
