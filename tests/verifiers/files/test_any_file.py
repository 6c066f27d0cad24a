"""Any file: one problem, in the fourteen shapes in which people have it, is read as the same row."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from referee.verifiers import Message, Reason
from referee.verifiers.files.containers import BadLine, open_container
from referee.verifiers.files.joining import References
from referee.verifiers.files.tables import SourceError
from referee.verifiers.scoring import Columns, Row, RowError, read_rows

PLAIN = {"prompt": "What is 2+2?", "completion": "It is 4", "answer": "4", "id": "a"}
OTHER = {"prompt": "What is 3+3?", "completion": "It is 7", "answer": "6", "id": "b"}
ROWS = [PLAIN, OTHER]
LINES = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


def zstd(data: bytes) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    return bytes(pyarrow.compress(data, codec="zstd", asbytes=True))


def table(rows: list[dict[str, Any]]) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    held = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), held)
    return held.getvalue()


def comma_separated(rows: list[dict[str, Any]]) -> bytes:
    held = io.StringIO()
    writer = csv.DictWriter(held, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return held.getvalue().encode()


CONTAINERS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "lines": ("in.jsonl", lambda: LINES, ""),
    "lines with a byte order mark": ("in.jsonl", lambda: b"\xef\xbb\xbf" + LINES, ""),
    "no newline at the end": ("in.jsonl", lambda: LINES.rstrip(), ""),
    "an array": ("in.json", lambda: json.dumps(ROWS).encode(), "a JSON array"),
    "an array over many lines": ("in.json", lambda: json.dumps(ROWS, indent=2).encode(), "a JSON array"),
    "gzip": ("in.jsonl.gz", lambda: gzip.compress(LINES), "gzip"),
    "gzip without its name": ("in", lambda: gzip.compress(LINES), "gzip"),
    "zstd": ("in.jsonl.zst", lambda: zstd(LINES), "zstd"),
    "csv": ("in.csv", lambda: comma_separated(ROWS), "CSV"),
    "gzipped csv": ("in.csv.gz", lambda: gzip.compress(comma_separated(ROWS)), "gzip, CSV"),
    "parquet": ("in.parquet", lambda: table(ROWS), "Parquet"),
    "an array in gzip": ("x.gz", lambda: gzip.compress(json.dumps(ROWS).encode()), "gzip, a JSON array"),
}


def read(path: Path | str, **columns: Any) -> tuple[list[Row], list[str]]:
    told: list[str] = []
    return list(read_rows(path, Columns(**columns), told=told.append)), told


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_same_rows_are_read_from_every_container(name: str, tmp_path: Path) -> None:
    file, data, kind = CONTAINERS[name]
    (tmp_path / file).write_bytes(data())
    rows, told = read(tmp_path / file)
    found = [
        {
            "prompt": r.problem.prompt,
            "completion": r.completion.text,
            "answer": r.problem.answer,
            "id": r.problem.id,
        }
        for r in rows
    ]
    assert found == ROWS
    assert told == ([kind] if kind else [])


@pytest.mark.parametrize("name", ["lines", "gzip", "parquet", "an array", "zstd"])
def test_a_pipe_is_read_as_a_file_is(name: str, tmp_path: Path) -> None:
    _, data, _ = CONTAINERS[name]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data(),))
    writer.start()
    rows, _ = read(pipe)
    writer.join()
    assert [r.completion.text for r in rows] == ["It is 4", "It is 7"]


def test_the_first_row_of_a_pipe_is_there_before_the_last_was_written(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    keeper = os.open(pipe, os.O_RDWR)
    os.write(keeper, LINES.splitlines(keepends=True)[0])
    rows = iter(open_container(pipe).rows)
    os.write(keeper, LINES.splitlines(keepends=True)[1])
    assert next(rows) == (1, PLAIN)
    os.close(keeper)


def test_a_folder_that_datasets_saved_is_read_and_one_of_several_splits_named(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_list(ROWS)
    made.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"test": made, "train": made}).save_to_disk(tmp_path / "two")
    assert [r.completion.text for r in read(tmp_path / "one")[0]] == ["It is 4", "It is 7"]
    assert [r.completion.text for r in read(tmp_path / "two" / "test")[0]] == ["It is 4", "It is 7"]
    with pytest.raises(SourceError, match="holds the splits test, train: name one"):
        read(tmp_path / "two")
    with pytest.raises(SourceError, match="is a folder, and none that datasets saved"):
        read(tmp_path)
    with pytest.raises(SourceError, match="datasets:NAME:SPLIT"):
        read("datasets:gsm8k")


USER = {"role": "user", "content": "What is 2+2?"}
SAYS = {"role": "assistant", "content": "It is 4"}
CHOICE = {"index": 0, "message": SAYS, "finish_reason": "length", "logprobs": None}
BATCH = {
    "id": "batch_req_1",
    "custom_id": "a",
    "response": {"status_code": 200, "request_id": "r", "body": {"object": "chat.completion", "choices": [CHOICE]}},
    "error": None,
}  # fmt: skip
LM_EVAL = {
    "doc_id": 0,
    "doc": {"question": "What is 2+2?", "answer": "4"},
    "target": "4",
    "arguments": {"gen_args_0": {"arg_0": "What is 2+2?", "arg_1": {"until": ["\n"]}}},
    "resps": [["It is 4"]],
    "filtered_resps": ["4"],
    "doc_hash": "d", "prompt_hash": "p", "target_hash": "t", "exact_match": 1.0,
}  # fmt: skip
INSPECT = {
    "id": "a",
    "epoch": 1,
    "input": [USER],
    "target": "4",
    "messages": [USER, SAYS],
    "output": {"model": "m", "choices": [{"message": SAYS, "stop_reason": "max_tokens"}], "completion": "It is 4"},
    "scores": {},
}  # fmt: skip
VLLM = {
    "request_id": "7",
    "prompt": "What is 2+2?",
    "outputs": [{"index": 0, "text": "It is 4", "token_ids": [1], "finish_reason": "length", "stop_reason": None}],
    "answer": "4",
}  # fmt: skip

FORMATS: dict[str, tuple[dict[str, Any], str, bool]] = {  # a row, its format's name, is it cut off
    "openai batch": (BATCH, "OpenAI batch output", True),
    "openai response": ({"choices": [CHOICE], "answer": "4", "prompt": "What is 2+2?"}, "OpenAI responses", True),
    "vllm": (VLLM, "vLLM outputs", True),
    "lm-eval": (LM_EVAL, "lm-evaluation-harness samples", False),
    "inspect": (INSPECT, "inspect_ai samples", True),
    "verl": (
        {"input": "What is 2+2?", "output": "It is 4", "gts": "4", "score": 1.0, "step": 1},
        "a verl rollout dump",
        False,
    ),
    "trl": (
        {"step": 1, "prompt": "What is 2+2?", "completion": "It is 4", "answer": "4", "advantage": 0.5},
        "",
        False,
    ),
    "chat": ({"messages": [USER, SAYS], "answer": "4"}, "chat messages", False),
    "share gpt": (
        {
            "conversations": [
                {"from": "human", "value": "What is 2+2?"},
                {"from": "gpt", "value": "It is 4"},
            ],
            "answer": "4",
        },
        "chat messages",
        False,
    ),
    "lists in lists": (
        {"question": "What is 2+2?", "responses": [["It is 4"]], "ground_truth": "4"},
        "one column of completions",
        False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_the_rows_of_other_tools_are_recognised_and_say_the_same(name: str, tmp_path: Path) -> None:
    row, format_name, cut = FORMATS[name]
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(row) + "\n")
    references = None
    if name == "openai batch":
        asked = {"custom_id": "a", "body": {"messages": [USER]}, "answer": "4"}
        (tmp_path / "references.jsonl").write_text(json.dumps(asked) + "\n")
        references = References(tmp_path / "references.jsonl")
    told: list[str] = []
    (found,) = read_rows(path, references=references, told=told.append)
    assert (found.completion.text, found.problem.answer, found.failure) == ("It is 4", "4", None)
    prompt = found.problem.prompt
    assert prompt == "What is 2+2?" or [m.content for m in prompt if isinstance(m, Message)] == [
        "What is 2+2?"
    ]
    assert found.completion.truncated is cut
    assert told == ([format_name] if format_name else [])


def test_an_inspect_log_is_read_as_json_and_as_eval(tmp_path: Path) -> None:
    log = {"version": 2, "status": "success", "eval": {"task": "t"}, "samples": [INSPECT]}
    for name, text in (("log.json", json.dumps(log)), ("many.json", json.dumps(log, indent=2))):
        (tmp_path / name).write_text(text)
    with zipfile.ZipFile(tmp_path / "log.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps({"version": 2}))
        archive.writestr("samples/a_epoch_1.json", json.dumps(INSPECT))
    for name in ("log.json", "many.json", "log.eval"):
        rows, told = read(tmp_path / name)
        assert [r.completion.text for r in rows] == ["It is 4"], name
        assert told == ["an inspect_ai log", "inspect_ai samples"]
    with zipfile.ZipFile(tmp_path / "no.zip", "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(SourceError, match="is a zip, and no inspect_ai log"):
        read(tmp_path / "no.zip")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"response": None, "error": {"code": "x", "message": "no room"}}, "the request failed: no room"),
        (
            {"response": {"status_code": 429, "body": {"error": {"message": "slow down"}}}},
            "status 429: slow down",
        ),
    ],
)
def test_a_request_that_failed_is_nobodys_wrong_answer(change: dict[str, Any], why: str) -> None:
    good, failed, after = read_rows([BATCH, BATCH | change, BATCH])
    assert (good.failure, after.failure) == (None, None)
    assert failed.failure is not None
    assert failed.failure.score is None
    assert failed.failure.reason is Reason.UNAVAILABLE
    assert why in str(failed.failure.detail["error"])


def test_a_completion_cannot_make_itself_a_failed_request() -> None:
    """What a model wrote stands in the text, which is never read as an envelope."""
    text = json.dumps({"response": None, "error": {"message": "x"}, "finish_reason": "length"})
    (row,) = read_rows([BATCH | {"response": {"status_code": 200, "body": {"choices": [{"text": text}]}}}])
    assert (row.failure, row.completion.text, row.completion.finish_reason) == (None, text, None)


def test_a_row_without_its_reference_abstains_and_the_others_are_scored(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"id": "a", "answer": "4"}\n')
    joined = References(tmp_path / "r.jsonl")
    good, lone = read_rows([BATCH, BATCH | {"custom_id": "z"}], references=joined)
    assert (good.problem.answer, good.failure) == ("4", None)
    assert lone.failure is not None
    assert "has the id 'z'" in str(lone.failure.detail["error"])


@pytest.mark.parametrize("text", ['{"answer": 4}\n', '{"id": 1}\n{"id": 1}\n', "{\n"])
def test_references_without_ids_or_with_one_twice_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(text)
    with pytest.raises(SourceError, match=r"the references .*r\.jsonl, line \d: "):
        References(tmp_path / "r.jsonl")


def test_log_likelihoods_are_no_completions() -> None:
    with pytest.raises(RowError, match="log-likelihoods are nothing to score"):
        list(read_rows([LM_EVAL | {"resps": [[[-1.5, False]]]}]))


def test_a_row_of_no_known_format_says_what_was_tried() -> None:
    with pytest.raises(
        RowError, match="no column 'completion'; the row has text, the shape of none of: OpenAI"
    ):
        list(read_rows([{"text": "x"}]))


def test_a_file_of_no_known_kind_says_what_was_tried(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"\x00\x01 what")
    with pytest.raises(RowError, match=r"line 1: not JSON: .*; tried JSON lines, a JSON array, gzip, zstd"):
        list(read_rows(tmp_path / "x.bin"))


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
@pytest.mark.parametrize("cut", [5, 200, -9])
def test_compressed_data_that_are_cut_end_with_a_message_and_not_with_a_traceback(
    cut: int, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    rows = [PLAIN | {"id": str(i), "noise": os.urandom(16).hex()} for i in range(3000)]
    data = pack("".join(json.dumps(row) + "\n" for row in rows).encode())
    (tmp_path / "in.gz").write_bytes(data[:cut])
    with pytest.raises((RowError, SourceError), match=r"cannot be read|the compressed data end here"):
        list(read_rows(tmp_path / "in.gz"))


def test_rows_of_a_csv_that_are_none_are_named_and_those_after_them_read(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b'completion,answer\n4,4\n5,4,9\n\xff,1\n"two\nlines",6\n')
    found = list(open_container(tmp_path / "in.csv").rows)
    assert [number for number, _ in found] == [2, 3, 4, 6]
    assert found[0][1] == {"completion": "4", "answer": "4"}
    assert "it has 3 cells, and the first line names 2 columns" in found[1][1].why
    assert found[2][1] == BadLine("\N{REPLACEMENT CHARACTER},1", "not UTF-8")
    assert found[3][1] == {"completion": "two\nlines", "answer": "6"}


@pytest.mark.parametrize("size", [1, 70_000, 1_000_000])
def test_an_array_is_read_whatever_the_length_of_its_elements(size: int, tmp_path: Path) -> None:
    rows = [
        {"completion": "x" * size, "n": 123456789},
        {"completion": "]},{[" * 40000},
        {"completion": "end"},
    ]
    (tmp_path / "in.json").write_text(" [ " + " ,\n".join(map(json.dumps, rows)) + " ]\n\n")
    assert [data for _, data in open_container(tmp_path / "in.json").rows] == rows


@pytest.mark.parametrize(
    "text", ["[", '[{"completion": "a"}', '[{"completion": "a"},', '[{"completion": "a"}] more', "[{]"]
)
def test_an_array_that_is_damaged_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(text)
    with pytest.raises(RowError, match="not JSON"):
        list(read_rows(tmp_path / "in.json", Columns(completion="completion")))


CUT = [("length", True), ("max_tokens", True), ("MAX_TOKENS", True), ("stop", False), ("content_filter", False),
       (None, False), (3, False)]  # fmt: skip


@pytest.mark.parametrize(("said", "cut"), CUT)
@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (lambda said: {"completion": "4", "finish_reason": said}, {}),
        (lambda said: {"completion": "4", "stop_reason": said}, {}),
        (lambda said: {"completion": {"text": "4"}, "finish_reason": said}, {}),
        (lambda said: {"completion": ["4"], "finish_reasons": [said]}, {}),
        (lambda said: {"completion": [{"role": "assistant", "content": "4"}], "finish_reason": said}, {}),
        (lambda said: {"completion": [{"role": "assistant", "content": "4", "finish_reason": said}]}, {}),
        (lambda said: {"completion": "4", "why": {"ended": said}}, {"finish_reason": "why.ended"}),
        (
            lambda said: {"r": {"choices": [{"message": {"content": "4"}, "finish_reason": said}]}},
            {"completion": "r.choices.0.message.content"},
        ),
    ],
)
def test_why_a_completion_ended_is_read_from_the_usual_places(
    row: Callable[[Any], dict[str, Any]], columns: dict[str, Any], said: Any, cut: bool
) -> None:
    (found,) = read_rows([row(said)], Columns(**columns))
    assert (found.completion.truncated, found.failure) == (cut, None)


def test_each_of_several_completions_has_its_own_reason() -> None:
    rows = read_rows([{"completion": ["a", "b"], "finish_reasons": ["stop", "length"]}])
    assert [r.completion.truncated for r in rows] == [False, True]


def test_a_reason_in_the_record_is_believed_before_the_one_beside_it() -> None:
    record = {"text": "4", "finish_reason": "stop"}
    (row,) = read_rows([{"completion": record, "finish_reason": "length"}])
    assert not row.completion.truncated


def test_a_column_of_reasons_that_was_named_must_be_there() -> None:
    with pytest.raises(RowError, match="no column 'why'"):
        list(read_rows([{"completion": "4"}], Columns(finish_reason="why")))


def test_the_command_reads_standard_input_and_writes_standard_output(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "referee", "score", "math", "-", "-o", "-", "--workers", "0"]
    done = subprocess.run(
        command, input=gzip.compress(json.dumps(ROWS).encode()), capture_output=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    totals = [json.loads(line)["reward"]["total"] for line in done.stdout.splitlines()]
    assert totals == [1.0, 0.0]
    assert b"is read as gzip, a JSON array" in done.stderr
    assert not list(tmp_path.iterdir())
