"""Normalisation: moments that merge, wrappers that keep order and abstentions."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.verifiers import Completion, Ensemble, Item, Problem, Reason, verifier
from referee.verifiers.learned.normalise import Centred, Moments, Squashed, Standardised, standardise, whiten
from referee.verifiers.scoring.asking import evaluate

NUMBERS = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30)


@verifier(range=(-math.inf, math.inf))
def number(completion, problem):
    return None if completion.text == "-" else float(completion.text)


@verifier(range=(-math.inf, math.inf))
def twice(completion, problem):
    return None if completion.text == "-" else 2 * float(completion.text)


def scores(of, *texts, info=None):
    return [
        v.score for v in evaluate(of, [Item(Completion(text=t), Problem(info=info or {})) for t in texts])
    ]


@given(NUMBERS, NUMBERS)
def test_moments_do_not_depend_on_how_numbers_are_grouped(a, b):
    whole, parts = Moments().add([*a, *b]), Moments().add(a).merge(Moments().add(b))
    assert whole.count == parts.count
    assert parts.mean == pytest.approx(whole.mean, abs=1e-6)
    assert parts.std == pytest.approx(statistics.pstdev([*a, *b]), abs=1e-6)


def test_whitening_leaves_abstentions_and_cuts():
    seen = Moments().add([0.0, None, 2.0])
    assert whiten([0.0, None, 4.0], seen, most=2.0) == pytest.approx([-1.0, None, 2.0], abs=1e-6)
    assert whiten([0.0, 2.0], seen, centre=False) == pytest.approx([0.0, 2.0], abs=1e-6)


def test_scores_that_never_differed_are_not_divided():
    same = Moments().add([0.1] * 3)
    assert whiten([0.1], same) == pytest.approx([0.0])
    assert whiten([0.1], same, centre=False) == [0.1]


def test_standardising_takes_the_moments_of_what_it_is_shown():
    items = [Item(Completion(text=t), Problem()) for t in ("0", "-", "2")]
    fitted = standardise(number, items, most=3)
    assert fitted == Standardised(number, 1.0, 1.0, 3)
    assert scores(fitted, "1", "-", "99") == [0.0, None, 3.0]
    with pytest.raises(ValueError, match="at least two different scores"):
        standardise(number, items[:1])


def test_squashing_keeps_the_order_within_zero_to_one():
    assert scores(Squashed(number), "-1000", "0", "1000") == [0.0, 0.5, 1.0]
    assert scores(Squashed(number, centre=1, scale=2), "1") == [0.5]


def test_a_reference_completion_is_the_zero():
    centred = Centred(number)
    assert scores(centred, "5", "-", "2", info={"reference_completion": "2"}) == [3.0, None, 0.0]
    assert scores(centred, "5", info={"reference_completion": "-"}) == [None]
    (verdict,) = evaluate(centred, [Item(Completion(text="5"), Problem())])
    assert verdict.reason is Reason.BAD_REFERENCE


def test_disagreement_is_penalised_and_agreement_is_not():
    both = Ensemble((number, twice), penalty=2.0)
    assert scores(both, "0", "2", "-") == [0.0, 3.0 - 2.0 * 1.0, None]
    assert scores(Ensemble((number, twice), penalty=0.0), "2") == [3.0]


def test_an_ensemble_of_unit_scores_stays_within_its_range():
    def one(completion, problem):
        return 1.0

    def zero(completion, problem):
        return 0.0

    both = Ensemble((one, zero), penalty=1.0)
    assert both.range == (-0.5, 1.0)
    assert scores(both, "x") == [0.0]
