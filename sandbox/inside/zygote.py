"""The fork server: it confines itself, then forks one child for each sample and reaps it.

It never sees code, tests, inputs or answers: those go straight to the child over the socket that it
is handed, so that nothing of one sample is left in the heap that the next one is forked from. The
host asks over a control socket (``SOCK_SEQPACKET``, one request a packet):

    F <n> <5 limits> + descriptors   fork children n, n + 1, ...: each one's socket, stdin, stdout, stderr
    K <n>                            end that child, if it still runs, and reap it
    P <n>                            show its pidfd (answers P <n> with it, or without where it has ended)
    H <n>                            end it, but leave it unreaped until K: its account is then final
    B <count>                        time bare fork-and-waits of this process (answers B <ns> ...)

and is told ``X <n> <status> <user s> <system s> <peak bytes>`` for each child that ended. A packet may
hold several requests, a line each. When the host closes the socket, or dies, the server ends and takes
its children with it.
"""

from __future__ import annotations

import _random
import _signal  # type: ignore[import-not-found]  # signal itself makes hundreds of objects
import _socket
import _thread
import contextlib
import functools
import gc
import importlib
import json
import os
import random
import re
import resource
import select
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

from referee.sandbox.inside import files, interpreter
from referee.sandbox.inside.confinement import DEVICES, confine_server
from referee.sandbox.inside.scratch import Scratch, empty_scratch
from referee.sandbox.kernel import calls, landlock, seccomp

CONTROL = 3
MOST_AT_ONCE = 8  # forks asked for in one packet
SOCKET = 3  # in a child: the one socket it holds
STACK_BYTES = 64 << 20
THREAD_STACK_BYTES = 4 << 20  # of each further thread, or few would fit
ROOM = _socket.CMSG_SPACE(4 * 4 * MOST_AT_ONCE)
REHEARSALS = 20  # the interpreter settles on how to run a function after some eight of its calls

Body: TypeAlias = Callable[[int], None]
Limit: TypeAlias = tuple[int, tuple[int, int]]  # which, soft and hard


_FILTERS = {
    "solution": seccomp.solution_filter,
    "judge": seccomp.judge_filter,
    "program": seccomp.program_filter,
}


