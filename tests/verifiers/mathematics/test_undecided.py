"""What could neither be shown equal nor refuted is called so."""

from __future__ import annotations

import pytest

from referee.verifiers import Math, Problem, Reason

OPEN = [
    (r"\lfloor 2x\rfloor", r"\lfloor x\rfloor+\lfloor x+\frac12\rfloor"),
    (r"n \bmod 2", r"\frac{1-(-1)^n}{2}"),
    (r"\gcd(n, 2)", r"\frac{3+(-1)^n}{2}"),
]
REFUTED = [
    (r"\lfloor 2x\rfloor", r"\lfloor x\rfloor+1"),
    (r"n \bmod 2", r"\frac{1+(-1)^n}{2}"),
    (r"\binom{n}{k}", r"\binom{n}{k+1}"),
    (r"\arccos x", r"\arcsin x"),
]


def judged(answer: str, gold: str, **options):
    return Math(**options)(rf"so $\boxed{{{answer}}}$", Problem(answer=gold))


@pytest.mark.parametrize(("answer", "gold"), OPEN)
def test_without_an_argument_either_way_the_reason_is_undecided(answer, gold):
    verdict = judged(answer, gold)
    assert (verdict.score, verdict.reason) == (0.0, Reason.UNDECIDED)
    assert verdict.detail["decided_by"] == "undecided"
    assert not verdict.abstains


@pytest.mark.parametrize(("answer", "gold"), OPEN)
def test_a_verifier_that_is_told_to_abstain_does_so_there(answer, gold):
    verdict = judged(answer, gold, undecided="abstain")
    assert (verdict.score, verdict.reason) == (None, Reason.UNDECIDED)
    assert verdict.abstains


@pytest.mark.parametrize(("answer", "gold"), REFUTED)
def test_a_point_where_both_are_defined_refutes(answer, gold):
    verdict = judged(answer, gold, undecided="abstain")
    assert (verdict.score, verdict.reason) == (0.0, Reason.INCORRECT)


def test_the_option_is_checked():
    with pytest.raises(ValueError, match="undecided must be one of decision, abstain"):
        Math(undecided="guess")
