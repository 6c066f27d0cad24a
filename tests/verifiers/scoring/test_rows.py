"""Rows: existing files are read unchanged, and what cannot be read is named by its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from referee.verifiers import Completion, Message
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


def test_neighbouring_lines_with_an_equal_group_column_are_siblings() -> None:
    data = [{"completion": str(i), "pid": p} for i, p in enumerate("aabba")]
    assert [r.group for r in rows(data, group="pid")] == [0, 0, 1, 1, 2]


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
        ({"completion": 3}, {}, "column 'completion' must hold a text"),
        ({"completion": "x", "info": 3}, {}, "column 'info' must hold an object"),
        ({"completion": {"txt": "x"}}, {}, "Completion has no field 'txt'"),
        ({"completion": "x", "answer": "18"}, {"answer_pattern": "A: (.*)"}, "matches nothing"),
        (["x"], {}, "a row must be a JSON object, got list"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_a_row_that_cannot_be_read_is_named(row: object, columns: dict, message: str) -> None:
    with pytest.raises(RowError, match=r"^row 2: ") as error:
        rows([{"completion": "ok", "gold": "", "answer": "A: 1"}, row], **columns)  # type: ignore[list-item]
    assert message in str(error.value)


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
