"""Tools: schemas from signatures, calls as models write them, and every malformed call answered."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.envs.tools import MAX_CALLS, MAX_OBSERVATION, Tool, Toolbox, calls_in
from referee.verifiers.records import Completion, Message, ToolCall


def area(width: int, height: float = 1.0, unit: Literal["m", "ft"] = "m") -> str:
    """The area of a rectangle.

    Args:
        width: how wide it is
        height: how high it is
    """
    if width < 0:
        raise ValueError("width must not be negative")
    return f"{width * height} {unit}2"


BOX = Toolbox([area])


def call(name: str, arguments: Any) -> Completion:
    body = json.dumps({"name": name, "arguments": arguments})
    return Completion(text=f"Let me see. <tool_call>{body}</tool_call>")


def said(completion: Completion) -> list[str]:
    return [m.content for m in BOX.answer(completion)]


def test_a_schema_comes_from_the_signature_and_the_docstring() -> None:
    assert Tool(area).schema == {
        "type": "function",
        "function": {
            "name": "area",
            "description": "The area of a rectangle.",
            "parameters": {
                "type": "object",
                "properties": {
                    "width": {"type": "integer", "description": "how wide it is"},
                    "height": {"type": "number", "description": "how high it is"},
                    "unit": {"enum": ["m", "ft"]},
                },
                "required": ["width"],
                "additionalProperties": False,
            },
        },
    }


def test_unions_lists_and_objects_have_schemas_and_other_types_are_refused() -> None:
    def fine(a: list[int], b: dict[str, str], c: int | None = None) -> str:
        """Fine."""
        return ""

    def untyped(a):
        """Bad."""

    def strange(a: complex) -> str:
        """Bad."""
        return ""

    def many(*a: int) -> str:
        """Bad."""
        return ""

    properties = Tool(fine).schema["function"]["parameters"]["properties"]
    assert properties == {
        "a": {"type": "array", "items": {"type": "integer"}},
        "b": {"type": "object", "additionalProperties": {"type": "string"}},
        "c": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    }
    for bad in (untyped, strange, many):
        with pytest.raises(TypeError, match="of a tool must"):
            _ = Tool(bad).schema


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (call("area", {"width": 3}), "3.0 m2"),
        (call("area", {"width": 3, "height": 2, "unit": "ft"}), "6 ft2"),
        (call("area", {"width": -1}), "Error: width must not be negative"),
        (
            call("area", {"width": "3"}),
            "Error: area got bad arguments['width']: '3' is not of type 'integer'",
        ),
        (call("area", {}), "Error: area got bad arguments: 'width' is a required property"),
        (call("area", {"width": 1, "x": 1}), "Error: area got bad arguments: Additional properties"),
        (call("volume", {}), "Error: there is no tool 'volume'; the tools are area"),
        (call("area", [3]), "Error: malformed tool call"),
        (call("area", "{broken"), "Error: malformed tool call"),
        (Completion(text="<tool_call>{oops}</tool_call>"), "Error: malformed tool call"),
        (Completion(text='<tool_call>{"name": "area"'), "Error: malformed tool call"),
        (Completion(text="<tool_call></tool_call>"), "Error: malformed tool call"),
        (Completion(text="<tool_call>" + "[" * 100_000 + "</tool_call>"), "Error: malformed tool call"),
    ],
)
def test_a_call_is_answered_and_a_malformed_one_is_told_so(completion: Completion, answer: str) -> None:
    (observation,) = said(completion)
    assert observation.startswith(answer)


def test_calls_in_messages_are_answered_with_their_ids() -> None:
    calls = (ToolCall(name="area", arguments={"width": 2}, id="call_1"),)
    completion = Completion(messages=(Message(role="assistant", tool_calls=calls),))
    (answer,) = BOX.answer(completion)
    assert (answer.role, answer.content, answer.tool_call_id, answer.name) == (
        "tool",
        "2.0 m2",
        "call_1",
        "area",
    )


def test_a_call_inside_the_thinking_is_not_made() -> None:
    assert calls_in(Completion(text="<think><tool_call>{}</tool_call></think>5")) == []


def test_many_calls_and_long_answers_are_bounded() -> None:
    one = '<tool_call>{"name": "area", "arguments": {"width": 1}}</tool_call>'
    answers = said(Completion(text=one * 1000))
    assert len(answers) == MAX_CALLS + 1
    assert answers[-1] == f"Error: at most {MAX_CALLS} calls a turn"

    def flood() -> str:
        """Say a lot."""
        return "x" * 100_000

    assert len(Tool(flood).call({})) == MAX_OBSERVATION + len(" [cut]")


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="tools must have different names"):
        Toolbox([area, Tool(area)])


@given(st.text() | st.text('<>/{}"toolcal_: ,').map(lambda t: f"<tool_call>{t}</tool_call>"))
def test_no_text_makes_a_toolbox_raise(text: str) -> None:
    for message in BOX.answer(Completion(text=text)):
        assert message.role == "tool"
