"""Options crossed, two by two: a gradient depends on the batch, not on how it was cut, padded or dealt."""

from __future__ import annotations

import itertools
import os
import runpy
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

PROGRAM = Path(__file__).with_name("cells.py")
table = SimpleNamespace(**runpy.run_path(str(PROGRAM)))
CELLS = table.cells()


@cache
def of_one_process(number):
    return table.gradient(CELLS[number])


def distance(ours, theirs):
    if ours is None or theirs is None:
        return 0.0 if ours is theirs else float("inf")
    return float((ours - theirs).norm() / theirs.norm().clamp(min=1e-12))


def test_every_two_options_meet():
    seen = {
        frozenset(((x, cell[x]), (y, cell[y])))
        for cell in CELLS
        for x, y in itertools.combinations(("preset", *table.SWITCHES), 2)
    }
    assert len(CELLS) < 60
    for name, switch in itertools.product(table.PRESETS, table.SWITCHES):
        for on in (False, True):
            assert frozenset((("preset", name), (switch, on))) in seen
    for x, y in itertools.combinations(table.SWITCHES, 2):
        for a, b in itertools.product((False, True), repeat=2):
            if {x, y} != {"kl_in_loss", "kl_in_reward"} or not (a and b):
                assert frozenset(((x, a), (y, b))) in seen


def test_most_cells_have_something_to_learn():
    found = [of_one_process(number)[0] for number in range(len(CELLS))]
    assert sum(g is not None and bool(g.any()) for g in found) > 0.9 * len(CELLS)


@pytest.mark.parametrize("number", range(len(CELLS)))
def test_micro_batches_and_padding_change_no_gradient(number):
    whole, groups = of_one_process(number)
    assert whole is None or torch.isfinite(whole).all()
    for how in ({"micro": 30}, {"widen": 7}, {"micro": 1, "widen": 3}):
        cut, _ = table.gradient(CELLS[number], groups=groups, **how)
        assert distance(cut, whole) < 1e-6, how


@pytest.mark.parametrize("number", range(0, len(CELLS), 4))
def test_float32_agrees_with_itself(number):
    whole, groups = table.gradient(CELLS[number], dtype="float32")
    cut, _ = table.gradient(CELLS[number], dtype="float32", groups=groups, micro=30, widen=7)
    assert distance(cut, whole) < 1e-5


def test_two_processes_have_the_gradient_of_one(tmp_path):
    torch.save(table.babbler(), tmp_path / "babbler.pt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, PROGRAM, tmp_path],
            env={**os.environ, **world, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [p.communicate(timeout=150)[0] for p in started]
    finally:
        for p in started:
            p.kill()
    assert [p.returncode for p in started] == [0, 0], "\n".join(said)
    for number, cell in enumerate(CELLS):
        shared = torch.load(tmp_path / f"{number}.pt", weights_only=True)
        assert distance(shared, of_one_process(number)[0]) < 1e-6, cell
