"""What comes in at an adapter's door: calls as models write them, cells that cannot be read, siblings that are missing."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
from conformance import GROUP_RUBRIC
from hypothesis import given, settings
from hypothesis import strategies as st

from referee.trainers import to_evaluate, to_ray_data, to_trl, to_verl
from referee.trainers.adapters.abstention import why
from referee.trainers.adapters.outside_rows import problem_from, problem_of
from referee.verifiers import Exact, Math, Problem, Rubric, Verdict, verifier
from referee.verifiers.records import Reason
from referee.verifiers.scoring import Columns, read_rows

EXACT = Rubric({"e": Exact()})

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def calling(arguments: object) -> list[dict[str, object]]:
    function = {"name": "multiply", "arguments": arguments}
    call = {"type": "function", "function": function}
    return [{"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "name": "multiply", "content": "error"},
            {"role": "assistant", "content": "4"}]  # fmt: skip


@pytest.mark.parametrize("arguments", [[1], 5, True, math.nan, "[", {"x": math.nan}, {"x": [[[]]]}])
def test_a_malformed_call_costs_no_training_run_and_the_text_is_judged(arguments):
    chat = [{"role": "assistant", "content": "4"}]
    assert to_trl(EXACT)(["q", "q"], [calling(arguments), chat], answer=["4", "4"]) == [1.0, 1.0]


@settings(deadline=None)
@given(anything, anything, anything, anything, anything)
def test_trl_gets_a_reward_whatever_a_model_wrote(role, content, calls, name, arguments):
    asked = [{"function": {"name": name, "arguments": arguments}}]
    chats = [
        [{"role": role, "content": content, "tool_calls": calls}],
        [{"role": "assistant", "content": content, "tool_calls": asked, "name": name}],
        [{"role": "assistant", "content": "4"}],
    ]
    rewards = to_trl(EXACT)(["q"] * 3, chats, answer=["4"] * 3)
    assert rewards[2] == 1.0
    assert all(r in (0.0, 1.0) for r in rewards)  # no text buys itself an abstention


def test_info_that_is_a_json_text_is_read_and_one_that_is_none_is_that_rows_abstention():
    @verifier(name="language")
    def language(completion, problem):
        return problem.info.get("language", "none") == completion.text

    rewards = to_trl(Rubric({"l": language}))(
        ["q"] * 4,
        ["python", "none", "none", "none"],
        info=['{"language": "python"}', {"language": None}, None, "[1]"],
    )
    assert rewards == [1.0, 1.0, 1.0, None]
    said = problem_from("q", "4", "[1]")
    assert isinstance(said, Verdict)
    assert said.reason is Reason.BAD_REFERENCE


def test_a_group_that_is_smaller_than_stated_raises_for_its_siblings_are_elsewhere(monkeypatch):
    function = to_trl(GROUP_RUBRIC, group_size=2)
    assert function(["a", "b", "a", "b"], ["4", "4", "5", "4"], answer=["4"] * 4) == [1.25, 1.0, 0.25, 1.0]
    with pytest.raises(
        ValueError, match="group_size must be the number of siblings in a call, got 2 and a group of 1"
    ):
        function(["a", "b", "a"], ["4", "4", "5"], answer=["4"] * 3)
    with pytest.raises(ValueError, match="group_size must be at least 1"):
        to_trl(GROUP_RUBRIC, group_size=0)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="group_size must be given to to_trl"):
        to_trl(GROUP_RUBRIC)(["a", "a"], ["4", "5"], answer=["4"] * 2)
    assert to_trl(EXACT)(["a"], ["4"], answer=["4"]) == [1.0]
    assert function(["a", "a"], ["4", "5"], answer=["4"] * 2) == [1.25, 0.25]


def test_sides_that_split_siblings_refuse_a_group_verifier_in_one_sentence():
    with pytest.raises(ValueError, match="one by one for Ray Data, whose batches may hold a part of a group"):
        to_ray_data(GROUP_RUBRIC)
    pytest.importorskip("evaluate")
    with pytest.raises(ValueError, match="prompts must be True for a rubric with a part that judges"):
        to_evaluate(GROUP_RUBRIC)


def test_an_abstention_is_logged_with_its_why_and_the_column_that_is_missing(caplog):
    with caplog.at_level(logging.WARNING, logger="referee.trainers.adapters"):
        assert to_trl(Rubric({"right": Math()}))(["q", "q"], ["4", "5"], solution=["4", "5"]) == [None, None]
    said = caplog.text
    assert "right: bad_reference (the reference must be a text or a number, got NoneType)" in said
    assert "the rows have no column 'answer'" in said
    assert "they have solution" in said


def test_a_part_that_abstains_has_a_number_and_a_flag_in_verls_logs():
    @verifier(name="down")
    def down(completion, problem):
        return None

    sample = to_verl(Rubric({"e": Exact(), "d": (down, 0.0)}), on_abstention="raise")("d", "4", "4", {})
    assert (sample["part/e"], sample["part/e/abstained"]) == (1.0, 0.0)
    assert (sample["part/d"], sample["part/d/abstained"]) == (0.0, 1.0)
    assert not any(isinstance(v, float) and math.isnan(v) for v in sample.values())


def test_why_reads_what_a_verdict_says_in_any_of_its_words():
    for key in ("error", "problem", "fault", "why"):
        verdict = Verdict(score=None, reason=Reason.UNAVAILABLE, detail={key: "the sky fell"})
        assert (
            why(Rubric({"a": lambda c, p, v=verdict: v})("x", Problem())) == "a: unavailable (the sky fell)"
        )


@pytest.mark.parametrize(
    ("extra", "score"),
    [
        ('{"language": "4"}', 1.0),
        ({"language": "4"}, 1.0),
        (None, 0.0),
        ("", 0.0),
        (math.nan, 0.0),
        ("[1]", None),
        ("{", None),
        (3, None),
        ([1], None),
    ],
)
def test_an_extra_info_of_verls_that_is_no_object_is_that_samples(extra, score):
    @verifier(name="language")
    def language(completion, problem):
        return problem.info.get("language", "none") == completion.text

    said = to_verl(Rubric({"l": language}), on_abstention=-1.0)("math", "4", "4", extra)
    assert said["score"] == (-1.0 if score is None else score)
    assert said["abstained"] == (score is None)


@pytest.mark.parametrize("nothing", [None, math.nan, np.float64("nan"), np.float32("nan")])
def test_an_answer_that_a_table_lacks_is_absent_at_every_door(nothing):
    assert problem_from("q", nothing) == Problem(prompt="q")
    for columns in (Columns(), Columns(answer="gold")):
        row = {"prompt": "q", "completion": "4", columns.answer: nothing}
        assert problem_of(row, columns) == Problem(prompt="q")
        (read,) = read_rows([row], columns)
        assert read.problem == Problem(prompt="q")


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"completions": ["4"]}, "completions"),
        ({"completion_ids": [[1]]}, "completion_ids"),
        ({"answer": ["4", "4", "4"]}, "answer"),
        ({"info": [{}]}, "info"),
    ],
)
def test_a_column_that_is_not_as_long_as_trls_prompts_is_named(columns, named):
    given = {"prompts": ["q", "q"], "completions": ["4", "4"], "answer": ["4", "4"], **columns}
    with pytest.raises(ValueError, match=f"^{named} must be as long as prompts, which are 2, got "):
        to_trl(EXACT)(**given)
