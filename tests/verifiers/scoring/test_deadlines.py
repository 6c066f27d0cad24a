"""Deadlines where parts are crossed: in groups and compositions, in threads and tasks of their own, and what they pay."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from referee.verifiers import (
    Completion,
    Item,
    Problem,
    Reason,
    Rubric,
    any_of,
    first_decided,
    gate,
    invert,
    score,
    weighted_sum,
)
from referee.verifiers.scoring import Engine

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import places  # noqa: E402  # worker processes must find it by this name too

P = Problem(prompt="2+2=", answer="4")
TEXTS = ("a", "b", places.HOSTILE, "c", "d")
DEADLINE_S = 0.4


def verdicts(part, texts=TEXTS, **options):
    """Return (score, reason) of each text, in a run that must not take for ever."""
    rewards = score(
        Rubric({"part": part}, **options), [(t, P) for t in texts], workers=2, deadline_s=DEADLINE_S
    )
    return [(r.parts["part"].score, str(r.parts["part"].reason)) for r in rewards]


def only_the_hostile(expected, reason, texts=TEXTS):
    return [(expected, reason) if places.HOSTILE in t else (1.0, "correct") for t in texts]


@pytest.mark.parametrize(
    "part",
    [
        gate(places.loops, places.siblings),
        gate(places.siblings, places.loops),
        gate(places.awaited, places.loops) & places.siblings,
    ],
    ids=["rule, group", "group, rule", "awaited, rule, group"],
)
def test_in_a_group_the_one_that_loops_pays_alone(part) -> None:
    assert verdicts(part) == only_the_hostile(0.0, "timeout")


def test_two_that_loop_in_one_group_pay_each_for_itself() -> None:
    texts = ("a", places.HOSTILE, places.HOSTILE + "!", "b")
    rubric = Rubric({"loops": places.loops, "siblings": places.siblings})
    rewards = score(rubric, [(t, P) for t in texts], workers=2, deadline_s=DEADLINE_S)
    assert [r.parts["loops"].score for r in rewards] == [1.0, 0.0, 0.0, 1.0]
    assert [r.parts["siblings"].score for r in rewards] == [1.0] * 4


@pytest.mark.parametrize("compose", [any_of, first_decided], ids=["any_of", "first_decided"])
@pytest.mark.parametrize("slow", [places.loops, places.sleeps], ids=["loops", "sleeps"])
def test_a_composition_says_the_same_wherever_its_parts_run(compose, slow) -> None:
    alone = verdicts(compose(slow, places.quick))
    beside = verdicts(compose(slow, places.quick, places.awaited))
    assert alone == beside


@pytest.mark.parametrize(
    ("part", "honest", "hostile"),
    [
        (invert(places.loops), 0.0, 0.0),
        (invert(gate(places.awaited, places.loops)), 0.0, 0.0),
        (weighted_sum((places.quick, 1.0), (places.loops, -1.0), (places.awaited, 1.0)), 1.0, 1.0),
        (places.penalty, -0.5, -1.0),
    ],
    ids=["inverted", "inverted, split", "a negative weight", "a penalty"],
)
def test_being_slow_never_pays_better_than_being_wrong(part, honest, hostile) -> None:
    scores = dict(zip(TEXTS, (s for s, _ in verdicts(part)), strict=True))
    assert scores["a"] == honest
    assert scores[places.HOSTILE] == hostile


def test_a_rubrics_penalty_that_ran_out_of_time_takes_off_most() -> None:
    rubric = Rubric({"right": places.quick, "slow": (places.loops, -1.0)})
    rewards = score(rubric, [("a", P), (places.HOSTILE, P)], workers=2, deadline_s=DEADLINE_S)
    assert [r.total for r in rewards] == [0.0, 0.0]


async def in_a_thread(completion: Completion, problem: Problem) -> float:
    return await asyncio.to_thread(places.loops, completion, problem)


async def in_a_task(completion: Completion, problem: Problem) -> float:
    async def work() -> float:
        return places.loops(completion, problem)

    (value,) = await asyncio.gather(work())
    return value


async def leaves(completion: Completion, problem: Problem) -> float:
    if places.HOSTILE in completion.text:
        sys.exit(3)
    return 1.0


async def will_not_be_cancelled(completion: Completion, problem: Problem) -> float:
    while places.HOSTILE in completion.text:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            continue
    return 1.0


@pytest.mark.parametrize(
    ("part", "expected", "reason"),
    [
        (in_a_thread, 0.0, "timeout"),
        (in_a_task, 0.0, "timeout"),
        (leaves, None, "error"),
        (will_not_be_cancelled, None, "unavailable"),
        (gate(places.awaited, places.awaited_blocking), 0.0, "timeout"),
    ],
    ids=["a thread", "a task", "an exit", "no cancelling", "a gate"],
)
def test_what_is_awaited_pays_for_itself_alone_whatever_it_starts(part, expected, reason) -> None:
    assert verdicts(part) == only_the_hostile(expected, reason)


def test_several_that_block_the_loop_are_each_decided_and_none_spins_on() -> None:
    texts = (*(f"{places.HOSTILE} {i}" for i in range(4)), "a", "b")
    assert verdicts(places.awaited_blocking, texts) == only_the_hostile(0.0, "timeout", texts)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        before = time.process_time()
        time.sleep(0.2)
        if time.process_time() - before < 0.1:
            return
    pytest.fail(f"something spins: {[t.name for t in threading.enumerate()]}")


async def half_a_second(completion: Completion, problem: Problem) -> float:
    await asyncio.sleep(0.5)
    return 1.0


def test_one_clients_blocked_loop_is_nobody_elses() -> None:
    patient = Engine(Rubric({"slow": half_a_second}), deadline_s=20.0)
    future = patient.submit([Item(Completion(text="a"), P)])
    plain: list[float | None] = []
    other = threading.Thread(
        target=lambda: plain.append(Rubric({"slow": half_a_second})("a", P).total), daemon=True
    )
    other.start()
    assert verdicts(places.awaited_blocking) == only_the_hostile(0.0, "timeout")
    assert [r.total for r in future.result(20)] == [1.0]
    other.join(20)
    assert plain == [1.0]


class Batch:
    """Scores batches, and raises what no batch should."""

    bounds_itself = True

    def __init__(self, error: type[BaseException], *, where: str) -> None:
        self.error, self.where = error, where

    def prepare(self) -> None:
        if self.where == "prepare":
            raise self.error("in prepare")

    def __call__(self, completion: Completion, problem: Problem) -> float:
        return 1.0

    def verify_batch(self, items: list[Item]) -> list[float]:
        if self.where == "batch":
            raise self.error("in the batch")
        return [1.0] * len(items)


@pytest.mark.parametrize("where", ["prepare", "batch"])
@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError, KeyError])
def test_whatever_a_batch_verifier_raises_is_said_and_nobody_waits(error, where) -> None:
    assert verdicts(Batch(error, where=where)) == [(None, "error")] * len(TEXTS)


class Odd:
    """A combinator whose steps return no verdicts."""

    def __init__(self, *children: object, returns: object) -> None:
        self.children, self.returns = children, returns

    def __call__(self, completion: Completion, problem: Problem) -> float:
        return 1.0

    def steps(self, items):
        yield from ()
        if isinstance(self.returns, Exception):
            raise self.returns
        return self.returns


@pytest.mark.parametrize(
    "children", [(places.quick,), (places.quick, places.awaited)], ids=["worker", "split"]
)
@pytest.mark.parametrize(
    "returns", [[None], ["x"], [], ValueError("odd")], ids=["none", "text", "few", "raises"]
)
def test_a_combinator_that_gives_no_verdicts_abstains_and_says_so(children, returns) -> None:
    (reward,) = score(
        Rubric({"odd": Odd(*children, returns=returns)}), [("a", P)], workers=1, deadline_s=DEADLINE_S
    )
    assert reward.total is None
    if returns != [None]:
        assert reward.parts["odd"].reason is Reason.ERROR


def test_a_call_that_nobody_waits_for_does_not_hold_the_only_worker() -> None:
    engine = Engine(Rubric({"loops": places.loops}), deadline_s=30.0)
    engine.score_items([Item(Completion(text="a"), P)])
    dropped = engine.submit([Item(Completion(text=places.HOSTILE), P)])
    time.sleep(0.3)
    assert dropped.cancel()
    start = time.monotonic()
    assert [r.total for r in engine.score_items([Item(Completion(text="b"), P)])] == [1.0]
    assert time.monotonic() - start < 10
    engine.close()


def test_a_process_ends_though_what_it_awaited_never_does(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "import asyncio, places\n"
        "from referee.verifiers import Problem, Rubric, score\n"
        "async def part(completion, problem):\n"
        "    return await asyncio.to_thread(places.keeps_nothing, completion, problem)\n"
        "print([r.total for r in score(Rubric({'p': part}), [('a', Problem()), ('hostile', Problem())], deadline_s=0.3)])\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=40)
    assert done.stdout.strip() == "[1.0, None]", done.stderr


def test_a_deadline_that_never_ends_is_refused() -> None:
    with pytest.raises(ValueError, match="deadline_s must be above 0 and finite, got inf"):
        score(Rubric({"quick": places.quick}), [("a", P)], deadline_s=float("inf"))
