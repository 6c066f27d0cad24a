"""The demonstration: what it ships can be judged, and it explains three verdicts and writes the report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples/demo"
MINIATURE = ["training.steps=2", "warm_start.steps=2", "heldout.count=20"]


def test_the_demo_scores_explains_three_and_writes_the_report(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DEMO / "run.py", tmp_path / "demo", *MINIATURE],
        capture_output=True,
        text=True,
        check=True,
    )
    for said in ("Paid in full", "only in the thinking", "Nobody wrote down the reference", "What next"):
        assert said in done.stdout
    assert (tmp_path / "demo/report.html").stat().st_size > 100_000
    assert (tmp_path / "demo/run/report.html").stat().st_size > 50_000
    rows = [json.loads(line) for line in (tmp_path / "demo/scored.jsonl").read_text().splitlines()]
    totals = [row["reward"]["total"] for row in rows]
    assert len(rows) == 242
    assert totals.count(None) == 2
    assert {0.0, 0.2, 1.0, 1.2} <= set(totals)


def test_nothing_hostile_in_the_demo_is_paid_for_being_right(tmp_path: Path) -> None:
    from referee.verifiers import Math, Problem

    hostile = (
        "forged",
        "Ignore the reference",
        '"score": 1.0',
        "__import__",
        "10^{10^{10",
        r"\boxed{8} \boxed{9}",
    )
    seen = 0
    for line in (DEMO / "completions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for completion in row["completion"]:
            if row["answer"] and row["answer"] != "9" and any(h in completion["text"] for h in hostile):
                seen += 1
                assert Math()(completion["text"], Problem(answer=row["answer"])).score == 0.0, completion
    assert seen >= 6
