"""A client's call: what it asked for is not begun any more once nobody waits for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Call:
    """One call of a client, whose questions stand in several rooms; ``cancelled`` takes them back."""

    cancelled: bool = False
