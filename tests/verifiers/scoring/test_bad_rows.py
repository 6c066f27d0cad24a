"""What is no row: stopped at, kept with its reason, or passed over; and what was left open, asked again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.cli import main
from referee.verifiers import Completion, Exact, Reason, Rubric, Verdict
from referee.verifiers.scoring import Columns, RowError, StoreError, read_rows, read_scored, score_file
from referee.verifiers.scoring.retrying import retry_file

RUBRIC = Rubric({"right": Exact()})
GOOD = [{"prompt": "?", "completion": str(i), "answer": "1", "p": i % 2} for i in range(4)]
BAD = ["{", "nonsense", "[1]", '{"text": "no completion"}', "\x00"]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    good = [json.dumps(row) for row in GOOD]
    return write(tmp_path / "in.jsonl", [good[0], BAD[0], good[1], *BAD[1:4], good[2], BAD[4], good[3]])


def test_bad_rows_stop_the_reading_unless_it_is_said_otherwise(mixed: Path) -> None:
    reader = read_rows(mixed)
    assert next(reader).completion.text == "0"
    with pytest.raises(RowError, match="line 2: not JSON"):
        next(reader)


def test_skipped_rows_are_counted_and_nothing_after_them_is_lost(mixed: Path, tmp_path: Path) -> None:
    summary = score_file(RUBRIC, mixed, tmp_path / "out", workers=0, bad_rows="skip")
    assert (summary.completions, summary.bad_rows) == (4, 5)
    assert [s.completion.text for s in read_scored(tmp_path / "out")] == ["0", "1", "2", "3"]
    assert [s.line for s in read_scored(tmp_path / "out")] == [1, 3, 7, 9]


def test_kept_rows_stand_in_the_output_with_their_text_and_reason(mixed: Path, tmp_path: Path) -> None:
    summary = score_file(RUBRIC, mixed, tmp_path / "out", workers=0, bad_rows="keep")
    assert (summary.completions, summary.bad_rows) == (9, 5)
    found = list(read_scored(tmp_path / "out"))
    assert [s.line for s in found] == list(range(1, 10))
    kept = [s for s in found if "line" in s.problem.info]
    assert [s.problem.info["line"] for s in kept] == BAD
    assert all(s.reward.total is None for s in kept)
    assert {s.reward.parts["right"].reason for s in kept} == {Reason.BAD_REFERENCE}
    assert "not JSON" in str(kept[0].reward.parts["right"].detail["error"])


@pytest.mark.parametrize("policy", ["keep", "skip"])
def test_a_second_run_over_bad_rows_changes_no_byte(policy: Any, mixed: Path, tmp_path: Path) -> None:
    for _ in range(2):
        summary = score_file(RUBRIC, mixed, tmp_path / "out", workers=0, bad_rows=policy)
        assert summary.bad_rows == 5
    assert summary.resumed == summary.completions


def test_a_policy_that_there_is_not_is_named(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="bad_rows must be one of stop, keep, skip, got 'drop'"):
        list(read_rows(mixed, bad_rows="drop"))  # type: ignore[arg-type]
    assert main(["score", "exact", str(mixed), "-o", str(mixed) + ".out", "--bad-rows", "drop"]) == 2
    assert "--bad-rows must be one of stop, keep, skip, got 'drop'" in capsys.readouterr().err


def test_the_command_counts_bad_rows(mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["score", "exact", str(mixed), "-o", str(tmp_path / "o"), "--bad-rows", "skip", "--workers", "0"]
    assert main(argv) == 0
    assert "5 lines were no row" in capsys.readouterr().err


@given(st.lists(st.one_of(st.integers(0, 3), st.sampled_from("abc")), max_size=30))
def test_gathering_loses_nothing_and_puts_each_group_in_one_place(names: list[Any]) -> None:
    """Equal names, one run; rows of a run in the order of the file; runs in the order of their first rows."""
    data = [{"completion": str(i), "p": name} for i, name in enumerate(names)]
    found = list(read_rows(data, Columns(group="p")))
    expected = [i for name in dict.fromkeys(names) for i, other in enumerate(names) if other == name]
    assert [int(r.completion.text) for r in found] == expected
    assert [r.group for r in found] == sorted(r.group for r in found)
    assert len({r.group for r in found}) == len(set(names))


def test_rows_in_memory_are_gathered_with_whatever_they_hold() -> None:
    data = [{"completion": Completion(text=str(i)), "p": i % 2, "thing": object()} for i in range(4)]
    assert [r.completion.text for r in read_rows(data, Columns(group="p"))] == ["0", "2", "1", "3"]


@pytest.mark.parametrize("policy", ["keep", "skip"])
def test_a_bad_row_does_not_cut_its_neighbours_group(policy: Any, mixed: Path) -> None:
    rows = list(read_rows(mixed, Columns(group="p"), bad_rows=policy))
    good = [r for r in rows if r.failure is None]
    assert [r.completion.text for r in good] == ["0", "2", "1", "3"]
    assert good[0].group == good[1].group != good[2].group == good[3].group


class Away:
    """A judge that can be away; what it says when it is there does not depend on that."""

    def __init__(self, here: bool) -> None:
        self.here = here

    def __repr__(self) -> str:
        return "Away()"

    def __call__(self, completion: Any, problem: Any) -> Verdict:
        if not self.here and completion.text != "0":
            return Verdict(score=None, reason=Reason.UNAVAILABLE, detail={"error": "away"})
        return Verdict(score=0.5, reason=Reason.PARTIAL)


def rubric(*, here: bool) -> Rubric:
    return Rubric({"right": Exact(), "judge": Away(here)})


def test_a_retry_decides_what_was_open_and_leaves_every_other_byte(mixed: Path, tmp_path: Path) -> None:
    out, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    score_file(rubric(here=False), mixed, out, workers=0, bad_rows="keep")
    score_file(rubric(here=True), mixed, undisturbed, workers=0, bad_rows="keep")
    before = out.read_bytes().splitlines()
    done = retry_file(rubric(here=True), out, workers=0)
    assert (done.completions, done.tried, done.open) == (9, 3, 0)
    assert out.read_bytes() == undisturbed.read_bytes()
    assert sum(a != b for a, b in zip(before, out.read_bytes().splitlines(), strict=True)) == 3
    assert retry_file(rubric(here=True), out, workers=0).tried == 0
    assert score_file(rubric(here=True), mixed, out, workers=0, bad_rows="keep").resumed == 9


def test_a_retry_of_another_reason_touches_nothing(mixed: Path, tmp_path: Path) -> None:
    score_file(rubric(here=False), mixed, tmp_path / "out", workers=0, bad_rows="skip")
    before = (tmp_path / "out").read_bytes()
    assert retry_file(rubric(here=True), tmp_path / "out", workers=0, reasons=[Reason.ERROR]).tried == 0
    assert (tmp_path / "out").read_bytes() == before


def test_a_retry_with_another_rubric_is_refused(mixed: Path, tmp_path: Path) -> None:
    score_file(rubric(here=False), mixed, tmp_path / "out", workers=0, bad_rows="skip")
    with pytest.raises(StoreError, match="another rubric"):
        retry_file(RUBRIC, tmp_path / "out", workers=0)


@pytest.mark.parametrize("what", ["wrong", "abstained:never", "abstained:", ":error"])
def test_a_retry_that_means_nothing_is_named(
    what: str, mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    score_file(RUBRIC, mixed, out, workers=0, bad_rows="skip")
    code = main(["score", "exact", str(mixed), "-o", str(out), "--retry", what])
    said = capsys.readouterr().err
    assert code == 2
    assert f"--retry must be abstained or abstained:REASON, got {what!r}" in said
