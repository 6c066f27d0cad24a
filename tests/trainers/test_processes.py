"""The number of processes changes nothing but rounding: groups and rows are dealt out, gradients summed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

PROGRAM = Path(__file__).with_name("two_steps.py")


def run(name, folder, processes):
    """Run the program in so many processes that speak over gloo; return weights and records."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    world = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, PROGRAM, name, folder],
            env={**os.environ, "OMP_NUM_THREADS": "1"}
            | ({**world, "RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(processes)
    ]
    try:
        said = [p.communicate(timeout=100)[0] for p in started]
    finally:
        for p in started:
            p.kill()
    assert [p.returncode for p in started] == [0] * processes, "\n".join(said)
    assert json.loads((folder / "processes.json").read_text()) == processes
    records = {
        name: [json.loads(line) for line in (folder / "run" / f"{name}.jsonl").read_text().splitlines()]
        for name in ("metrics", "heldout", "samples")
    }
    return torch.load(folder / "weights.pt", weights_only=True), records


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grpo", "rloo", "ppo", "grpo-uneven", "ppo-uneven"])
def test_two_processes_end_where_one_does(name, tmp_path):
    weights, records = run(name, tmp_path / "one", 1)
    others, same = run(name, tmp_path / "two", 2)
    for key, value in weights.items():
        gap = float((value - others[key]).abs().max())
        # Adam makes a step of the learning rate's size out of a gradient that is all rounding
        least = 1e-7 if name.endswith("-uneven") else 1e-12
        assert torch.allclose(value, others[key], rtol=1e-9, atol=least), (key, gap)
    assert records["heldout"] == same["heldout"]
    assert records["samples"] == same["samples"]
    for mine, theirs in zip(records["metrics"], same["metrics"], strict=True):
        assert theirs == pytest.approx(mine, rel=1e-6, abs=1e-9)
