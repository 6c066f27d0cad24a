"""The process that worker processes are forked from: it has imported the verifiers, and no more.

A worker is there within milliseconds, whatever the user's script imports. The nursery runs no
verifier and starts no thread. It is asked through a socket, one message at a time:

- ``{"fork": [modules]}`` with two file descriptors, the worker's pipe and its clock, is answered with the
  worker's process id; from the third worker on the modules have been imported here, once for all;
- ``{"end": pid}`` ends a worker and is answered with the code that it ended with.

It ends with the thread that started it, and its workers with it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

from referee.verifiers.errors import NotJudged
from referee.verifiers.scoring import crew_worker

_MESSAGE = 1 << 16
_ANSWER_S = 60.0  # until it is up, on a machine that is very busy
_END_S = 2.0
_IMPORTED_FROM = 3  # workers: where one or two are all, they import for themselves


class NurseryDied(NotJudged, RuntimeError):
    """The nursery cannot start workers any more."""


class Nursery:
    """The nursery, seen from the process that needs workers. For one thread, which must outlive it."""

    def __init__(self) -> None:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from referee.verifiers.scoring.nursery import main; main({there.fileno()}, {os.getpid()})"
        )
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.DEVNULL, pass_fds=(there.fileno(),)
            )
        here.settimeout(_ANSWER_S)
        self._door = here

    def fork(self, pipe: int, clock: int, modules: list[str]) -> int:
        """Start a worker with these file descriptors; return its process id."""
        return self._ask({"fork": modules}, pipe, clock)

    def end(self, pid: int) -> int:
        """End a worker; return the code that it ended with, by itself or by this."""
        return self._ask({"end": pid})

    def close(self) -> None:
        """End the nursery and all its workers."""
        self._door.close()
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)

    def abandon(self) -> None:
        """Forget it in a process that was forked: it is the parent's."""
        self._door.close()
        self._process.returncode = 0  # not our child: it must not be waited for

    def _ask(self, request: object, *fds: int) -> int:
        try:
            socket.send_fds(self._door, [json.dumps(request).encode()], list(fds))
            answer = self._door.recv(_MESSAGE)
        except OSError as e:
            raise NurseryDied(f"worker processes cannot be started: {e}") from e
        if not answer:
            raise NurseryDied("the process that starts workers has ended")
        value = json.loads(answer)
        if isinstance(value, str):
            raise NurseryDied(f"a worker process cannot be started: {value}")
        return int(value)


def main(fd: int, parent: int) -> None:
    """Serve the socket ``fd`` until it closes."""
    crew_worker.die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    forks = 0
    with socket.socket(fileno=fd) as door:
        while True:
            message, fds, _, _ = socket.recv_fds(door, _MESSAGE, 2)
            if not message:
                return
            request = json.loads(message)
            if "end" in request:
                door.send(json.dumps(_end(request["end"])).encode())
                continue
            forks += 1
            if forks >= _IMPORTED_FROM:
                _import(request["fork"])
            try:
                pid = os.fork()
            except OSError as e:
                door.send(json.dumps(str(e)).encode())
            else:
                if pid == 0:
                    door.close()
                    _work(*fds)
                door.send(json.dumps(pid).encode())
            for held in fds:
                os.close(held)


def _work(pipe: int, clock: int) -> None:
    code = 1
    os.setsid()
    try:
        crew_worker.serve(pipe, clock)
        code = 0
    finally:
        os._exit(code)


def _end(pid: int) -> int:
    for end in (os.killpg, os.kill):  # with all that its verifiers started; before it had a group, itself
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)
    patience = time.monotonic() + _END_S
    while time.monotonic() < patience:
        try:
            done, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            break
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    return -int(signal.SIGKILL)  # it hangs in the kernel, where nobody can end it


def _import(modules: list[str]) -> None:
    for name in modules:
        with contextlib.suppress(ImportError):  # the worker that needs it says so
            importlib.import_module(name)
