"""PPO with a critic: its values, rewards and loss by hand, its checkpoints, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from referee.trainers.loop.critic import Critic
from referee.trainers.loop.ppo import PPOTrainer
from referee.trainers.loop.run_options import Training
from referee.trainers.objective.advantages import gae, whiten
from referee.trainers.objective.preset_check import check
from referee.trainers.objective.presets import preset
from referee.trainers.policy.batch import batch_logprobs
from referee.trainers.policy.policy import LoRA, add_adapters, tiny_policy
from referee.trainers.recipes.recipe import recipe_from
from referee.trainers.recipes.recipe_run import carry_out
from referee.trainers.record.run_record import Run
from referee.verifiers import verifier
from referee.verifiers.records import Reason, Reward, Verdict
from referee.verifiers.rubric import Rubric


@pytest.fixture
def make(tiny):
    def ppo(
        *, training=None, run=None, lora=False, seed=3, lora_seed=3, dtype="float32", rubric=None, **options
    ):
        policy = tiny_policy(tiny.options, seed=seed, dtype=dtype)
        if lora:
            policy = add_adapters(policy, LoRA(rank=4, alpha=8.0), seed=lora_seed)
        numbers = {"batch_size": 16, "mini_batch_size": 4, "learning_rate": 1e-3, "max_new_tokens": 5}
        return PPOTrainer(
            policy,
            tiny.problems,
            rubric or Rubric({"digits": tiny.digits}, truncation="score"),
            preset=replace(preset("ppo"), **{**numbers, **options}),
            training=training or Training(steps=4, eval_every=2, save_every=2),
            run=run,
            heldout=tiny.problems[::7],
        )

    return ppo


def weights(t):
    return torch.cat([p.detach().flatten().clone() for p in t.learner.trained])


def randomise(critic):
    with torch.no_grad():
        critic.head.weight.normal_(generator=torch.Generator().manual_seed(0))
        critic.head.bias.fill_(0.3)


@pytest.mark.parametrize("kind", ["head", "model"])
def test_a_value_is_read_before_its_token_and_knows_nothing_of_it(make, kind):
    t = make(critic=kind)
    randomise(t.critic)
    tokens = torch.tensor([[3, 4, 5, 6, 7]])
    before, after = t.critic.values(tokens)
    other, _ = t.critic.values(torch.tensor([[3, 4, 5, 9, 7]]))
    assert torch.equal(before[:, :4], other[:, :4])  # token 3 was changed: V before it was not
    assert before[0, 4] != other[0, 4]
    assert torch.equal(before[:, 1:], after[:, :-1])


def test_the_head_reads_the_hidden_states_of_the_policys_own_pass(make):
    t = make()
    randomise(t.critic)
    tokens = torch.tensor([[3, 4, 5, 6, 7], [4, 4, 8, 0, 0]])
    mask = torch.tensor([[0, 0, 1, 1, 1], [0, 0, 1, 0, 0]]).float()
    with t.critic.watching() as hidden:
        batch_logprobs(t.policy.model, tokens, mask)
    watched = t.critic.values_of(hidden[0], mask)
    assert torch.allclose(watched * mask, t.critic.values(tokens)[0] * mask, atol=1e-6)


@pytest.mark.parametrize("bootstrap", [False, True])
def test_rewards_advantages_and_returns_are_those_of_their_definitions(make, bootstrap):
    t = make(whiten_rewards=True, bootstrap_truncated=bootstrap, training=Training(steps=1))
    randomise(t.critic)
    with torch.no_grad():
        t.policy.model.lm_head.weight.add_(0.05)  # away from the reference
        t.policy.model.lm_head.weight[5:9].mul_(8.0)
    groups = t.rollout(range(16))
    batch, figures = t.pack(groups)
    assert figures["rows"] == 16.0
    rollouts = [g.rollouts[0] for g in groups]
    assert any(r.completion.truncated for r in rollouts)
    rewards, values = torch.zeros_like(batch.mask_BT), torch.zeros_like(batch.mask_BT)
    ends = []
    for i, r in enumerate(rollouts):
        at = batch.mask_BT[i].nonzero()[:, 0]
        gap = batch.old_logprobs_BT[i, at] - batch.ref_logprobs_BT[i, at]
        assert gap.abs().max() > 0.01
        rewards[i, at] = -0.2 * gap
        rewards[i, at[-1]] += r.reward.total
        before, after = t.critic.values(batch.tokens_BT[i : i + 1, : at[-1] + 1])
        values[i, at] = before[0, at].detach()
        ends.append(float(after[0, -1]) if bootstrap and r.completion.truncated else 0.0)
    assert torch.allclose(batch.values_BT, values, atol=1e-5)
    expected, returns = gae(
        whiten(rewards, batch.mask_BT, shift_mean=False),
        values,
        batch.mask_BT,
        lam=0.95,
        bootstrap_B=torch.tensor(ends),
    )
    assert torch.allclose(batch.returns_BT, returns, atol=1e-4)
    assert torch.allclose(batch.advantages_BT, whiten(expected, batch.mask_BT), atol=1e-4)


def test_the_critic_starts_at_nothing_so_that_first_advantages_are_rewards_to_go(make):
    t = make(kl_coef=0.0, whiten_advantages=False, lam=1.0)
    batch, _ = t.pack(t.rollout(range(16)))
    assert (batch.values_BT == 0).all()
    assert torch.equal(batch.advantages_BT, batch.returns_BT)
    assert (batch.returns_BT.amax(1) == batch.returns_BT.sum(1) / batch.mask_BT.sum(1)).float().mean() > 0.5


def gradient_of(t, batch):
    for p in t.learner.trained:
        p.grad = None
    loss = t.backward(batch)
    return loss, torch.cat(
        [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in t.learner.trained]
    )


@pytest.mark.parametrize(
    ("kind", "lora"), [("head", False), ("model", False), ("head", True), ("model", True)]
)
def test_micro_batches_change_no_gradient(make, kind, lora):
    t = make(critic=kind, lora=lora, dtype="float64")
    randomise(t.critic)
    batch, _ = t.pack(t.rollout(range(16)))
    whole_loss, whole = gradient_of(t, batch)
    t.training = replace(t.training, micro_batch_tokens=24)
    loss, cut = gradient_of(t, batch)
    assert float(loss) == pytest.approx(float(whole_loss), rel=1e-6)
    assert ((cut - whole).norm() / whole.norm()).item() < 1e-6


def test_the_gradient_of_the_loss_against_finite_differences(make):
    t = make(dtype="float64", entropy_coef=0.01, value_clip=None)
    randomise(t.critic)
    batch, _ = t.pack(t.rollout(range(16)))
    _, gradient = gradient_of(t, batch)
    generator = torch.Generator().manual_seed(0)
    step = (
        1e-4 * torch.randn(len(gradient), dtype=gradient.dtype, generator=generator) * gradient.abs().sqrt()
    )
    # transformers normalises in float32, whatever the weights' type: smaller steps would measure its rounding
    losses, start = [], weights(t)
    for sign in (1, -1):
        torch.nn.utils.vector_to_parameters(start + sign * step, t.learner.trained)
        losses.append(float(gradient_of(t, batch)[0]))
    assert abs(float(step @ gradient)) > 1e-6
    assert (losses[0] - losses[1]) / 2 == pytest.approx(float(step @ gradient), rel=1e-2)


def test_an_abstention_is_as_if_the_completion_had_not_been_sampled(make):
    t = make(dtype="float64", whiten_rewards=True)
    randomise(t.critic)
    groups = t.rollout(range(15))
    nothing = Reward(total=None, parts={"digits": Verdict(score=None, reason=Reason.UNAVAILABLE)})
    failed = [
        replace(g, rollouts=(replace(g.rollouts[0], reward=nothing),)) if i % 5 == 2 else g
        for i, g in enumerate(groups)
    ]
    _, masked = gradient_of(t, t.pack(failed)[0])
    _, deleted = gradient_of(t, t.pack([g for i, g in enumerate(groups) if i % 5 != 2])[0])
    assert ((masked - deleted).norm() / deleted.norm()).item() < 1e-6


@pytest.mark.parametrize(("kind", "lora"), [("head", False), ("model", False), ("model", True)])
def test_a_run_that_was_cut_goes_on_as_if_nothing_had_happened(make, kind, lora, tmp_path):
    whole = make(critic=kind, lora=lora, run=Run(tmp_path / "whole"))
    whole.train()
    cut = make(
        critic=kind,
        lora=lora,
        run=Run(tmp_path / "cut"),
        training=Training(steps=2, eval_every=2, save_every=2),
    )
    cut.train()
    other = {"lora_seed": 99} if lora else {"seed": 99}  # other weights, to be replaced by the checkpoint's
    again = make(critic=kind, lora=lora, run=Run(tmp_path / "cut"), **other)
    again.train()
    assert torch.equal(weights(again), weights(whole))
    read = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "cut")]
    assert read[0] == read[1]


def test_with_adapters_one_copy_of_the_weights_serves_policy_reference_and_critic(make):
    t = make(critic="model", lora=True)
    base = {n: p.clone() for n, p in t.policy.model.named_parameters() if ".lora_" not in n}
    size = sum(p.numel() for p in t.policy.model.parameters())
    trained = sum(p.numel() for p in t.learner.trained)
    assert t.reference.model is None
    assert size - trained + t.critic.head.weight.numel() + 1 == sum(p.numel() for p in base.values())
    batch, _ = t.pack(t.rollout(range(16)))
    reference = batch.ref_logprobs_BT.clone()
    before = weights(t)
    t.update(batch)
    assert (weights(t) != before).float().mean() > 0.9
    assert all(torch.equal(p, base[n]) for n, p in t.policy.model.named_parameters() if n in base)
    assert torch.allclose(
        t.learner.with_logprobs(batch, t.reference, t.preset, t.training, step=0).ref_logprobs_BT, reference
    )


def test_the_update_stops_where_the_policy_has_moved_too_far(make):
    free = make(stop_kl=None, update_epochs=4, learning_rate=1e-2)
    stopped = make(stop_kl=1e-3, update_epochs=4, learning_rate=1e-2)
    counts = []
    for t in (free, stopped):
        batch, _ = t.pack(t.rollout(range(16)))
        counts.append(t.update(batch)["updates"])
    assert counts[0] == 16
    assert 1 <= counts[1] < 16


@pytest.mark.parametrize(("norm", "clip"), [("whiten", None), ("scale", None), ("whiten", 0.5)])
def test_totals_are_brought_to_a_scale_by_their_running_moments(make, norm, clip):
    """By hand: with gamma and lambda 1 the first token's return is the scaled total."""

    def hundreds(completion, problem):
        if completion.text.startswith("7"):
            return Verdict(score=None, reason=Reason.UNAVAILABLE)
        return 100.0 * len(completion.text) + completion.text.count("1")

    t = make(
        rubric=Rubric({"r": verifier(range=(0.0, 1e4))(hundreds)}, truncation="score"), score_norm=norm,
        score_clip=clip, kl_coef=0.0, adaptive_kl=False, lam=1.0, whiten_advantages=False,
    )  # fmt: skip
    seen = []
    for _ in range(2):
        groups, _ = t.collect()
        batch, figures = t.pack(groups)
        rollouts = [r for g in groups for r in g.rollouts]
        seen += [r.total for r in rollouts if r.total is not None]
        mean, std = sum(seen) / len(seen), torch.tensor(seen, dtype=torch.float64).std(correction=0).item()
        assert (figures["score_mean"], figures["score_std"]) == pytest.approx((mean, std))
        wanted = [
            (r.total - (mean if norm == "whiten" else 0.0)) / std for r in rollouts if r.total is not None
        ]
        if clip:
            assert any(abs(w) > clip for w in wanted)
            wanted = [min(max(w, -clip), clip) for w in wanted]
        starts = batch.mask_BT.int().argmax(1)
        got = batch.returns_BT[torch.arange(len(batch)), starts].tolist()
        assert got == pytest.approx(wanted, abs=1e-4)


