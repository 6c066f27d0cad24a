"""The algebra of abstention, as combine's docstring states it, over all orders of the parts."""

from __future__ import annotations

import asyncio
import itertools
import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.verifiers import combine as c
from referee.verifiers.protocol import Item, range_of
from referee.verifiers.records import Completion, Problem, Reason, Verdict
from referee.verifiers.scoring.asking import aevaluate, evaluate


@dataclass(frozen=True)
class Says(c.Composable):
    """Scores as it is told; ``kind`` chooses how it is asked."""

    score: float | None
    range: tuple[float, float] = (0.0, 1.0)

    def __call__(self, completion: Any, problem: Problem) -> Verdict:
        return Verdict(score=self.score)


@dataclass(frozen=True)
class SaysToAll(Says):
    def __call__(self, completions: Any, problem: Problem) -> Any:
        return [self.score for _ in completions]


@dataclass(frozen=True)
class SaysLater(Says):
    async def __call__(self, completion: Any, problem: Problem) -> Verdict:  # type: ignore[override]
        await asyncio.sleep(0)
        return Verdict(score=self.score)


def never(completion: Any, problem: Problem) -> float:
    raise AssertionError("this part must not be asked")


def score(verifier: Any) -> float | None:
    return evaluate(verifier, [Item(Completion(text="x"), Problem())])[0].score


units = st.floats(0, 1)
maybe = st.none() | units
kinds = st.sampled_from([Says, SaysToAll, SaysLater])
parts = st.lists(st.tuples(maybe, kinds), min_size=1, max_size=4)


def built(drawn: list[Any]) -> list[Any]:
    return [kind(s) for s, kind in drawn]


@given(parts)
def test_all_of_is_the_least_and_zero_beats_an_abstention(drawn: Any) -> None:
    scores = [s for s, _ in drawn]
    expected = 0.0 if 0.0 in scores else None if None in scores else min(scores)
    for order in itertools.permutations(built(drawn)):
        assert score(c.all_of(*order)) == expected


@given(parts)
def test_any_of_is_the_greatest_and_one_beats_an_abstention(drawn: Any) -> None:
    scores = [s for s, _ in drawn]
    expected = 1.0 if 1.0 in scores else None if None in scores else max(scores)
    for order in itertools.permutations(built(drawn)):
        assert score(c.any_of(*order)) == expected


@given(parts)
def test_a_product_with_zero_is_zero_and_else_abstains_with_its_parts(drawn: Any) -> None:
    scores = [s for s, _ in drawn]
    for order in itertools.permutations(built(drawn)):
        got = score(c.product(*order))
        if 0.0 in scores:
            assert got == 0.0
        elif None in scores:
            assert got is None
        else:
            assert got == pytest.approx(math.prod(scores), abs=1e-12)


@given(st.lists(st.none() | st.floats(-5, 5), min_size=1, max_size=4))
def test_the_minimum_takes_any_range_and_its_bound_beats_an_abstention(scores: list[float | None]) -> None:
    expected = -5.0 if -5.0 in scores else None if None in scores else min(s for s in scores if s is not None)
    for order in itertools.permutations(scores):
        assert score(c.minimum(*(Says(s, (-5.0, 5.0)) for s in order))) == expected


@given(st.lists(st.tuples(st.none() | st.floats(-5, 5), st.floats(-3, 3)), min_size=1, max_size=4))
def test_a_weighted_sum_abstains_with_any_part_that_is_paid(terms: Any) -> None:
    paid = [(s, w) for s, w in terms if w]
    for order in itertools.permutations(terms):
        verifier = c.weighted_sum(*((Says(s, (-5.0, 5.0)), w) for s, w in order))
        got = score(verifier)
        if any(s is None for s, _ in paid):
            assert got is None
        else:
            assert got == pytest.approx(math.fsum(s * w for s, w in paid), abs=1e-9)
            low, high = range_of(verifier)
            assert got is not None
            assert low <= got <= high


@given(maybe, maybe, st.floats(0, 1, exclude_min=True))
def test_a_gate_opens_at_its_threshold(condition: float | None, then: float | None, threshold: float) -> None:
    got = score(c.gate(Says(condition), Says(then), threshold=threshold))
    assert got == (None if condition is None else then if condition >= threshold else 0.0)


