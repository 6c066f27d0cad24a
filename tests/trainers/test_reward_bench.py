"""RewardBench's scores, each worked by hand."""

from __future__ import annotations

import math

import pytest

from referee.trainers.reward_models.reward_bench import SECTIONS, reward_bench, reward_bench_2, ties_score
from referee.verifiers import verifier


@verifier(range=(-math.inf, math.inf))
def number(completion, problem):
    return None if completion.text == "?" else float(completion.text)


def row(chosen, rejected, subset, name="0"):
    return {"prompt": "p", "chosen": chosen, "rejected": rejected, "subset": subset, "id": name}


def test_a_section_is_the_mean_of_its_subsets_by_fixed_counts():
    rows = [
        row("1", "0", "math-prm"),
        row("0", "1", "hep-go"),
        row("0", "1", "hep-go"),
        row("1", "?", "hep-js"),
    ]
    report = reward_bench(number, rows)
    assert report.subsets == {"math-prm": 1.0, "hep-go": 0.0}
    assert report.sections == {"Reasoning": pytest.approx(984 / (984 + 164))}
    assert report.score == report.sections["Reasoning"]
    assert report.abstained == 1


def test_mathematics_weighs_as_much_as_all_code():
    reasoning = SECTIONS["Reasoning"]
    assert reasoning["math-prm"] == sum(n for s, n in reasoning.items() if s.startswith("hep-"))
    assert [len(s) for s in SECTIONS.values()] == [5, 6, 5, 7]


def test_the_best_of_four_has_to_be_the_chosen_one():
    rows = [
        row(["3"], ["0", "1", "2"], "Focus"),
        row(["2"], ["0", "1", "3"], "Focus"),
        row(["3"], ["3", "1", "2"], "Focus"),
        row(["3"], ["?", "1", "2"], "Math"),
    ]
    report = reward_bench_2(number, rows)
    assert report.subsets == {"Focus": pytest.approx((1 + 0 + 0.5) / 3)}
    assert report.abstained == 1


def test_ties_are_scored_by_accuracy_and_by_how_little_right_answers_differ():
    """tied:0 gap 2, spread 1; ref:0 gap 0.5; tied:1 is wrong (gap -1, spread 2); ref:1 gap 4."""
    scores = {
        "tied:0": ([5.0, 4.0], [2.0]),
        "ref:0": ([1.0], [0.5]),
        "tied:1": ([3.0, 1.0], [2.0]),
        "ref:1": ([4.0], [0.0]),
    }
    margin = (math.tanh(0.5 / 1 - 1) + math.tanh(-1 / 2 - 1)) / 2
    assert ties_score(scores) == pytest.approx(0.3 * 0.5 + 0.3 * 1.0 + 0.2 * 0.5 + 0.2 * 0.0 + 0.01 * margin)
    rows = [
        row([str(x) for x in right], [str(x) for x in wrong], "Ties", key)
        for key, (right, wrong) in scores.items()
    ]
    assert reward_bench_2(number, rows).subsets["Ties"] == pytest.approx(ties_score(scores))


def test_right_answers_that_score_alike_divide_by_nothing():
    assert ties_score({"tied:0": ([2.0, 2.0], [1.0]), "ref:0": ([2.0], [1.0])}) == pytest.approx(1.01)
    assert ties_score({"tied:0": ([2.0, 2.0], [2.0]), "ref:0": ([2.0], [2.0])}) == 0.0
