"""What the environments' benchmarks decide with: who has learnt, what a curriculum saved, which family is sound."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest


def load(name: str) -> Any:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def learning() -> Any:
    return load("environments_learning")


@pytest.fixture(scope="module")
def curriculum() -> Any:
    return load("curriculum")


def line(
    seed: int, before: float, after: float, rewards: str = "paid", chance: float = 0.1
) -> dict[str, Any]:
    points = [[x, x - 0.05, x + 0.05] for x in (before, after)]
    return {
        "run": f"sorting/0/60x128/0.0003/0.2/{seed}/{rewards}",
        "task": "sorting",
        "level": 0,
        "seed": seed,
        "rewards": rewards,
        "chance": chance,
        "curve": [{"step": s, "sampled": p, "greedy": p} for s, p in enumerate(points)],
    }


FLAT = line(0, 0.2, 0.2, "shuffled")


@pytest.mark.parametrize(
    ("lines", "learnt"),
    [
        ([*(line(s, 0.2, 0.5) for s in range(3)), FLAT], True),
        ([*(line(s, 0.2, 0.5) for s in range(2)), FLAT], False),  # two seeds are too few
        ([line(0, 0.2, 0.5), line(1, 0.2, 0.5), line(2, 0.2, 0.28), FLAT], False),  # one rose by 8 points
        ([*(line(s, 0.2, 0.5) for s in range(3))], False),  # no control
        ([*(line(s, 0.2, 0.5) for s in range(3)), line(0, 0.2, 0.4, "shuffled")], False),  # it rose, too
        ([*(line(s, 0.2, 0.5, chance=0.6) for s in range(3)), FLAT], False),  # below chance
    ],
)
def test_a_task_is_learnt_by_three_seeds_above_chance_and_not_by_its_control(
    learning: Any, lines: list[dict[str, Any]], learnt: bool
) -> None:
    (row,) = learning.summary(lines)
    assert row["learnt"] is learnt


def test_the_best_constant_answer_and_a_random_player_are_chance(learning: Any) -> None:
    signs = learning.setting(learning.TASKS["comparison"])
    assert 0.35 < signs.chance() < 0.6  # of <, > and = the likelier
    game = learning.setting(learning.TASKS["guess_number"])
    assert game.chance() == pytest.approx(5 / 9, abs=0.1)  # two draws of three numbers


def test_no_held_out_problem_is_trained_on(learning: Any) -> None:
    it = learning.setting(learning.TASKS["sorting"])
    asked = {p.prompt_text for p in it.heldout}
    assert not asked & {it.problem(i).prompt_text for i in range(300)}


def took(rule: str, seed: int, rollouts: int, reached: bool = True) -> dict[str, Any]:
    return {"rule": rule, "seed": seed, "rollouts": rollouts, "reached": rollouts if reached else None}


@pytest.mark.parametrize(
    ("mine", "theirs", "ended", "bar"),
    [
        ([20, 20, 20], [30, 30, 30], True, True),
        ([21, 20, 20], [30, 30, 30], True, False),
        ([20, 20], [30, 30], True, False),  # two seeds are too few
        ([20, 20, 20], [30, 30, 30], False, False),  # the curriculum did not get there
    ],
)
def test_a_curriculum_must_save_a_third_of_the_rollouts_over_three_seeds(
    curriculum: Any, mine: list[int], theirs: list[int], ended: bool, bar: bool
) -> None:
    lines = [took("thompson", s, n, ended) for s, n in enumerate(mine)]
    lines += [took("uniform", s, n) for s, n in enumerate(theirs)]
    assert curriculum.summary(lines)["bar"] is bar


@pytest.mark.parametrize(
    ("change", "sound"),
    [({}, True), ({"gold": 0.999}, False), ({"checks": False}, False), ({"echo": 0.2}, False)],
)
def test_a_family_is_sound_where_gold_is_paid_and_knowing_nothing_is_not(
    change: dict[str, Any], sound: bool
) -> None:
    row = {"gold": 1.0, "checks": True, "chance": 0.1, "random": 0.1, "empty": 0.0, "echo": 0.0}
    assert load("environments").sound(row | change) is sound