@given(st.lists(maybe, min_size=1, max_size=4))
def test_first_decided_passes_over_abstentions(scores: list[float | None]) -> None:
    expected = next((s for s in scores if s is not None), None)
    assert score(c.first_decided(*map(Says, scores))) == expected


@given(maybe)
def test_unary_combinators_keep_an_abstention(s: float | None) -> None:
    part = Says(s)
    assert score(~part) == (None if s is None else 1.0 - s)
    assert score(c.shape(part, a=2.0)) == (None if s is None else math.exp(-2.0 * s))
    assert score(c.clip(part, 0.25, 0.5)) == (None if s is None else min(max(s, 0.25), 0.5))


def test_a_decided_item_is_not_asked_further() -> None:
    assert score(c.all_of(Says(0.0), never)) == 0.0
    assert score(c.any_of(Says(1.0), never)) == 1.0
    assert score(c.product(Says(0.0), never)) == 0.0
    assert score(c.gate(Says(0.5), never)) == 0.0
    assert score(c.first_decided(Says(0.5), never)) == 0.5


def test_only_undecided_items_are_asked() -> None:
    asked = []

    def right(completion: Completion, problem: Problem) -> bool:
        return completion.text != "b"

    def costly(completion: Completion, problem: Problem) -> float:
        asked.append(completion.text)
        return 0.5

    items = [Item(Completion(text=t), Problem()) for t in "abc"]
    verdicts = evaluate(c.all_of(right, costly), items)
    assert asked == ["a", "c"]
    assert [v.score for v in verdicts] == [0.5, 0.0, 0.5]


def test_a_route_goes_by_the_problem_and_an_unknown_one_abstains() -> None:
    routed = c.route("kind", {"a": Says(1.0), "b": Says(0.5)})
    items = [Item(Completion(), Problem(info={"kind": k})) for k in ("b", "a", "z")]
    verdicts = evaluate(routed, items)
    assert [v.score for v in verdicts] == [0.5, 1.0, None]
    assert verdicts[2].reason is Reason.BAD_REFERENCE
    assert evaluate(c.route("kind", {"a": Says(1.0)}, default=Says(0.0)), items)[2].score == 0.0


@pytest.mark.parametrize("combine", [c.all_of, c.any_of, c.product])
@pytest.mark.parametrize("range", [(-1.0, 1.0), (0.0, 2.0), (-3.0, 3.0)])
def test_another_range_than_zero_to_one_is_refused_at_construction(combine: Any, range: Any) -> None:
    learned = Says(0.5, range)
    with pytest.raises(ValueError, match=r"must score within 0 to 1, got says with range .* wrap it in clip"):
        combine(Says(1.0), learned)
    for build in (lambda: c.gate(learned, Says(1.0)), lambda: c.gate(Says(1.0), learned), lambda: ~learned):
        with pytest.raises(ValueError, match="must score within 0 to 1"):
            build()
    assert score(combine(c.clip(learned))) == 0.5


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (lambda: c.all_of(), ValueError),
        (lambda: c.all_of(5), TypeError),
        (lambda: c.all_of(Says), TypeError),
        (lambda: c.all_of(lambda only: 1), TypeError),
        (lambda: c.weighted_sum((Says(1.0), math.nan)), ValueError),
        (lambda: c.gate(Says(1.0), Says(1.0), threshold=0.0), ValueError),
        (lambda: c.clip(Says(1.0), 1.0, 0.0), ValueError),
        (lambda: c.shape(Says(0.0, (-1.0, 1.0))), ValueError),
        (lambda: c.route("kind", {}), ValueError),
    ],
)
def test_a_mistake_is_told_at_construction(build: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        build()


def test_operators_read_as_they_are_written() -> None:
    a, b = Says(0.5), Says(1.0)
    assert score(a & b) == 0.5
    assert score(a | b) == 1.0
    assert score(a * b) == 0.5
    assert score(0.8 * a + 0.2 * b) == pytest.approx(0.6)
    assert len((a + b + a).children) == 3


def test_a_coroutine_gets_the_same_verdicts() -> None:
    verifier = c.all_of(SaysLater(0.5), c.any_of(SaysToAll(0.25), Says(0.75)))
    items = [Item(Completion(text=t), Problem()) for t in "ab"]
    assert asyncio.run(aevaluate(verifier, items)) == evaluate(verifier, items)
