"""Running what a model wrote."""

from __future__ import annotations

import importlib
from typing import Any

if __name__ != "referee.sandbox":
    raise ImportError("import referee.sandbox, not sandbox")

_HOME: dict[str, str] = {  # public name -> the module that holds it, imported when the name is first used
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
