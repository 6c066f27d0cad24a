"""The group trainer: its step is TRL's step, and nothing that should not matter changes it."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import pytest
import torch

from referee.envs.records import Group, Rollout, Turn
from referee.trainers.loop.run_options import Training
from referee.trainers.objective import totals
from referee.trainers.objective.preset_check import check
from referee.trainers.objective.presets import PRESETS, preset
from referee.trainers.record.run_record import Run
from referee.verifiers.records import Completion, Reason, Reward, Verdict
from referee.verifiers.rubric import Rubric

ONE_STEP = Training(steps=1)


def gradient_of(t, groups):
    batch, _ = t.pack(groups)
    t.learner.model.train()
    t.learner.model.zero_grad()
    t.backward(batch)
    return {n: p.grad.clone() for n, p in t.policy.model.named_parameters() if p.grad is not None}


def close(ours, theirs, tolerance=1e-5):
    assert set(ours) == set(theirs)
    distance = sum(float(((ours[n] - theirs[n]).double() ** 2).sum()) for n in ours) ** 0.5
    size = sum(float((theirs[n].double() ** 2).sum()) for n in ours) ** 0.5
    assert size > 1e-4
    assert distance <= tolerance * size, distance / size


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"loss_type": "grpo"}, {"aggregation": "sequence"}),
        ({"loss_type": "dapo"}, {"aggregation": "token"}),
        ({"loss_type": "dr_grpo", "scale_rewards": "none"}, {"aggregation": "constant", "std": "none"}),
        ({"loss_type": "dapo", "scale_rewards": "batch"}, {"aggregation": "token", "std": "batch"}),
        (
            {"loss_type": "grpo", "importance_sampling_level": "sequence"},
            {"aggregation": "sequence", "ratio": "sequence"},
        ),
        (
            {"loss_type": "cispo", "epsilon_high": 5.0},
            {"aggregation": "token", "loss": "cispo", "clip_high": 4.0, "clip_low": 1.0},
        ),
    ],
    ids=lambda d: "-".join(map(str, d.values())),
)
def test_one_step_has_the_gradient_of_trl(tiny, theirs, ours, tmp_path, monkeypatch):
    """The same completions, of different lengths, with the same rewards: from rewards to gradients."""
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    t = tiny.trainer("grpo_trl", training=ONE_STEP, **ours)
    groups = t.rollout(range(4))
    lengths = {len(r.completion.token_ids) for g in groups for r in g.rollouts}
    assert len(lengths) > 2
    flat = [r for g in groups for r in g.rollouts]

    def rollout_func(prompts, _):
        assert prompts == [r.problem.prompt for r in flat]
        return {
            "prompt_ids": [t.policy.encode(p) for p in prompts],
            "completion_ids": [list(r.completion.token_ids) for r in flat],
            "logprobs": None,
        }

    def reward(completions, **_):
        return [r.reward.total for r in flat]

    model = copy.deepcopy(t.policy.model)
    peer = trl.GRPOTrainer(
        model=model,
        processing_class=t.policy.tokenizer,
        reward_funcs=reward,
        train_dataset=datasets.Dataset.from_list([{"prompt": p.prompt} for p in tiny.problems]),
        args=trl.GRPOConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=16,
            num_generations=4,
            max_completion_length=5,
            beta=0.0,
            report_to="none",
            bf16=False,
            use_cpu=True,
            **theirs,
        ),
        rollout_func=rollout_func,
    )
    peer.current_gradient_accumulation_steps = 1
    peer.model.train()
    inputs = peer._generate_and_score_completions([{"prompt": r.problem.prompt} for r in flat])
    peer._compute_loss(peer.model, inputs).backward()
    expected = {n: p.grad for n, p in peer.model.named_parameters() if p.grad is not None}
    close(gradient_of(t, groups), expected)


def test_micro_batches_and_group_order_change_no_gradient(tiny):
    t = tiny.trainer("grpo", training=Training(steps=1, micro_batch_tokens=10_000), dtype="float64")
    groups = t.rollout(range(4))
    whole = gradient_of(t, groups)
    t.training = replace(t.training, micro_batch_tokens=24)
    close(gradient_of(t, groups), whole, 1e-6)  # advantages and masks are float32
    close(gradient_of(t, groups[::-1]), whole, 1e-6)


def test_rows_without_advantage_are_not_computed_and_do_count(tiny):
    t = tiny.trainer("grpo_trl", training=ONE_STEP)
    groups = [*t.rollout(range(3)), *(equal_rewards(g) for g in t.rollout(range(3, 4)))]
    batch, _ = t.pack(groups)
    rows = t.learner.rows_with_gradient(batch, t.preset)
    assert 0 < len(rows) <= 12
    assert set(rows.tolist()) <= set(range(12))
    skipped = gradient_of(t, groups)
    t.learner.rows_with_gradient = lambda mini, *_, **__: torch.arange(len(mini))
    close(gradient_of(t, groups), skipped, 1e-6)


def equal_rewards(group):
    paid = Reward(total=0.5, parts={"digits": Verdict(score=0.5)})
    return replace(group, rollouts=tuple(replace(r, reward=paid) for r in group.rollouts))


@pytest.mark.parametrize("name", ["grpo_trl", "dr_grpo", "rloo", "reinforce", "reinforce_pp", "grpo"])
def test_an_abstention_is_as_if_the_completion_had_not_been_sampled(tiny, name):
    """One fifth of the scoring calls fail: the gradient is that of the batch without those completions."""
    t = tiny.trainer(name, training=ONE_STEP, group_size=5, batch_size=20, kl_coef=0.0)
    groups = t.rollout(range(4))
    nothing = Reward(total=None, parts={"digits": Verdict(score=None, reason=Reason.UNAVAILABLE)})
    failed = [
        replace(g, rollouts=(*g.rollouts[:i], replace(g.rollouts[i], reward=nothing), *g.rollouts[i + 1 :]))
        for i, g in enumerate(groups)
    ]
    deleted = [replace(g, rollouts=(*g.rollouts[:i], *g.rollouts[i + 1 :])) for i, g in enumerate(groups)]
    with_failures = gradient_of(t, failed)
    t.preset = replace(t.preset, group_size=4, batch_size=16)
    close(with_failures, gradient_of(t, deleted), 1e-6)


def test_where_everything_abstains_the_policy_stays(tiny):
    t = tiny.trainer(training=ONE_STEP, rubric=Rubric({"down": lambda c, p: None}, truncation="score"))
    before = copy.deepcopy(t.policy.model.state_dict())
    figures, _, _ = t.take_step()
    assert figures["abstained"] == 1.0
    assert figures["groups/undecided"] == 1.0
    assert "reward" not in figures  # a verifier that is down pays no 0
    assert figures["reasons/down/unavailable"] == 16
    assert all(torch.equal(v, before[k]) for k, v in t.policy.model.state_dict().items())


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"ppo"}))
def test_every_preset_takes_a_step(tiny, name):
    own = {"group_size": 1} if name == "reinforce_pp" else {}
    t = tiny.trainer(name, training=ONE_STEP, **({**own, "mask_truncated": False}))
    before = copy.deepcopy(t.policy.model.state_dict())
    figures, _, _ = t.take_step()
    assert any(not torch.equal(v, before[k]) for k, v in t.policy.model.state_dict().items())
    assert figures["sampler/ess_token"] == pytest.approx(1.0, abs=1e-4)
    assert figures["sampler/gap_max"] < 1e-4
    assert figures["updates"] == t.preset.steps_a_batch
    assert (figures["policy_kl"] > 1e-9) == (t.preset.steps_a_batch > 1)


def test_presets_that_no_group_trainer_can_run_are_named():
    with pytest.raises(ValueError, match="must not need a critic"):
        check(preset("ppo"))
    with pytest.raises(ValueError, match="batch_size must be a multiple of group_size 64, got 12"):
        check(replace(preset("grpo"), batch_size=12))


def test_several_epochs_of_mini_batches_move_the_ratio(tiny):
    t = tiny.trainer("grpo_trl", training=ONE_STEP, update_epochs=2, mini_batch_size=8)
    figures, _, _ = t.take_step()
    assert figures["updates"] == 4
    assert figures["policy_kl"] > 1e-6


def test_dynamic_sampling_replaces_groups_without_signal(tiny):
    """Rewards are constant (0.3, neither 0 nor 1) on half of the problems: those groups are replaced."""

    def half(completion, problem):
        return 0.3 if int(problem.answer) % 2 else tiny.digits(completion, problem)

    t = tiny.trainer(
        "dapo", training=ONE_STEP, rubric=Rubric({"half": half}, truncation="score"), overlong_tokens=0
    )
    kept, seen = t.collect()
    assert len(kept) == 4
    assert len(seen) > 4
    assert all(max(g.totals) > min(g.totals) for g in kept)
    assert t.position == len(seen)


def test_overlong_completions_pay_linearly(tiny):
    t = tiny.trainer("dapo", training=ONE_STEP, max_new_tokens=8, overlong_tokens=4)

    def paid(tokens):
        completion = Completion(text="1", token_ids=(5,) * tokens)
        rollout = Rollout(
            problem=tiny.problems[0], turns=(Turn(completion=completion),), reward=Reward(total=1.0)
        )
        return totals.paid(t.preset, rollout, t.moments)

    assert [paid(n) for n in (1, 4, 5, 6, 8)] == [1.0, 1.0, 0.75, 0.5, 0.0]


def test_truncated_completions_leave_the_loss_and_not_the_baseline_where_masked(tiny):
    t = tiny.trainer("grpo_trl", training=ONE_STEP, mask_truncated=True)
    groups = t.rollout(range(4))
    batch, _ = t.pack(groups)
    finished = [r for g in groups for r in g.rollouts if not r.completion.truncated]
    assert 0 < len(batch) == len(finished) < 16
    t.preset = replace(t.preset, mask_truncated=False)
    everything, _ = t.pack(groups)
    rows = torch.tensor([not r.completion.truncated for g in groups for r in g.rollouts]).nonzero()[:, 0]
    assert torch.equal(everything.select(rows).advantages_BT, batch.advantages_BT)


def test_parts_can_be_normalised_each_in_its_group(tiny):
    rubric = Rubric({"digits": (tiny.digits, 1.0), "exact": (tiny.exact, 0.1)}, truncation="score")
    figures, _, _ = tiny.trainer("grpo_trl", training=ONE_STEP, advantage="gdpo", rubric=rubric).take_step()
    assert figures["advantage_abs"] > 0
    assert {"reward/digits", "reward/exact"} <= set(figures)


def test_off_policy_weights_follow_the_samplers_log_probabilities(tiny):
    """A sampler that was half as likely to draw each token: weights of 2, cut at 1.5."""
    t = tiny.trainer("grpo_trl", training=Training(steps=1, off_policy="truncate", off_policy_high=1.5))
    groups = t.rollout(range(4))
    t.training = replace(t.training, off_policy="none")
    plain = gradient_of(t, groups)

    def unlikely(r):
        drawn = tuple(p - 0.6931471805599453 for p in r.completion.logprobs)
        return replace(r, turns=(Turn(completion=replace(r.completion, logprobs=drawn)),))

    stale = [Group(problem=g.problem, rollouts=tuple(map(unlikely, g.rollouts))) for g in groups]
    t.training = replace(t.training, off_policy="truncate")
    close(gradient_of(t, stale), {n: 1.5 * g for n, g in plain.items()}, 1e-4)


def test_shuffled_rewards_are_the_same_rewards_elsewhere(tiny):
    plain = tiny.trainer(training=ONE_STEP).rollout(range(4))
    dealt = tiny.trainer(training=replace(ONE_STEP, shuffle_rewards=True)).rollout(range(4))
    totals = [[t for g in groups for t in g.totals] for groups in (plain, dealt)]
    assert totals[0] != totals[1]
    assert sorted(totals[0]) == sorted(totals[1])
    for a, b in zip(plain, dealt, strict=True):
        assert [r.completion for r in a.rollouts] == [r.completion for r in b.rollouts]


def records(folder):
    return {n: (folder / f"{n}.jsonl").read_bytes() for n in ("metrics", "samples", "heldout")}


@pytest.mark.parametrize("name", ["grpo", "rloo"])
@pytest.mark.parametrize("died_at", [1, 3, 5])
def test_a_run_that_died_goes_on_as_if_it_had_not(tiny, name, died_at, tmp_path):
    training = Training(steps=6, eval_every=2, save_every=2, eval_samples=2)
    undisturbed = tiny.trainer(name, training=training, run=Run(tmp_path / "whole"))
    undisturbed.train()
    dying = tiny.trainer(name, training=training, run=Run(tmp_path / "cut"))

    def die(figures):
        if figures["step"] == died_at:
            raise KeyboardInterrupt

    dying.on_step = die
    with pytest.raises(KeyboardInterrupt):
        dying.train()
    resumed = tiny.trainer(
        name, training=training, run=Run(tmp_path / "cut"), seed=99
    )  # its weights are replaced
    resumed.train()
    assert records(tmp_path / "cut") == records(tmp_path / "whole")
    whole = undisturbed.policy.model.state_dict()
    assert all(torch.equal(v, whole[k]) for k, v in resumed.policy.model.state_dict().items())


def test_a_finished_run_is_left_alone(tiny, tmp_path):
    tiny.trainer(run=Run(tmp_path)).train()
    before = records(tmp_path)
    again = tiny.trainer(run=Run(tmp_path))
    again.train()
    assert again.step == 4
    assert records(tmp_path) == before
    assert [step for step, _ in Run(tmp_path).checkpoints()] == [0, 2, 4]


def test_problems_come_in_a_new_order_each_round(tiny):
    t = tiny.trainer(training=ONE_STEP)
    rounds = [[p.prompt for p in t.source.problems(range(r * 100, r * 100 + 100))] for r in range(2)]
    assert sorted(rounds[0]) == sorted(rounds[1]) == sorted(p.prompt for p in tiny.problems)
    assert rounds[0] != rounds[1]


def test_parameters_keep_their_type_through_a_step(tiny):
    t = tiny.trainer(training=ONE_STEP, dtype="bfloat16")
    t.take_step()
    assert {p.dtype for p in t.policy.model.parameters()} == {torch.bfloat16}


def test_the_tiny_policy_of_these_tests_is_tiny(tiny):
    assert sum(p.numel() for p in tiny.trainer().policy.model.parameters()) < 50_000
    assert tiny.options.layers == 2
    assert all(a != b for a, b in itertools.pairwise(tiny.problems))
