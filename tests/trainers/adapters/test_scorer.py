"""Scoring for a long-lived client: no verifier can hold it, and no failure passes for a wrong answer."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
from endless import ENDLESS, SLEEPY, SLOW, score_in_a_daemon

from referee.trainers import Scorer, to_trl, to_verl
from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion, Problem, Reason, Verdict
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring import Engine

P = Problem(prompt="p", answer="4")


def pairs(*texts):
    return [(Completion(text=t), P) for t in texts]


@pytest.fixture(scope="module")
def scorer():
    made = Scorer(rubric=ENDLESS, deadline_s=0.5)
    yield made
    made.close()


def test_a_completion_that_hangs_its_verifier_scores_zero_and_its_neighbours_their_own(scorer):
    rewards = scorer.score(pairs("a", "hang", "b"))
    assert [r.total for r in rewards] == [1.0, 0.0, 1.0]
    assert rewards[1].parts["endless"].reason is Reason.TIMEOUT


def test_a_verifier_that_ends_its_process_abstains(scorer):
    rewards = scorer.score(pairs("die", "a"))
    assert [r.total for r in rewards] == [None, 1.0]
    assert "ended with code 3" in rewards[0].parts["endless"].detail["error"]


def test_many_threads_and_event_loops_share_the_workers(scorer):
    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(scorer.score, pairs("a", "b")) for _ in range(40)]
        assert all([r.total for r in f.result()] == [1.0, 1.0] for f in futures)

    async def many():
        return await asyncio.gather(*(scorer.ascore(pairs("a")) for _ in range(40)))

    assert all(r.total == 1.0 for (r,) in asyncio.run(many()))


def items(*texts):
    return [Item(Completion(text=t), P, i) for i, t in enumerate(texts)]


def totals(future):
    return [r.total for r in future.result(60)]


def test_calls_take_turns_and_each_gets_its_own_rewards_in_order():
    engine, done = Engine(SLOW, deadline_s=30.0), []
    futures = {
        "long": engine.submit(items(*("a" * (i % 10) for i in range(60)))),
        "short": engine.submit(items("aaa")),
    }
    for name, future in futures.items():
        future.add_done_callback(lambda _, name=name: done.append(name))
    assert totals(futures["short"]) == [0.3]
    assert totals(futures["long"]) == [(i % 10) / 10 for i in range(60)]
    engine.close()
    assert done == ["short", "long"]


def test_what_nobody_waits_for_any_more_is_not_scored():
    start = time.monotonic()
    engine = Engine(SLOW, deadline_s=30.0)
    dropped, kept = engine.submit(items(*["a"] * 20_000)), engine.submit(items("aa"))
    assert dropped.cancel()
    assert engine.submit([]).result(60) == []
    assert totals(kept) == [0.2]
    with pytest.raises(CancelledError):
        dropped.result(60)
    engine.close()
    assert time.monotonic() - start < 60  # the dropped ones alone would take 400 s


def test_a_closed_scorer_starts_anew(scorer):
    assert scorer.score(pairs("a"))[0].total == 1.0
    scorer.close()
    assert scorer.score(pairs("a"))[0].total == 1.0


def test_an_awaited_part_past_its_deadline_abstains():
    scorer = Scorer(rubric=SLEEPY, deadline_s=0.2)
    for rewards in (scorer.score(pairs("sleep", "a")), asyncio.run(scorer.ascore(pairs("sleep", "a")))):
        assert [r.total for r in rewards] == [None, 1.0]
        assert rewards[0].parts["sleepy"].reason is Reason.UNAVAILABLE


def test_what_could_not_be_read_abstains_in_its_place():
    unread = Verdict(score=None, reason=Reason.BAD_REFERENCE)
    mixed = [pairs("a")[0], (Completion(text="b"), unread), pairs("c")[0]]
    assert [r.total for r in Scorer(rubric=ENDLESS).score(mixed)] == [1.0, None, 1.0]


def test_trl_and_verl_take_deadlines():
    reward = to_trl(ENDLESS, deadline_s=0.5)
    assert reward(["p"] * 2, ["hang", "a"]) == [0.0, 1.0]
    reward.scorer.close()
    score = to_verl(ENDLESS, on_abstention="raise", deadline_s=0.5)
    assert score("s", "hang", "4", {})["score"] == 0.0
    score.scorer.close()


def test_what_cannot_be_used_is_refused_at_construction():
    with pytest.raises(TypeError, match="rubric must be a Rubric, got function: wrap a verifier as Rubric"):
        Scorer(rubric=lambda completion, problem: 1.0)
    with pytest.raises(TypeError, match="rubric must be picklable"):
        Scorer(rubric=Rubric({"x": lambda completion, problem: 1.0}), deadline_s=1.0)
    with pytest.raises(ValueError, match="deadline_s must be above 0 or None, got 0"):
        Scorer(rubric=ENDLESS, deadline_s=0)
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        Scorer(rubric=ENDLESS, workers=0)


def test_worker_processes_start_also_where_the_trainer_scores_in_a_daemon_process():
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=score_in_a_daemon, args=(there,), daemon=True)
    process.start()
    there.close()
    assert here.poll(60)
    assert here.recv() == ([1.0, 0.0, 1.0], True)
    process.join(60)
    assert process.exitcode == 0
