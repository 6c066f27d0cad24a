"""A closed-loop curriculum: which family and level to ask next, so that the pass rate stays near a target.

A group of G siblings with pass probability p teaches only where some pass and some fail. The variance of a
binary reward, p (1 - p), is largest at one half; a cell (a family at a level) is worth
1 - |p - target| / max(target, 1 - target). What is known of p is a Beta posterior on discounted counts:
passes and fails from g groups ago count decay^g, since the policy has changed after them.

- ``thompson``: draw a p from each cell's posterior, and take the cell whose draw is worth most
  (Thompson 1933). A cell that was never tried, or not for long, has a wide posterior and is tried again.
- ``ucb``: take the cell whose worth at its mean, plus c sqrt(ln N / n), is greatest (Auer et al. 2002).
- ``uniform``: every cell equally often; the control.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from referee.envs.stream import Stream
from referee.verifiers.records import Json

Rule: TypeAlias = Literal["thompson", "ucb", "uniform"]


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A family at a level: what a curriculum chooses among."""

    family: str
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curriculum:
    """How to choose. ``explore`` is the share of choices made uniformly, so that no cell is forgotten."""

    cells: tuple[Cell, ...]
    rule: Rule = "thompson"
    target: float = 0.5
    decay: float = 0.9
    explore: float = 0.05
    ucb: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", tuple(self.cells))
        if not self.cells or len(set(self.cells)) < len(self.cells):
            raise ValueError("cells must be at least one, and all different")
        if self.rule not in get_args(Rule):
            raise ValueError(f"rule must be one of {', '.join(get_args(Rule))}, got {self.rule!r}")
        for name, low, high in (("target", 0.0, 1.0), ("decay", 0.0, 1.0), ("explore", 0.0, 1.0)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be from {low} to {high}, got {getattr(self, name)}")

    def worth(self, p: float) -> float:
        """Return what a cell with pass probability ``p`` is worth: 1 at the target, 0 farthest from it."""
        return 1.0 - abs(p - self.target) / max(self.target, 1.0 - self.target)

    def choose(self, state: CurriculumState, count: int) -> list[Cell]:
        """Return the cells of the next ``count`` groups: a pure function of the state."""
        return [self._one(state, i) for i in range(count)]

    def update(self, state: CurriculumState, results: Sequence[tuple[Cell, int, int]]) -> CurriculumState:
        """Return the state after groups gave (cell, passes, rollouts that were decided).

        Raises:
            ValueError: for a cell that is not one of the curriculum's, or more passes than rollouts.
        """
        counts = {c: state.counts.get(c, (0.0, 0.0)) for c in self.cells}
        for cell, passes, rollouts in results:
            if cell not in counts:
                raise ValueError(f"cell must be one of the curriculum's, got {cell}")
            if not 0 <= passes <= rollouts:
                raise ValueError(f"passes must be from 0 to {rollouts}, got {passes}")
            if rollouts:
                old_passes, old_fails = counts[cell]
                counts[cell] = (
                    self.decay * old_passes + passes,
                    self.decay * old_fails + rollouts - passes,
                )
        taken = dict(state.taken)
        for cell, _, _ in results:
            taken[cell] = taken.get(cell, 0) + 1
        return CurriculumState(step=state.step + 1, counts=counts, taken=taken)

    def _one(self, state: CurriculumState, number: int) -> Cell:
        stream = Stream(f"curriculum/{self.seed}/{state.step}/{number}")
        if self.rule == "uniform" or stream.uniform() < self.explore:
            return stream.choice(self.cells)
        if self.rule == "ucb":
            values = [self._bound(state, cell) for cell in self.cells]
        else:
            generator = random.Random(stream.below(2**64))
            posteriors = [state.counts.get(cell, (0.0, 0.0)) for cell in self.cells]
            values = [self.worth(generator.betavariate(1.0 + a, 1.0 + b)) for a, b in posteriors]
        best = max(values)
        return stream.choice([c for c, v in zip(self.cells, values, strict=True) if v == best])

    def _bound(self, state: CurriculumState, cell: Cell) -> float:
        a, b = state.counts.get(cell, (0.0, 0.0))
        tried = sum(x + y for x, y in state.counts.values())
        return self.worth((1.0 + a) / (2.0 + a + b)) + self.ucb * math.sqrt(
            math.log(1.0 + tried) / (1.0 + a + b)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CurriculumState:
    """What a curriculum has seen: goes into a checkpoint as JSON, and comes back equal.

    ``counts`` holds discounted passes and fails, ``taken`` how many groups each cell has had.
    """

    step: int = 0
    counts: Mapping[Cell, tuple[float, float]] = field(default_factory=dict)
    taken: Mapping[Cell, int] = field(default_factory=dict)

    def rates(self) -> dict[Cell, float]:
        """Return the estimated pass rate of each cell that has been tried."""
        return {c: (1.0 + a) / (2.0 + a + b) for c, (a, b) in self.counts.items() if a + b > 0.0}

    def to_json(self) -> Json:
        """Return the state as plain JSON data."""
        cells = sorted(set(self.counts) | set(self.taken))
        return {
            "step": self.step,
            "cells": [
                {
                    "family": c.family,
                    "level": c.level,
                    "passes": self.counts.get(c, (0.0, 0.0))[0],
                    "fails": self.counts.get(c, (0.0, 0.0))[1],
                    "taken": self.taken.get(c, 0),
                }
                for c in cells
            ],
        }

    @classmethod
    def from_json(cls, data: Any) -> CurriculumState:
        """Rebuild a state from what :meth:`to_json` returned.

        Raises:
            ValueError: where the data is no such state.
        """
        try:
            rows = [(Cell(r["family"], r["level"]), r) for r in data["cells"]]
            return cls(
                step=int(data["step"]),
                counts={c: (float(r["passes"]), float(r["fails"])) for c, r in rows},
                taken={c: int(r["taken"]) for c, r in rows},
            )
        except (KeyError, TypeError) as e:
            raise ValueError(f"data must be a curriculum's state, got {str(data)[:80]} ({e!r})") from None
