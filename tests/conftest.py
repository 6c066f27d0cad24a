"""What all tests share: where the data lies that does not belong to the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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
