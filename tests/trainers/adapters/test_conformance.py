"""The conformance cases are what they claim to be, and every adapter that needs no other library keeps them.

The sides that do need one are tested in tests/adapters_real, against the same cases.
"""

from __future__ import annotations

import asyncio
import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import conformance
import pytest
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, filled, totals
from hypothesis import given
from hypothesis import strategies as st

from referee.trainers import to_openrlhf, to_trl, to_verl
from referee.trainers.adapters.abstention import Abstained, verdicts, why
from referee.verifiers.records import Reason, Reward, Verdict

CASES = cases()
EXPECTED = expected()


def columns(some=CASES):
    return {
        "prompts": [c.prompt for c in some],
        "completions": [c.completion for c in some],
        "completion_ids": [[1]] * len(some),
        "answer": [c.answer for c in some],
        "id": [c.id for c in some],
    }


def verl(function, case):
    return function(
        data_source="sums",
        solution_str=case.completion,
        ground_truth=case.answer,
        extra_info={"index": case.id},
    )


def openrlhf(function, case):
    return function([case.prompt + case.completion], [case.prompt], [case.answer])


def test_the_cases_hold_abstentions_of_each_kind_and_scores_that_are_not_binary():
    assert len(CASES) == 1000
    reasons = [{str(v.reason) for v in r.parts.values() if v.abstains} for r in EXPECTED if r.total is None]
    assert len(reasons) > 50
    assert set.union(*reasons) == {"bad_reference", "unavailable", "error"}
    scores = {t for t in totals(EXPECTED) if t is not None}
    assert len(scores) > 500
    assert min(scores) < 0.0
    assert max(scores) > 1.0


