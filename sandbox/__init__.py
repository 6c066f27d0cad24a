"""Running what a model wrote."""

from __future__ import annotations

import importlib
from typing import Any

if __name__ != "referee.sandbox":
    raise ImportError("import referee.sandbox, not sandbox")

_HOME = {  # public name -> the module that holds it, imported when the name is first used
    "Calls": "records",
    "Capability": "machine",
    "Check": "records",
    "Docker": "container",
    "Embedded": "embedded",
    "Execution": "records",
    "Job": "records",
    "Limits": "records",
    "Outcome": "records",
    "Program": "records",
    "Remote": "remote",
    "Sandbox": "records",
    "Source": "records",
    "Trial": "records",
    "arun_many": "pool",
    "build_image": "image",
    "capabilities": "machine",
    "conformance": "suite",
    "run_many": "pool",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOME)
