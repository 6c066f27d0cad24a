"""The procedural families by name, imported when they are first asked for."""

from __future__ import annotations

import importlib
from dataclasses import fields
from functools import cache
from typing import Any

from referee.envs.family import Family

FAMILIES: dict[str, str] = {  # name -> module:class
    "arithmetic": "arithmetic:Arithmetic",
    "countdown": "countdown:Countdown",
}


@cache
def family(name: str, *, terse: bool = False) -> Family:
    """Return the family called ``name``.

    Raises:
        ValueError: for a name that no family has.
    """
    if name not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {name!r}")
    module, _, cls = FAMILIES[name].partition(":")
    kind: Any = getattr(importlib.import_module(f"{__name__}.{module}"), cls)
    options = {"terse": True} if terse and any(f.name == "terse" for f in fields(kind)) else {}
    found: Family = kind(**options)
    return found