def test_the_running_moments_are_resumed(make, tmp_path):
    run = Run(tmp_path)
    first = make(run=run, score_norm="whiten")
    first.train()
    again = make(run=run, score_norm="whiten", training=Training(steps=4, eval_every=2, save_every=2))
    assert again.resume()
    assert again.moments == first.moments
    assert again.moments.count == 4 * 16


def test_parts_that_are_compared_apart_have_no_common_scale():
    with pytest.raises(ValueError, match="score_norm and score_clip must be unset"):
        check(replace(preset("grpo"), advantage="gdpo", score_norm="whiten"))
    with pytest.raises(ValueError, match="score_clip must be above 0, got 0"):
        check(replace(preset("grpo"), score_clip=0.0))


def test_the_adaptive_controller_moves_the_coefficient_and_is_resumed(make, tmp_path):
    t = make(run=Run(tmp_path / "run"), kl_horizon=100)
    t.train()
    assert t.kl.kl_coef != 0.2
    again = make(run=Run(tmp_path / "run"), kl_horizon=100)
    assert again.resume()
    assert again.kl == t.kl


def test_ppo_learns(make):
    t = make(
        batch_size=64, mini_batch_size=32, update_epochs=2, learning_rate=2e-3, kl_coef=0.0, stop_kl=None
    )
    rewards = [t.take_step()[0]["reward"] for _ in range(15)]
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.2


