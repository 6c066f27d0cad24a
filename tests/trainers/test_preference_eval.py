"""Evaluation: each figure worked by hand."""

from __future__ import annotations

import math

import pytest

from referee.trainers.reward_models.preference_eval import (
    by_subset,
    calibration,
    evaluate_pairs,
    process_f1,
    reliability_plot,
    report_pairs,
    section_scores,
)
from referee.trainers.reward_models.preferences import Ranking
from referee.verifiers import Problem, verifier


def pair(better, worse, subset=""):
    return Ranking(problem=Problem(), completions=(better, worse), subset=subset)


@verifier(range=(0, math.inf))
def length(completion, problem):
    return None if completion.text == "?" else float(len(completion.text))


def test_accuracy_counts_ties_as_half_and_leaves_abstentions_out():
    report = evaluate_pairs(length, [pair("aaa", "a"), pair("a", "aa"), pair("b", "a"), pair("?", "a")])
    assert (report.pairs, report.abstained, report.accuracy) == (3, 1, 0.5)
    assert report.low < 0.5 < report.high


def test_a_model_that_prefers_length_is_found_out():
    report = evaluate_pairs(length, [pair("aaa", "a"), pair("a", "aaaa"), pair("aa", "a")])
    assert report.length_correlation == pytest.approx(1.0)
    assert (report.accuracy_chosen_longer, report.accuracy_chosen_shorter) == (1.0, 0.0)
    assert report.accuracy_of_length == report.accuracy


def test_rankings_are_compared_in_all_pairs():
    ranking = Ranking(problem=Problem(), completions=("a", "b", "c"))
    assert report_pairs([3.0, 2.0, 1.0], [ranking]).accuracy == 1.0
    assert report_pairs([3.0, 1.0, 2.0], [ranking]).accuracy == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="one value for each of 3 completions"):
        report_pairs([1.0], [ranking])


def test_calibration_error_is_zero_where_chances_come_true():
    assert calibration([(0.75, 1.0)] * 3 + [(0.75, 0.0)])[1] == 0.0
    assert calibration([(1.0, 0.0)])[1] == 1.0
    (low, high) = calibration([(0.05, 0.0), (0.95, 1.0), (0.95, 1.0)])[0]
    assert (low.count, high.count, high.observed) == (1, 2, 1.0)


def test_a_model_that_is_always_sure_and_half_wrong_is_ill_calibrated():
    report = report_pairs([50.0, 0.0, 0.0, 50.0], [pair("a", "b"), pair("a", "b")])
    assert report.ece == pytest.approx(0.5)


def test_processbench_f1_is_the_harmonic_mean():
    report = process_f1([0, 2, -1, 1], [0, 1, -1, -1])
    assert (report.accuracy_wrong, report.accuracy_right, report.f1) == (0.5, 0.5, 0.5)
    assert process_f1([-1, -1], [0, -1]).f1 == 0.0
    assert process_f1([], []).f1 == 0.0 or math.isnan(process_f1([], []).f1)


def test_sections_are_weighted_by_the_counts_given():
    outcomes = by_subset(length, [pair("aa", "a", "x"), pair("a", "aa", "y"), pair("?", "a", "z")])
    assert outcomes == {"x": [1.0], "y": [0.0]}
    assert section_scores(outcomes, {"s": {"x": 3, "y": 1, "z": 100}}) == {"s": 0.75}


def test_the_reliability_plot_is_an_svg(tmp_path):
    reliability_plot(calibration([(0.2, 0.0), (0.9, 1.0)])[0], tmp_path / "plot.svg")
    assert "<svg" in (tmp_path / "plot.svg").read_text()
