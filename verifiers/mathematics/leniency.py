"""What counts as the same answer: choices that the user makes, with the defaults most would expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from referee.verifiers.reading.boxes import Boxes
from referee.verifiers.reading.final_answer import Profile

PercentMeaning = Literal["any", "fraction", "number"]
Order = Literal["unordered", "ordered"]
Units = Literal["optional", "required"]
Undecided = Literal["decision", "abstain"]
Rounding = Literal["exact", "as_printed"]


@dataclass(frozen=True, kw_only=True)
class Leniency:
    """The choices of :class:`referee.verifiers.Math`; see there."""

    profile: Profile = "lenient"
    percent: PercentMeaning = "any"
    lists: Order = "unordered"
    units: Units = "optional"
    boxes: Boxes = "all"
    tolerance: float = 0.0
    undecided: Undecided = "decision"
    rounding: Rounding = "exact"

    def __post_init__(self) -> None:
        choices = {
            "profile": Profile,
            "percent": PercentMeaning,
            "lists": Order,
            "units": Units,
            "boxes": Boxes,
            "undecided": Undecided,
            "rounding": Rounding,
        }
        for name, kind in choices.items():
            value = getattr(self, name)
            if value not in get_args(kind):
                raise ValueError(f"{name} must be one of {', '.join(get_args(kind))}, got {value!r}")
        if not isinstance(self.tolerance, int | float) or not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance must be a relative error from 0 to below 1, got {self.tolerance!r}")
