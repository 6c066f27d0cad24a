"""The fork server: it confines itself, then forks one child for each sample and reaps it.

It never sees code, tests, inputs or answers: those go straight to the child over the socket that it
is handed, so that nothing of one sample is left in the heap that the next one is forked from. The
host asks over a control socket (``SOCK_SEQPACKET``, one request a packet):

    F <5 numbers> + 4 descriptors   fork a child with these limits: socket, stdin, stdout, stderr
    K <pid>                         end that child, if it still runs
    Q                               is anybody there? (answers Q)
    B <count>                       time bare fork-and-waits of this very process (answers B <ns> ...)

and is told ``P <pid>`` for each fork and ``X <pid> <status> <user s> <system s> <peak bytes>`` for
each end. When the host closes the socket, or dies, the server ends and takes its children with it.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import re
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from referee.sandbox.inside import files
from referee.sandbox.kernel import calls, landlock, namespaces, seccomp

CONTROL = 3
SOCKET = 3  # in a child: the one socket it holds
STACK_BYTES = 64 << 20
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
PR_SET_CHILD_SUBREAPER = 36

Body: TypeAlias = Callable[[socket.socket], None]


_FILTERS = {
    "solution": seccomp.solution_filter,
    "judge": seccomp.judge_filter,
    "program": seccomp.program_filter,
}


class Server:
    """A confined process that forks children on request."""

    def __init__(
        self, options: dict[str, Any], readable: list[str], control: socket.socket, host: int, body: Body
    ) -> None:
        self.control = control
        self.host = host
        self.body = body
        self.program = options["role"] == "program"
        self.readable = readable
        self.scratch_bytes: int = options["scratch_bytes"]
        self.own_scratch = options["isolation"] == "namespaces"
        # elsewhere, and before Linux 5.14, the limit counts all that this user runs on the machine
        self.counts_threads = self.own_scratch and _linux() >= (5, 14)
        self.base_bytes = 0  # of address space, before any sample ran
        self.children: dict[int, int] = {}  # pid -> pidfd
        self.filter = bytearray(_FILTERS[options["role"]]())
        self.pid_offsets = seccomp.own_pid_offsets(bytes(self.filter))
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)
        self.poll.register(host, select.POLLIN)

    def serve(self) -> NoReturn:
        """Fork, end and reap children until the host is gone."""
        while True:
            for fd, _event in self.poll.poll():
                if fd == CONTROL:
                    self.request()
                elif fd == self.host:
                    self.stop()
                else:
                    self.reap(fd)

    def request(self) -> None:
        """Read and carry out one request."""
        room = socket.CMSG_LEN(4 * 4)
        data, ancillary, _, _ = self.control.recvmsg(4096, room)
        descriptors = array.array("i")
        for _level, _kind, content in ancillary:
            descriptors.frombytes(content[: len(content) - len(content) % 4])
        if not data:
            self.stop()
        what, *words = data.decode("ascii").split()
        if what == "F":
            self.fork([int(w) for w in words], list(descriptors))
        elif what == "K":
            self.kill(int(words[0]))
        elif what == "B":
            self.tell("B", *(str(ns) for ns in self.bare(int(words[0]))))
        else:
            self.tell(what)

    def fork(self, limits: list[int], descriptors: list[int]) -> None:
        """Fork a child that holds the four descriptors, under the limits."""
        pid = os.fork()
        if pid == 0:
            self.child(limits, descriptors)
        for fd in descriptors:
            os.close(fd)
        pidfd = os.pidfd_open(pid)
        self.children[pid] = pidfd
        self.poll.register(pidfd, select.POLLIN)
        self.tell("P", str(pid))

    def child(self, limits: list[int], descriptors: list[int]) -> NoReturn:
        """Confine this process further, run the sample, and end."""
        try:
            connection, stdin, stdout, stderr = descriptors
            for fd, number in ((stdin, 0), (stdout, 1), (stderr, 2), (connection, SOCKET)):
                os.dup2(fd, number)
            self.control.detach()
            calls.close_from(SOCKET + 1)
            self.confine(limits)
            self.body(socket.socket(fileno=SOCKET))
        finally:
            os._exit(70)  # no way of ending is taken for success, and this one is a failure

    def confine(self, limits: list[int]) -> None:
        """Put the limits and the filter of system calls on this process."""
        memory, cpu, output, processes, files = limits
        calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if self.program:
            os.setsid()  # so that all it starts can be ended together
            _limit(resource.RLIMIT_DATA, memory)  # JavaScript reserves address space without using it
            calls.drop_capabilities()
            if landlock.abi():
                landlock.restrict(readable=self.readable, writable=["/tmp", *DEVICES], executable=True)
        else:
            _limit(resource.RLIMIT_AS, memory + self.base_bytes)
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))  # SIGXCPU, then SIGKILL
        _limit(resource.RLIMIT_FSIZE, max(output, self.scratch_bytes) if self.program else output)
        if self.counts_threads:
            _limit(resource.RLIMIT_NPROC, processes)
        _limit(resource.RLIMIT_NOFILE, files)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_STACK, STACK_BYTES)
        pid = os.getpid().to_bytes(4, "little")
        for at in self.pid_offsets:
            self.filter[at : at + 4] = pid
        seccomp.install(self.filter)

    def kill(self, pid: int) -> None:
        """End a child that still runs, and all that it started."""
        if pid in self.children:
            if self.program:
                _kill_group(pid)
            os.kill(pid, signal.SIGKILL)

    def reap(self, pidfd: int) -> None:
        """Collect a child that has ended, and tell the host how."""
        pid = next((p for p, fd in self.children.items() if fd == pidfd), None)
        if pid is None:
            return
        if self.program:
            _kill_group(pid)
        _, status, usage = os.wait4(pid, 0)
        self.poll.unregister(pidfd)
        os.close(pidfd)
        del self.children[pid]
        if self.program:
            self.sweep()
        times = f"{usage.ru_utime:.6f}", f"{usage.ru_stime:.6f}"
        self.tell("X", str(pid), str(status), *times, str(usage.ru_maxrss * 1024))

    def sweep(self) -> None:
        """Reap what a program left behind, and empty its scratch folder."""
        try:
            while True:
                os.waitpid(-1, 0)
        except ChildProcessError:
            pass
        empty_scratch(self.scratch_bytes, own=self.own_scratch)

    def bare(self, count: int) -> list[int]:
        """Return how many nanoseconds each of ``count`` bare fork-and-waits took."""
        out = []
        for _ in range(count):
            start = time.perf_counter_ns()
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
            out.append(time.perf_counter_ns() - start)
        return out

    def tell(self, *words: str) -> None:
        """Send the host one packet; a host that is gone ends the server."""
        try:
            self.control.send(" ".join(words).encode())
        except OSError:
            self.stop()

    def stop(self) -> NoReturn:
        """End every child, then this server."""
        for pid in self.children:
            if self.program:
                _kill_group(pid)
            os.kill(pid, signal.SIGKILL)
        os._exit(0)


def _linux() -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", os.uname().release)[:2])


def _limit(which: int, value: int) -> None:
    resource.setrlimit(which, (value, value))


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # no group yet, or none any more
        os.killpg(leader, signal.SIGKILL)


def empty_scratch(size: int, *, own: bool) -> None:
    """Empty /tmp: by mounting another where the mount is ours, else by removing what is in it."""
    if own:
        namespaces.fresh_scratch(size)
        return
    for folder, folders, names in os.walk("/tmp", topdown=False):
        for name in names:
            os.unlink(os.path.join(folder, name))
        for name in folders:
            path = os.path.join(folder, name)
            os.unlink(path) if os.path.islink(path) else os.rmdir(path)


def main() -> NoReturn:
    """Confine this process as the host asks, tell it what came of it, and serve."""
    os.dup2(0, CONTROL)  # the control socket came as the standard input
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    control = socket.socket(fileno=CONTROL)
    data, descriptors, _, _ = socket.recv_fds(control, 1 << 18, 1)
    options = json.loads(data)
    try:
        server = _prepare(options, control, descriptors[0])
    except Exception as e:  # noqa: BLE001  # whatever it is, the host is told and nothing is run
        control.send(json.dumps({"error": f"{type(e).__name__}: {e}"}).encode())
        os._exit(1)
    gc.collect()
    gc.freeze()
    gc.disable()
    server.serve()


def _prepare(options: dict[str, Any], control: socket.socket, host: int) -> Server:
    body = importlib.import_module(f"referee.sandbox.inside.{options['role']}").main
    for name in options["modules"]:
        importlib.import_module(name)
    path = files.python_path(options["folders"])
    readable = files.SYSTEM if options["role"] == "program" else files.python_files(path)
    server = Server(options, readable, control, host, body)
    os.environ.clear()
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    facts, statm = _confine_server(options, readable)
    sys.path[:] = path
    sys.argv[:] = ["solution"]
    for name in options["preload"]:
        importlib.import_module(name)
    os.environ.clear()
    server.base_bytes = int(os.read(statm, 64).split()[0]) * resource.getpagesize()
    os.close(statm)
    control.send(json.dumps(facts).encode())
    return server


def _confine_server(options: dict[str, Any], readable: list[str]) -> tuple[dict[str, Any], int]:
    """Return what is enforced, and a descriptor that tells this process's size."""
    program, isolation = options["role"] == "program", options["isolation"]
    if isolation == "namespaces":
        if program and os.geteuid() == 0:  # it keeps the right to mount, so it must not be real root
            _become_user_nobody()
        real_root = namespaces.enter()
        _become_first_process()
        statm = os.open("/proc/self/statm", os.O_RDONLY)
        namespaces.build_root(readable, scratch_bytes=options["scratch_bytes"] if program else 0)
        if real_root:
            namespaces.become_nobody()
    else:
        statm = os.open("/proc/self/statm", os.O_RDONLY)
        calls.prctl(PR_SET_CHILD_SUBREAPER, 1)
    if not (program and isolation == "namespaces"):
        calls.drop_capabilities()
    calls.prctl(calls.PR_SET_DUMPABLE, 0)
    calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
    abi = landlock.abi()
    if program and isolation == "none":
        raise OSError(38, "languages that are run by exec need namespaces, or Docker")
    if not abi and isolation == "none":
        raise OSError(38, "neither namespaces nor Landlock can be used here")
    if abi and not program:
        landlock.restrict(readable=[*readable, *DEVICES])
    facts = {"isolation": isolation, "landlock": abi, "seccomp": True, "uid": os.getuid()}
    return facts, statm


def _become_user_nobody() -> None:
    os.setgroups([])
    os.setresgid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
    os.setresuid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
    calls.prctl(calls.PR_SET_DUMPABLE, 1)  # so that its own /proc files belong to it again


def _become_first_process() -> None:
    """Go on as process 1 of the new namespace; this process only waits for it."""
    child = os.fork()
    if child:
        calls.close_from(0)
        os.waitpid(child, 0)
        os._exit(0)
    calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL)
