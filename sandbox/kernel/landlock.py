"""Landlock: a process gives up, for good, every file but those that it names, and all of TCP.

It works without privileges and without namespaces, and is inherited by every child. ABI 4 (Linux
6.7) adds TCP, ABI 6 (Linux 6.12) signals and abstract Unix sockets; what the kernel lacks is left
to the other layers.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from referee.sandbox.kernel.calls import PR_SET_NO_NEW_PRIVS, call, prctl

_READ = (1 << 2) | (1 << 3)  # read a file, list a folder
_EXECUTE = 1 << 0
_WRITE = (1 << 1) | (0x1FF << 4)  # write, and everything that makes or removes
_FILE_ONLY = _EXECUTE | (1 << 1) | (1 << 2)
_ANYWHERE = (1 << 13) | (1 << 14)  # move to another folder, cut short
FILE_RIGHTS = (1 << 1) | (1 << 14)  # to write: those that a file can have
_BITS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


def abi() -> int:
    """Return the kernel's Landlock version; 0 where it has none."""
    try:
        return call("landlock_create_ruleset", None, 0, 1)
    except OSError:
        return 0


def write_rights() -> int:
    """Return every right to change something that this kernel can take away."""
    return (_WRITE | _ANYWHERE) & ((1 << _BITS_BY_ABI.get(abi(), 16)) - 1)


def restrict(*, readable: Iterable[str], writable: Iterable[str] = (), executable: bool = False) -> int:
    """Confine this thread and its children to the files named, and return the version enforced.

    Raises:
        OSError: where the kernel has no Landlock.
    """
    version = abi()
    if not version:
        raise OSError(38, "the kernel must have Landlock switched on (the boot option lsm=landlock,...)")
    handled = (1 << _BITS_BY_ABI.get(version, 16)) - 1
    tcp = 3 if version >= 4 else 0
    scoped = 3 if version >= 6 else 0
    attribute = struct.pack("=QQQ", handled, tcp, scoped)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = call(
        "landlock_create_ruleset", ctypes.create_string_buffer(attribute, len(attribute)), len(attribute), 0
    )
    try:
        read = _READ | (_EXECUTE if executable else 0)
        for path in readable:
            _allow(ruleset, path, read & handled)
        for path in writable:
            _allow(ruleset, path, (read | _WRITE | _ANYWHERE) & handled)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        if not os.path.isdir(path):
            access &= _FILE_ONLY | (1 << 14)
        rule = struct.pack("=Qi", access, fd)
        call("landlock_add_rule", ruleset, 1, ctypes.create_string_buffer(rule, len(rule)), 0)
    finally:
        os.close(fd)
