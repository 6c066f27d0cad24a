"""PrimeIntellect verifiers 0.4: a task's own scoring, with the reward plugged in by its configuration."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
import verifiers.v1 as vf
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, totals
from verifiers.v1.errors import TaskError
from verifiers.v1.trace import AgentInfo, Trace, TraceTask

from referee.trainers import to_verifiers

# v1 hands over the last reply stripped of white space, so that is what is judged.
CASES = [dataclasses.replace(c, completion=c.completion.strip()) for c in cases()]
EXPECTED = expected(some=CASES)


class Data(vf.TaskData):
    answer: str = ""


class Sums(vf.Task[Data]):
    pass


def task(case):
    config = Sums.config_type()(rewards={"referee": {"fn": "prime_rewards:reward", "weight": 1.0}})
    return Sums(Data(prompt=case.prompt, answer=case.answer, id=case.id), config)


def trace(case, t):
    return Trace(
        task=TraceTask(type="Sums", data=t.data),
        agent=AgentInfo.model_construct(),
        root_reply=case.completion,
    )


async def scored(case, abstains):
    t = task(case)
    result = trace(case, t)
    if abstains:
        with pytest.raises(TaskError) as error:
            await t.score(result)
        assert "the rubric abstained" in f"{error.value} {error.value.__cause__}"
    else:
        await t.score(result)
    return result


def test_a_task_gets_every_score_bit_for_bit_and_none_where_the_rubric_abstains():
    async def all_of_them():
        return [await scored(c, e.abstains) for c, e in zip(CASES, EXPECTED, strict=True)]

    traces = asyncio.run(all_of_them())
    held = [None if t.rewards["referee"] is None else t.rewards["referee"].score for t in traces]
    assert bits(held) == bits(totals(EXPECTED))
    metrics = traces[next(i for i, e in enumerate(EXPECTED) if not e.abstains)].metrics
    assert {"referee/part/exact", "referee/part/digest", "referee/abstained"} <= set(metrics)


def test_a_field_that_is_not_there_is_named():
    reward = to_verifiers(RUBRIC, answer="solution")
    t = task(CASES[0])
    with pytest.raises(ValueError, match="must have the field 'solution'"):
        asyncio.run(reward(t.data, trace(CASES[0], t)))


def test_a_group_verifier_is_refused_at_construction():
    with pytest.raises(ValueError, match="one completion a call"):
        to_verifiers(GROUP_RUBRIC)
