"""What all tests share: where data lies that is not the repository's, and what may be left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

MULTIPROCESSING = ("multiprocessing.forkserver", "multiprocessing.resource_tracker")


def shared_root() -> Path:
    """Return the folder of shared data: REFEREE_SHARED, or ``shared`` beside the repository."""
    named = os.environ.get("REFEREE_SHARED")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data. Missing, it fails in CI and skips elsewhere."""
    root = shared_root() / "data"
    if root.is_dir():
        return root
    message = f"the shared data is not at {root}; set REFEREE_SHARED to its folder"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def descendants() -> Callable[[], set[int]]:
    """Gives the living descendants of this process, without multiprocessing's servers, which end with it."""

    def works(process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return not any(server in " ".join(process.cmdline()) for server in MULTIPROCESSING)
        except psutil.Error:  # ended while it was looked at
            return False

    return lambda: {p.pid for p in psutil.Process().children(recursive=True) if works(p)}