@pytest.mark.parametrize(("kind", "lora"), [("head", False), ("model", True)])
def test_the_critic_comes_to_know_the_returns(make, kind, lora):
    """On one batch, with nothing for the policy to learn."""
    t = make(
        batch_size=64,
        mini_batch_size=None,
        critic=kind,
        lora=lora,
        learning_rate=1e-2,
        value_coef=1.0,
        stop_kl=None,
    )
    batch, _ = t.pack(t.rollout(range(64)))
    batch = replace(batch, advantages_BT=torch.zeros_like(batch.mask_BT), values_BT=None)
    explained = [t.update(batch)["explained_variance"] for _ in range(20)]
    assert explained[0] < 0.2
    assert explained[-1] > 0.5


def test_a_preset_goes_to_the_trainer_that_can_run_it(make):
    with pytest.raises(ValueError, match="preset must not need a critic, got 'ppo'"):
        check(preset("ppo"))
    with pytest.raises(ValueError, match="preset must have the advantage gae, got 'rloo'"):
        check(preset("rloo"), critic=True)
    with pytest.raises(ValueError, match="critic must be one of head, model, got 'value'"):
        Critic(make().policy, "value")  # type: ignore[arg-type]


def test_a_recipe_that_names_ppo_trains_a_critic(tmp_path):
    recipe = recipe_from(
        {
            "problems": {"family": "arithmetic", "level": 1, "terse": True},
            "algorithm": "ppo",
            "options": {"max_new_tokens": 4, "critic": "model"},
            "policy": {"tiny": {"layers": 1, "width": 16, "heads": 2}},
            "training": {"steps": 2, "eval_every": 2, "save_every": 2},
            "heldout": {"count": 4},
        }
    )
    lines = carry_out(recipe, tmp_path / "run").read("metrics")
    assert [line["step"] for line in lines] == [1, 2]
    assert {"value_loss", "explained_variance", "kl_coef", "updates"} <= set(lines[-1])


def test_the_policys_own_output_is_untouched_by_the_critic(make):
    t = make(critic="model", lora=True)
    tokens, mask = torch.tensor([[3, 4, 5, 6]]), torch.tensor([[0.0, 1, 1, 1]])
    with torch.no_grad():
        before = batch_logprobs(t.policy.model, tokens, mask)[0]
        for p in t.critic.parameters:
            p.add_(0.5)
        t.critic.values(tokens)
        assert torch.equal(batch_logprobs(t.policy.model, tokens, mask)[0], before)
    assert t.policy.model.active_adapter == "default"
