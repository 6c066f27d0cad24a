"""PrimeIntellect verifiers' classic API: its Rubric scores rollouts and groups of them."""

from __future__ import annotations

import asyncio
import importlib

import pytest
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, filled

from referee.trainers import from_verifiers, to_verifiers_classic
from referee.verifiers.records import Completion, Problem
from referee.verifiers.rubric import Rubric

try:
    vf = importlib.import_module("verifiers.legacy")
except ImportError:
    vf = importlib.import_module("verifiers")

types = importlib.import_module(vf.__name__ + ".types")
CASES, EXPECTED = cases(), expected()


def state(prompt, completion, answer):
    row = {"prompt": [types.UserMessage(content=prompt)], "answer": answer, "info": {"a": 1}, "example_id": 0}
    s = types.State(input=types.RolloutInput(**row, task="default"))
    s["prompt"], s["answer"], s["info"] = row["prompt"], answer, row["info"]
    s["completion"] = [types.AssistantMessage(content=completion)]
    s["is_truncated"] = False
    s["timing"] = types.RolloutTiming() if hasattr(types, "RolloutTiming") else {}
    s["trajectory"] = []
    return s


def states():
    return [state(c.prompt, c.completion, c.answer) for c in CASES]


def test_a_rollout_gets_every_score_bit_for_bit_with_its_parts_as_metrics():
    rubric = to_verifiers_classic(RUBRIC, on_abstention=-7.0)
    assert isinstance(rubric, vf.Rubric)
    some = states()

    async def all_of_them():
        for s in some:
            await rubric.score_rollout(s)

    asyncio.run(all_of_them())
    held = [s["metrics"]["referee"] for s in some]
    assert bits(held) == bits(filled(EXPECTED, -7.0))
    assert [s["metrics"]["referee/abstained"] == 1.0 for s in some] == [e.abstains for e in EXPECTED]
    for s, reward in zip(some, EXPECTED, strict=True):
        score = reward.parts["digest"].score
        held = s["metrics"]["referee/part/digest"]
        assert held == (-7.0 if score is None else score)


def test_parts_that_abstain_do_not_poison_the_reward():
    rubric = to_verifiers_classic(RUBRIC, on_abstention=-7.0)
    some = states()

    async def all_of_them():
        for s in some:
            await rubric.score_rollout(s)

    asyncio.run(all_of_them())
    assert bits(s["reward"] for s in some) == bits(filled(EXPECTED, -7.0))


def test_a_group_verifier_becomes_a_group_function():
    rubric = to_verifiers_classic(GROUP_RUBRIC, on_abstention=0.0)
    assert rubric.has_group_rewards if hasattr(rubric, "has_group_rewards") else True
    some = [state("a", t, "4") for t in ("4", "4", "5", "6")]
    asyncio.run(rubric.score_group(some))
    assert [s["reward"] for s in some] == [1.25, 1.25, 0.375, 0.375]


def test_what_raises_would_be_a_silent_zero_there_so_it_is_refused():
    with pytest.raises(ValueError, match="on_abstention must be a number for classic verifiers"):
        to_verifiers_classic(RUBRIC, on_abstention="raise")

    def broken(completion):
        raise OSError("down")

    s = state("a", "b", "c")
    asyncio.run(vf.Rubric(funcs=[broken]).score_rollout(s))
    assert s["reward"] == 0.0  # what the library makes of it
    ours = Rubric({"broken": from_verifiers(broken)})
    assert ours(Completion(text="b"), Problem(answer="c")).total is None


def test_a_rubric_of_the_librarys_own_becomes_a_verifier():
    def right(parser, completion, answer):
        return 1.0 if parser.parse_answer(completion) == answer else 0.0

    async def short(completion):
        return 1.0 / len(completion[-1]["content"])

    theirs = vf.Rubric(funcs=[right, short], weights=[1.0, 0.5])
    rubric = Rubric({"theirs": from_verifiers(theirs)})
    reward = rubric(Completion(text="4444"), Problem(prompt="p", answer="4444"))
    assert reward.total == 1.125
    assert reward.parts["theirs"].detail == {"right": 1.0, "short": 0.25}
