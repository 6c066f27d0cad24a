"""System calls that Python's ``os`` lacks, each raising OSError with its name where it fails."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_quick = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * 6, use_errno=True)(("syscall", _libc))
_python = ctypes.PyDLL(None, use_errno=True)  # calls through it keep the interpreter's lock

MACHINE = os.uname().machine

# The two machines differ in the older calls; those added since 2011 share one number everywhere.
_NUMBERS = {
    "x86_64": {
        "pivot_root": 155,
        "unshare": 272,
        "capset": 126,
        "mount": 165,
        "umount2": 166,
        "setgroups": 116,
        "prctl": 157,
        "setns": 308,
    },
    "aarch64": {
        "pivot_root": 41,
        "unshare": 97,
        "capset": 91,
        "mount": 40,
        "umount2": 39,
        "setgroups": 159,
        "prctl": 167,
        "setns": 268,
    },
}
_SHARED = {
    "seccomp": {"x86_64": 317, "aarch64": 277},
    "close_range": {"x86_64": 436, "aarch64": 436},
    "mount_setattr": {"x86_64": 442, "aarch64": 442},
    "landlock_create_ruleset": {"x86_64": 444, "aarch64": 444},
    "landlock_add_rule": {"x86_64": 445, "aarch64": 445},
    "landlock_restrict_self": {"x86_64": 446, "aarch64": 446},
}

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x00020000, 0x02000000, 0x04000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE = 16384, 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4


def number(name: str) -> int:
    """Return a system call's number on this machine; OSError where the machine is not supported."""
    table = _SHARED.get(name)
    found = table.get(MACHINE) if table else _NUMBERS.get(MACHINE, {}).get(name)
    if found is None:
        raise OSError(38, f"the machine must be x86_64 or aarch64 for {name}, got {MACHINE}")
    return found


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call by name. Whole numbers are passed as 64 bits."""
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(_libc.syscall(ctypes.c_long(number(name)), *words))
    if result < 0:
        raise _error(name)
    return result


def prctl(option: int, *arguments: int) -> int:
    """Make one prctl call."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    result = int(_libc.prctl(ctypes.c_int(option), *(ctypes.c_ulong(a) for a in padded)))
    if result < 0:
        raise _error(f"prctl {option}")
    return result


def give_back_memory() -> None:
    """Give freed memory back to the kernel, so that no fork has to share it."""
    with contextlib.suppress(AttributeError):  # not every C library has it
        _libc.malloc_trim(0)


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount ``source`` on ``target``."""
    call("mount", source.encode(), target.encode(), kind.encode(), flags, options.encode())


def fork() -> int:
    """Fork without what Python does around it, which rewrites a good part of the child's memory.

    For a process with one thread and no handlers of its own: then nothing needs to be made whole.
    """
    pid = int(_python.fork())
    if pid < 0:
        raise _error("fork")
    return pid


def prepared(name: str, *arguments: int) -> Callable[[], None]:
    """Return a system call of whole numbers and addresses, made ready: it touches little memory."""
    words = (number(name), *arguments, 0, 0, 0, 0, 0)[:6]

    def make() -> None:
        if _quick(*words) < 0:
            raise _error(name)

    return make


def closer(first: int) -> Callable[[], None]:
    """Return a function that closes every descriptor from ``first`` on, made ready likewise."""
    words = (number("close_range"), first, 0xFFFFFFFF, 0, 0, 0)
    closerange = os.closerange

    def close() -> None:
        if _quick(*words) < 0:
            closerange(first, 1 << 16)

    return close


def drop_capabilities() -> None:
    """Give up every capability for good: permitted, bounding and ambient."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # no such capability, or no right to drop it: then it cannot be regained either
            continue
    with contextlib.suppress(OSError):  # kernels before 4.3 have none
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = (0x20080522).to_bytes(4, "little") + bytes(4)
    call("capset", ctypes.create_string_buffer(header, 8), ctypes.create_string_buffer(24))


def _error(name: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{name}: {os.strerror(code)}")
