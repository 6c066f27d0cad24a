"""Combinations of options: each does what it says beside the others, with adapters and with processes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from referee.trainers import GroupTrainer, LoRA, PPOTrainer, Tiny, Training, load_policy, preset, tiny_policy
from referee.trainers.objective.advantages import gdpo_advantages, no_signal
from referee.trainers.objective.presets import PRESETS
from referee.verifiers import Exact, Problem, Rubric

SMALL = Tiny(alphabet="0123456789+=", layers=1, width=16, heads=2)
PROBLEMS = [Problem(prompt=f"{i}+1=", answer=str(i + 1), id=str(i)) for i in range(8)]


def trainer(name="grpo", *, policy=None, training=None, rubric=None, **changes):
    p = replace(preset(name), max_new_tokens=4, batch_size=8, group_size=4, learning_rate=1e-2, **changes)
    cls = PPOTrainer if p.advantage == "gae" else GroupTrainer
    rubric = rubric or Rubric({"exact": Exact(), "even": lambda c, _: float(len(str(c)) % 2)})
    policy = policy or tiny_policy(SMALL)
    return cls(policy, PROBLEMS, rubric, preset=p, training=training or Training(steps=2))


def weights(policy):
    return torch.cat([p.detach().flatten().clone() for p in policy.model.parameters()])


@pytest.mark.parametrize("track_kl", [False, True])
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_adapters_train_with_every_preset_and_with_the_kl_to_where_they_began(name, track_kl):
    policy = load_policy("tiny", tiny=SMALL, lora=LoRA(rank=2, alpha=4))
    before = weights(policy)
    t = trainer(
        name,
        policy=policy,
        training=Training(steps=1, track_kl=track_kl),
        mini_batch_size=None,
        mask_truncated=False,
    )
    figures, _, _ = t.take_step()
    assert figures["grad_norm"] >= 0
    if track_kl or t.preset.kl_coef:
        assert figures["kl"] == pytest.approx(0.0, abs=1e-5)  # adapters begin as nothing
    assert before.shape == weights(policy).shape


@pytest.mark.parametrize("mini", [3, 5, 6, 8])
def test_a_batch_that_is_updated_more_than_once_has_its_old_log_probabilities(mini):
    t = trainer("grpo_trl", mini_batch_size=mini)
    batch, _ = t.pack(t.collect()[0])
    assert (batch.old_logprobs_BT is not None) == (mini < 8)


def test_the_controller_of_the_kl_sees_the_whole_batch():
    t = trainer("ppo", mini_batch_size=2, update_epochs=1)
    torch.nn.init.normal_(t.reference.model.get_output_embeddings().weight, std=0.5)
    batch, _ = t.pack(t.collect()[0])
    gap = ((batch.before_BT - batch.ref_logprobs_BT) * batch.mask_BT).sum(-1).mean()
    assert t.update(batch)["kl_sequence"] == pytest.approx(float(gap), rel=1e-4)


def test_a_norm_of_zero_bounds_nothing():
    moved = []
    for norm in (0.0, 1e9):
        t = trainer("grpo_trl", training=Training(steps=1, max_grad_norm=norm))
        t.take_step()
        moved.append(weights(t.policy))
    assert torch.equal(*moved)


def test_a_step_whose_gradient_is_no_number_changes_nothing_and_is_counted():
    t = trainer("grpo_trl")
    batch, _ = t.pack(t.collect()[0])
    before = weights(t.policy)
    batch = replace(batch, advantages_BT=torch.full_like(batch.advantages_BT, torch.nan))
    figures = t.update(batch)
    assert figures["skipped"] == 1.0
    assert figures["updates"] == 0.0
    assert torch.equal(before, weights(t.policy))


def test_accelerates_accumulation_divides_nothing():
    from accelerate import Accelerator

    norms = []
    for steps in (1, 4):
        t = trainer("grpo_trl")
        t = GroupTrainer(
            t.policy,
            PROBLEMS,
            t.rubric,
            preset=t.preset,
            training=t.training,
            accelerator=Accelerator(gradient_accumulation_steps=steps),
        )
        norms.append(t.take_step()[0]["grad_norm"])
    assert norms[0] == pytest.approx(norms[1], rel=1e-6)


def test_norms_and_biases_do_not_decay():
    t = trainer("grpo_trl", training=Training(steps=1, weight_decay=0.5))
    groups = {g["weight_decay"]: g["params"] for g in t.learner.optimizer.param_groups}
    assert all(p.dim() > 1 for p in groups[0.5])
    assert all(p.dim() == 1 for p in groups[0.0])


def paid(t, texts, *, truncated=()):
    """Return groups in which each completion is paid by hand: its parts, its total."""
    from referee.verifiers.records import Reward, Verdict

    groups = t.collect()[0]
    rows = iter(texts)
    out = []
    for g in groups:
        rollouts = []
        for i, r in enumerate(g.rollouts):
            a, b = next(rows)
            cut = i in truncated
            parts = {"exact": Verdict(score=a), "even": Verdict(score=b)}
            total = 0.0 if cut else (a or 0.0) + (b or 0.0)
            rollouts.append(replace(r, reward=Reward(total=total, parts=parts, truncated=cut)))
        out.append(replace(g, rollouts=tuple(rollouts)))
    return out


def advantages(t, groups):
    batch, _ = t.pack(groups)
    first = batch.mask_BT.argmax(1)
    return batch.advantages_BT.gather(1, first[:, None])[:, 0]


def test_gdpo_pays_nothing_for_what_was_cut_off_and_skips_a_part_that_abstained():
    t = trainer("grpo_trl", advantage="gdpo")
    rows = [(1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)] * 2
    whole = advantages(t, paid(t, rows))
    cut = advantages(trainer("grpo_trl", advantage="gdpo"), paid(t, rows, truncated={0}))
    assert whole[0] == whole.max()
    assert cut[0] == cut.min()
    unknown = [(1.0, None), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)] * 2
    has = torch.tensor([[[1, 1, 1, 1]] * 2, [[0, 1, 1, 1]] * 2], dtype=torch.bool)
    parts = torch.tensor([[[r[0] for r in unknown[:4]]] * 2, [[r[1] or 0.0 for r in unknown[:4]]] * 2])
    expected = gdpo_advantages(parts.view(2, 2, 4), torch.ones(2), has_PNG=has.view(2, 2, 4))
    got = advantages(trainer("grpo_trl", advantage="gdpo"), paid(t, unknown))
    assert torch.allclose(got, expected.flatten(), atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{"kl_coef": 5.0, "kl_in": "reward", "kl_estimator": "k1"}, {"overlong_tokens": 4}]
)
def test_gdpo_charges_the_penalties_of_the_reward(changes):
    def run(**more):
        t = trainer("grpo_trl", advantage="gdpo", **more)
        if t.reference is not None:
            torch.manual_seed(0)
            torch.nn.init.normal_(t.reference.model.get_output_embeddings().weight, std=0.5)
        return t.pack(t.collect()[0])[0].advantages_BT

    assert not torch.equal(run(), run(**changes))


def test_reinforce_pp_keeps_its_baseline_with_the_kl_in_the_reward():
    def run(baseline, kl_coef):
        t = trainer("reinforce_pp", baseline=baseline, kl_coef=kl_coef)
        rows = [
            (1.0, 1.0),
            (1.0, 0.0),
            (1.0, 1.0),
            (1.0, 1.0),
            (0.0, 0.0),
            (1.0, 0.0),
            (0.0, 0.0),
            (0.0, 0.0),
        ]
        return advantages(t, paid(t, rows))

    assert not torch.allclose(run("group", 1e-6), run("none", 1e-6))
    group, none = run("group", 1e-6), run("group", 0.0)
    assert torch.sign(group).tolist() == torch.sign(none).tolist()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_rounding_noise_in_equal_rewards_is_no_signal(scale):
    noisy = torch.tensor([[1.0, 1.0, 1.0, 1.0]]) * scale
    noisy[0, 0] = torch.nextafter(noisy[0, 0], torch.tensor(torch.inf))
    assert no_signal(noisy).tolist() == [True]
    assert no_signal(torch.tensor([[1.0, 1.001]]) * scale).tolist() == [False]


def test_a_checkpoint_of_adapters_goes_on_being_trained(tmp_path):
    policy = load_policy("tiny", tiny=SMALL, lora=LoRA(rank=2, alpha=4))
    for name, p in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p)
    policy.save(tmp_path / "first")
    tokens = torch.tensor([[3, 4, 5]])
    for lora in (None, LoRA(rank=2, alpha=4)):
        again = load_policy(str(tmp_path / "first"), lora=lora)
        assert torch.allclose(
            again.model(input_ids=tokens).logits, policy.model(input_ids=tokens).logits, atol=1e-6
        )
        trained = {n for n, p in again.model.named_parameters() if p.requires_grad}
        assert trained
        assert all("lora_" in n for n in trained)
    again.save(tmp_path / "second")
    assert load_policy(str(tmp_path / "second")).has_adapters
    with pytest.raises(ValueError, match=r"lora\.rank must be 2"):
        load_policy(str(tmp_path / "first"), lora=LoRA(rank=3))


def test_modules_are_found_by_the_paths_that_they_had():
    import importlib

    from referee.trainers.earlier_paths import _NOW
    from referee.trainers.policy import policy

    for earlier, now in _NOW.items():
        module = importlib.import_module(earlier)
        assert module is importlib.import_module(now)
        assert module.__spec__.name == module.__name__ == now
    assert importlib.import_module("referee.trainers.policy").LoRA is policy.LoRA
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("referee.trainers.loss")


def test_the_tokenizers_own_end_comes_first():
    from types import SimpleNamespace

    from referee.trainers import Policy

    policy = tiny_policy(SMALL)
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=[0, 5]))
    assert Policy(model=model, tokenizer=policy.tokenizer).eos_ids == (policy.tokenizer.eos_token_id, 0, 5)


def test_a_prompt_that_is_templated_already_has_one_beginning_and_no_end():
    from tokenizers import processors

    from referee.trainers import Policy

    policy = tiny_policy(SMALL)
    tokenizer = policy.tokenizer
    tokenizer.bos_token = "<unk>"
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single="<unk> $A <eos>", special_tokens=[("<unk>", 2), ("<eos>", 1)]
    )
    one = Policy(model=policy.model, tokenizer=tokenizer)
    assert one.encode("1+1=")[0] == 2
    assert one.encode("1+1=")[-1] != 1
    assert one.encode("<unk>1+1=").count(2) == 1
