"""How a fork server confines itself, and with it every child: once, so that a sample pays little for it."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself makes hundreds of objects
import os
from typing import Any

from referee.sandbox.inside.scratch import BYTES, HOME, Scratch
from referee.sandbox.kernel import calls, landlock, namespaces

DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
PR_SET_CHILD_SUBREAPER = 36


def confine_server(
    options: dict[str, Any], readable: list[str]
) -> tuple[dict[str, Any], int, Scratch | None]:
    """Return what is enforced, a descriptor that tells this process's size, and where children may write."""
    program, isolation = options["role"] == "program", options["isolation"]
    abi, scratch = landlock.abi(), None
    if isolation == "namespaces":
        if program and os.geteuid() == 0:  # it keeps the right to mount, so it must not be real root
            _become_user_nobody()
        real_root = namespaces.enter()
        _become_first_process()
        statm = os.open("/proc/self/statm", os.O_RDONLY)
        size = options["scratch_bytes"] if program else BYTES if abi else 0
        namespaces.build_root(readable, scratch_bytes=size, shared=not program)
        if size and not program:
            scratch = Scratch(os.open(HOME, os.O_RDONLY | os.O_DIRECTORY))
        if real_root:
            namespaces.become_nobody()
    else:
        statm = os.open("/proc/self/statm", os.O_RDONLY)
        calls.prctl(PR_SET_CHILD_SUBREAPER, 1)
    if not (program and isolation == "namespaces"):
        calls.drop_capabilities()
    calls.prctl(calls.PR_SET_DUMPABLE, 0)
    calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
    if program and isolation == "none":
        raise OSError(38, "languages that are run by exec need namespaces, or Docker")
    if not abi and isolation == "none":
        raise OSError(38, "neither namespaces nor Landlock can be used here")
    if abi and not program:
        writable = [DEVICES[0], *([HOME] if scratch is not None else [])]
        landlock.restrict(readable=[*readable, *DEVICES], writable=writable)
    facts = {"isolation": isolation, "landlock": abi, "seccomp": True, "uid": os.getuid()}
    return facts, statm, scratch


def _become_user_nobody() -> None:
    os.setgroups([])
    os.setresgid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
    os.setresuid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
    calls.prctl(calls.PR_SET_DUMPABLE, 1)  # so that its own /proc files belong to it again


def _become_first_process() -> None:
    """Go on as process 1 of the new namespace; this process only waits for it."""
    child = os.fork()
    if child:
        calls.closer(0)()
        os.waitpid(child, 0)
        os._exit(0)
    calls.prctl(calls.PR_SET_PDEATHSIG, _signal.SIGKILL)
