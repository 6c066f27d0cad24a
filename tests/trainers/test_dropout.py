"""Dropout of rows: the same before the update and in it, however rows are batched, and in every run."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from referee.trainers import GroupTrainer, LoRA, Tiny, Training, preset, tiny_policy
from referee.trainers.policy.dropout import RowDropout
from referee.trainers.policy.policy import add_adapters
from referee.verifiers import Problem, Rubric

SMALL = Tiny(alphabet="0123456789+=", layers=1, width=16, heads=2)
PROBLEMS = [Problem(prompt=f"{i}+1=", answer=str(i + 1)) for i in range(8)]


def trainer(dropout=0.3, micro=10_000, **options):
    policy = add_adapters(tiny_policy(SMALL, dtype="float64"), LoRA(rank=2, alpha=8, dropout=dropout))
    torch.manual_seed(3)
    for name, p in policy.model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(p, std=0.3)
    return GroupTrainer(
        policy,
        PROBLEMS,
        Rubric({"digits": lambda c, _: sum(x in "12345" for x in c.text) / 9}, truncation="score"),
        preset=replace(
            preset("grpo_trl"), batch_size=8, group_size=4, max_new_tokens=4, learning_rate=1e-3, **options
        ),
        training=Training(steps=1, micro_batch_tokens=micro),
    )


def test_nothing_has_moved_before_the_first_update():
    figures, _, _ = trainer(updates=1, update_epochs=1, mini_batch_size=8).take_step()
    t = trainer(update_epochs=2)
    batch, _ = t.pack(t.collect()[0])
    seen = {}
    t.learner.backward(batch, t.preset, t.training, step=t.step, seen=seen)
    assert float(seen["log_ratio"].abs().max()) < 1e-6
    assert figures["policy_kl"] == pytest.approx(0.0, abs=1e-9)


def test_units_are_dropped_and_the_draw_is_the_runs_own():
    figures = []
    for dropout, seed in ((0.3, 0), (0.3, 1), (0.0, 0)):
        t = trainer(dropout)
        torch.manual_seed(seed)  # the global stream has no say
        figures.append(t.take_step()[0]["grad_norm"])
    assert figures[0] == figures[1] != figures[2]


def test_micro_batches_change_no_gradient():
    found = []
    for micro in (10_000, 1):
        t = trainer(micro=micro)
        batch, _ = t.pack(t.collect()[0])
        t.learner.model.train()
        t.backward(batch)
        found.append(torch.cat([p.grad.flatten() for p in t.learner.trained]))
    assert ((found[0] - found[1]).norm() / found[0].norm()).item() < 1e-6


def test_kept_units_are_scaled_and_padding_changes_no_mask():
    layer = nn.Sequential(nn.Dropout(0.25))
    dropout = RowDropout(layer)
    layer.train()
    x = torch.ones(2, 50, 40)
    assert torch.equal(layer(x), x)
    with dropout.of_rows([1, 2]):
        long, again = layer(x), layer(x)
    with dropout.of_rows([2]):
        short = layer(x[:1, :30])
    assert torch.equal(long, again)
    assert torch.equal(long[1, :30], short[0])
    assert long.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float(long.mean()) == pytest.approx(1.0, abs=0.05)
    assert not torch.equal(long[0], long[1])
