"""Running what a model wrote."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if __name__ != "referee.sandbox":
    raise ImportError("import referee.sandbox, not sandbox")

if TYPE_CHECKING:  # for readers of types; a test holds it equal to the table below
    from referee.sandbox.container import Docker as Docker
    from referee.sandbox.embedded import Embedded as Embedded
    from referee.sandbox.image import build_image as build_image
    from referee.sandbox.machine import Capability as Capability
    from referee.sandbox.machine import capabilities as capabilities
    from referee.sandbox.pool import arun_many as arun_many
    from referee.sandbox.pool import run_many as run_many
    from referee.sandbox.records import Calls as Calls
    from referee.sandbox.records import Check as Check
    from referee.sandbox.records import Execution as Execution
    from referee.sandbox.records import Job as Job
    from referee.sandbox.records import Limits as Limits
    from referee.sandbox.records import Outcome as Outcome
    from referee.sandbox.records import Program as Program
    from referee.sandbox.records import Sandbox as Sandbox
    from referee.sandbox.records import Source as Source
    from referee.sandbox.records import Trial as Trial
    from referee.sandbox.remote import Remote as Remote
    from referee.sandbox.suite import conformance as conformance

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

if not TYPE_CHECKING:  # a module with this function would have every name there is, and all of no type

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(_HOME)
