"""A disk that is full: one line that says so, and the same command then ends as if it had not been."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import resource, sys
from referee.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""  # a file that may not grow fails as a full disk does, in the middle of a line


def score(folder: Path, out: str, room: int, workers: int) -> subprocess.CompletedProcess[str]:
    words = ["score", "exact", "in.jsonl", "-o", out, "--workers", str(workers), "--quiet"]
    command = [sys.executable, "-c", RUN, str(room), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("room", "workers"), [(1, 0), (5000, 0), (20_011, 0), (20_011, 1)])
def test_a_full_disk_is_one_line_and_the_next_run_goes_on(room: int, workers: int, tmp_path: Path) -> None:
    rows = [{"prompt": f"{i}?", "completion": str(i), "answer": str(i % 7)} for i in range(600)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    full = score(tmp_path, "out.jsonl", room, workers)
    assert full.returncode == 2, full.stderr
    assert full.stderr.count("\n") == 1
    assert full.stderr.startswith("referee: no room to write out.jsonl: ")
    assert score(tmp_path, "out.jsonl", 1 << 40, 0).returncode == 0
    assert score(tmp_path, "undisturbed.jsonl", 1 << 40, 0).returncode == 0
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "undisturbed.jsonl").read_bytes()
