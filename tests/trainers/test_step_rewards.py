"""Step scores in the trainers: rewards of tokens for PPO, process supervision for groups."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from referee.envs.records import Rollout, Turn
from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.loop.ppo import PPOTrainer
from referee.trainers.loop.run_options import Training
from referee.trainers.objective.presets import preset
from referee.trainers.objective.step_rewards import rollout_steps
from referee.trainers.policy.policy import tiny_policy
from referee.trainers.reward_models.process_model import load_step_classifier
from referee.verifiers import Completion, Problem, ProcessModel, Reason, Rubric, Verdict, gate, verifier
from referee.verifiers.records import Reward


def small(completion, problem):
    """Every character is a step, right where it is a digit up to 5: what a process model returns."""
    steps = [float(c in "12345") for c in completion.text]
    if not steps:
        return Verdict(score=0.0, reason=Reason.NO_ANSWER)
    spans = [[i, i + 1] for i in range(len(steps))]
    return Verdict(score=min(steps), reason=Reason.SCORED, detail={"steps": steps, "spans": spans})


def nothing(completion, problem):
    return 0.0


def wrong(completion, problem):
    return False


@verifier(range=(-10.0, 10.0))
def unbounded(completion, problem):
    return -3.0


def trainer(tiny, name, rubric, **options):
    numbers = {
        "batch_size": 16,
        "learning_rate": 3e-3,
        "max_new_tokens": 5,
        "mini_batch_size": None,
        **options,
    }
    cls = PPOTrainer if name == "ppo" else GroupTrainer
    return cls(
        tiny_policy(tiny.options, seed=3),
        tiny.problems,
        rubric,
        preset=replace(preset(name), **numbers),
        training=Training(steps=1),
    )


def by_steps():
    return Rubric({"total": (nothing, 1.0), "steps": (small, 0.0)}, truncation="score")


def scores_to_go(made, rollout, centre=0.0):
    """By hand: every token of this policy is a character and a step, but for its few special ones."""
    tokens = made.policy.tokenizer.convert_ids_to_tokens(list(rollout.completion.token_ids))
    steps = [float(t in "12345") - centre if len(t) == 1 else 0.0 for t in tokens]
    if not rollout.completion.text:
        steps[-1] -= centre  # nothing written is one wrong step
    return [sum(steps[t:]) for t in range(len(steps))]


def test_ppo_is_paid_each_step_at_the_token_that_ends_it(tiny):
    made = trainer(
        tiny, "ppo", by_steps(), step_part="steps", step_coef=2.0, step_centre=0.25, kl_coef=0.0,
        adaptive_kl=False, lam=1.0, whiten_advantages=False,
    )  # fmt: skip
    groups, _ = made.collect()
    batch, _ = made.pack(groups)
    for row, rollout in enumerate(r for g in groups for r in g.rollouts):
        returns = batch.returns_BT[row][batch.mask_BT[row].bool()].tolist()
        assert returns == pytest.approx([2 * x for x in scores_to_go(made, rollout, 0.25)], abs=1e-5)


def test_a_groups_steps_are_compared_with_all_steps_of_the_group(tiny):
    made = trainer(tiny, "grpo", by_steps(), step_part="steps", group_size=4, kl_coef=0.0, std="none")
    groups, _ = made.collect()
    batch, _ = made.pack(groups)
    rows = iter(range(len(batch)))
    for group in groups:
        every = [float(c in "12345") for r in group.rollouts for c in r.completion.text or "?"]
        mean = sum(every) / len(every)
        for rollout in group.rollouts:
            row = next(rows)
            got = batch.advantages_BT[row][batch.mask_BT[row].bool()].tolist()
            assert got == pytest.approx(scores_to_go(made, rollout, mean), abs=1e-5)


@pytest.mark.parametrize("name", ["ppo", "grpo"])
def test_a_policy_learns_from_step_scores_alone(tiny, name):
    more = {"group_size": 4} if name == "grpo" else {"adaptive_kl": False, "stop_kl": None}
    made = trainer(tiny, name, by_steps(), step_part="steps", kl_coef=0.0, batch_size=64, **more)
    shares = []
    for _ in range(12):
        groups, _ = made.collect()
        texts = "".join(r.completion.text for g in groups for r in g.rollouts)
        shares.append(sum(c in "12345" for c in texts) / max(1, len(texts)))
        batch, _ = made.pack(groups)
        made.update(batch)
        made.step += 1
    assert shares[-1] > shares[0] + 0.25


@pytest.mark.parametrize("name", ["ppo", "grpo"])
def test_a_real_process_model_in_the_rubric_trains(tiny, name, tmp_path):
    policy = tiny_policy(tiny.options, seed=3)
    policy.save(tmp_path / "policy")
    load_step_classifier(str(tmp_path / "policy")).save(tmp_path / "prm")
    model = ProcessModel(model=str(tmp_path / "prm"), split="sentence", aggregation="mean")
    rubric = Rubric({"total": (tiny.digits, 1.0), "steps": (model, 0.0)}, truncation="score")
    more = {"group_size": 4} if name == "grpo" else {}
    made = trainer(tiny, name, rubric, step_part="steps", **more)
    figures, groups, _ = made.take_step()
    assert math.isfinite(figures["loss"])
    assert any(r.reward.parts["steps"].detail.get("steps") for g in groups for r in g.rollouts)


def test_what_cannot_be_is_refused(tiny):
    with pytest.raises(ValueError, match="step_part must be empty with the advantage rloo"):
        trainer(tiny, "rloo", by_steps(), step_part="steps")
    made = trainer(tiny, "grpo", by_steps(), step_part="other", group_size=4)
    with pytest.raises(ValueError, match="step_part must be one of total, steps, got 'other'"):
        made.pack(made.collect()[0])
    for other in (nothing, wrong, tiny.digits, unbounded):
        rubric = Rubric({"total": (other, 1.0)}, truncation="score")
        made = trainer(tiny, "grpo", rubric, step_part="total", group_size=4)
        with pytest.raises(ValueError, match="step_part must name a process model, got 'total'"):
            made.pack(made.collect()[0])


def test_what_is_refused_before_its_steps_are_read_is_one_wrong_step():
    """A gate before the model that is closed, nothing written, and more than the model reads."""
    tokens = Completion(text="ab", token_ids=(7, 8, 9))
    gated = gate(wrong, small)(tokens, Problem())
    assert gated.score == 0.0
    assert "steps" not in gated.detail
    for verdict in (
        gated,
        small(Completion(text=""), Problem()),
        Verdict(score=0.0, reason=Reason.RESOURCE_LIMIT),
    ):
        rollout = Rollout(
            problem=Problem(),
            turns=(Turn(completion=tokens),),
            reward=Reward(total=0.0, parts={"steps": verdict}),
        )
        mask_BT = torch.tensor([[0, 0, 1, 1, 1, 0]])
        rewards_BK, ends_BK = rollout_steps([rollout], "steps", str, mask_BT)
        assert rewards_BK.tolist() == [[0.0]]
        assert ends_BK.tolist() == [[4]]


def test_a_format_gate_before_the_process_model_trains(tiny):
    def begins_well(completion, problem):
        return completion.text[:1] in tuple("12345")

    rubric = Rubric({"total": (nothing, 1.0), "steps": (gate(begins_well, small), 0.0)}, truncation="score")
    made = trainer(tiny, "grpo", rubric, step_part="steps", group_size=4, kl_coef=0.0, std="none")
    groups, _ = made.collect()
    batch, _ = made.pack(groups)
    texts = [r.text for g in groups for r in g.rollouts]
    assert any(t[:1] in tuple("12345") for t in texts)
    for row, text in enumerate(texts):
        if text[:1] not in tuple("12345"):
            assert float(batch.advantages_BT[row][batch.mask_BT[row].bool()].max()) <= 0.0


def test_rollouts_that_are_not_decided_are_in_no_mean(tiny):
    def sometimes(completion, problem):
        return None if completion.text[:1] in "13579" else 0.0

    rubric = Rubric({"total": (sometimes, 1.0), "steps": (small, 0.0)}, truncation="score")
    made = trainer(tiny, "grpo", rubric, step_part="steps", group_size=4, kl_coef=0.0, std="none")
    groups, _ = made.collect()
    batch, _ = made.pack(groups)
    total = torch.zeros(())
    for group in groups:
        left = [r for r in group.rollouts if not r.reward.abstains]
        every = [float(c in "12345") for r in left for c in r.completion.text or "?"]
        for rollout in left if every else []:
            total += sum(scores_to_go(made, rollout, sum(every) / len(every)))
    assert float((batch.advantages_BT * batch.mask_BT).sum()) == pytest.approx(float(total), abs=1e-4)
