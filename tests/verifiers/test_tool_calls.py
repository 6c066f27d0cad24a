"""Tool calls against a row's reference: forms, values, order, rows that cannot be used, and attacks."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.verifiers import Completion, Message, ToolCalls
from referee.verifiers.records import Json, Problem, Reason, ToolCall
from referee.verifiers.tool_use.source_literals import NotSource, read_calls, read_value
from referee.verifiers.tool_use.written_calls import written_calls

TOOLS: list[Any] = [
    {
        "name": "trip.book",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer"},
                "budget": {"type": "float"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "insured": {"type": "boolean", "default": False},
                "guest": {
                    "type": "dict",
                    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
                },
            },
            "required": ["city", "days"],
        },
    },
    {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}},
]
WANTED: list[Json] = [{"name": "trip.book", "arguments": {"city": "New York", "days": 3}}]


def problem(calls: Json = WANTED, tools: Json = TOOLS, **info: Json) -> Problem:
    return Problem(prompt="q", info={"tools": tools, "calls": calls, **info})


def score(text: str | Completion, row: Problem | None = None, **options: Any) -> float | None:
    return ToolCalls(**options)(text, row or problem()).score


def written(**arguments: Any) -> str:
    return json.dumps({"name": "trip.book", "arguments": {"city": "New York", "days": 3, **arguments}})


CALL = written()


@pytest.mark.parametrize(
    "text",
    [
        CALL,
        f"[{CALL}]",
        f"<tool_call>{CALL}</tool_call>",
        f"I book it. <tool_call>\n{CALL}\n</tool_call>",
        f"<tool_call>\n{CALL}\n",
        f"[TOOL_CALLS][{CALL}]",
        '[TOOL_CALLS]trip.book[ARGS]{"city": "New York", "days": 3}',
        f"<|python_tag|>{CALL}",
        '{"name": "trip.book", "parameters": {"city": "New York", "days": 3}}',
        '<function=trip.book>{"city": "New York", "days": 3}</function>',
        '>>>trip.book\n{"city": "New York", "days": 3}',
        ">>>all\nI book it.\n>>>trip.book\n" + '{"city": "New York", "days": 3}',
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>trip.book\n```json\n"
        '{"city": "New York", "days": 3}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        json.dumps(
            {
                "type": "function",
                "function": {"name": "trip.book", "arguments": '{"city": "New York", "days": 3}'},
            }
        ),
        '{"trip.book": {"city": "New York", "days": 3}}',
        "<tool_call>\n<function=trip.book>\n<parameter=city>\nNew York\n</parameter>\n<parameter=days>\n3\n</parameter>\n"
        "</function>\n</tool_call>",
        "<tool_call>trip.book\n<arg_key>city</arg_key>\n<arg_value>New York</arg_value>\n<arg_key>days</arg_key>\n"
        "<arg_value>3</arg_value>\n</tool_call>",
        "[trip.book(city='New York', days=3)]",
        'trip.book(city="New York", days=3)',
        "trip.book('New York', 3)",
        "trip.book('New York', days=3)",
        'trip_book(city="New York", days=3)',
        f"Here it is:\n```json\n{CALL}\n```",
        "Here it is:\n```python\ntrip.book(city='New York', days=3)\n```\nDone.",
        "I will book it now.\ntrip.book(city='New York', days=3)\nThat is all.",
        f"<think>[now()]</think>{CALL}",
        written(city="new york"),
        written(insured=False),
    ],
)
def test_the_wanted_call_is_read_in_every_form(text: str) -> None:
    assert score(text) == 1.0
    assert score(text, problem([*WANTED, {"name": "now", "arguments": {}}])) == 0.0
    assert score(text, problem([])) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        written(city="New Yorks"), written(city=["New York"]), written(city=None), written(city=""), written(days=4),
        written(days="3"), written(days=3.0), written(days=True), written(days=-3), written(insured=True),
        written(insured="false"), written(zebra=1), written(tags=[]), CALL.replace("trip.book", "trip.boo"),
        CALL.replace('"days"', '"day"'), f"{CALL}\n{CALL}", f"[{CALL}, {CALL}]", f"<tool_call>{CALL}</tool_call>" * 2,
        f"<tool_call>{CALL}</tool_call><tool_call>oops</tool_call>", f"<tool_call>{CALL[:-1]}</tool_call>",
        f"<tool_call>{CALL}</tool_call></tool_call>", CALL.replace("3}", '3, "days": 3}'), f"<think>{CALL}</think>",
        f"<think>{CALL}", "", "I would call trip.book with New York and 3.", "trip.book(city='New York', days=3", "[]",
        "trip.book('New York', 3, 4, 5, 6, 7, 8, 9)", "trip.book(city='New York', days=3, days=3)", "[now()]",
        "trip.book(city='New York', days=1+2)", "print(trip.book(city='New York', days=3))",
        f"```json\n{CALL}\n```\nor\n```json\n{CALL}\n```", "null", "{}", "[[]]", "[1]", '{"name": 1}',
    ],
)  # fmt: skip
def test_what_is_not_the_wanted_call(text: str) -> None:
    assert score(text) == 0.0


def test_calls_of_messages_count_and_not_what_the_text_says() -> None:
    right = ToolCall(name="trip.book", arguments={"city": "New York", "days": 3})
    wrong = ToolCall(name="now", arguments={})
    bad = ToolCall(name="trip.book", arguments="[1]")  # type: ignore[arg-type]

    def said(*calls: ToolCall, content: str = "") -> Completion:
        return Completion(messages=(Message(role="assistant", content=content, tool_calls=calls),))

    assert score(said(right)) == 1.0
    assert score(said(right, content=CALL)) == 1.0
    assert score(said(wrong, content=CALL)) == score(said(bad)) == score(said(right, wrong)) == 0.0
    assert score(said(right), problem([])) == 0.0


def test_no_tool_is_to_be_called() -> None:
    none = problem([])
    assert score("None of these can do that; in Python it is `print(now)`.", none) == 1.0
    assert score("Use\n```python\nimport os\nprint(os.getcwd())\n```", none) == 1.0
    for text in (
        "now()",
        "[now()]",
        CALL,
        "I call\nnow()",
        "<tool_call></tool_call>",
        "",
        "  ",
        "<think>none</think>",
    ):
        assert score(text, none) == 0.0


def test_order_matters_where_the_row_says_so() -> None:
    two: list[Json] = [*WANTED, {"name": "now", "arguments": {}}]
    turned = "[now(), trip.book(city='New York', days=3)]"
    assert score(turned, problem(two)) == 1.0
    assert score(turned, problem(two, ordered=True)) == 0.0
    assert score("[trip.book(city='New York', days=3), now()]", problem(two, ordered=True)) == 1.0


def test_calls_are_matched_as_a_whole_and_not_one_after_the_other() -> None:
    either: Json = [{"f": {"a": [1, 2]}}, {"f": {"a": [1]}}]
    row = Problem(info={"calls": either})
    assert (
        score("[f(a=1), f(a=2)]", row)
        == score("[f(a=2), f(a=1)]", row)
        == score("[f(a=1), f(a=1)]", row)
        == 1.0
    )
    assert score("[f(a=2), f(a=2)]", row) == 0.0


@pytest.mark.parametrize(
    ("accepted", "right", "wrong"),
    [
        ([7.0], [7, 7.0, 7.00], [7.5, "7", True, -7, None]),
        ([7], [7], [7.5, "7", 8, True]),
        ([True], [True], [1, "true", "True", False]),
        (["April 1, 2024"], ["april 1,2024", "April 1 2024"], ["April 12, 2024", "April 1, 2025", "2024"]),
        (["-5"], ["-5"], ["5", "- 5 6", -5]),
        (["1.5"], ["1.5"], ["15", "1 5", 1.5]),
        (["1,-5"], ["1, -5"], ["1,5", "15"]),
        (["Jan 5 - Jan 7"], ["Jan 5-Jan 7", "jan 5 - jan 7"], ["Jan 5 - Jan 8", "Jan 57"]),
        (["x^2"], ["x^2", "x**2"], ["x*2", "x2", "x+2"]),
        (["2024-01-05"], ["2024-01-05"], ["2024-01-06", "20240105"]),
        (["C++"], ["c++"], ["C", "C#"]),
        ([["a", "b"]], [["a", "b"], ["A", "b"]], [["b", "a"], ["a"], ["a", "b", "b"], "a, b", []]),
        ([[1, 2]], [[1, 2]], [[1, 2.5], ["1", "2"], [[1, 2]]]),
        ([{"k": ["v", "w"], "o": [1, ""]}], [{"k": "v"}, {"k": "w", "o": 1}], [{"o": 1}, {"k": "v", "o": 2}, {"k": "v", "z": 1}, {}]),
        ([[{"k": [1]}, {"k": [2]}]], [[{"k": 1}, {"k": 2}]], [[{"k": 2}, {"k": 1}], [{"k": 1}], {"k": 1}]),
        ([None], [None], [0, "", "null", False]),
        ([""], [""], ["x", None, 0]),
        (["中文"], ["中文"], ["中", "文"]),
    ],
)  # fmt: skip
def test_values_are_compared_by_kind(accepted: list[Json], right: list[Json], wrong: list[Json]) -> None:
    row = Problem(info={"calls": [{"f": {"a": accepted}}]})
    for value in right:
        assert score(json.dumps({"name": "f", "arguments": {"a": value}}), row) == 1.0, value
    for value in wrong:
        assert score(json.dumps({"name": "f", "arguments": {"a": value}}), row) == 0.0, value


def test_without_tools_the_wanted_functions_are_known() -> None:
    row = Problem(info={"calls": [{"f": {"a": [1]}}]})
    assert score("I call it.\nf(a=1)\nDone.", row) == 1.0
    assert score("I call it.\nf(a=1)\nf(a=1)", row) == 0.0
    assert (
        score(
            '{"name": "function", "arguments": {"a": 1}}', Problem(info={"calls": [{"function": {"a": [1]}}]})
        )
        == 1.0
    )


def test_texts_may_be_compared_exactly() -> None:
    row = Problem(info={"calls": [{"f": {"a": ["New York"]}}]})
    assert score('[f(a="new york")]', row, texts="exact") == 0.0
    assert score('[f(a="New York")]', row, texts="exact") == 1.0


def test_optional_arguments_and_defaults() -> None:
    wanted: Json = [{"trip.book": {"city": ["Lima"], "days": [2], "budget": [9.5, ""], "insured": [False]}}]
    row = problem(wanted)
    assert score("[trip.book(city='Lima', days=2)]", row) == 1.0
    assert score("[trip.book(city='Lima', days=2, budget=9.5, insured=False)]", row) == 1.0
    assert score("[trip.book(city='Lima', days=2, budget=9)]", row) == 0.0
    assert score("[trip.book(city='Lima', days=2, insured=True)]", row) == 0.0
    assert score("[trip.book(city='Lima')]", row) == 0.0


@pytest.mark.parametrize(
    ("language", "kind", "wanted", "right", "wrong"),
    [
        ("java", "long", 5, ["5L", "5l", 5], ["6L", "L", "5.5"]),
        ("java", "float", 3.5, ["3.5f", "3.5F", 3.5], ["3.6f"]),
        ("java", "boolean", True, ["true", True], ["false", "True story", 1]),
        ("java", "ArrayList", ["a", "b"], ['new ArrayList<>(Arrays.asList("a", "b"))', '["a", "b"]'], ['Arrays.asList("a")']),
        ("java", "ArrayList", [1], ["new ArrayList<Integer>() {{ add(1); }}"], ["new ArrayList<>()"]),
        ("java", "Array", [1, 2], ["new int[]{1, 2}", "new Integer[] {1,2}"], ["new int[]{2, 1}", "1, 2"]),
        ("java", "HashMap", {"k": [1]}, ['new HashMap<String, Object>() {{ put("k", 1); }}'], ["new HashMap<>()"]),
        ("java", "String", "a b", ['"a b"', "a b"], ['"a c"']),
        ("java", "any", "Foo.BAR", ["Foo.BAR"], ["Foo.BAZ"]),
        ("javascript", "Bigint", 12, ["12n", 12], ["13n"]),
        ("javascript", "dict", {"a": [1], "b": ["x"]}, ["{a: 1, 'b': \"x\"}", {"a": 1, "b": "x"}], ["{a: 1}"]),
        ("javascript", "array", ["x", 2], ["['x', 2]"], ["['x']", "x, 2"]),
        ("javascript", "Boolean", False, ["false"], ["0", "undefined"]),
        ("python", "integer", 5, [5], ["5"]),
    ],
)  # fmt: skip
def test_values_of_java_and_javascript_may_be_source_code(
    language: str, kind: str, wanted: Json, right: list[Json], wrong: list[Json]
) -> None:
    tools: Json = [{"name": "f", "parameters": {"properties": {"a": {"type": kind}}, "required": ["a"]}}]
    row = problem([{"f": {"a": [wanted]}}], tools, language=language)
    for value in right:
        assert score(json.dumps({"name": "f", "arguments": {"a": value}}), row) == 1.0, value
    for value in wrong:
        assert score(json.dumps({"name": "f", "arguments": {"a": value}}), row) == 0.0, value


@pytest.mark.parametrize(
    ("calls", "tools"),
    [
        (None, TOOLS), (5, TOOLS), ("not JSON", TOOLS), ([5], TOOLS), ([{"f": 5}], None), ([{"f": {"a": 5}}], None),
        ([{"f": {"a": []}}], None), ([{"name": "fly", "arguments": {}}], TOOLS), (WANTED, 5), (WANTED, [5]),
        (WANTED, [*TOOLS, TOOLS[0]]), ([{"name": "trip.book", "arguments": {"city": "x"}}], TOOLS),
        ([{"name": "trip.book", "arguments": {"city": "x", "days": 1, "zoo": 2}}], TOOLS),
        ([{"name": "f", "arguments": "{"}], None), (WANTED * 200, TOOLS),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_abstains_whatever_is_said(calls: Json, tools: Json) -> None:
    for text in (CALL, "", "nothing"):
        assert ToolCalls()(text, problem(calls, tools)).reason is Reason.BAD_REFERENCE


def test_calls_may_be_json_text_or_the_answer() -> None:
    assert score(CALL, problem(json.dumps(WANTED))) == 1.0
    assert score(CALL, Problem(answer=WANTED)) == 1.0
    assert score(CALL, Problem(answer=json.dumps(WANTED))) == 1.0
    with pytest.raises(ValueError, match="texts must be one of said, exact, got 'loose'"):
        ToolCalls(texts="loose")  # type: ignore[arg-type]


@given(
    text=st.text(max_size=60)
    | st.text(alphabet="[](){}<>\"'=:,.;tool_call/name1 \n|>", max_size=120)
    | st.sampled_from(["<tool_call>", "[TOOL_CALLS]", ">>>f\n", "<function=f>", "<|python_tag|>"]).flatmap(
        lambda mark: st.text(max_size=30).map(lambda t: mark + t)
    )
)
def test_no_text_buys_an_abstention_and_none_is_right_by_chance(text: str) -> None:
    assert ToolCalls()(text, problem()).score == 0.0
    assert ToolCalls()(text, problem([])).score in (0.0, 1.0)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(value=_JSON)
def test_a_value_written_as_python_is_read_back(value: Json) -> None:
    assert read_value(repr(value)) == value
    assert repr(read_calls(f"f(a={value!r}, b=[{value!r}])")[0].named["a"]) == repr(value)


@given(value=_JSON.filter(lambda v: v != ""))
def test_a_call_is_right_against_itself_in_json_and_in_python(value: Json) -> None:
    row = Problem(info={"calls": [{"name": "f", "arguments": {"a": value}}]})
    assert score(json.dumps({"name": "f", "arguments": {"a": value}}), row) == 1.0
    assert score(f"[f(a={value!r})]", row) == 1.0


@pytest.mark.parametrize(
    "text", ["", "f(", "f)", "f(a=)", "f(a=1", "f(a=1) g", "1", "f(a=1,, b=2)", "[" * 100, "f(" * 100]
)
def test_what_is_no_source_is_told(text: str) -> None:
    with pytest.raises(NotSource):
        read_calls(text)


@pytest.mark.parametrize(
    "piece",
    ["[", "{", "f(", "(", "<tool_call>", "[TOOL_CALLS]", "a.", "'", '"', "\\", "f(a=1)\n", "- ", "1e", "new HashMap<", "f(a=",
     '{"a":', "<function=f>", ">>>f\n", "not ", "a=b=", "f(a='", "``", "```\n", "9", "_", ";{", "\n{", "<｜tool▁call▁begin｜>", "{{put("],
)  # fmt: skip
def test_hostile_texts_are_read_in_linear_time(piece: str) -> None:
    started = time.perf_counter()
    for size in (49_000, 300_000):
        text = piece * (size // len(piece))
        for whole in (text, f"f(a={text})", f"<tool_call>{text}</tool_call>"):
            assert score(whole) == 0.0
    assert time.perf_counter() - started < 6.0


def test_nothing_that_a_model_writes_is_run(tmp_path: Any) -> None:
    target = tmp_path / "forged"
    for text in (
        f"trip.book(city=open({str(target)!r}, 'w'), days=3)",
        f"[trip.book(city=__import__('os').system('touch {target}'), days=3)]",
    ):
        assert score(text) == 0.0
    assert not target.exists()


def test_a_variable_stands_for_its_text_in_java_and_is_no_value_elsewhere() -> None:
    text = "[f(a=Foo.BAR, b=g(1, 'x'), c=x)]"
    (call,) = written_calls(text, variables=True)
    assert written_calls(text)[0].malformed
    row = {"calls": [{"f": {"a": ["Lima"]}}]}
    assert score("[f(a=Lima)]", Problem(info=row)) == score("[f(a=[Lima])]", Problem(info=row)) == 0.0
    assert score("[f(a=Lima)]", Problem(info={**row, "language": "java"})) == 1.0
    assert (
        score("[f(a=Li ma)]", Problem(info={"calls": [{"f": {"a": ["Li ma"]}}], "language": "java"})) == 0.0
    )
    assert call.arguments == {"a": "Foo.BAR", "b": "g(1, 'x')", "c": "x"}
