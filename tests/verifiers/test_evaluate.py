"""Asking verifiers from anywhere: a running loop, other threads, a forked child; and never raising."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from referee.verifiers import all_of
from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion, Problem, Reason
from referee.verifiers.scoring.asking import aevaluate, evaluate

ITEMS = [Item(Completion(text=t), Problem(), group=g) for t, g in (("a", 0), ("bb", 1), ("c", 0))]


async def later(completion: Completion, problem: Problem) -> float:
    await asyncio.sleep(0)
    return len(completion.text) / 2


def crowd(completions: Any, problem: Problem) -> list[float]:
    return [1 / len(completions)] * len(completions)


async def crowd_later(completions: Any, problem: Problem) -> list[float]:
    return crowd(completions, problem)


class Batch:
    def __call__(self, completion: Any, problem: Any) -> float:
        raise AssertionError("batches are asked at once")

    def verify_batch(self, items: Any) -> list[float]:
        return [len(i.completion.text) / 2 for i in items]


def scores(verifier: Any) -> list[float | None]:
    return [v.score for v in evaluate(verifier, ITEMS)]


def child(queue: Any) -> None:
    queue.put(scores(later))


@pytest.mark.parametrize("verifier", [later, Batch(), all_of(later, Batch())], ids=["async", "batch", "both"])
def test_each_kind_gives_one_verdict_for_each_item(verifier: Any) -> None:
    assert scores(verifier) == [0.5, 1.0, 0.5]
    assert asyncio.run(aevaluate(verifier, ITEMS)) == evaluate(verifier, ITEMS)


@pytest.mark.parametrize("verifier", [crowd, crowd_later], ids=["sync", "async"])
def test_siblings_are_judged_by_group(verifier: Any) -> None:
    assert scores(verifier) == [0.5, 1.0, 0.5]
    assert asyncio.run(aevaluate(verifier, ITEMS)) == evaluate(verifier, ITEMS)


def test_a_synchronous_call_works_inside_a_running_loop() -> None:
    async def inside() -> list[float | None]:
        return scores(later)

    assert asyncio.run(inside()) == [0.5, 1.0, 0.5]


def test_an_async_verifier_may_itself_ask_synchronously() -> None:
    async def nested(completion: Completion, problem: Problem) -> float:
        return scores(later)[1] or 0.0

    assert scores(nested) == [1.0, 1.0, 1.0]


def test_threads_may_ask_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert all(s == [0.5, 1.0, 0.5] for s in pool.map(scores, [later] * 32))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_asks_in_a_loop_of_its_own() -> None:
    assert scores(later) == [0.5, 1.0, 0.5]  # the parent's loop runs when the child is made
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    assert queue.get(timeout=30) == [0.5, 1.0, 0.5]
    process.join(30)


def test_whatever_a_verifier_does_wrong_abstains_and_says_so() -> None:
    def raises(completion: Any, problem: Any) -> float:
        raise KeyError("x")

    def too_few(completions: Any, problem: Any) -> list[float]:
        return []

    for broken, said in ((raises, "KeyError: 'x'"), (too_few, "must return one verdict for each of")):
        for verdict in evaluate(broken, ITEMS):
            assert verdict.reason is Reason.ERROR
            assert said in str(verdict.detail["error"])


def test_nothing_to_ask_gives_nothing() -> None:
    assert evaluate(later, []) == []
    assert asyncio.run(aevaluate(later, [])) == []
