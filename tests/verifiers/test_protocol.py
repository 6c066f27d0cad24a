"""How any callable is read as a verifier, and how what it returns is read as a verdict."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from referee.verifiers import Exact, all_of
from referee.verifiers.protocol import (
    as_verdict,
    check_verifier,
    name_of,
    range_of,
    verifier,
)
from referee.verifiers.records import Problem, Reason, Verdict
from referee.verifiers.scoring.plan import is_async, is_group


def plain(completion: Any, problem: Any) -> bool:
    return True


async def awaited(completion: Any, problem: Any) -> bool:
    return True


def siblings(completions: Any, problem: Any) -> list[bool]:
    return [True for _ in completions]


class Awaited:
    async def __call__(self, completion: Any, problem: Any) -> bool:
        return True


def test_kinds_are_told_by_signature() -> None:
    assert [is_async(v) for v in (plain, awaited, Awaited(), functools.partial(awaited))] == [
        False,
        True,
        True,
        True,
    ]
    assert [is_group(v) for v in (plain, siblings, Exact())] == [False, True, False]
    assert is_async(all_of(plain, awaited))
    assert is_group(all_of(plain, siblings))


def test_a_name_comes_from_the_verifier_its_function_or_its_class() -> None:
    assert [name_of(v) for v in (plain, Awaited(), Exact())] == ["plain", "awaited", "exact"]
    assert range_of(plain) == (0.0, 1.0)


def test_a_decorated_function_states_its_range() -> None:
    @verifier(name="cost", range=(-1, 0))
    def cost(completion: Any, problem: Any) -> float:
        return -0.5

    assert (name_of(cost), range_of(cost)) == ("cost", (-1.0, 0.0))
    with pytest.raises(ValueError, match="range must be"):
        verifier(range=(1.0, 0.0))


@pytest.mark.parametrize("stated", [(1, 0), (0,), (0, 1, 2), 3, "ab", None, (0, float("nan")), (None, 1)])
def test_a_range_that_is_none_is_refused_before_anything_is_judged(stated: Any) -> None:
    def judge(completion: Any, problem: Any) -> bool:
        return True

    judge.range = stated  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"range of judge must be \(least, greatest\), got "):
        check_verifier("it", judge)


@pytest.mark.parametrize(
    ("value", "score", "reason"),
    [
        (True, 1.0, "correct"),
        (False, 0.0, "incorrect"),
        (0.5, 0.5, "partial"),
        (None, None, "unavailable"),
        (Verdict(score=0.0, reason=Reason.TIMEOUT), 0.0, "timeout"),
        (float("nan"), None, "error"),
        (float("inf"), None, "error"),
        (1.5, None, "error"),
        (Verdict(score=-0.1, reason=Reason.SCORED), None, "error"),
        ("1", None, "error"),
        ([1.0], None, "error"),
    ],
)
def test_what_a_verifier_returns_is_read_as_a_verdict(value: Any, score: Any, reason: str) -> None:
    verdict = as_verdict(value, plain)
    assert (verdict.score, verdict.reason) == (score, reason)


@pytest.mark.parametrize("value", [5, None, Exact, lambda: 1, lambda one: 1, "exact"])
def test_what_cannot_be_a_verifier_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="part must be"):
        check_verifier("part", value)


def test_a_rule_called_alone_equals_a_rule_asked() -> None:
    assert Exact()("a", Problem(answer="a")).score == 1.0


@pytest.mark.parametrize("make", [lambda v: torch.tensor(v), lambda v: torch.tensor([[v]]), lambda v: np.array(v),
                                  lambda v: np.array([v]), np.float32, lambda v: torch.tensor(v, requires_grad=True),
                                  lambda v: torch.tensor(v, dtype=torch.bfloat16)])  # fmt: skip
def test_a_scalar_of_numpy_or_torch_is_a_score(make: Any) -> None:
    assert as_verdict(make(0.5), plain).score == 0.5
    assert as_verdict(make(float("nan")), plain).reason is Reason.ERROR


@pytest.mark.parametrize(
    "value", [torch.tensor([1.0, 0.0]), torch.tensor([]), np.array([1, 2]), np.array("1")]
)
def test_an_array_that_is_no_single_number_is_none(value: Any) -> None:
    assert as_verdict(value, plain).reason is Reason.ERROR


def test_tensors_of_truth_are_right_and_wrong() -> None:
    assert as_verdict(torch.tensor(True), plain) == Verdict(score=1.0)
    assert as_verdict(torch.tensor([0]), plain) == Verdict(score=0.0)
