"""The engine: rewards in order, each distinct pair once, no hang, and nothing lost to a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from referee.verifiers import Completion, Problem, Reason, Rubric
from referee.verifiers.scoring import Columns, RowError, StoreError, read_scored, score, score_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import rubrics  # noqa: E402  # worker processes must find it by this name too

P = Problem(prompt="?")


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def reasons(rewards: list) -> list[Reason]:
    return [next(iter(r.parts.values())).reason for r in rewards]


def test_a_completion_that_spins_is_late_and_scores_zero_while_the_others_are_judged() -> None:
    texts = ["four", "spin", "five5", "spin", "sixsix"]
    rewards = score(rubrics.JUDGE, [(t, P) for t in texts], workers=2, deadline_s=0.3)
    assert [r.total for r in rewards] == [0.4, 0.0, 0.5, 0.0, 0.6]
    assert reasons(rewards)[1] is Reason.TIMEOUT


def test_a_verifier_that_waits_for_something_else_is_tried_again_and_then_abstains() -> None:
    slept, fine = score(rubrics.JUDGE, [("sleep", P), ("four", P)], workers=1, deadline_s=0.2)
    assert slept.total is None
    assert reasons([slept]) == [Reason.UNAVAILABLE]
    assert fine.total == 0.4


def test_a_worker_that_dies_takes_no_other_completion_along() -> None:
    texts = [f"{'x' * (i % 9)}" for i in range(200)]
    texts[100] = "die"
    rewards = score(rubrics.JUDGE, [(t, P) for t in texts], workers=2)
    assert [r.total for i, r in enumerate(rewards) if i != 100] == [
        len(t) / 10 for i, t in enumerate(texts) if i != 100
    ]
    assert reasons(rewards)[100] is Reason.ERROR
    assert rewards[100].total is None


def test_a_verifier_that_raises_abstains_and_says_what_it_raised() -> None:
    (reward,) = score(rubrics.JUDGE, [("raise", P)], workers=1)
    assert reward.total is None
    assert reward.parts["judge"].detail == {"error": "RuntimeError: broken verifier"}


def test_a_truncated_completion_that_hangs_is_paid_by_the_truncation_policy() -> None:
    cut = Completion(text="spin", finish_reason="length")
    abstaining = Rubric({"judge": rubrics.judge}, truncation="abstain")
    assert score(rubrics.JUDGE, [(cut, P)], workers=1, deadline_s=0.2)[0].total == 0.0
    assert score(abstaining, [(cut, P)], workers=1, deadline_s=0.2)[0].total is None


def test_no_worker_is_left_behind(descendants) -> None:
    before = descendants()
    score(rubrics.JUDGE, [("spin", P), ("a", P)], workers=2, deadline_s=0.2)
    assert descendants() <= before


def test_equal_pairs_are_decided_once(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    rows = [{"completion": f"c{i % 7}", "info": {"log": str(log)}} for i in range(70)]
    summary = score_file(rubrics.COUNT, rows, tmp_path / "out.jsonl", workers=2)
    assert Counter(log.read_text().split()) == Counter(f"c{i}" for i in range(7))
    assert summary.completions == 70
    assert summary.duplicates == 63
    assert [s.completion.text for s in read_scored(tmp_path / "out.jsonl")] == [
        f"c{i % 7}" for i in range(70)
    ]


def test_neighbours_with_one_problem_are_siblings() -> None:
    pairs = [("a", P), ("b", P), ("c", Problem(prompt="!"))]
    assert [r.total for r in score(rubrics.SIBLINGS, pairs, workers=1)] == [0.5, 0.5, 1.0]


def test_an_awaited_verifier_runs_many_at_a_time_and_one_that_hangs_abstains() -> None:
    rubric = Rubric({"judge": rubrics.judge_slowly})
    start = time.monotonic()
    rewards = score(
        rubric, [("a", P)] * 1 + [(f"{i}", P) for i in range(60)] + [("sleep", P)], deadline_s=1.0
    )
    assert [r.total for r in rewards[:-1]] == [1.0] * 61
    assert rewards[-1].total is None
    assert time.monotonic() - start < 4.0


def test_a_model_gets_whole_batches() -> None:
    model = rubrics.Model()
    score(Rubric({"model": model}), [(f"{i}", P) for i in range(300)])
    assert model.sizes == [256, 44]


def test_a_rubric_that_cannot_be_pickled_is_refused_with_the_way_out() -> None:
    local = Rubric({"local": lambda completion, problem: 1.0})
    with pytest.raises(TypeError, match=r"must be picklable .* or pass workers=0"):
        score(local, [("a", P)], workers=1)
    assert score(local, [("a", P)], workers=0)[0].total == 1.0


@pytest.mark.parametrize(("workers", "deadline_s"), [(-1, 1.0), (1, 0.0), (1, float("nan"))])
def test_bad_limits_are_refused(workers: int, deadline_s: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        score(rubrics.JUDGE, [("a", P)], workers=workers, deadline_s=deadline_s)


def test_a_bad_line_ends_the_run_and_what_came_before_it_is_kept(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"completion": "x" * (i % 9)} for i in range(50)])
    with source.open("a") as file:
        file.write("{broken\n")
    with pytest.raises(RowError, match="line 51: not JSON"):
        score_file(rubrics.JUDGE, source, tmp_path / "out.jsonl", workers=2)
    assert len(list(read_scored(tmp_path / "out.jsonl"))) == 50


def test_an_output_of_something_else_is_never_overwritten(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"completion": "a"}])
    (tmp_path / "out.jsonl").write_text("precious\n")
    with pytest.raises(StoreError, match="exists and is not the output of a run"):
        score_file(rubrics.JUDGE, source, tmp_path / "out.jsonl", workers=0)
    assert (tmp_path / "out.jsonl").read_text() == "precious\n"


def test_going_on_with_another_rubric_columns_or_source_is_refused(tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.jsonl", [{"completion": "a", "b": "x"}]), tmp_path / "out.jsonl"
    score_file(rubrics.JUDGE, source, out, workers=0)
    with pytest.raises(StoreError, match="begun with another rubric"):
        score_file(rubrics.SIBLINGS, source, out, workers=0)
    with pytest.raises(StoreError, match="begun with another column setting, completion"):
        score_file(rubrics.JUDGE, source, out, workers=0, columns=Columns(completion="b"))
    write(source, [{"completion": "changed"}])
    with pytest.raises(StoreError, match="the source has changed"):
        score_file(rubrics.JUDGE, source, out, workers=0)
    assert score_file(rubrics.JUDGE, source, out, workers=0, overwrite=True).resumed == 0


def test_the_number_of_workers_does_not_change_a_byte(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"completion": "x" * (i % 23)} for i in range(500)])
    outs = []
    for workers in (0, 1, 2):
        out = tmp_path / f"out{workers}.jsonl"
        score_file(rubrics.JUDGE, source, out, workers=workers)
        outs.append(out.read_bytes())
    assert outs[0] == outs[1] == outs[2]


@pytest.mark.parametrize("rubric", ["COUNT", "SIBLINGS"])
def test_a_run_killed_ten_times_ends_with_the_same_bytes(tmp_path: Path, rubric: str) -> None:
    log = tmp_path / "calls"
    rows = [
        {"completion": [f"{i}a", f"{i}b", f"{i}c"], "info": {"log": str(log)}, "id": str(i)}
        for i in range(150)
    ]
    source, out = write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    command = [sys.executable, str(HERE / "killed_run.py"), str(source), str(out), rubric, "2"]
    rng = random.Random(7)
    kills = 0
    while kills < 10:
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        seen = out.stat().st_size if out.exists() else 0
        target = seen + rng.randrange(200, 4000)
        while process.poll() is None and (not out.exists() or out.stat().st_size < target):
            time.sleep(0.002)
        assert process.poll() is None, "the run ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    killed = out.read_bytes()
    called = Counter(log.read_text().split()) if log.exists() else Counter()

    score_file(getattr(rubrics, rubric), source, out, workers=0, overwrite=True)
    assert killed == out.read_bytes()
    if rubric == "COUNT":
        # Only what was in a worker's hands at a kill may be judged again.
        assert sum(called.values()) - 450 <= kills * 2 * 4


BAD = {"completion": "a", "info": "[]"}


@pytest.mark.parametrize(("rubric", "workers"), [(rubrics.JUDGE, 1), (rubrics.SIBLINGS, 0)])
def test_a_bad_cell_is_its_rows_abstention_and_the_file_goes_on_and_resumes_byte_for_byte(
    tmp_path: Path, rubric: Rubric, workers: int
) -> None:
    rows = [{"completion": "a"}, BAD, {"completion": None}, {"completion": {"txt": "b"}}, {"completion": "a"}]
    alone = {**BAD, "g": None}
    source = write(tmp_path / "in.jsonl", [{**row, "g": 1} for row in rows] + [alone, alone])
    columns = Columns(group="g")
    whole = tmp_path / "whole.jsonl"
    score_file(rubric, source, whole, columns=columns, workers=workers)
    scored = list(read_scored(whole))
    reasons = [{v.reason for v in s.reward.parts.values()} for s in scored]
    abstained = [r == {"bad_reference"} for r in reasons]
    assert abstained == [False, True, False, True, False, True, True]
    assert all(s.reward.total is None for s, bad in zip(scored, abstained, strict=True) if bad)
    lines = whole.read_bytes().splitlines(keepends=True)
    for cut in range(len(lines)):
        out = tmp_path / f"{cut}.jsonl"
        score_file(rubric, source, out, columns=columns, workers=workers)
        out.write_bytes(b"".join(lines[:cut]))
        score_file(rubric, source, out, columns=columns, workers=workers)
        assert out.read_bytes() == whole.read_bytes()


def test_siblings_of_a_row_that_cannot_be_read_are_judged_without_it(tmp_path: Path) -> None:
    rows = [{"completion": "a", "g": 1}, {**BAD, "g": 1}, {"completion": "b", "g": 1}]
    out = tmp_path / "out.jsonl"
    score_file(rubrics.SIBLINGS, rows, out, columns=Columns(group="g"), workers=0)
    assert [s.reward.total for s in read_scored(out)] == [0.5, None, 0.5]


def test_a_row_that_was_mended_since_does_not_keep_its_abstention(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    score_file(rubrics.JUDGE, [BAD], out, workers=0)
    with pytest.raises(StoreError, match="line 1: the source has changed since this was scored"):
        score_file(rubrics.JUDGE, [{"completion": "a"}], out, workers=0)