def test_the_rubric_gives_the_rewards_of_the_file_and_the_file_is_what_its_seed_makes(tmp_path):
    assert bits(row["reward"] for row in conformance.rows()) == bits(totals(EXPECTED))
    conformance.write(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == conformance.FILE.read_bytes()


def test_trl_gets_every_score_bit_for_bit_and_none_for_an_abstention():
    assert bits(to_trl(RUBRIC)(**columns())) == bits(totals(EXPECTED))


def test_trl_gets_the_same_when_it_awaits():
    function = to_trl(RUBRIC, asynchronous=True)
    assert bits(asyncio.run(function(**columns()))) == bits(totals(EXPECTED))


def test_trl_gets_the_same_from_worker_processes():
    function = to_trl(RUBRIC, deadline_s=30.0)
    try:
        assert bits(function(**columns())) == bits(totals(EXPECTED))
    finally:
        function.scorer.close()


def test_trl_gets_the_same_from_chat_messages():
    chat = columns()
    chat["prompts"] = [[{"role": "user", "content": p}] for p in chat["prompts"]]
    chat["completions"] = [[{"role": "assistant", "content": c}] for c in chat["completions"]]
    assert bits(to_trl(RUBRIC)(**chat)) == bits(totals(EXPECTED))


def test_verl_gets_every_score_bit_for_bit_and_the_same_keys_on_every_sample():
    results = [verl(to_verl(RUBRIC, on_abstention=-7.0), c) for c in CASES]
    assert bits(r["score"] for r in results) == bits(filled(EXPECTED, -7.0))
    parts = ("exact", "format", "digest")
    keys = [f"part/{part}{flag}" for part in parts for flag in ("", "/abstained")]
    assert {tuple(r) for r in results} == {("score", *keys, "abstained", "truncated", "reason")}
    for result, reward in zip(results, EXPECTED, strict=True):  # a NaN would make every mean over a part NaN
        for part in parts:
            score = reward.parts[part].score
            assert result[f"part/{part}"] == (-7.0 if score is None else score)
            assert result[f"part/{part}/abstained"] == (score is None)
    assert [r["abstained"] == 1.0 for r in results] == [e.abstains for e in EXPECTED]


def test_verl_gets_the_same_when_it_awaits():
    function = to_verl(RUBRIC, on_abstention=-7.0).acompute_score

    async def all_of_them():
        return await asyncio.gather(*(verl(function, c) for c in CASES))

    assert bits(r["score"] for r in asyncio.run(all_of_them())) == bits(filled(EXPECTED, -7.0))


def test_openrlhf_gets_every_score_bit_for_bit():
    results = [openrlhf(to_openrlhf(RUBRIC, on_abstention=-7.0), c) for c in CASES]
    assert bits(r["rewards"][0] for r in results) == bits(filled(EXPECTED, -7.0))
    digests = [e.parts["digest"].score for e in EXPECTED]
    assert [r["extra_logs"]["part/digest"] for r in results] == [[-7.0 if d is None else d] for d in digests]
    assert [r["extra_logs"]["part/digest/abstained"] for r in results] == [
        [float(d is None)] for d in digests
    ]
    assert [r["extra_logs"]["abstained"] == [1.0] for r in results] == [e.abstains for e in EXPECTED]


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_what_is_told_of_a_verdict_can_always_be_sent(text):
    reward = Reward(
        total=None,
        parts={
            "said": Verdict(score=1.0, answer=text),
            "deep": Verdict(score=1.0, answer=[{text: text}]),
            "error": Verdict(score=None, reason=Reason.ERROR, detail={"error": text}),
        },
    )
    sent = json.dumps([verdicts(reward), why(reward)], ensure_ascii=False).encode()
    told, _ = json.loads(sent)
    assert told["deep"]["answer"] == [{told["said"]["answer"]: told["error"]["error"]}]
    assert len(told["said"]["answer"]) == len(text)
    if text.isprintable():
        assert told["said"]["answer"] == text


SINGLE = {
    "verl": lambda rubric, **o: (to_verl(rubric, **o), verl),
    "openrlhf": lambda rubric, **o: (to_openrlhf(rubric, **o), openrlhf),
}


@pytest.mark.parametrize("side", SINGLE)
def test_an_abstention_raises_where_the_user_says_so_and_carries_why(side):
    function, call = SINGLE[side](RUBRIC, on_abstention="raise")
    case = next(c for c in CASES if c.answer == "unreachable")
    with pytest.raises(
        Abstained, match=r"digest: error \(ConnectionError: the judge cannot be reached\)"
    ) as e:
        call(function, case)
    assert e.value.reward.total is None
    assert pickle.loads(pickle.dumps(e.value)).reward == e.value.reward


@pytest.mark.parametrize("side", SINGLE)
@pytest.mark.parametrize("choice", ["zero", None, float("nan"), True])
def test_what_an_abstention_becomes_must_be_a_number_or_raise(side, choice):
    with pytest.raises(ValueError, match='on_abstention must be "raise" or a finite number, got'):
        SINGLE[side](RUBRIC, on_abstention=choice)


@pytest.mark.parametrize("side", SINGLE)
def test_a_side_that_scores_one_completion_a_call_refuses_a_group_verifier_at_construction(side):
    with pytest.raises(ValueError, match="one completion a call"):
        SINGLE[side](GROUP_RUBRIC, on_abstention=0.0)


def test_trl_lets_a_group_verifier_see_the_completions_of_equal_prompts_wherever_they_stand():
    prompts, texts = ["a", "b", "a", "b"], ["4", "4", "5", "4"]
    assert to_trl(GROUP_RUBRIC)(prompts, texts, answer=["4"] * 4) == [1.25, 1.0, 0.25, 1.0]
    function = to_trl(GROUP_RUBRIC, deadline_s=30.0)
    assert function(prompts, texts, answer=["4"] * 4) == [1.25, 1.0, 0.25, 1.0]
    function.scorer.close()


@pytest.mark.parametrize("deadline_s", [None, 30.0])
def test_every_function_survives_pickling_has_a_name_and_works_off_the_main_thread(deadline_s):
    for function, call in (
        (to_trl(RUBRIC, deadline_s=deadline_s), lambda f, c: f(**columns([c]))[0]),
        (to_verl(RUBRIC, on_abstention=-7.0, deadline_s=deadline_s), lambda f, c: verl(f, c)["score"]),
        (
            to_openrlhf(RUBRIC, on_abstention=-7.0, deadline_s=deadline_s),
            lambda f, c: openrlhf(f, c)["rewards"][0],
        ),
    ):
        assert isinstance(function.__name__, str)
        assert function.__name__
        copy = pickle.loads(pickle.dumps(function))
        assert copy == function
        case, reward = next((c, e) for c, e in zip(CASES, EXPECTED, strict=True) if e.total is not None)
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(call, [copy] * 4, [case] * 4)) == [reward.total] * 4
        copy.scorer.close()
