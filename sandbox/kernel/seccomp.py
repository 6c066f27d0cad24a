"""Which system calls a process may make: allow-lists, assembled into the kernel's filter by hand.

A filter is a binary search over the call's number, so that installing it (the kernel tries every
number once) stays cheap. What is not allowed fails with EPERM, so that honest code gets an ordinary
exception. Calls of a foreign instruction set end the process.

``SOLUTION`` lets one process compute, read what it has open, and start threads: no exec, fork,
sockets, signals to others, ptrace, io_uring, keyctl, bpf or userfaultfd. Where it has a folder of its own
it may make and remove files. ``PROGRAM`` adds what compilers and shells need (fork, exec, files): it is
for languages that are run by exec.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Iterable

from referee.sandbox.kernel.calls import MACHINE, prepared

_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
_LOAD, _JEQ, _JGE, _JSET, _JA, _AND, _RET = 0x20, 0x15, 0x35, 0x45, 0x05, 0x54, 0x06
_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_OWN_PID = -1  # stands for the process's own number, known only after the fork

# name: (x86_64, aarch64); None where the machine has no such call
_CALLS: dict[str, tuple[int | None, int]] = {
    "read": (0, 63), "write": (1, 64), "open": (2, -1), "close": (3, 57), "stat": (4, -1),
    "fstat": (5, 80), "lstat": (6, -1), "poll": (7, -1), "lseek": (8, 62), "mmap": (9, 222),
    "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "ioctl": (16, 29), "pread64": (17, 67),
    "pwrite64": (18, 68), "readv": (19, 65), "writev": (20, 66), "access": (21, -1), "pipe": (22, -1),
    "select": (23, -1), "sched_yield": (24, 124), "mremap": (25, 216), "mincore": (27, 232),
    "madvise": (28, 233), "dup": (32, 23), "dup2": (33, -1), "pause": (34, -1), "nanosleep": (35, 101),
    "getitimer": (36, 102), "alarm": (37, -1), "setitimer": (38, 103), "getpid": (39, 172),
    "sendfile": (40, 71), "socket": (41, 198), "connect": (42, 203), "accept": (43, 202),
    "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212),
    "shutdown": (48, 210), "bind": (49, 200), "listen": (50, 201), "getsockname": (51, 204),
    "getpeername": (52, 205), "socketpair": (53, 199), "setsockopt": (54, 208), "getsockopt": (55, 209),
    "clone": (56, 220), "fork": (57, -1), "vfork": (58, -1), "execve": (59, 221), "exit": (60, 93),
    "wait4": (61, 260), "kill": (62, 129), "uname": (63, 160), "fcntl": (72, 25), "flock": (73, 32),
    "fsync": (74, 82), "fdatasync": (75, 83), "ftruncate": (77, 46), "getcwd": (79, 17),
    "chdir": (80, 49), "fchdir": (81, 50), "rename": (82, -1), "mkdir": (83, -1), "rmdir": (84, -1),
    "link": (86, -1), "unlink": (87, -1), "symlink": (88, -1), "readlink": (89, -1), "chmod": (90, -1),
    "fchmod": (91, 52), "umask": (95, 166), "gettimeofday": (96, 169), "getrlimit": (97, 163),
    "getrusage": (98, 165), "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174),
    "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173),
    "getpgrp": (111, -1), "getgroups": (115, 158), "getresuid": (118, 148), "getresgid": (120, 150),
    "getpgid": (121, 155), "getsid": (124, 156), "rt_sigpending": (127, 136), "rt_sigtimedwait": (128, 137),
    "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132), "utime": (132, -1), "statfs": (137, 43),
    "fstatfs": (138, 44), "getpriority": (140, 141), "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120), "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126), "prctl": (157, 167), "arch_prctl": (158, -1), "gettid": (186, 178),
    "time": (201, -1), "futex": (202, 98), "sched_getaffinity": (204, 123), "epoll_create": (213, -1),
    "getdents64": (217, 61), "set_tid_address": (218, 96), "restart_syscall": (219, 128),
    "fadvise64": (221, 223), "timer_create": (222, 107), "timer_settime": (223, 110),
    "timer_gettime": (224, 108), "timer_delete": (226, 111), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "exit_group": (231, 94),
    "epoll_wait": (232, -1), "epoll_ctl": (233, 21), "tgkill": (234, 131), "waitid": (247, 95),
    "openat": (257, 56), "mkdirat": (258, 34), "newfstatat": (262, 79), "unlinkat": (263, 35),
    "renameat": (264, 38), "linkat": (265, 37), "symlinkat": (266, 36), "readlinkat": (267, 78),
    "fchmodat": (268, 53), "faccessat": (269, 48), "pselect6": (270, 72), "ppoll": (271, 73),
    "set_robust_list": (273, 99), "get_robust_list": (274, 100), "splice": (275, 76),
    "utimensat": (280, 88), "epoll_pwait": (281, 22), "timerfd_create": (283, 85), "fallocate": (285, 47),
    "timerfd_settime": (286, 86), "timerfd_gettime": (287, 87), "accept4": (288, 242),
    "eventfd2": (290, 19), "epoll_create1": (291, 20), "dup3": (292, 24), "pipe2": (293, 59),
    "preadv": (295, 69), "pwritev": (296, 70), "prlimit64": (302, 261), "getcpu": (309, 168),
    "sched_getattr": (315, 275), "renameat2": (316, 276), "getrandom": (318, 278),
    "execveat": (322, 281), "membarrier": (324, 283), "mlock2": (325, 284), "copy_file_range": (326, 285),
    "preadv2": (327, 286), "pwritev2": (328, 287), "pkey_alloc": (330, 289), "pkey_free": (331, 290),
    "pkey_mprotect": (329, 288), "statx": (332, 291), "rseq": (334, 293), "clone3": (435, 435),
    "close_range": (436, 436), "faccessat2": (439, 439), "epoll_pwait2": (441, 441),
}  # fmt: skip

_COMPUTE = [
    "read", "write", "open", "close", "stat", "fstat", "lstat", "poll", "lseek", "mmap", "mprotect",
    "munmap", "brk", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "pread64", "pwrite64", "readv",
    "writev", "access", "pipe", "select", "sched_yield", "mremap", "mincore", "madvise", "dup", "dup2",
    "pause", "nanosleep", "getitimer", "setitimer", "alarm", "getpid", "recvfrom", "shutdown", "exit",
    "uname", "getcwd", "chdir", "umask", "gettimeofday", "getrlimit", "getrusage", "sysinfo", "times",
    "getuid", "getgid", "geteuid", "getegid", "getppid", "getpgrp", "getgroups", "getresuid", "getresgid",
    "getpgid", "getsid", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend", "sigaltstack", "statfs",
    "fstatfs", "getpriority", "sched_getparam", "sched_getscheduler", "sched_get_priority_max",
    "sched_get_priority_min", "gettid", "time", "futex", "sched_getaffinity", "epoll_create", "getdents64",
    "restart_syscall", "readlink", "clock_gettime", "clock_getres", "clock_nanosleep", "exit_group",
    "epoll_wait", "epoll_ctl", "openat", "newfstatat", "readlinkat", "faccessat", "pselect6", "ppoll",
    "set_robust_list", "epoll_pwait", "timerfd_create", "timerfd_settime", "timerfd_gettime", "eventfd2",
    "epoll_create1", "dup3", "pipe2", "preadv", "pwritev", "getcpu", "sched_getattr", "getrandom",
    "membarrier", "preadv2", "pwritev2", "statx", "rseq", "close_range", "faccessat2", "epoll_pwait2",
    "getsockopt", "getsockname", "getpeername", "fsync", "fdatasync", "ftruncate", "fadvise64",
]  # fmt: skip

_FILES = ["mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2"]

_FORK_AND_EXEC = [
    "fork", "vfork", "execve", "execveat", "wait4", "waitid", "flock", "link", "symlink", "chmod",
    "fchmod", "fchdir", "linkat", "symlinkat", "fchmodat", "utime", "utimensat", "fallocate",
    "copy_file_range", "sendfile", "splice", "clone", "getrlimit", "set_tid_address", "arch_prctl",
    "sendmsg", "recvmsg",
    "get_robust_list", "pkey_alloc", "pkey_free", "pkey_mprotect", "timer_create", "timer_settime",
    "timer_gettime", "timer_delete", "mlock2", "setsockopt", "kill", "tgkill",
]  # fmt: skip

_Test = tuple[str, int, tuple[int, ...]]  # how, which argument, its allowed values
_CLONE_THREAD_VM = 0x00010100
_NO_NAMESPACES = 0x7E020080

_CHECKED: dict[str, list[_Test]] = {
    "clone": [("all_bits", 0, (_CLONE_THREAD_VM,)), ("no_bits", 0, (_NO_NAMESPACES,))],
    "fcntl": [
        ("any", 1, (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1033, 1034))
    ],  # dup, flags, locks, seals: no owners, no signals
    "ioctl": [("any", 1, (0x5401, 0x5413, 0x5421, 0x541B, 0x5450, 0x5451))],  # terminal questions, FIONBIO
    "kill": [("any", 0, (_OWN_PID,))],
    "prctl": [("any", 0, (15, 16))],  # a thread's name
    "prlimit64": [("any", 0, (0, _OWN_PID)), ("null", 2, ())],  # ask about itself, set nothing
    "sendto": [("null", 4, ())],  # on what is connected, to no address
    "socketpair": [("any", 0, (1,))],  # asyncio wakes itself through one
    "tgkill": [("any", 0, (_OWN_PID,))],
}
_PROGRAM_CHECKED: dict[str, list[_Test]] = {
    "clone": [("no_bits", 0, (_NO_NAMESPACES,))],
    "prctl": [("any", 0, (3, 15, 16, 21, 39, 0x53564D41))],
    "prlimit64": [("any", 0, (0,))],  # its own limits, which it can only lower
    **{name: _CHECKED[name] for name in ("fcntl", "sendto", "socketpair")},
    "ioctl": [("any", 1, (0x5401, 0x5402, 0x540F, 0x5413, 0x5421, 0x541B, 0x5450, 0x5451))],
}


def solution_filter(*, files: bool = False) -> bytes:
    """Return the filter for a process that computes and starts threads; see :class:`Filter`."""
    return _assemble([*_COMPUTE, *(_FILES if files else ())], _CHECKED)


def judge_filter(*, files: bool = False) -> bytes:
    """Return the filter for a judge: a solution's, and it is handed one connection."""
    return _assemble([*_COMPUTE, "recvmsg", *(_FILES if files else ())], _CHECKED)


