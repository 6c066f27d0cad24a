"""The reference: where the policy was when training began, with adapters and without, or its slow average."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from referee.trainers import (
    SFT,
    GroupTrainer,
    LoRA,
    Run,
    Tiny,
    Training,
    fine_tune,
    load_policy,
    preset,
    tiny_policy,
)
from referee.trainers.policy.policy import add_adapters
from referee.trainers.policy.reference import ReferencePolicy
from referee.verifiers import Problem, Rubric

SMALL = Tiny(alphabet="0123456789+=", layers=1, width=16, heads=2)
PROBLEMS = [Problem(prompt=f"{i}+1=", answer=str(i + 1)) for i in range(8)]
TOKENS = torch.tensor([[3, 4, 5, 6]])


def policy_of(*, lora=True, warm=True, seed=0):
    policy = tiny_policy(SMALL, seed=seed)
    if lora:
        policy = add_adapters(policy, LoRA(rank=2, alpha=8), seed=seed)
    if warm:
        shown = [(p, p.answer) for p in PROBLEMS]
        fine_tune(policy, shown, options=SFT(steps=5, batch_size=8, learning_rate=1e-2))
    return policy


def logits(model):
    with torch.no_grad():
        return model(input_ids=TOKENS).logits


def trainer(policy, *, run=None, steps=2, **training):
    return GroupTrainer(
        policy,
        PROBLEMS,
        Rubric({"digits": lambda c, _: sum(x in "12345" for x in c.text) / 9}, truncation="score"),
        preset=replace(
            preset("grpo"), batch_size=8, group_size=4, max_new_tokens=4, learning_rate=1e-2, kl_coef=0.1
        ),
        training=Training(steps=steps, eval_every=1, save_every=1, **training),
        run=run,
    )


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("lora", [False, True])
def test_it_is_the_policy_as_training_found_it(lora, warm):
    policy = policy_of(lora=lora, warm=warm)
    found = logits(policy.model)
    t = trainer(policy)
    figures, _, _ = t.take_step()
    assert figures["kl"] == pytest.approx(0.0, abs=1e-6)
    assert not torch.allclose(logits(policy.model), found, atol=1e-4)
    with t.reference.reading() as model:
        assert torch.allclose(logits(model), found, atol=1e-5)
    trained = {n for n, p in policy.model.named_parameters() if p.requires_grad}
    assert not any(".reference." in n for n in trained)
    assert trained


def test_fresh_adapters_need_no_copy_and_trained_ones_one_more_adapter():
    fresh, warm = policy_of(warm=False), policy_of()
    sizes = [sum(p.numel() for p in x.model.parameters()) for x in (fresh, warm)]
    ReferencePolicy(fresh)
    ReferencePolicy(warm)
    grown = [sum(p.numel() for p in x.model.parameters()) for x in (fresh, warm)]
    adapter = sum(p.numel() for n, p in fresh.model.named_parameters() if ".default." in n)
    assert [b - a for a, b in zip(sizes, grown, strict=True)] == [0, adapter]


@pytest.mark.parametrize("lora", [False, True])
def test_an_average_follows_the_policy(lora):
    policy = policy_of(lora=lora)
    t = trainer(policy, reference="average", reference_decay=0.0)
    before = logits(policy.model)
    t.take_step()
    with t.reference.reading() as model:
        assert torch.allclose(logits(model), logits(policy.model), atol=1e-5)
        assert not torch.allclose(logits(model), before, atol=1e-4)


@pytest.mark.parametrize("kind", ["frozen", "average"])
@pytest.mark.parametrize("lora", [False, True])
def test_a_resumed_run_has_the_reference_of_the_undisturbed_one(lora, kind, tmp_path):
    whole = trainer(policy_of(lora=lora), run=Run(tmp_path / "whole"), reference=kind)
    whole.train()
    trainer(policy_of(lora=lora), run=Run(tmp_path / "cut"), steps=1, reference=kind).train()
    # as a recipe resumes: from fresh weights, no warm start
    fresh = policy_of(lora=lora, warm=False)
    if not lora:
        fresh = policy_of(lora=False, seed=9, warm=False)
    again = trainer(fresh, run=Run(tmp_path / "cut"), reference=kind)
    again.train()
    for name in ("metrics", "samples"):
        assert (tmp_path / "cut" / f"{name}.jsonl").read_bytes() == (
            tmp_path / "whole" / f"{name}.jsonl"
        ).read_bytes()


def test_a_checkpoint_holds_the_policys_own_adapter_alone(tmp_path):
    t = trainer(policy_of(), run=Run(tmp_path))
    t.train()
    (_, folder) = t.run.checkpoints()[-1]
    assert not (folder / "policy" / "reference").exists()
    assert load_policy(str(folder / "policy")).has_adapters
