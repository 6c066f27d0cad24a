"""Does it learn, and does it learn from the verifier? Slow: minutes on one core."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from referee.trainers.recipes.recipe import load_recipe
from referee.trainers.recipes.recipe_run import carry_out

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

DEMO = Path(__file__).parents[2] / "examples" / "demo" / "train.yaml"


def run(seed, tmp_path, **changes):
    """Return held-out pass@1 of the sampled policy before and after, by the demonstration's recipe."""
    recipe = load_recipe(DEMO)
    training = replace(recipe.training, seed=seed, eval_every=1000, **changes)
    lines = carry_out(replace(recipe, training=training), tmp_path / f"{seed}").read("heldout")
    return lines[0]["sampled"], lines[-1]["sampled"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_held_out_accuracy_rises_by_ten_points_with_intervals_apart(seed, tmp_path):
    before, after = run(seed, tmp_path)
    assert after["pass_at_1"] >= before["pass_at_1"] + 0.10
    assert after["low"] > before["high"]


def test_with_shuffled_rewards_it_does_not_rise(tmp_path):
    before, after = run(0, tmp_path, shuffle_rewards=True)
    assert after["pass_at_1"] <= before["high"]