def program_filter(*, files: bool = True) -> bytes:
    """Return the filter for a tree of processes that compile and run a program."""
    names = [n for n in (*_COMPUTE, *_FILES, *_FORK_AND_EXEC) if n not in _PROGRAM_CHECKED]
    return _assemble(names, _PROGRAM_CHECKED)


class Filter:
    """A filter made ready, to be installed with the number of the process that it will hold."""

    def __init__(self, program: bytes) -> None:
        self._program = bytearray(program)
        mark = _JEQ, 0xFFFFFFFF
        self._own_pids = [
            slice(i + 4, i + 8) for i in range(0, len(program), 8) if _code_and_value(program, i) == mark
        ]
        self._code = (ctypes.c_char * len(program)).from_buffer(self._program)
        fprog = struct.pack("@HxxxxxxQ", len(program) // 8, ctypes.addressof(self._code))
        self._fprog = ctypes.create_string_buffer(fprog, len(fprog))

    def installer(self) -> Callable[[], None]:
        """Return a function that puts the filter on its thread, for good.

        It must have PR_SET_NO_NEW_PRIVS. All names are bound ahead: to look them up in the new process
        would cost pages.
        """
        load = prepared("seccomp", 1, 0, ctypes.addressof(self._fprog))
        program, own_pids, getpid, to_bytes = self._program, self._own_pids, os.getpid, int.to_bytes

        def install() -> None:
            own = to_bytes(getpid(), 4, "little")
            for where in own_pids:
                program[where] = own
            load()

        return install


def _code_and_value(program: bytes, at: int) -> tuple[int, int]:
    code, _, _, value = struct.unpack_from("=HBBI", program, at)
    return code, value


def _assemble(allowed: Iterable[str], checked: dict[str, list[_Test]]) -> bytes:
    leaves: dict[int, list[bytes]] = {}
    for name in allowed:
        if (n := _number(name)) is not None:
            leaves[n] = [_op(_RET, _ALLOW)]
    for name, tests in checked.items():
        if (n := _number(name)) is not None:
            leaves[n] = _checks(tests)
    if (n := _number("clone3")) is not None:
        leaves[n] = [_op(_RET, _ENOSYS)]  # its flags lie in memory, out of reach: libc then uses clone
    head = [_op(_LOAD, 4), _op(_JEQ, _ARCH[MACHINE], 1, 0), _op(_RET, _KILL), _op(_LOAD, 0)]
    return b"".join(head + _search(_ranges(leaves)))


def _number(name: str) -> int | None:
    n = _CALLS[name][0 if MACHINE == "x86_64" else 1]
    return None if n in (None, -1) else n


def _ranges(leaves: dict[int, list[bytes]]) -> list[tuple[int, list[bytes]]]:
    """Return (first number, what to do from there on), with neighbours that agree joined."""
    deny = [_op(_RET, _EPERM)]
    out: list[tuple[int, list[bytes]]] = [(0, deny)]
    for n in sorted({*leaves, *(n + 1 for n in leaves)}):
        action = leaves.get(n, deny)
        if n == 0:
            out[0] = (0, action)
        elif out[-1][1] != action:
            out.append((n, action))
    return out


def _search(ranges: list[tuple[int, list[bytes]]]) -> list[bytes]:
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    low, high = _search(ranges[:middle]), _search(ranges[middle:])
    # past the jump lie the low half, then the high half
    if len(low) < 256:
        return [_op(_JGE, ranges[middle][0], len(low), 0), *low, *high]
    return [_op(_JGE, ranges[middle][0], 0, 1), _op(_JA, len(low)), *low, *high]


def _checks(tests: list[_Test]) -> list[bytes]:
    """Return the code that allows a call whose arguments pass every test, and denies it otherwise."""
    out: list[bytes] = []
    for how, argument, values in tests:
        low, high = _op(_LOAD, 16 + 8 * argument), _op(_LOAD, 20 + 8 * argument)
        deny = _op(_RET, _EPERM)
        if how == "any":
            matches = [_op(_JEQ, v & 0xFFFFFFFF, len(values) - i, 0) for i, v in enumerate(values)]
            out += [low, *matches, deny]
        elif how == "null":
            out += [low, _op(_JEQ, 0, 1, 0), deny, high, _op(_JEQ, 0, 1, 0), deny]
        elif how == "all_bits":
            out += [low, _op(_AND, values[0]), _op(_JEQ, values[0], 1, 0), deny]
        else:  # no_bits
            out += [low, _op(_JSET, values[0], 0, 1), deny]
    return [*out, _op(_RET, _ALLOW)]


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
