"""A limit in processor time, which no busy machine and no running pattern gets past."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest


class TooLong(Exception):
    """What ran used more processor time than it may."""


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TooLong` in the main thread after so many seconds of this process's own time.

    The pattern engines look for signals while they run, so a pattern that never ends is ended too.
    """

    def ring(*_: object) -> None:
        raise TooLong(f"over {seconds} s of processor time")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.fixture(name="cpu_limit", scope="session")
def cpu_limit_fixture() -> Callable[[float], AbstractContextManager[None]]:
    """Gives :func:`cpu_limit`."""
    return cpu_limit


@pytest.fixture(scope="session")
def too_long() -> type[Exception]:
    """Gives what :func:`cpu_limit` raises."""
    return TooLong
