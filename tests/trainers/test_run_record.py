"""A run's record: whole checkpoints only, lines that match them, and a kill at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from referee.trainers.record.run_record import Run

RECIPE = """
policy: {name: tiny, tiny: {alphabet: "0123456789+=", layers: 1, width: 32, heads: 2}}
problems: {family: arithmetic, level: 0, terse: true}
heldout: {count: 20}
warm_start: {steps: 5}
algorithm: grpo
options: {batch_size: 32, group_size: 8, learning_rate: 1e-3, max_new_tokens: 4}
training: {steps: 60, eval_every: 7, save_every: 5}
"""


def test_a_checkpoint_appears_only_when_it_is_whole(tmp_path):
    run = Run(tmp_path)
    with pytest.raises(KeyboardInterrupt), run.checkpoint(3) as folder:  # noqa: PT012  # what is cut off
        (folder / "weights").write_text("half")
        raise KeyboardInterrupt
    assert run.checkpoints() == []
    with run.checkpoint(3) as folder:
        (folder / "weights").write_text("whole")
    assert [(step, (path / "weights").read_text()) for step, path in Run(tmp_path).checkpoints()] == [
        (3, "whole")
    ]
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-3"]


def test_lines_after_the_checkpoint_are_cut(tmp_path):
    run = Run(tmp_path)
    run.append("metrics", [{"step": i, "reward": i / 10} for i in range(1, 6)])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "rew')  # the machine went down here
    assert [line["step"] for line in run.read("metrics")] == [1, 2, 3, 4, 5]
    run.cut(3)
    assert [line["step"] for line in run.read("metrics")] == [1, 2, 3]


def test_old_checkpoints_go_and_the_first_stays(tmp_path):
    run = Run(tmp_path)
    for step in (0, 5, 10, 15):
        with run.checkpoint(step):
            pass
        run.prune(2)
    assert [step for step, _ in run.checkpoints()] == [0, 10, 15]


def test_a_record_by_another_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match="record must be one of metrics"):
        Run(tmp_path).append("../elsewhere", [])


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_kill_9_at_a_random_moment_changes_nothing(attempt, tmp_path):
    """Killed again and again, and carried on each time: the records are those of the undisturbed run, byte for byte."""
    (tmp_path / "recipe.yaml").write_text(RECIPE)

    def command(folder):
        program = "import sys, torch; torch.set_num_threads(1); from referee.cli import main; sys.exit(main(sys.argv[1:]))"
        return [sys.executable, "-c", program, "train", "recipe.yaml", "-o", folder, "--no-report", "--quiet"]

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command("whole"), cwd=tmp_path, env=environment, check=True)
    draw = random.Random(f"{attempt} {time.time_ns()}")
    lines = tmp_path / "cut" / "metrics.jsonl"
    for _ in range(2):
        child = subprocess.Popen(command("cut"), cwd=tmp_path, env=environment)
        written = lines.read_text().count("\n") if lines.exists() else 0
        until = written + draw.randrange(1, 20)
        while child.poll() is None and not (lines.exists() and lines.read_text().count("\n") >= until):
            time.sleep(0.005)
        time.sleep(draw.random() * 0.1)
        child.send_signal(signal.SIGKILL)
        child.wait()
    subprocess.run(command("cut"), cwd=tmp_path, env=environment, check=True)
    for name in ("metrics", "samples", "heldout"):
        whole, cut = ((tmp_path / run / f"{name}.jsonl").read_bytes() for run in ("whole", "cut"))
        assert whole == cut
        assert whole.count(b"\n") > 5


def test_no_public_name_is_shadowed_by_a_module_of_that_name():
    import referee.trainers

    modules = {p.stem for p in (Path(__file__).parents[2] / "trainers").iterdir()}
    assert not modules & set(referee.trainers.__all__)
