"""What a judge looks for, read from a file that people can write and review.

scale: [1, 10]
criteria:
correct: {weight: 2, asks: "Is every statement true?"}
clear: "Would a beginner understand it?"          # weight 1
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One question to the judge; ``weight`` is its share in the score."""

    name: str
    asks: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        for field in ("name", "asks"):
            if not isinstance(getattr(self, field), str) or not getattr(self, field).strip():
                raise ValueError(f"{field} must be a text that is not blank, got {getattr(self, field)!r}")
        if isinstance(self.weight, bool) or not isinstance(self.weight, int | float):
            raise ValueError(f"weight must be a number, got {self.weight!r}")
        if not 0 < self.weight < math.inf:
            raise ValueError(f"weight must be above 0 and finite, got {self.weight}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Some criteria and the scale on which each is scored."""

    criteria: tuple[Criterion, ...]
    scale: tuple[float, float] = (1.0, 10.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "criteria", tuple(self.criteria))
        names = [c.name for c in self.criteria]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"criteria must have at least one name and no name twice, got {names}")
        low, high = (float(x) for x in self.scale)
        if not low < high:
            raise ValueError(f"scale must be (worst, best), got {self.scale}")
        object.__setattr__(self, "scale", (low, high))


GENERAL = Criteria(
    criteria=(
        Criterion(
            name="correct", asks="Is it right, and does it agree with the reference where one is given?"
        ),
        Criterion(name="helpful", asks="Does it do what was asked, wholly and without padding?"),
    )
)


def load_criteria(path: str | Path) -> Criteria:
    """Read criteria from a YAML file.

    Raises:
        ValueError: where it is not YAML, or not of the form above, with the file's name.
    """
    try:
        return criteria_from(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except yaml.YAMLError as e:
        raise ValueError(f"{path}: not YAML: {' '.join(str(e).split())}") from None
    except (ValueError, TypeError) as e:
        raise ValueError(f"{path}: {e}") from None


def criteria_from(data: object) -> Criteria:
    """Make criteria from what such a file holds."""
    if not isinstance(data, Mapping) or not isinstance(data.get("criteria"), Mapping):
        raise ValueError("criteria must be a mapping from names to questions")
    if unknown := sorted(set(data) - {"criteria", "scale"}):
        raise ValueError(f"{unknown[0]!r} is not known; a criteria file has criteria and scale")
    scale = data.get("scale", (1, 10))
    if not isinstance(scale, list | tuple) or len(scale) != 2:
        raise ValueError(f"scale must be [worst, best], got {scale!r}")
    made = []
    for name, spec in data["criteria"].items():
        fields = {"asks": spec} if isinstance(spec, str) else spec
        if not isinstance(fields, Mapping) or set(fields) - {"asks", "weight"} or "asks" not in fields:
            raise ValueError(f"criteria.{name} must be a text, or hold asks and weight, got {spec!r:.80}")
        try:
            made.append(Criterion(name=str(name), **fields))
        except ValueError as e:
            raise ValueError(f"criteria.{name}: {e}") from None
    return Criteria(criteria=tuple(made), scale=tuple(scale))
