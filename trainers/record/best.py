"""The best held-out measure of a run. Pure functions of what was measured."""

from __future__ import annotations

from collections.abc import Sequence

Measured = tuple[int, float]
"""A step and the pass@1 that was measured greedily there."""


def best_step(measured: Sequence[Measured]) -> int | None:
    """Return the step of the best measure, the first of equal ones; None where there is none.

    >>> best_step([(0, 0.1), (20, 0.5), (40, 0.5), (60, 0.3)])
    20
    """
    return max(measured, key=lambda m: m[1])[0] if measured else None


def since_best(measured: Sequence[Measured]) -> int:
    """Return how many measures on end have not been above the best before them.

    >>> since_best([(0, 0.1), (20, 0.5), (40, 0.5), (60, 0.3)])
    2
    """
    best = best_step(measured)
    return 0 if best is None else len(measured) - 1 - [step for step, _ in measured].index(best)
