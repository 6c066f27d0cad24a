"""Reward functions that people already have, as verifiers of ours."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from referee.trainers import from_trl, from_verifiers, from_verl, to_trl
from referee.verifiers.combine import all_of
from referee.verifiers.exact import Exact
from referee.verifiers.records import Completion, Problem, Reason
from referee.verifiers.rubric import Rubric

FOUR = Problem(prompt="2+2", answer="4", info={"level": 2})


def trl_right(completions, answer, **kwargs):
    return [1.0 if c == a else None if c == "?" else 0.0 for c, a in zip(completions, answer, strict=True)]


def trl_columns(prompts, completions, completion_ids, solution, level, **kwargs):
    assert (prompts, completion_ids, solution) == (["2+2"], [[]], ["4"])
    return [level[0] * 0.25]


async def trl_awaited(completions, **kwargs):
    await asyncio.sleep(0)
    return [len(c[0]["content"]) / 10 for c in completions]


def trl_short(completions, **kwargs):
    return []


def trl_broken(completions, **kwargs):
    raise OSError("the judge is down")


def test_a_trl_function_scores_and_its_none_is_an_abstention():
    rubric = Rubric({"theirs": from_trl(trl_right)})
    rewards = rubric.score_group(["4", "5", "?"], FOUR)
    assert [r.total for r in rewards] == [1.0, 0.0, None]
    assert rewards[2].parts["theirs"].reason is Reason.UNAVAILABLE
    assert from_trl(trl_right).name == "trl_right"


def test_a_trl_function_gets_prompts_ids_and_columns_by_their_names():
    assert from_trl(trl_columns, answer="solution")(Completion(text="4"), FOUR).score == 0.5


def test_an_async_trl_function_is_awaited_also_from_an_event_loop_and_gets_chat_messages():
    rubric = Rubric({"theirs": from_trl(trl_awaited, chat=True)})
    assert rubric("four", FOUR).total == 0.4

    async def inside():
        return rubric("four", FOUR).total

    assert asyncio.run(inside()) == 0.4


@pytest.mark.parametrize("function", [trl_short, trl_broken])
def test_a_trl_function_that_fails_abstains_and_says_why(function):
    verdict = Rubric({"theirs": from_trl(function)})("4", FOUR).parts["theirs"]
    assert verdict.score is None
    assert verdict.detail["error"] in ("trl_short must return 1 rewards, got 0", "OSError: the judge is down")


def test_what_goes_round_comes_back_the_same():
    there = to_trl(Rubric({"exact": Exact()}))
    back = from_trl(there)
    assert [back(Completion(text=t), FOUR).score for t in ("4", "5")] == [1.0, 0.0]


def test_theirs_combines_with_ours_once_its_range_is_stated():
    with pytest.raises(ValueError, match="must score within 0 to 1"):
        all_of(Exact(), from_trl(trl_right))
    both = all_of(Exact(), from_trl(trl_right, range=(0.0, 1.0)))
    assert Rubric({"both": both})("4", FOUR).total == 1.0
    assert pickle.loads(pickle.dumps(both)) == both


def verl_dict(data_source, solution_str, ground_truth, extra_info):
    return {
        "score": float(solution_str == ground_truth),
        "acc": 1,
        "source": data_source,
        "level": extra_info["level"],
    }


def test_a_verl_function_keeps_what_it_says_beside_the_score():
    verdict = from_verl(verl_dict, data_source="sums")(Completion(text="4"), FOUR)
    assert verdict.score == 1.0
    assert verdict.detail == {"acc": 1, "source": "sums", "level": 2}


def test_a_verl_function_may_return_a_number_be_async_or_lack_a_score():
    async def awaited(data_source, solution_str, ground_truth, extra_info):
        return 0.25

    def empty(data_source, solution_str, ground_truth, extra_info):
        return {"acc": 1.0}

    assert from_verl(awaited)(Completion(text="4"), FOUR).score == 0.25
    assert (
        "must return a score, got the keys acc"
        in from_verl(empty)(Completion(text="4"), FOUR).detail["error"]
    )


def test_a_classic_verifiers_function_gets_what_it_names():
    def named(completion, answer, level, state):
        assert completion == [{"content": "4", "role": "assistant"}]
        return level * 0.25 if state["answer"] == answer else 0.0

    def everything(prompt, **kwargs):
        return float(set(kwargs) >= {"completion", "answer", "info", "parser", "level"})

    assert from_verifiers(named)(Completion(text="4"), FOUR).score == 0.5
    assert from_verifiers(everything)(Completion(text="4"), FOUR).score == 1.0


def test_a_classic_group_function_is_refused():
    def together(completions, states):
        return [1.0]

    with pytest.raises(ValueError, match="must score one rollout, got together with completions, states"):
        from_verifiers(together)


def test_a_range_must_be_one():
    with pytest.raises(ValueError, match=r"range must be \(least, greatest\)"):
        from_trl(trl_right, range=(1.0, 0.0))
