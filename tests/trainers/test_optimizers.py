"""Optimisers and schedules by name, and weights in half precision that do learn."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from referee.trainers import SFT, Run, Tiny, Training, fine_tune, tiny_policy
from referee.trainers.loop.optimizers import Optimizers, optimizer_of
from referee.trainers.recipes.recipe import RecipeError, recipe_from
from referee.trainers.recipes.recipe_run import carry_out
from referee.trainers.record.best import since_best
from referee.verifiers import Problem
from referee.verifiers.errors import MissingExtra

SMALL = Tiny(alphabet="0123456789+=", layers=1, width=16, heads=2)


def quadratic(dtype=torch.float32):
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(4, 3).to(dtype)), torch.nn.Parameter(torch.randn(3).to(dtype))]


def run(parameters, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        sum(((p.float() - 3.0) ** 2).sum() for p in parameters).backward()
        optimizer.step()


def test_adamw_is_torchs():
    ours, theirs = quadratic(), quadratic()
    run(ours, optimizer_of(ours, learning_rate=0.1, weight_decay=0.0), 5)
    run(theirs, torch.optim.AdamW(theirs, lr=0.1, weight_decay=0.0), 5)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours, theirs, strict=True))


def test_muon_takes_the_matrices_and_leaves_the_rest():
    ours, theirs = quadratic(), quadratic()
    head = torch.nn.Parameter(torch.randn(5, 4))
    optimizer = optimizer_of([*ours, head], name="muon", learning_rate=0.1, apart=[head])
    assert isinstance(optimizer, Optimizers)
    (muon,), others = optimizer.param_groups[:1], optimizer.param_groups[1:]
    assert [p is ours[0] for p in muon["params"]] == [True]
    assert sorted(id(p) for g in others for p in g["params"]) == sorted(map(id, (ours[1], head)))
    inner = torch.optim.Muon(theirs[:1], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    run([*ours, head], optimizer, 3)
    run(theirs[:1], inner, 3)
    assert torch.allclose(ours[0], theirs[0], atol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_half_precision_accumulates_what_it_would_round_away(name):
    half = quadratic(torch.bfloat16)
    start = copy.deepcopy(half)
    whole = [torch.nn.Parameter(p.detach().float()) for p in half]
    rate = 1e-4  # a half of the last bit of 1 is 4e-3: one step alone moves nothing
    optimizer = optimizer_of(half, name=name, learning_rate=rate)
    run(half, optimizer, 1)
    assert all(torch.equal(a, b) for a, b in zip(half, start, strict=True))
    run(half, optimizer, 400)
    assert all((a != b).float().mean() > 0.6 for a, b in zip(half, start, strict=True))
    run(whole, optimizer_of(whole, name=name, learning_rate=rate), 401)
    for a, b in zip(half, whole, strict=True):
        assert torch.allclose(a.float(), b, rtol=1e-2, atol=1e-3)


def test_the_masters_are_in_the_state():
    ours = quadratic(torch.bfloat16)
    first = optimizer_of(ours, learning_rate=1e-4)
    run(ours, first, 30)
    state = copy.deepcopy(first.state_dict())
    again = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    second = optimizer_of(again, learning_rate=1e-4)
    second.load_state_dict(state)
    run(ours, first, 100)
    run(again, second, 100)
    assert all(torch.equal(a, b) for a, b in zip(ours, again, strict=True))


def test_a_policy_in_bfloat16_learns_and_resumes(tiny, tmp_path):
    options = {"dtype": "bfloat16", "learning_rate": 2e-5}
    whole = tiny.trainer(
        training=Training(steps=4, save_every=2, eval_every=4), run=Run(tmp_path / "a"), **options
    )
    whole.train()
    for steps in (2, 4):
        cut = tiny.trainer(
            training=Training(steps=steps, save_every=2, eval_every=4), run=Run(tmp_path / "b"), **options
        )
        cut.train()
    weights = [p.detach() for p in whole.policy.model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(weights, cut.policy.model.parameters(), strict=True))
    optimizer = whole.learner.optimizer.optimizer
    moved = [
        float((m.bfloat16().float() != m).float().mean()) for _, m in optimizer._copied
    ]  # masters hold what the weights cannot
    assert max(moved) > 0.9


def test_eight_bits_need_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtra, match="optimizer adamw_8bit needs bitsandbytes"):
        optimizer_of(quadratic(), name="adamw_8bit", learning_rate=0.1)
    with pytest.raises(
        ValueError, match="optimizer must be one of adamw, adamw_8bit, paged_adamw_8bit, muon"
    ):
        optimizer_of(quadratic(), name="sgd", learning_rate=0.1)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_both_trainers_take_an_optimiser_by_name(tiny, name):
    policy = tiny_policy(SMALL, seed=1)
    shown = [(Problem(prompt="1+1="), "2")]
    losses = fine_tune(policy, shown, options=SFT(steps=30, batch_size=4, learning_rate=1e-2, optimizer=name))
    assert losses[-1] < 0.3 * losses[0]
    t = tiny.trainer(training=Training(steps=1, optimizer=name))
    assert t.take_step()[0]["updates"] == 1.0


def test_sft_takes_no_decay_off_norms():
    policy = tiny_policy(SMALL, seed=1)
    norms = {n: p.detach().clone() for n, p in policy.model.named_parameters() if p.dim() == 1}
    rest = {n: p.detach().clone() for n, p in policy.model.named_parameters() if p.dim() > 1}
    shown = [(Problem(prompt="1+1="), "2")]
    fine_tune(policy, shown, options=SFT(steps=1, batch_size=1, learning_rate=1e-9, weight_decay=1e8))
    now = dict(policy.model.named_parameters())
    assert all(torch.allclose(now[n], v, atol=1e-6) for n, v in norms.items())
    assert all(float(now[n].norm()) < 0.95 * float(v.norm()) for n, v in rest.items())


def test_precision_is_the_passes_not_the_weights(tmp_path):
    """In a process of its own: accelerate keeps one precision a process."""
    recipe = {**RECIPE, "training": {"steps": 1, "precision": "bf16"}}
    program = (
        "import json, sys, pathlib\n"
        "from referee.trainers.recipes.recipe import recipe_from\n"
        "from referee.trainers.recipes.recipe_run import carry_out\n"
        "run = carry_out(recipe_from(json.loads(sys.argv[1])), pathlib.Path(sys.argv[2]))\n"
        "from accelerate.state import AcceleratorState\n"
        "from referee.trainers import load_policy\n"
        "policy = load_policy(str(run.checkpoints()[-1][1] / 'policy'))\n"
        "print(AcceleratorState().mixed_precision, {str(p.dtype) for p in policy.model.parameters()})\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, json.dumps(recipe), str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert said.stdout.strip().endswith("bf16 {'torch.float32'}")


def test_a_rate_that_falls_at_the_end():
    t = Training(steps=10, warmup_steps=2, schedule="wsd", decay_steps=5)
    assert [round(t.rate(s), 2) for s in range(10)] == [0.33, 0.67, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    assert Training(steps=10, schedule="wsd").rate(9) == 0.5


def test_the_best_checkpoint_stays_and_a_run_that_stands_still_ends(tiny, tmp_path, monkeypatch):
    import referee.trainers.loop.recording as module

    marks = iter([0.1, 0.2, 0.6, 0.5, 0.4, 0.3, 0.2])
    monkeypatch.setattr(module, "measure_both", lambda *_, **__: {"greedy": {"pass_at_1": next(marks)}})
    training = Training(
        steps=50, eval_every=1, save_every=100, keep_checkpoints=1, keep_best=True, stop_after_measures=3
    )
    t = tiny.trainer(training=training, run=Run(tmp_path))
    t.train()
    assert t.step == 5
    assert [step for step, _ in t.run.checkpoints()] == [0, 2, 5]
    again = tiny.trainer(training=training, run=Run(tmp_path))
    again.train()
    assert again.step == 5
    assert since_best(again.measured) == 3


RECIPE = {
    "problems": {"family": "arithmetic", "level": 1, "terse": True},
    "algorithm": "grpo_trl",
    "options": {"max_new_tokens": 4},
    "policy": {"tiny": {"layers": 1, "width": 16, "heads": 2}},
    "training": {"steps": 1, "optimizer": "muon", "schedule": "wsd"},
    "heldout": {"count": 4},
}


def test_a_policy_is_pushed_where_a_recipe_asks_for_it(tmp_path, monkeypatch):
    """A stand-in for the hub, which cannot be reached from everywhere."""
    import huggingface_hub

    pushed = []

    class Hub:
        def create_repo(self, name, **options):
            pushed.append((name, options))

        def upload_folder(self, *, repo_id, folder_path):
            pushed.append((repo_id, (folder_path / "model.safetensors").is_file()))
            return f"hub/{repo_id}"

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    carry_out(recipe_from({**RECIPE, "push_to_hub": "me/policy"}), tmp_path / "run")
    assert pushed == [("me/policy", {"private": True, "exist_ok": True}), ("me/policy", True)]

    def refuses(self, name, **options):
        raise OSError("no way there")

    monkeypatch.setattr(Hub, "create_repo", refuses)
    with pytest.raises(
        RecipeError, match=r"push_to_hub: 'me/other' could not be pushed: no way there; the run is whole"
    ):
        carry_out(recipe_from({**RECIPE, "push_to_hub": "me/other"}), tmp_path / "other")


def test_adapters_that_are_not_those_that_were_saved_are_refused(tmp_path):
    from referee.trainers import LoRA, load_policy

    saved = LoRA(rank=2, alpha=4, dropout=0.1, targets=("q_proj", "v_proj"))
    load_policy("tiny", tiny=SMALL, lora=saved).save(tmp_path)
    assert load_policy(str(tmp_path), lora=saved).has_adapters
    for change, said in (
        ({"rank": 3}, "lora.rank must be 2"),
        ({"alpha": 8}, "lora.alpha must be 4"),
        ({"dropout": 0.0}, "lora.dropout must be 0.1"),
        ({"targets": ("q_proj",)}, "lora.targets must be .*v_proj"),
    ):
        with pytest.raises(ValueError, match=said):
            load_policy(str(tmp_path), lora=replace(saved, **change))
