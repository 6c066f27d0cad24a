"""The RLHF example runs in miniature, and its report shows reward, KL and the gold reward."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest

from referee import Problem

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "rlhf.py"))


@pytest.mark.parametrize(
    ("text", "gold"),
    [
        ("", 0.0),
        ("abab", 0.5),
        ("abababac", 1.0),
        ("aaaa", 1.0 - 3 / 8),
        ("acacacacacac", 0.5),
        ("a" * 16, 0.0),
    ],
)
def test_the_gold_reward_has_a_best_amount(text, gold):
    assert EXAMPLE["Gold"]()(text, Problem(answer="a")).score == pytest.approx(gold)


def test_the_three_stages_run_in_miniature(tmp_path):
    measured = EXAMPLE["rlhf"](tmp_path, steps=3, pairs=48, warm_steps=60, epochs=2, kl_coef=0.05)
    assert [line["step"] for line in measured["steps"]] == [1, 2, 3]
    assert all(math.isfinite(x) for line in measured["steps"] for x in line.values())
    assert measured["steps"][0]["kl"] == pytest.approx(0.0, abs=1e-4)
    assert measured["reward_model"].pairs == 12
    assert "<svg" in (tmp_path / "rlhf.svg").read_text()
    report = (tmp_path / "report.html").read_text()
    assert all(shown in report for shown in ("Reward by part", "gold", "reward_model", "KL to the reference"))


@pytest.mark.slow
def test_the_reward_model_is_over_optimised_where_nothing_holds_the_policy_back(tmp_path):
    measured = EXAMPLE["rlhf"](tmp_path, kl_coef=0.0)
    first, last = measured["steps"][0], measured["steps"][-1]
    best = max(line["gold"] for line in measured["steps"])
    assert measured["reward_model"].low > 0.6
    assert last["reward"] > first["reward"] + 1
    assert best > first["gold"] + 0.1
    assert last["gold"] < best - 0.1
