"""The parent's end of a worker's pipe, which never waits.

A worker that does not read, that writes half a message, or whose verifier wrote into the pipe itself holds
nobody up: what it is sent is kept until it reads, and what it sends is taken in as it comes. Messages are
framed as :class:`multiprocessing.connection.Connection` frames them, which is the worker's end.
"""

from __future__ import annotations

import pickle
import select
import socket
import struct
from collections import deque
from collections.abc import Iterable
from multiprocessing.reduction import ForkingPickler
from typing import Any

MAX_MESSAGE = 1 << 30  # bytes; a length above is none that a worker wrote
_READ = 1 << 20
_READ_A_TURN = 1 << 26  # what one worker may have read before the others are looked at
_SHORT, _LONG = struct.Struct("!i"), struct.Struct("!Q")


class Pipe:
    """Messages to and from one worker. To send raises OSError where the worker has gone."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._unsent: deque[memoryview] = deque()
        self._unread = bytearray()

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._end.fileno()

    @property
    def unsent(self) -> bool:
        """Whether something waits for the worker to read."""
        return bool(self._unsent)

    def send(self, message: Any) -> None:
        """Send what can be sent now, and keep the rest for :meth:`flush`."""
        body = ForkingPickler.dumps(message)
        size = len(body)
        header = _SHORT.pack(size) if size <= 0x7FFFFFFF else _SHORT.pack(-1) + _LONG.pack(size)
        self._unsent.append(memoryview(header))
        self._unsent.append(memoryview(body))
        self.flush()

    def flush(self) -> None:
        """Send what was kept, as far as the worker reads."""
        while self._unsent:
            part = self._unsent[0]
            try:
                sent = self._end.send(part)
            except BlockingIOError:
                return
            if sent < len(part):
                self._unsent[0] = part[sent:]
            else:
                self._unsent.popleft()

    def receive(self) -> tuple[list[Any], bool]:
        """Return the messages that are there whole, and whether no more will come.

        None will where the worker has gone, or where what it sent is no message.
        """
        gone = self._read()
        messages: list[Any] = []
        try:
            while (body := self._next()) is not None:
                messages.append(pickle.loads(body))  # noqa: S301  # our own worker wrote it
        except Exception:  # noqa: BLE001  # whatever unpickling rubbish raises
            return messages, True
        return messages, gone

    def _read(self) -> bool:
        taken = 0
        while taken < _READ_A_TURN:
            try:
                piece = self._end.recv(_READ)
            except BlockingIOError:
                return False
            except OSError:
                return True
            if not piece:
                return True
            taken += len(piece)
            self._unread += piece
        return False

    def _next(self) -> bytes | None:
        if len(self._unread) < _SHORT.size:
            return None
        (size,) = _SHORT.unpack_from(self._unread)
        start = _SHORT.size
        if size == -1:
            start += _LONG.size
            if len(self._unread) < start:
                return None
            (size,) = _LONG.unpack_from(self._unread, _SHORT.size)
        if not 0 <= size <= MAX_MESSAGE:
            raise ValueError(f"a message of {size} bytes")
        if len(self._unread) < start + size:
            return None
        body = bytes(self._unread[start : start + size])
        del self._unread[: start + size]
        return body

    def close(self) -> None:
        """Close this end."""
        self._end.close()


def wait(ear: socket.socket, pipes: Iterable[Pipe], timeout_s: float | None) -> set[int]:
    """Wait until something can be read, or sent where something is kept; return those file descriptors."""
    poll = select.poll()
    poll.register(ear, select.POLLIN)
    for pipe in pipes:
        poll.register(pipe, select.POLLIN | (select.POLLOUT if pipe.unsent else 0))
    return {fd for fd, _ in poll.poll(None if timeout_s is None else timeout_s * 1000)}
