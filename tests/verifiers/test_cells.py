"""What a model wrote is data: whatever it is, there is a completion. What a columnar store put into info is absent."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referee.envs.tools import Toolbox
from referee.verifiers import Completion, Exact, JsonSchema, Message, Problem, UnitTests
from referee.verifiers.cells import completion_of, jsonable, kept, read_info
from referee.verifiers.jsonl import dumps, loads
from referee.verifiers.records import ToolCall, read_message, read_tool_call
from referee.verifiers.scoring import read_rows

texts = st.text(st.characters(exclude_categories=()), max_size=8)  # lone surrogates too
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
functions = anything | st.fixed_dictionaries({}, optional={"name": anything, "arguments": anything})
calls = anything | st.fixed_dictionaries(
    {},
    optional={
        "id": anything,
        "name": anything,
        "arguments": anything,
        "function": functions,
        "malformed": anything,
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["assistant", "tool"]) | anything,
        "content": anything,
        "tool_calls": st.lists(calls, max_size=3) | anything,
        "tool_call_id": anything,
        "name": anything,
    },
)


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


@settings(deadline=None)
@given(st.lists(messages, max_size=3) | messages | anything)
def test_whatever_a_model_wrote_there_is_a_completion_that_survives_json(value: Any) -> None:
    completion = completion_of(value)
    assert loads(Completion, dumps(completion)) == completion
    assert completion.text == "" or isinstance(value, str | int | float) or completion.messages


@given(st.lists(messages, max_size=3))
def test_a_record_takes_others_messages_whatever_stands_in_them(chat: list[Any]) -> None:
    completion = Completion(messages=tuple(chat))
    assert len(completion.messages) == len(chat)
    Toolbox([]).answer(completion)  # an episode hears of what is malformed
    Exact()(completion, Problem(answer="4"))


@given(st.lists(messages, min_size=1, max_size=3) | st.none() | texts | st.integers() | st.floats())
def test_a_row_of_a_file_with_whatever_a_model_wrote_is_read(value: Any) -> None:
    for row in read_rows([{"completion": value, "answer": "4"}]):
        assert isinstance(row.completion, Completion)


@pytest.mark.parametrize(
    ("call", "name", "arguments", "malformed"),
    [
        ({"name": "f", "arguments": {"x": 1}}, "f", {"x": 1}, ""),
        ({"type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}, "f", {"x": 1}, ""),
        ('{"name": "f", "arguments": {"x": 1}}', "f", {"x": 1}, ""),
        ({"name": "f"}, "f", {}, ""),
        ({"name": "f", "arguments": None}, "f", {}, ""),
        ({"name": "f", "arguments": ""}, "f", {}, ""),
        ({"function": {"name": "f", "arguments": [1]}}, "f", {}, "[1]"),
        ({"name": "f", "arguments": []}, "f", {}, "[]"),
        ({"name": "f", "arguments": 5}, "f", {}, "5"),
        ({"name": "f", "arguments": 0}, "f", {}, "0"),
        ({"name": "f", "arguments": True}, "f", {}, "true"),
        ({"name": "f", "arguments": math.nan}, "f", {}, "NaN"),
        ({"name": "f", "arguments": {"x": math.nan}}, "f", {}, '{"x": NaN}'),
        ({"name": "f", "arguments": '{"x": NaN}'}, "f", {}, '{"x": NaN}'),
        ({"name": "f", "arguments": "{broken"}, "f", {}, "{broken"),
        ({"name": "f", "arguments": "[1]"}, "f", {}, "[1]"),
        ({"name": 3, "arguments": {}}, "", {}, '{"name": 3, "arguments": {}}'),
        ({"arguments": {}}, "", {}, '{"arguments": {}}'),
        ({"function": "f"}, "", {}, '{"function": "f"}'),
        ("f(1)", "", {}, "f(1)"),
        (5, "", {}, "5"),
        (None, "", {}, "null"),
    ],
)  # fmt: skip
def test_a_call_is_read_or_malformed_as_it_was_written(
    call: Any, name: str, arguments: Any, malformed: str
) -> None:
    assert read_tool_call(call) == ToolCall(name=name, arguments=arguments, malformed=malformed)


def test_arguments_nested_beyond_reason_are_a_malformed_call() -> None:
    for levels in (150, 5000):
        call = read_tool_call({"name": "f", "arguments": {"x": deep(levels)}})
        assert (call.name, call.arguments) == ("f", {})
        assert call.malformed


def test_a_programmers_mistake_still_raises() -> None:
    for make in (
        lambda: ToolCall(name=3),  # type: ignore[arg-type]
        lambda: ToolCall(name="f", arguments=[1]),  # type: ignore[arg-type]
        lambda: Message(role="assistant", content=4),  # type: ignore[arg-type]
        lambda: Message(role="assistant", tool_calls=(5,)),  # type: ignore[arg-type]
        lambda: Completion(messages=("4",)),  # type: ignore[arg-type]
        lambda: Completion(messages={"role": "assistant"}),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError):
            make()


def test_a_message_that_is_an_object_or_a_pydantic_model_is_read() -> None:
    class Dumped:
        def model_dump(self) -> dict[str, Any]:
            return {"role": "assistant", "content": [{"type": "text", "text": "4"}]}

    assert completion_of([Dumped()]).text == completion_of(Dumped()).text == "4"
    assert read_message(Dumped()).role == "assistant"


# The first column is what a columnar store gives back, the second what was put in.
@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        (None, {}),
        (math.nan, {}),
        ("", {}),
        ({"language": None, "tests": "t"}, {"tests": "t"}),
        ('{"tests": "t", "language": null}', {"tests": "t"}),
        ({"cases": [{"stdin": "1", "stdout": "2", "weight": None, "expected": None}]}, {"cases": [{"stdin": "1", "stdout": "2"}]}),
        ({"calls": [{"args": [None], "expected": None, "weight": None}]}, {"calls": [{"args": [None], "expected": None}]}),
        ({"calls": [{"args": [{"a": None}], "expected": {"b": None}}]}, {"calls": [{"args": [{"a": None}], "expected": {"b": None}}]}),
        ({"calls": [[[{"a": None}], None]]}, {"calls": [[[{"a": None}], None]]}),
        ({"kwargs": [None, {"n": 1, "m": None}]}, {"kwargs": [None, {"n": 1}]}),
        ({"extra_info": {"split": None, "deep": {"a": None, "b": 0}}}, {"extra_info": {"deep": {"b": 0}}}),
        ({"schema": {"type": "integer", "const": None, "enum": None}}, {"schema": {"type": "integer"}}),
        ({"schema": {"const": None}}, {"schema": {"const": None}}),
        ({"schema": {"type": ["null", "string"], "const": None, "enum": [None]}}, {"schema": {"type": ["null", "string"], "const": None, "enum": [None]}}),
        ({"row": {"x": None}, "data": {"y": None}, "entry": {"metadata": {"z": None}}, "family": None}, {"row": {"x": None}, "data": {"y": None}, "entry": {"metadata": {"z": None}}}),
        ({"zero": 0, "no": False, "blank": "", "none": []}, {"zero": 0, "no": False, "blank": "", "none": []}),
    ],
)  # fmt: skip
def test_what_a_columnar_store_put_into_info_is_absent(stored: Any, meant: dict[str, Any]) -> None:
    assert read_info(stored) == meant
    assert read_info(read_info(stored)) == meant
    if isinstance(stored, dict):
        assert read_info(json.dumps(stored)) == meant


@pytest.mark.parametrize("info", ["[1]", "5", "null", "{", "nonsense", [1], 5, True])
def test_an_info_that_is_no_object_nor_the_text_of_one_is_refused(info: Any) -> None:
    with pytest.raises(ValueError, match="info must hold an object or the JSON text of one, got"):
        read_info(info)


def test_tests_that_went_through_a_data_set_judge_as_those_that_did_not() -> None:
    datasets = pytest.importorskip("datasets")
    rows = [
        {"info": {"cases": [{"stdin": "3", "stdout": "9"}, {"stdin": "2", "stdout": "4", "weight": 2.0}]}},
        {"info": {"cases": [{"stdout": "9\n"}], "language": "python", "match": "exact", "tolerance": 0.1}},
        {"info": {"calls": [{"args": [3], "expected": 9}], "entry_point": "f"}},
        {"info": {"calls": [{"args": [3], "expected": None}], "entry_point": "g"}},
    ]
    code = "def f(x): return x * x\ndef g(x): return None\nif __name__ == '__main__': print(f(int((input() if {} else 3))))"
    texts = [code.replace("{}", "True"), code.replace("{}", "False"), code, code]
    stored = datasets.Dataset.from_list(rows)
    assert stored[0]["info"]["language"] is None
    given_rows = [{**row, "completion": text} for row, text in zip(rows, texts, strict=True)]
    stored_rows = [{**row, "completion": text} for row, text in zip(stored, texts, strict=True)]
    judge = UnitTests()
    for source in (given_rows, stored_rows):
        verdicts = [judge(row.completion, row.problem) for row in read_rows(source)]
        assert [v.score for v in verdicts] == [1.0, 1.0, 1.0, 1.0], verdicts


def test_a_schema_that_went_through_a_data_set_still_judges() -> None:
    datasets = pytest.importorskip("datasets")
    schemas = [{"type": "object", "properties": {"a": {"type": "integer"}}},
               {"type": "object", "properties": {"a": {"const": 5}}, "required": ["a"]}]  # fmt: skip
    stored = datasets.Dataset.from_list([{"info": {"schema": s}, "completion": '{"a": 5}'} for s in schemas])
    assert [JsonSchema()(r.completion, r.problem).score for r in read_rows(stored)] == [1.0, 1.0]


def test_arrays_are_lists_at_any_depth_and_live_objects_stay_out() -> None:
    assert jsonable({"a": np.array([1, 2]), "b": [np.float32(0.5)], "c": b"x"}) == {
        "a": [1, 2],
        "b": [0.5],
        "c": "x",
    }
    assert kept({"a": np.array([1]), "live": object(), "nan": math.nan}) == {"a": [1]}
