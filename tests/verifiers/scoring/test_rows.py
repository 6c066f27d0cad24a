"""Rows: existing files are read unchanged, and what cannot be read is named by its line or its verdict."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from referee.verifiers import Completion, Message, Problem, Reason
from referee.verifiers.scoring import Columns, RowError, read_rows


def rows(data: list[dict], **columns: object) -> list:
    return list(read_rows(data, Columns(**columns)))


def test_the_usual_columns_are_read_without_being_named() -> None:
    (row,) = rows([{"prompt": "1+1=", "completion": "2", "answer": "2", "id": "a", "info": {"k": 1}}])
    assert (row.problem.prompt, row.problem.answer, row.problem.id) == ("1+1=", "2", "a")
    assert row.problem.info == {"k": 1}
    assert row.completion == Completion(text="2")


def test_columns_are_found_by_dotted_paths_and_list_positions() -> None:
    (row,) = rows(
        [{"q": {"text": "?"}, "samples": [{"text": "no"}, {"text": "yes"}], "a.b": "dotted key"}],
        prompt="q.text",
        completion="samples.1.text",
        answer="a.b",
    )
    assert (row.problem.prompt, row.completion.text, row.problem.answer) == ("?", "yes", "dotted key")


def test_several_completions_of_a_row_are_siblings() -> None:
    found = rows([{"x": "1", "y": ["2", "3"]}, {"x": "4", "y": []}], completion=("x", "y"))
    assert [(r.line, r.column, r.group, r.completion.text) for r in found] == [
        (1, "x", 0, "1"),
        (1, "y.0", 0, "2"),
        (1, "y.1", 0, "3"),
        (2, "x", 1, "4"),
    ]


def test_lines_with_an_equal_group_column_are_siblings_wherever_they_stand() -> None:
    data = [{"completion": str(i), "pid": p} for i, p in enumerate("aabbacb")]
    found = rows(data, group="pid")
    assert [r.group for r in found] == [0, 0, 0, 1, 1, 1, 2]
    assert [r.line for r in found] == [1, 2, 5, 3, 4, 7, 6]


def test_a_group_that_was_named_must_be_there_in_each_row() -> None:
    with pytest.raises(RowError, match="row 2: no column 'pid'; the row has completion"):
        rows([{"completion": "1", "pid": None}, {"completion": "2"}], group="pid")


def test_a_row_whose_group_is_null_is_a_group_alone() -> None:
    data = [{"completion": ["1", "2"], "pid": p} for p in (None, None, "a", "a", None)]
    assert [r.group for r in rows(data, group="pid")] == [0, 0, 1, 1, 2, 2, 2, 2, 3, 3]


def test_chat_messages_and_completion_records_are_completions() -> None:
    chat = [{"role": "assistant", "content": "hello"}]
    record = {"text": "cut", "finish_reason": "length"}
    first, second = rows([{"completion": chat}, {"completion": record}])
    assert first.completion == Completion(messages=(Message(role="assistant", content="hello"),))
    assert second.completion.truncated


def test_a_pattern_takes_the_reference_from_its_last_match() -> None:
    (row,) = rows([{"completion": "", "sol": "A: 1\nA: 18"}], answer="sol", answer_pattern="A: (.*)")
    assert row.problem.answer == "18"


def test_named_info_columns_join_the_info() -> None:
    (row,) = rows(
        [{"completion": "", "meta": {"tests": "t"}, "info": {"k": 1}}], info_columns=("meta.tests",)
    )
    assert row.problem.info == {"k": 1, "tests": "t"}


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        ({"text": "x"}, {}, "no column 'completion'; the row has text"),
        ({"completion": "x"}, {"answer": "gold"}, "no column 'gold'"),
        (["x"], {}, "a row must be a JSON object, got list"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_a_row_that_is_none_of_this_files_is_named(row: object, columns: dict, message: str) -> None:
    with pytest.raises(RowError, match=r"^row 2: ") as error:
        rows([{"completion": "ok", "gold": "", "answer": "A: 1"}, row], **columns)  # type: ignore[list-item]
    assert message in str(error.value)


# A cell used to end the file; it is the row's own fault, and the rows after it are as good as before.
@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        (
            {"completion": "x", "info": 3},
            {},
            "column 'info' must hold an object or the JSON text of one, got int",
        ),
        ({"completion": "x", "info": "[3]"}, {}, "column 'info' must hold an object or the JSON text of one"),
        ({"completion": "x", "info": "{"}, {}, "column 'info' must hold an object or the JSON text of one"),
        ({"completion": {"txt": "x"}}, {}, "column 'completion': Completion has no field 'txt'"),
        ({"completion": {"text": "x", "finish_reason": "bored"}}, {}, "finish_reason must be one of stop"),
        ({"completion": [[["x"]]]}, {}, "column 'completion.0.0' must hold a text, messages or a completion"),
        ({"completion": "x", "answer": "18"}, {"answer_pattern": "A: (.*)"}, "matches nothing"),
        ({"completion": "x", "answer": None}, {"answer_pattern": "A: (.*)"}, "must hold a text for"),
        ({"completion": "x", "prompt": 5}, {}, "prompt must be a text or messages, got int"),
        ({"completion": "x", "prompt": [{"role": 5}]}, {}, "role must be a text, got int"),
        ({"completion": "x", "answer": [float("inf")]}, {}, "answer must hold finite numbers, got inf"),
    ],
)
def test_a_cell_that_cannot_be_read_is_its_rows_abstention(row: dict, columns: dict, message: str) -> None:
    before, bad, after = rows([{"completion": "a", "answer": "A: 1"}, row, {"completion": "b", "answer": "A: 1"}],
                              **columns)  # fmt: skip
    assert (before.failure, after.failure) == (None, None)
    assert bad.failure.reason is Reason.BAD_REFERENCE
    assert message in bad.failure.detail["error"]
    assert (bad.line, bad.group) == (2, 1)


def test_what_is_left_of_a_row_that_cannot_be_read_names_it() -> None:
    (row,) = rows([{"prompt": "1+1=", "id": 7, "info": 3, "completion": "2"}])
    why = "column 'info' must hold an object or the JSON text of one, got int: 3"
    assert row.problem == Problem(prompt="1+1=", id="7", info={"unreadable": why})
    assert row.completion.text == "2"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        ({"text": None, "finish_reason": "stop"}, ""),
        (3, "3"),
        (3.0, "3"),  # a data frame makes floats of whole numbers where a column has a gap
        ({"role": "assistant", "content": "4"}, "4"),
        (
            {"messages": [{"role": "assistant", "content": "4", "tool_calls": [{"function": {"name": 1}}]}]},
            "4",
        ),
    ],
)
def test_a_completion_that_is_null_is_empty_and_a_number_is_its_text(cell: object, text: str) -> None:
    (row,) = rows([{"completion": cell}])
    assert (row.completion.text, row.failure) == (text, None)


def test_a_path_through_null_leads_to_null() -> None:
    (row,) = rows([{"response": None}], completion="response.body.choices.0.message.content")
    assert (row.completion.text, row.failure) == ("", None)


def test_rows_in_memory_may_hold_arrays() -> None:
    (row,) = rows([{"completion": "4", "answer": np.array([4, 5]), "info": {"tests": np.array(["t"])}}])
    assert (row.problem.answer, row.problem.info) == ([4, 5], {"tests": ["t"]})


@pytest.mark.parametrize(
    "line", [b"{", b"nan nan", b"\xff", b"[" * 100_000], ids=["cut", "word", "bytes", "deep"]
)
def test_a_line_that_is_not_json_is_named_after_the_lines_before_it(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(json.dumps({"completion": "a"}).encode() + b"\n\n" + line + b"\n")
    reader = read_rows(path)
    assert next(reader).completion.text == "a"
    with pytest.raises(RowError, match=r"in\.jsonl, line 3: not JSON"):
        next(reader)


def test_a_pattern_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="answer_pattern must be a regular expression, got '\\('"):
        Columns(answer_pattern="(")
