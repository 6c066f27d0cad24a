"""How a fork server confines itself, and with it every child: once, so that a sample pays little for it."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself makes hundreds of objects
import os
from typing import Any

from referee.sandbox.inside.scratch import BYTES, HOME, Scratch
from referee.sandbox.kernel import calls, landlock, namespaces

DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
PR_SET_CHILD_SUBREAPER = 36


class Confined:
    """What is enforced, a descriptor that tells this process's size, and where its children may write.

    ``world`` are its user and mount namespaces, which the judges' server joins: the two share one /tmp.
    """

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.statm = -1
        self.scratch: Scratch | None = None
        self.world: tuple[int, ...] = ()


def confine_server(options: dict[str, Any], readable: list[str], world: tuple[int, ...]) -> Confined:
    """Confine this process; ``world`` is that of a server to join, or empty."""
    program, isolation = options["role"] == "program", options["isolation"]
    abi, done = landlock.abi(), Confined()
    if isolation == "namespaces":
        if program and os.geteuid() == 0:  # it keeps the right to mount, so it must not be real root
            _become_user_nobody()
        real_root = namespaces.enter(world[0] if world else None)
        _become_first_process()
        done.statm = os.open("/proc/self/statm", os.O_RDONLY)
        if world:
            namespaces.join_mounts(world[1])
        else:
            size = options["scratch_bytes"] if program else BYTES if abi else 0
            done.world = tuple(os.open(f"/proc/self/ns/{n}", os.O_RDONLY) for n in ("user", "mnt"))
            namespaces.build_root(readable, scratch_bytes=size, shared=not program)
            if size and not program:
                done.scratch = Scratch(os.open(HOME, os.O_RDONLY | os.O_DIRECTORY))
        if real_root:
            namespaces.become_nobody()
    else:
        done.statm = os.open("/proc/self/statm", os.O_RDONLY)
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
        writable = [DEVICES[0], *([HOME] if done.scratch is not None or world else [])]
        landlock.restrict(readable=[*readable, *DEVICES], writable=writable)
    done.facts = {"isolation": isolation, "landlock": abi, "seccomp": True, "uid": os.getuid()}
    return done


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
