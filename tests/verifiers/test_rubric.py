"""What a rubric pays: weights as they are, and its policies on abstention and truncation."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from referee.verifiers import Completion, Item, Part, Problem, Rubric, Schedule, Verdict


def half(completion: Any, problem: Any) -> float:
    return 0.5


def one(completion: Any, problem: Any) -> float:
    return 1.0


def nothing(completion: Any, problem: Any) -> None:
    return None


async def later(completion: Any, problem: Any) -> float:
    await asyncio.sleep(0)
    return 0.25


def crowd(completions: Any, problem: Any) -> list[float]:
    return [1 / len(completions)] * len(completions)


@pytest.mark.parametrize(
    ("policy", "total"), [("abstain", None), ("drop", 0.5 * 2 + 1.0), ("renormalise", 2.0 * 4 / 3)]
)
def test_an_abstaining_part_is_paid_by_the_policy(policy: str, total: float | None) -> None:
    rubric = Rubric({"a": (half, 2.0), "b": one, "c": nothing}, abstention=policy)
    reward = rubric("x", Problem())
    assert reward.total == pytest.approx(total)
    assert reward.parts["a"].score == 0.5  # unweighted


@pytest.mark.parametrize("policy", ["abstain", "drop", "renormalise"])
def test_all_parts_abstaining_gives_none(policy: str) -> None:
    assert Rubric({"a": nothing}, abstention=policy)("x", Problem()).total is None


def test_a_part_of_weight_zero_is_reported_and_not_paid() -> None:
    reward = Rubric({"a": one, "watched": (nothing, 0.0)})("x", Problem())
    assert (reward.total, set(reward.parts)) == (1.0, {"a", "watched"})


@pytest.mark.parametrize(("policy", "total"), [("zero", 0.0), ("score", 1.0), ("abstain", None)])
def test_a_truncated_completion_is_paid_by_the_policy(policy: str, total: float | None) -> None:
    reward = Rubric({"a": one}, truncation=policy)(Completion(text="x", finish_reason="length"), Problem())
    assert (reward.total, reward.truncated) == (total, True)


def test_a_truncated_completion_scores_zero_even_beside_an_abstention() -> None:
    assert Rubric({"a": nothing})(Completion(finish_reason="length"), Problem()).total == 0.0


def test_a_schedule_moves_a_weight_over_the_steps() -> None:
    rubric = Rubric({"a": (one, Schedule(1.0, 0.0, steps=10, wait=10))})
    totals = [rubric.at(step)("x", Problem()).total for step in (0, 10, 15, 20, 99)]
    assert totals == [1.0, 1.0, 0.5, 0.0, 0.0]


def test_group_and_async_parts_stand_side_by_side() -> None:
    rubric = Rubric({"crowd": crowd, "later": later})
    assert rubric.is_group
    assert rubric.is_async
    assert [r.total for r in rubric.score_group(["x", "y"], Problem())] == [0.75, 0.75]
    items = [Item(Completion(text=t), Problem(), group=g) for t, g in (("x", 0), ("y", 1), ("z", 1))]
    assert [r.total for r in rubric.score_items(items)] == [1.25, 0.75, 0.75]
    assert asyncio.run(rubric.ascore_items(items)) == rubric.score_items(items)


def test_what_was_judged_before_can_be_paid_again() -> None:
    rubric = Rubric({"a": (one, 3.0)})
    assert rubric.pay({"a": Verdict(score=0.5)}).total == 1.5


def test_a_rubric_travels() -> None:
    rubric = Rubric({"a": (half, 2.0)})
    assert pickle.loads(pickle.dumps(rubric))("x", Problem()).total == 1.0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Rubric({}), "parts must map at least one name"),
        (lambda: Rubric({"a": 5}), r"parts\['a'\]: verifier must be a verifier"),
        (lambda: Rubric({"a": (one, float("nan"))}), r"parts\['a'\]: weight must be a finite number"),
        (lambda: Rubric({"a": one}, abstention="maybe"), "abstention must be one of abstain, drop"),
        (lambda: Rubric({"a": one}, truncation="maybe"), "truncation must be one of zero, score"),
        (lambda: Schedule(0.0, 1.0, steps=0), "steps must be at least 1"),
        (lambda: Part(one, float("inf")), "weight must be a finite number"),
    ],
)
def test_a_mistake_is_told_at_construction(build: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        build()


@pytest.mark.parametrize("problem", [{"answer": "4"}, "4", None])
def test_a_problem_that_is_none_is_a_programmers_mistake(problem: Any) -> None:
    rubric = Rubric({"e": lambda c, p: 1.0})
    with pytest.raises(TypeError, match=r"problem must be a Problem, got \w+: write Problem\(answer=...\)"):
        rubric("4", problem)
