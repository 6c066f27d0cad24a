"""The curriculum: goes where the pass rate is near the target, and resumes as if never stopped."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from referee.envs.curriculum import Cell, Curriculum, CurriculumState

CELLS = tuple(Cell("f", level) for level in range(5))
RATES = dict(zip(CELLS, (1.0, 0.98, 0.5, 0.02, 0.0), strict=True))


def run(curriculum: Curriculum, steps: int, state: CurriculumState | None = None) -> CurriculumState:
    state = state or CurriculumState()
    for _ in range(steps):
        rng = random.Random(state.step)
        results = [
            (cell, sum(rng.random() < RATES[cell] for _ in range(8)), 8)
            for cell in curriculum.choose(state, 4)
        ]
        state = curriculum.update(state, results)
    return state


@pytest.mark.parametrize(("rule", "least"), [("thompson", 0.7), ("ucb", 0.7)])
def test_most_groups_go_to_the_cell_at_the_target(rule: Any, least: float) -> None:
    state = run(Curriculum(cells=CELLS, rule=rule), 100)
    assert state.taken[CELLS[2]] / 400 > least


def test_uniform_goes_everywhere_equally() -> None:
    state = run(Curriculum(cells=CELLS, rule="uniform"), 250)
    assert all(150 < state.taken[cell] < 250 for cell in CELLS)


def test_another_target_is_another_cell() -> None:
    state = run(Curriculum(cells=CELLS, target=0.98), 100)
    taken = Counter(state.taken)
    assert {cell for cell, _ in taken.most_common(2)} == {CELLS[0], CELLS[1]}


def test_a_policy_that_gets_better_is_followed() -> None:
    curriculum = Curriculum(cells=CELLS)
    state = run(curriculum, 60)
    for _ in range(60):
        results = [
            (c, 8 if c.level <= 2 else 4 if c.level == 3 else 0, 8) for c in curriculum.choose(state, 4)
        ]
        state = curriculum.update(state, results)
    late = Counter(c for _ in range(50) for c in curriculum.choose(state, 4))
    assert late.most_common(1)[0][0] == CELLS[3]


def test_a_state_from_a_checkpoint_goes_on_as_if_never_stopped() -> None:
    curriculum = Curriculum(cells=CELLS, seed=7)
    whole = run(curriculum, 40)
    half = run(curriculum, 20)
    restored = CurriculumState.from_json(json.loads(json.dumps(half.to_json())))
    assert restored == half
    assert run(curriculum, 20, restored) == whole
    assert whole.rates()[CELLS[2]] == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Curriculum(cells=()), "cells must be at least one"),
        (lambda: Curriculum(cells=(CELLS[0],) * 2), "all different"),
        (lambda: Curriculum(cells=CELLS, target=2.0), "target must be from 0.0 to 1.0"),
        (lambda: Curriculum(cells=CELLS, rule="best"), "rule must be one of thompson, ucb, uniform, got"),
        (
            lambda: Curriculum(cells=CELLS).update(CurriculumState(), [(Cell("g"), 0, 1)]),
            "cell must be one of the curriculum's",
        ),
        (
            lambda: Curriculum(cells=CELLS).update(CurriculumState(), [(CELLS[0], 2, 1)]),
            "passes must be from 0 to 1",
        ),
        (lambda: CurriculumState.from_json({"step": 1}), "data must be a curriculum's state"),
    ],
)
def test_bad_options_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_group_on_which_all_abstained_teaches_nothing() -> None:
    state = Curriculum(cells=CELLS).update(CurriculumState(), [(CELLS[0], 0, 0)])
    assert state.counts[CELLS[0]] == (0.0, 0.0)
    assert state.taken[CELLS[0]] == 1
