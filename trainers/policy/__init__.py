"""The model that is trained: loading, sampling, and batches of its tokens."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # this path was the module's that is called policy.policy now

    def __getattr__(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module("referee.trainers.policy.policy"), name)