class Server:
    """A confined process that forks children on request."""

    enter: Callable[[list[Limit], list[int]], None]  # what a child does first

    def __init__(
        self, options: dict[str, Any], readable: list[str], control: _socket.socket, host: int, body: Body
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
        self.scratch: Scratch | None = None
        self.base_bytes = 0  # of address space, before any sample ran
        self.children: dict[int, tuple[int, int]] = {}  # pidfd -> the host's number for it, pid
        self.held: set[int] = set()  # pidfds of those that are not to be reaped yet
        self.killed: set[int] = set()
        self.filter = seccomp.Filter(_FILTERS[options["role"]](files=self.own_scratch))
        # fork handlers are those of the standard library alone, or it is for Python to run them
        self.reseed = functools.partial(_random.Random.seed, random._inst)
        self.fork_process = os.fork if options["preload"] else calls.fork
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)
        self.poll.register(host, select.POLLIN)

    def serve(self) -> NoReturn:
        """Fork, end and reap children until the host is gone."""
        while True:
            ready = [fd for fd, _event in self.poll.poll()]
            for fd in ready:
                if fd in self.children:
                    self.reap(fd)
            if self.host in ready:
                self.stop()
            if CONTROL in ready:  # the last: it may give a number that was closed to another child
                self.request()

    def request(self) -> None:
        """Read and carry out one request."""
        data, ancillary, _, _ = self.control.recvmsg(4096, ROOM)
        packed = ancillary[0][2] if ancillary else b""
        descriptors = list(struct.unpack(f"{len(packed) // 4}i", packed))
        if not data:
            self.stop()
        for line in data.decode("ascii").split("\n"):
            what, *words = line.split(" ")
            if what == "F":
                self.fork([int(w) for w in words], descriptors)
            elif what == "K":
                self.kill(int(words[0]))
            elif what == "P":
                self.show(int(words[0]))
            elif what == "H":
                self.hold(int(words[0]))
            else:
                self.tell(f"B {' '.join(map(str, self.bare(int(words[0]))))}")

    def fork(self, numbers: list[int], descriptors: list[int]) -> None:
        """Fork a child for every four descriptors, under the limits."""
        limits = self.limits(*numbers[1:])
        if self.program:  # one at a time: they share /tmp, and its predecessor is waited for with all it left
            for pidfd, (number, _) in list(self.children.items()):
                self.kill(number)
                self.reap(pidfd)
        if self.scratch is not None and self.scratch.crowded:
            self.reap_killed()
        for i in range(len(descriptors) // 4):
            self.reseed()  # each child has random numbers of its own
            pid = self.fork_process()
            if pid == 0:
                self.child(limits, descriptors[4 * i : 4 * i + 4])
            pidfd = os.pidfd_open(pid)
            self.children[pidfd] = numbers[0] + i, pid
            self.poll.register(pidfd, select.POLLIN)
        for fd in descriptors:
            os.close(fd)

    def child(self, limits: list[Limit], descriptors: list[int]) -> NoReturn:
        """Confine this process further, run the sample, and end."""
        try:
            self.enter(limits, descriptors)
            self.body(SOCKET)
        finally:
            os._exit(70)  # no way of ending is taken for success, and this one is a failure

    def entrance(self) -> Callable[[list[Limit], list[int]], None]:
        """Return what a child does first: take its four descriptors, its limits and its filter.

        All names are bound ahead, since every page that is written to after a fork must be copied.
        """
        dup2, setrlimit = os.dup2, resource.setrlimit
        close_others = calls.closer(SOCKET + 1)
        install = self.filter.installer()
        confine = self.confine_program if self.program else None
        # where process 1 ends, its namespace ends with it; elsewhere a child must be told
        die_with_parent = calls.prepared("prctl", calls.PR_SET_PDEATHSIG, _signal.SIGKILL)
        told = self.program or not self.own_scratch
        get_scratch = self.scratch.entrance(SOCKET + 1) if self.scratch is not None else None

        def enter(limits: list[Limit], descriptors: list[int]) -> None:
            connection, stdin, stdout, stderr = descriptors
            dup2(stdin, 0)
            dup2(stdout, 1)
            dup2(stderr, 2)
            dup2(connection, SOCKET)
            close_others()
            if told:
                die_with_parent()
            if get_scratch is not None:
                get_scratch()
            if confine is not None:
                confine()
            for which, soft_and_hard in limits:
                setrlimit(which, soft_and_hard)
            install()

        return enter

    def confine_program(self) -> None:
        """Let a program write to its scratch folder alone, and be ended with all that it starts."""
        os.setsid()
        calls.drop_capabilities()
        if landlock.abi():
            landlock.restrict(readable=self.readable, writable=["/tmp", *DEVICES], executable=True)

    def limits(self, memory: int, cpu: int, output: int, processes: int, files: int) -> list[Limit]:
        """Return what a child is held to."""
        held_to = {
            resource.RLIMIT_NOFILE: files,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_STACK: STACK_BYTES,
            resource.RLIMIT_FSIZE: max(output, self.scratch_bytes) if self.program else output,
        }
        if self.program:  # JavaScript reserves address space without using it
            held_to[resource.RLIMIT_DATA] = memory
        else:
            held_to[resource.RLIMIT_AS] = memory + self.base_bytes
        if self.counts_threads:
            held_to[resource.RLIMIT_NPROC] = processes
        cpu_time = (resource.RLIMIT_CPU, (cpu, cpu + 1))  # SIGXCPU, then SIGKILL
        return [cpu_time, *((which, (value, value)) for which, value in held_to.items())]

    def kill(self, number: int) -> None:
        """End a child that still runs, and all that it started."""
        for pidfd, (child, pid) in list(self.children.items()):
            if child == number:
                if self.program:
                    _kill_group(pid)
                os.kill(pid, _signal.SIGKILL)
                self.killed.add(pidfd)
                if pidfd in self.held:
                    self.reap(pidfd)

    def show(self, number: int) -> None:
        """Hand the host a descriptor of a child, by which it may look at its account."""
        for pidfd, (child, _) in self.children.items():
            if child == number:
                rights = pidfd.to_bytes(4, sys.byteorder)
                self.tell(f"P {number}", [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
                return
        self.tell(f"P {number}")

    def hold(self, number: int) -> None:
        """End a child, and keep what the kernel knows of it."""
        for pidfd, (child, pid) in self.children.items():
            if child == number:
                if pidfd not in self.held:
                    self.held.add(pidfd)
                    self.poll.unregister(pidfd)
                os.kill(pid, _signal.SIGKILL)
        self.tell(f"H {number}")

    def reap(self, pidfd: int) -> None:
        """Collect a child that has ended, and tell the host how."""
        number, pid = self.children.pop(pidfd)
        if self.program:
            _kill_group(pid)
        _, status, usage = os.wait4(pid, 0)
        if pidfd in self.held:
            self.held.remove(pidfd)
        else:
            self.poll.unregister(pidfd)
        self.killed.discard(pidfd)
        os.close(pidfd)
        if self.scratch is not None:
            self.scratch.remove(pid)
        if self.program:
            self.sweep()
        self.tell(f"X {number} {status} {usage.ru_utime:.6f} {usage.ru_stime:.6f} {usage.ru_maxrss << 10}")

    def reap_killed(self) -> None:
        """Collect what was killed, as soon as it has ended."""
        for pidfd in list(self.killed):
            self.reap(pidfd)

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
            pid = self.fork_process()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
            out.append(time.perf_counter_ns() - start)
        return out

    def tell(self, packet: str, rights: Sequence[tuple[int, int, bytes]] = ()) -> None:
        """Send the host one packet; a host that is gone ends the server."""
        try:
            self.control.sendmsg([packet.encode()], rights)
        except OSError:
            self.stop()

    def stop(self) -> NoReturn:
        """End every child, then this server."""
        for _, pid in self.children.values():
            if self.program:
                _kill_group(pid)
            os.kill(pid, _signal.SIGKILL)
        os._exit(0)


def _linux() -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", os.uname().release)[:2])


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # no group yet, or none any more
        os.killpg(leader, _signal.SIGKILL)


def main() -> NoReturn:
    """Confine this process as the host asks, tell it what came of it, and serve."""
    os.dup2(0, CONTROL)  # the control socket came as the standard input
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    control = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, CONTROL)
    data, ancillary, _, _ = control.recvmsg(1 << 18, _socket.CMSG_SPACE(4 * 3))
    host, *world = struct.unpack(f"{len(ancillary[0][2]) // 4}i", ancillary[0][2])
    try:
        server = _prepare(json.loads(data), control, host, tuple(world))
    except Exception as e:  # noqa: BLE001  # whatever it is, the host is told and nothing is run
        control.send(json.dumps({"error": f"{type(e).__name__}: {e}"}).encode())
        os._exit(1)
    gc.collect()
    calls.give_back_memory()
    gc.freeze()
    gc.disable()
    server.serve()


def _prepare(options: dict[str, Any], control: _socket.socket, host: int, world: tuple[int, ...]) -> Server:
    role = importlib.import_module(f"referee.sandbox.inside.{options['role']}")
    for name in options["modules"]:
        importlib.import_module(name)
    inside = options["isolation"] == "container" and options["preload"]
    path = files.python_path(files.container_packages() if inside else options["folders"])
    readable = files.SYSTEM if options["role"] == "program" else files.python_files(path)
    server = Server(options, readable, control, host, role.main)
    os.environ.clear()
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    if options["processor"] is not None:
        with contextlib.suppress(OSError):  # a container may have been given others
            os.sched_setaffinity(0, {options["processor"]})
    confined = confine_server(options, readable, world)
    server.scratch = confined.scratch
    server.enter = server.entrance()
    sys.path[:] = path
    sys.argv[:] = ["solution"]
    interpreter.define_site_builtins()
    interpreter.open_streams_by_name()
    _thread.stack_size(THREAD_STACK_BYTES)
    for name in options["preload"]:
        importlib.import_module(name)
    for _ in range(REHEARSALS):
        role.rehearse()
    os.environ.clear()
    server.base_bytes = int(os.read(confined.statm, 64).split()[0]) * resource.getpagesize()
    rights = struct.pack(f"{len(confined.world)}i", *confined.world)
    control.sendmsg(
        [json.dumps(confined.facts).encode()],
        [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if rights else [],
    )
    for fd in (confined.statm, *confined.world, *world):
        os.close(fd)
    return server
