"""The host's side of one fork server: starting it, asking for children, learning how they ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from referee.sandbox.inside.wire import Connection
from referee.sandbox.records import Limits
from referee.sandbox.starvation import Account, read_account

START_S = 30.0
ANSWER_S = 5.0  # a server that takes longer to answer is stopped, or has no processor at all
ENDING_S = 0.25
COUNTED_TOO = 8  # of a solution's processes: the server, its spare children, and what is just ending


class ServerDown(RuntimeError):
    """The fork server does not answer, or never started."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended."""

    status: int
    cpu_s: float
    peak_bytes: int

    @property
    def signal(self) -> int:
        """The signal that ended it; 0 where it ended by itself."""
        return os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else 0

    @property
    def code(self) -> int:
        """Its exit code, or minus the signal."""
        return os.waitstatus_to_exitcode(self.status)


@dataclass(slots=True, eq=False)
class Child:
    """One forked child: the host's end of its socket, and its standard streams as memory files."""

    number: int
    limits: Limits
    connection: socket.socket
    stream: Connection
    stdin: int
    stdout: int
    stderr: int
    exit: Exit | None = None
    released: bool = False
    pidfd: int = -1  # where its account was asked for

    def text(self, fd: int) -> str:
        """Return what it wrote to one of its streams, up to its limit."""
        return os.pread(fd, self.limits.output_bytes, 0).decode("utf-8", "replace")

    @property
    def flooded(self) -> bool:
        """True where it wrote up to its limit."""
        return any(os.fstat(fd).st_size >= self.limits.output_bytes for fd in (self.stdout, self.stderr))

    def release(self) -> None:
        """Close the host's ends, once: their numbers may soon belong to others."""
        if self.released:
            return
        self.released = True
        self.connection.close()
        for fd in (self.stdin, self.stdout, self.stderr, self.pidfd):
            if fd >= 0:
                os.close(fd)


