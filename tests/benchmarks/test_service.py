"""The service's benchmark asks a real service, and checks what it answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "service.py"


@pytest.mark.slow
def test_no_answer_is_lost_or_wrong_and_its_report_is_one_json_object_last():
    command = [sys.executable, str(PROGRAM), "--clients", "2", "--requests", "5", "--items", "3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["sent"], said["lost"], said["wrong"]) == (10, 0, 0)
    assert 0 < said["p50_ms"] <= said["p95_ms"] <= said["p99_ms"]
    assert said["completions_per_s"] > 0
