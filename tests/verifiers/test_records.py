"""Records survive pickle and JSON lines without loss, and say clearly what is wrong with bad input."""

from __future__ import annotations

import pickle
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referee.envs.records import Group, Rollout, Stop, Turn
from referee.verifiers.jsonl import dumps, from_dict, key, loads
from referee.verifiers.records import (
    Completion,
    FinishReason,
    Message,
    Problem,
    Reason,
    Reward,
    ToolCall,
    Verdict,
)

texts = st.text(st.characters(exclude_categories=()), max_size=12)  # lone surrogates too
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | finite | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, json_values, max_size=3)
calls = st.builds(ToolCall, name=texts, arguments=objects, id=texts)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=texts,
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    name=texts,
)
problems = st.builds(
    Problem,
    prompt=texts | st.lists(messages, max_size=2).map(tuple),
    answer=json_values,
    id=texts,
    info=objects,
)
tokens = st.none() | st.lists(st.tuples(st.integers(0, 2**31), finite), max_size=4)
completions = st.builds(
    lambda text, messages, drawn, finish: Completion(
        text=text,
        messages=messages,
        token_ids=None if drawn is None else tuple(t for t, _ in drawn),
        logprobs=None if drawn is None else tuple(p for _, p in drawn),
        finish_reason=finish,
    ),
    texts,
    st.lists(messages, max_size=2).map(tuple),
    tokens,
    st.none() | st.sampled_from(FinishReason),
)
decisions = st.sampled_from([r for r in Reason if not r.abstains])
abstentions = st.sampled_from([r for r in Reason if r.abstains])
verdicts = st.builds(Verdict, score=finite, reason=decisions, answer=json_values, detail=objects) | st.builds(
    Verdict, score=st.none(), reason=abstentions, answer=json_values, detail=objects
)
rewards = st.builds(
    Reward,
    total=st.none() | finite,
    parts=st.dictionaries(texts, verdicts, max_size=2),
    truncated=st.booleans(),
)
turns = st.builds(
    Turn,
    completion=completions,
    observation=st.lists(messages, max_size=1).map(tuple),
    reward=st.none() | finite,
)
rollouts = st.builds(
    Rollout,
    problem=problems,
    turns=st.lists(turns, max_size=2).map(tuple),
    stop=st.sampled_from(Stop),
    reward=st.none() | rewards,
    policy_step=st.integers(0, 10**9),
    info=objects,
)
groups = st.builds(
    lambda problem, each: Group(
        problem=problem, rollouts=tuple(Rollout(problem=problem, turns=t) for t in each)
    ),
    problems,
    st.lists(st.lists(turns, max_size=1).map(tuple), max_size=2),
)
RECORDS = {
    "ToolCall": calls,
    "Message": messages,
    "Problem": problems,
    "Completion": completions,
    "Verdict": verdicts,
    "Reward": rewards,
    "Turn": turns,
    "Rollout": rollouts,
    "Group": groups,
}


@pytest.mark.parametrize("name", RECORDS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_record_survives_json_lines_and_pickle(name: str, data: st.DataObject) -> None:
    record = data.draw(RECORDS[name])
    line = dumps(record)
    assert "\n" not in line
    back = loads(type(record), line.encode())
    assert back == record
    assert repr(back) == repr(record)  # 1 and 1.0, True and 1 stay apart
    assert dumps(back) == line
    assert pickle.loads(pickle.dumps(record)) == record
    assert key(back) == key(record)


def test_a_record_is_frozen() -> None:
    for record in (Problem(), Completion(), Verdict(score=1.0), Reward(total=1.0), ToolCall(name="f")):
        with pytest.raises(AttributeError):
            setattr(record, fields(record)[0].name, None)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Problem(prompt=5), TypeError, "prompt must be a text or messages, got int"),
        (lambda: Problem(answer=float("nan")), ValueError, "answer must hold finite numbers, got nan"),
        (lambda: Problem(answer={1, 2}), TypeError, "answer must be JSON data, got set"),
        (lambda: Problem(info=[1]), TypeError, "info must be a JSON object, got list"),
        (lambda: Problem(info={1: 2}), TypeError, "info must have text keys, got 1"),
        (lambda: Completion(text=None), TypeError, "text must be a text, got NoneType"),
        (lambda: Completion(finish_reason="bored"), ValueError, "finish_reason must be one of stop, length"),
        (lambda: Completion(token_ids=(1, 2), logprobs=(0.0,)), ValueError, "logprobs must have one value"),
        (lambda: Verdict(score=float("inf")), ValueError, "score must be a finite number or None"),
        (lambda: Verdict(score="1"), TypeError, "score must be a number, got str"),
        (lambda: Verdict(score=None, reason="correct"), ValueError, "score must be None exactly where"),
        (lambda: Verdict(score=1.0, reason="error"), ValueError, "score must be None exactly where"),
        (lambda: Verdict(score=1.0, reason="fine"), ValueError, "reason must be one of correct"),
        (lambda: Reward(total=1.0, parts={"a": 1.0}), TypeError, r"parts\['a'\] must be a Verdict"),
        (lambda: from_dict(Problem, {"promt": ""}), ValueError, "Problem has no field 'promt'"),
        (lambda: from_dict(Verdict, {}), ValueError, "Verdict needs the field 'score'"),
        (lambda: from_dict(Problem, []), ValueError, "Problem must be a JSON object, got list"),
    ],
)
def test_bad_input_gets_one_clear_message(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_nesting_without_end_is_refused() -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(ValueError, match="answer must be nested at most 100 deep"):
        Problem(answer=deep)


@pytest.mark.parametrize(
    ("score", "reason"),
    [(1, "correct"), (0, "incorrect"), (0.5, "partial"), (2.5, "scored"), (None, "unavailable")],
)
def test_a_reason_is_derived_where_none_is_given(score: float | None, reason: str) -> None:
    assert Verdict(score=score).reason == reason


def test_tool_arguments_that_are_no_object_are_kept_as_malformed() -> None:
    call = ToolCall(name="f", arguments="{broken")  # type: ignore[arg-type]
    assert (call.arguments, call.malformed) == ({}, "{broken")
    assert ToolCall(name="f", arguments='{"x": 1}').arguments == {"x": 1}  # type: ignore[arg-type]


def test_the_last_assistant_message_is_what_is_judged() -> None:
    chat = [{"role": "assistant", "content": "a"}, {"role": "tool", "content": "t"}]
    assert Completion(messages=chat).text == "a"  # type: ignore[arg-type]
