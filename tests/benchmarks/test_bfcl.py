"""A sample of BFCL: accepted calls pass in every form, calls with one fault fail, and the counts are counted."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from referee.verifiers import ToolCalls
from referee.verifiers.records import Reason

ROOT = Path(__file__).resolve().parents[2]
ROWS = [json.loads(line) for line in (ROOT / "tests/data/tool_calls_bfcl.jsonl").open()]
CONTRADICT = {
    "live_multiple_862-181-3",
    "live_multiple_964-207-0",
}  # their references fit none of their tools
WANTED = [row for row in ROWS if row["calls"] and row["id"] not in CONTRADICT]


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    return importlib.import_module("tool_calls")


def test_the_sample_has_every_category(bench):
    assert {row["category"] for row in ROWS} == {*bench.WITH_ANSWERS, *bench.NO_CALL}
    assert len(WANTED) > 50


@pytest.mark.parametrize("row", WANTED, ids=lambda row: row["id"])
def test_accepted_calls_pass_in_every_form_and_as_source(row, bench):
    right = bench.right_calls(row)
    written = bench.in_source(row, right) if row["language"] != "python" else right
    for calls in (right, written):
        for form, text in bench.forms(calls).items():
            assert ToolCalls()(text, bench.problem(row)).score == 1.0, (form, text)


@pytest.mark.parametrize("row", WANTED, ids=lambda row: row["id"])
def test_calls_with_one_fault_fail(row, bench):
    made = list(bench.mutations(row))
    assert len({kind for kind, _ in made}) >= 5
    for kind, calls in made:
        for form, text in bench.forms(calls).items():
            assert ToolCalls()(text if calls else "no call", bench.problem(row)).score == 0.0, (
                kind,
                form,
                text,
            )


def test_no_call_is_wanted_and_none_is_made(bench):
    for row in ROWS:
        if not row["calls"]:
            assert ToolCalls()("None of these functions can do that.", bench.problem(row)).score == 1.0
            call = [{"name": row["tools"][0]["name"], "arguments": {}}]
            assert all(
                ToolCalls()(text, bench.problem(row)).score == 0.0 for text in bench.forms(call).values()
            )


def test_a_reference_that_fits_no_tool_abstains(bench):
    for row in ROWS:
        if row["id"] in CONTRADICT:
            assert ToolCalls()("[f()]", bench.problem(row)).reason is Reason.BAD_REFERENCE


def test_at_least_twenty_kinds_of_faults_are_made(bench):
    assert len({kind for row in WANTED for kind, _ in bench.mutations(row)}) >= 20


def test_the_figures_are_counted_from_the_files(bench, tmp_path):
    (tmp_path / "possible_answer").mkdir()
    for category in (*bench.WITH_ANSWERS, *bench.NO_CALL):
        rows = [row for row in ROWS if row["category"] == category]
        questions = [json.dumps({"id": r["id"], "function": r["tools"]}) for r in rows]
        (tmp_path / f"BFCL_v4_{category}.json").write_text("\n".join(questions))
        answers = [json.dumps({"id": r["id"], "ground_truth": r["calls"]}) for r in rows]
        (tmp_path / "possible_answer" / f"BFCL_v4_{category}.json").write_text("\n".join(answers))
    found = bench.measure(tmp_path, None, 5)
    assert found["rows"] == len(WANTED)
    assert found["accepted answers that pass"] == found["mutations refused"] == 1.0
    assert len(found["left out: the row contradicts itself"]) == len(CONTRADICT)
    assert found["apart"] == []
