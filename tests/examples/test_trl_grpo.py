"""The TRL example, in miniature."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "trl_grpo.py"


def test_the_example_trains_and_prints_its_parts(tmp_path):
    command = [
        sys.executable,
        str(EXAMPLE),
        "--steps",
        "2",
        "--group-size",
        "2",
        "--out",
        str(tmp_path / "run"),
    ]
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("step")]
    assert len(lines) == 2
    assert all("referee/exact" in line and "referee/digits" in line for line in lines)
