"""Tests against the real libraries, each in an environment of its own: run by `make test-adapters`.

They are not collected otherwise: the libraries conflict with one another, and most are heavy.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SIDE = os.environ.get("REFEREE_ADAPTER", "")
HERE = Path(__file__).parent

collect_ignore = [p.name for p in HERE.iterdir() if p.is_dir() and p.name != SIDE]

if SIDE:
    # The conformance cases, and the modules that a side imports by name.
    sys.path[:0] = [str(HERE / SIDE), str(HERE.parent / "trainers" / "adapters")]
