"""The default sandbox: fork servers on this machine, confined by the kernel alone.

No Docker, no root and no compiled code are needed: user, mount, pid, net, ipc, uts and cgroup
namespaces, a small read-only root, seccomp, Landlock and resource limits; where namespaces are not
allowed, Landlock, seccomp and limits; where neither is, nothing is run.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from referee.sandbox.channel import Channel, ServerDown
from referee.sandbox.lane import Lane
from referee.sandbox.pool import close_lanes, lanes_of
from referee.sandbox.records import Execution, Job, Limits, OnValue

FLAGS = ("-s", "-S", "-P", "-B")  # no user or site packages, no folder of the script's, no .pyc files
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the same sets in the same order, for the same verdict
    "LD_BIND_NOW": "1",  # symbols are looked up once, not again in every child
    "MALLOC_ARENA_MAX": "2",  # each further thread would reserve 64 MiB of what it may have
}
HELP = (
    "untrusted code is run only where the kernel confines it: allow user namespaces "
    "(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, "
    "user.max_user_namespaces above 0), or switch on Landlock (boot option lsm=landlock,...; Linux 5.13), "
    "or use referee.sandbox.Docker()"
)
COMMON_MODULES = [  # what most programs import: more would make every fork dearer
    "abc", "bisect", "collections", "contextlib", "copy", "datetime", "enum", "functools", "heapq", "io",
    "itertools", "json", "keyword", "math", "operator", "random", "re", "string", "struct", "textwrap",
    "time", "types", "typing", "encodings.ascii", "encodings.latin_1",
]  # fmt: skip
SCRATCH_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    r"""Run code on this machine in fork servers that the kernel confines.

    ``workers`` jobs run at a time (default: one for each processor). ``preload`` names packages (numpy)
    that the fork servers import once, so that a solution's own import of them is free; the folder they
    are installed in becomes readable to it. ``namespaces`` False does without them, True insists;
    None takes them where they are allowed.

    >>> from referee.sandbox import Embedded, Program, Source
    >>> Embedded().execute(Program(sources=(Source(code="print(6 * 7)"),))).stdout
    '42\n'
    """

    workers: int = 0
    preload: tuple[str, ...] = ()
    namespaces: bool | None = None

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers must be at least 1, or 0 for one a processor, got {self.workers}")
        object.__setattr__(self, "workers", self.workers or len(os.sched_getaffinity(0)))
        object.__setattr__(self, "preload", tuple(self.preload))
        for name in self.preload:
            if importlib.util.find_spec(name) is None:
                raise ImportError(f"preload names {name}, which is not installed: pip install {name}")

    def execute(
        self, job: Job, *, limits: Limits | None = None, on_value: OnValue | None = None
    ) -> Execution:
        """Run one job, waiting for a free worker first."""
        return lanes_of(self, self._lane, self.workers).run(job, limits or Limits(), on_value)

    def start(self) -> None:
        """Start every worker now, so that the first jobs do not wait; ServerDown where one fails."""
        lanes_of(self, self._lane, self.workers).start(("solution", "judge"))

    def close(self) -> None:
        """End the fork servers; the next job starts them again."""
        close_lanes(self)

    def _lane(self, processor: int | None) -> Lane:
        return Lane(partial(self.launch, processor=processor), lambda: None)

    def launch(self, role: str, world: Sequence[int] = (), *, processor: int | None = None) -> Channel:
        """Start a fork server, with the strongest isolation that this machine allows.

        ``world`` is that of a server whose root, and with it whose /tmp, it takes.
        """
        modes = [True, False] if self.namespaces is None else [self.namespaces]
        if role == "program":  # needs them: there is no weaker form
            modes = [True]
        elif self.namespaces is None and _refused:
            modes = [False]
        if why := _unconfined.get((self.namespaces, role == "program")):
            raise ServerDown(why)
        failures = []
        for namespaces in modes:
            try:
                isolation = "namespaces" if namespaces else "none"
                options = server_options(role, self.preload, isolation=isolation, processor=processor)
                return start(options, world if namespaces else ())
            except ServerDown as e:
                failures.append(str(e))
                if not (namespaces and str(e).startswith(("PermissionError", "OSError"))):
                    break  # only where the kernel says no is the weaker form taken, never for a hiccup
                _refused.append(str(e))
        why = f"{'; '.join(failures)}. {HELP}"
        if all(_KERNEL_SAYS_NO.match(failure) for failure in failures):
            _unconfined[self.namespaces, role == "program"] = why
        raise ServerDown(why)


_KERNEL_SAYS_NO = re.compile(rf"\w+: \[Errno ({errno.EPERM}|{errno.EACCES}|{errno.ENOSYS})\]")
_unconfined: dict[tuple[bool | None, bool], str] = {}  # why nothing can be run, once that was found out
_refused: list[str] = []  # why namespaces could not be had, once that was found out


def start(options: dict[str, Any], world: Sequence[int] = ()) -> Channel:
    """Start one fork server as a process of this machine."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    errors = os.memfd_create("errors")
    executable = getattr(sys, "_base_executable", "") or sys.executable
    try:
        process = subprocess.Popen(
            [executable, *FLAGS, str(Path(__file__).parent / "inside" / "boot.py"), "zygote"],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as e:
        mine.close()
        raise ServerDown(f"the fork server cannot be started: {e}") from e
    finally:
        theirs.close()
    channel = Channel(mine, process, errors)
    try:
        channel.start(options, world)
    except (ServerDown, TimeoutError) as e:
        channel.close()
        raise ServerDown(str(e)) from e
    return channel


def server_options(
    role: str, preload: Iterable[str], *, isolation: str, processor: int | None = None
) -> dict[str, Any]:
    """Return what a fork server is told when it starts."""
    return {
        "role": role,
        "isolation": isolation,  # namespaces of its own, a container's, or none
        "folders": [_folder_of(name) for name in preload],
        "preload": list(preload),
        "modules": COMMON_MODULES,
        "scratch_bytes": SCRATCH_BYTES,
        "processor": processor,  # the one that it keeps to
    }


def _folder_of(name: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is not None and not spec.has_location and not spec.submodule_search_locations:
        return os.path.dirname(os.path.realpath(os.__file__))  # it is part of the interpreter
    place = None if spec is None else spec.submodule_search_locations
    origin = next(iter(place), None) if place else (spec.origin if spec else None)
    if origin is None:
        raise ServerDown(f"preload names {name}, which is not installed: pip install {name}")
    return os.path.dirname(os.path.realpath(origin))
