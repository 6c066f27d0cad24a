"""Which problems a trainer asks next: through a sequence, from a function, or where there is most to learn.

A trainer numbers its groups from 0. It asks its source for the problems of some numbers, and tells it
what came of them before it asks again. What a source has learnt goes into the checkpoint, so that a
resumed run asks what the undisturbed one would have asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from referee.envs.curriculum import Cell, Curriculum, CurriculumState
from referee.envs.records import Group
from referee.trainers.loop.shuffling import item_at
from referee.verifiers.records import Json, Problem
from referee.verifiers.rubric import passes


@runtime_checkable
class ProblemSource(Protocol):
    """Says which problems come next."""

    def problems(self, positions: Sequence[int]) -> list[Problem]:
        """Return the problems of the groups with these numbers, which go up by one."""
        ...

    def observe(self, groups: Sequence[Group], *, best: float) -> None:
        """Hear what came of the problems that were asked for last, in their order.

        ``best`` is the most that can be paid.
        """
        ...

    def figures(self) -> dict[str, float]:
        """Return what to record of the step's choices."""
        ...

    def state(self) -> Json:
        """Return what must be in a checkpoint, as plain JSON data."""
        ...

    def restore(self, state: Json) -> None:
        """Go back to a state."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InOrder:
    """A sequence, gone through in a new random order each time, or a function of a group's number."""

    of: Sequence[Problem] | Callable[[int], Problem]
    seed: int = 0

    def problems(self, positions: Sequence[int]) -> list[Problem]:
        """Return the problems at some positions; each is found alone."""
        return [self._at(position) for position in positions]

    def _at(self, position: int) -> Problem:
        if callable(self.of):
            return self.of(position)
        return self.of[item_at(position, len(self.of), seed=self.seed)]

    def observe(self, groups: Sequence[Group], *, best: float) -> None:
        """Learn nothing: the order does not depend on what came of it."""

    def figures(self) -> dict[str, float]:
        """Return none."""
        return {}

    def state(self) -> Json:
        """Return nothing: a position says it all."""
        return None

    def restore(self, state: Json) -> None:
        """Have nothing to go back to."""


class CurriculumSource:
    """Families and levels as a :class:`~referee.envs.curriculum.Curriculum` chooses them, closing the loop.

    Each cell has problems without end, a function of an index, of which it takes the next. A
    rollout passes where it was paid the most there is; those that abstained are not counted.

    Raises:
        ValueError: where a cell has no problems.
    """

    def __init__(self, curriculum: Curriculum, cells: Mapping[Cell, Callable[[int], Problem]]) -> None:
        missing = [c for c in curriculum.cells if c not in cells]
        if missing:
            raise ValueError(f"cells must hold every cell of the curriculum, got none for {missing[0]}")
        self.curriculum, self.cells = curriculum, dict(cells)
        self.known = CurriculumState()
        self._asked: list[Cell] = []
        self._step = Counter[Cell]()  # groups since the figures were last read

    def problems(self, positions: Sequence[int]) -> list[Problem]:
        """Choose a cell for each group and take its next problem."""
        self._asked = self.curriculum.choose(self.known, len(positions))
        taken = Counter(self.known.taken)
        out = []
        for cell in self._asked:
            out.append(self.cells[cell](taken[cell]))
            taken[cell] += 1
        return out

    def observe(self, groups: Sequence[Group], *, best: float) -> None:
        """Count each group's passes for the cell that it came from."""
        results = []
        for cell, group in zip(self._asked, groups, strict=True):
            decided = [r.reward for r in group.rollouts if r.reward is not None and not r.reward.abstains]
            results.append((cell, sum(passes(reward.total, best) for reward in decided), len(decided)))
        self.known = self.curriculum.update(self.known, results)
        self._step.update(self._asked)
        self._asked = []

    def figures(self) -> dict[str, float]:
        """Return each cell's share of the step's groups and what is known of its pass rate, and start anew.

        Names are ``curriculum/share/FAMILY-LEVEL`` and ``curriculum/rate/FAMILY-LEVEL``.
        """
        count, rates = sum(self._step.values()), self.known.rates()
        out = {
            f"curriculum/share/{c.family}-{c.level}": self._step[c] / count if count else 0.0
            for c in self.curriculum.cells
        }
        out |= {f"curriculum/rate/{c.family}-{c.level}": rates[c] for c in sorted(rates)}
        self._step.clear()
        return out

    def state(self) -> Json:
        """Return the curriculum's state as JSON data."""
        return self.known.to_json()

    def restore(self, state: Json) -> None:
        """Go back to a state that :meth:`state` returned."""
        self.known = CurriculumState.from_json(state)
        self._asked, self._step = [], Counter()


Problems: TypeAlias = "Sequence[Problem] | Callable[[int], Problem] | ProblemSource"


def source_of(problems: Any, *, seed: int) -> ProblemSource:
    """Return a source as it is, and anything else as one that goes through it in order."""
    return problems if isinstance(problems, ProblemSource) else InOrder(of=problems, seed=seed)