class Channel:
    """One fork server, asked from one thread at a time."""

    def __init__(
        self,
        control: socket.socket,
        process: subprocess.Popen[bytes] | None = None,
        errors: int | None = None,
    ) -> None:
        self.control = control
        self.process = process
        self.errors = errors  # a memory file with what the server wrote to stderr
        self.facts: dict[str, Any] = {}
        self.world: list[int] = []  # the server's user and mount namespaces, where it has its own
        self._count = 0
        self._running: dict[int, Child] = {}
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        _open_channels.add(self)

    def start(self, options: dict[str, Any], world: Sequence[int] = ()) -> None:
        """Send the options and wait until the server is confined; ServerDown says what was in the way.

        ``world`` is that of another server, whose root it takes.
        """
        host = os.pidfd_open(os.getpid())
        try:
            socket.send_fds(self.control, [json.dumps(options).encode()], [host, *world])
        except OSError as e:
            raise ServerDown(f"the fork server did not start: {e}") from e
        finally:
            os.close(host)
        if not self._poll.poll(START_S * 1000):
            raise TimeoutError("the fork server does not answer")
        data, self.world, _, _ = socket.recv_fds(self.control, 1 << 16, 2)
        if not data:
            raise ServerDown("the fork server ended" + self._last_words())
        self.facts = json.loads(data)
        if "error" in self.facts:
            raise ServerDown(str(self.facts["error"]))

    def spawn(self, limits: Limits, *, count: int = 1, ending: Child | None = None) -> list[Child]:
        """Ask for children; each is there once it answers on its socket. Another may be ended with that."""
        self.drain()
        children, theirs, descriptors = [], [], []
        for number in range(self._count, self._count + count):
            mine, other = socket.socketpair()
            stdin, stdout, stderr = (os.memfd_create(name) for name in ("stdin", "stdout", "stderr"))
            children.append(Child(number, limits, mine, Connection(mine.fileno()), stdin, stdout, stderr))
            theirs.append(other)
            descriptors += [other.fileno(), stdin, stdout, stderr]
        request = (
            f"{self._end(ending)}F {self._count} {limits.memory_bytes} {limits.cpu_seconds} "
            f"{limits.output_bytes} {limits.processes + COUNTED_TOO} {limits.files}"
        )
        self._count += count
        try:
            socket.send_fds(self.control, [request.encode()], descriptors)
        except OSError as e:
            for child in children:
                child.release()
            raise ServerDown(f"the fork server is gone: {e}") from e
        finally:
            for other in theirs:
                other.close()
        self._running.update((child.number, child) for child in children)
        return children

    def end(self, child: Child) -> None:
        """End a child if it still runs."""
        if request := self._end(child):
            try:
                self.control.send(request.rstrip().encode())
            except OSError as e:
                raise ServerDown(f"the fork server is gone: {e}") from e

    def _end(self, child: Child | None) -> str:
        return f"K {child.number}\n" if child is not None and child.exit is None else ""

    def wait(self, child: Child, seconds: float) -> Exit | None:
        """Wait until the child has ended; None where it had not by then."""
        deadline = time.monotonic() + seconds
        while child.exit is None:
            try:
                self._read(deadline)
            except TimeoutError:
                return None
        return child.exit

    def account(self, child: Child, *, final: bool) -> Account:
        """Return what a child ran and waited; with ``final`` it is ended first, and nothing is left out.

        ServerDown where the server does not answer: then it, and maybe the child, was stopped from outside.
        """
        if child.exit is None and child.pidfd < 0:
            child.pidfd = self._ask(f"P {child.number}")
        if child.exit is not None or child.pidfd < 0:
            return Account()
        if final:
            self._ask(f"H {child.number}")
            ended = select.poll()
            ended.register(child.pidfd, select.POLLIN)
            ended.poll(ENDING_S * 1000)
        return read_account(child.pidfd)

    def _ask(self, request: str) -> int:
        """Ask the server, and return the descriptor that it answers with; -1 where there is none."""
        deadline = time.monotonic() + ANSWER_S
        try:
            self.control.send(request.encode())
            while self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                data, descriptors, _, _ = socket.recv_fds(self.control, 1 << 16, 1)
                if not data:
                    raise ServerDown("the fork server ended" + self._last_words())
                if data.decode() == request:
                    return descriptors[0] if descriptors else -1
                what, *words = data.decode().split()
                self._note(what, words)
        except OSError as e:
            raise ServerDown(f"the fork server is gone: {e}") from e
        raise ServerDown("the fork server does not answer: it may have been stopped")

    def bare(self, count: int) -> list[float]:
        """Return the milliseconds of ``count`` bare fork-and-waits of this very server."""
        self.drain()
        self.control.send(f"B {count}".encode())
        while True:
            what, *words = self._packet(time.monotonic() + START_S).split()
            if what == "B":
                return [int(w) / 1e6 for w in words]
            self._note(what, words)

    def drain(self) -> None:
        """Read what the server has told since, without waiting."""
        while self._poll.poll(0):
            self._read(time.monotonic() + 1)

    def close(self) -> None:
        """End the server, and with it every child."""
        _open_channels.discard(self)
        self.control.close()
        for child in self._running.values():
            with contextlib.suppress(OSError):
                child.release()
        self._running.clear()
        while self.world:
            os.close(self.world.pop())
        if self.errors is not None:
            os.close(self.errors)
            self.errors = None
        if self.process is not None:
            try:
                self.process.wait(1)
            except subprocess.TimeoutExpired:
                self.process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):  # one that is frozen ends when it thaws
                    self.process.wait(5)

    def _read(self, deadline: float) -> None:
        what, *words = self._packet(deadline).split()
        self._note(what, words)

    def _note(self, what: str, words: list[str]) -> None:
        if what == "X":
            number, status, user, system, peak = words
            found = self._running.pop(int(number), None)
            if found is not None:
                found.exit = Exit(int(status), float(user) + float(system), int(peak))

    def _packet(self, deadline: float) -> str:
        left = deadline - time.monotonic()
        if left <= 0 or not self._poll.poll(left * 1000):
            raise TimeoutError("the fork server does not answer")
        try:
            data = self.control.recv(1 << 16)
        except OSError as e:
            raise ServerDown(f"the fork server is gone: {e}") from e
        if not data:
            raise ServerDown("the fork server ended" + self._last_words())
        return data.decode()

    def _last_words(self) -> str:
        if self.errors is None:
            return ""
        text = os.pread(self.errors, 4096, 0).decode("utf-8", "replace").strip()
        return f": {text.splitlines()[-1]}" if text else ""


_open_channels: set[Channel] = set()


def _close_after_fork() -> None:
    """In a forked child: close the copies of the sockets, so that the servers still see their host end."""
    for channel in _open_channels:
        channel.control.close()
        for child in channel._running.values():
            with contextlib.suppress(OSError):
                child.release()
        while channel.world:
            os.close(channel.world.pop())
    _open_channels.clear()


os.register_at_fork(after_in_child=_close_after_fork)
