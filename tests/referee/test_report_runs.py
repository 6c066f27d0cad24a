"""Runs on one page: figures, curves, what was asked differently, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from referee.cli import main
from referee.report.runs import runs_report


def run_in(folder: Path, *, rate: float, steps: int = 6, recipe: str = "algorithm: grpo_trl\n") -> Path:
    """Write the records of a run whose reward rises by ``rate`` a step."""
    folder.mkdir(parents=True)
    lines = {"metrics": [], "heldout": [], "timings": []}
    for step in range(1, steps + 1):
        lines["metrics"].append(
            {"step": step, "reward": rate * step, "kl": 0.01 * step, "entropy": 1.0, "learning_rate": 1e-6,
             "skipped": float(step == 3 and rate > 0.1), "errors": 0.0, "updates": 1.0}
        )  # fmt: skip
        lines["timings"].append(
            {"step": step, "step_seconds": 2.0, "tokens_per_second": 100.0, "peak_memory_bytes": 3e9}
        )
    for step in (0, steps // 2, steps):
        p = min(1.0, 0.1 + rate * step)
        lines["heldout"].append(
            {"step": step, "greedy": {"pass_at_1": p, "low": p - 0.05, "high": p + 0.05, "decided": 100}}
        )
    for name, rows in lines.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "recipe.yaml").write_text(recipe)
    return folder


def test_two_runs_stand_beside_each_other(tmp_path: Path) -> None:
    a = run_in(tmp_path / "a", rate=0.1)
    b = run_in(tmp_path / "b", rate=0.05, recipe="algorithm: rloo\noptions: {group_size: 4}\n")
    page = runs_report([a, b])
    for said in ('<th scope="row">a</th>', '<th scope="row">b</th>', "70.0 %", "40.0 %", "3.0 GB"):
        assert said in page, said
    assert "options.group_size" in page
    assert "rloo" in page
    assert page.count("<svg") > 5
    for name, rate in (("a", 0.7), ("b", 0.4)):
        assert f"{name} ends at {rate:.3g}" in page


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    one, two = (run_in(tmp_path / seed / "sums", rate=0.1) for seed in ("seed0", "seed1"))
    page = runs_report([one, two])
    assert "seed0/sums" in page
    assert "seed1/sums" in page


def test_red_flags_are_said_of_the_run_that_raised_them(tmp_path: Path) -> None:
    page = runs_report([run_in(tmp_path / "a", rate=0.2), run_in(tmp_path / "b", rate=0.05)])
    assert "not finite" in page
    assert "None." in page


def test_the_command_writes_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(run_in(tmp_path / name, rate=0.1)) for name in "abc"]
    out = tmp_path / "page.html"
    assert main(["report", *folders, "-o", str(out)]) == 0
    assert all(f">{name}</th>" in out.read_text() for name in "abc")
    (tmp_path / "scored.jsonl").write_text("{}\n")
    assert main(["report", folders[0], str(tmp_path / "scored.jsonl"), "-o", str(out)]) == 2
    assert "source must be folders of runs where there are several" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["report", folders[0], str(tmp_path / "empty"), "-o", str(out)]) == 2
    assert "empty holds no step of a training run" in capsys.readouterr().err
