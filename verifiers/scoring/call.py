"""A client's call: what it asked for is not begun any more once nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from referee.verifiers.records import Verdict

Heard: TypeAlias = Callable[[list[Verdict], float], None]
"""Is told a question's verdicts and the seconds that they took, in whatever thread they were made."""


@dataclass(slots=True, eq=False)
class Call:
    """One call of a client, whose questions stand in several rooms; ``cancelled`` takes them back."""

    cancelled: bool = False
