"""Checkpoints: a run goes on only as it was begun, and every process has its random state back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from referee.trainers.loop.saving import OtherRun
from referee.trainers.record.run_record import Run
from referee.verifiers import Exact, Problem, Rubric


def test_a_run_of_another_preset_rubric_or_data_is_not_gone_on_with(tiny, tmp_path):
    t = tiny.trainer(run=Run(tmp_path))
    t.train()
    lines = (tmp_path / "metrics.jsonl").read_bytes()
    with pytest.raises(OtherRun, match=r"preset.clip_high: 0.2 then, 0.3 now"):
        tiny.trainer(run=Run(tmp_path), clip_high=0.3).train()
    with pytest.raises(OtherRun, match=r"rubric.parts"):
        tiny.trainer(run=Run(tmp_path), rubric=Rubric({"exact": Exact()}, truncation="score")).train()
    with pytest.raises(OtherRun, match=r"rubric.truncation: \"score\" then, \"zero\" now"):
        tiny.trainer(run=Run(tmp_path), rubric=Rubric({"digits": tiny.digits})).train()
    other = tiny.trainer(run=Run(tmp_path))
    fewer = type(other)(
        other.policy, [Problem(prompt="1+1=", answer="2")], other.rubric,
        preset=other.preset, training=other.training, run=Run(tmp_path),
    )  # fmt: skip
    with pytest.raises(OtherRun, match=r"problems: "):
        fewer.train()
    assert (tmp_path / "metrics.jsonl").read_bytes() == lines


def test_more_steps_and_another_learner_of_the_same_are_gone_on_with(tiny, tmp_path):
    tiny.trainer(run=Run(tmp_path)).train()
    t = tiny.trainer(run=Run(tmp_path), seed=99)
    t.training = replace(t.training, steps=6)
    t.train()
    assert t.step == 6


def test_random_states_come_back(tiny, tmp_path):
    t = tiny.trainer(run=Run(tmp_path))
    torch.manual_seed(5)
    t.save()
    drawn = torch.rand(3)
    torch.manual_seed(6)
    assert t.resume()
    assert torch.equal(torch.rand(3), drawn)


def test_timings_say_speed_and_memory(tiny, tmp_path):
    t = tiny.trainer(run=Run(tmp_path))
    t.train()
    lines = t.run.read("timings")
    assert all(line["tokens_per_second"] > 0 and line["peak_memory_bytes"] > 1e6 for line in lines)
