"""Held-out measures, supervised fine-tuning and figures of a step, on examples worked by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from referee.envs.records import Group, Rollout, Turn
from referee.trainers.heldout import best_total, measure, pass_at_k
from referee.trainers.metrics import group_metrics, signal
from referee.trainers.policy import LoRA, add_adapters, tiny_policy
from referee.trainers.sampling import Sampling
from referee.trainers.sft import SFT, demonstration_row, fine_tune
from referee.trainers.training import Training
from referee.verifiers.protocol import verifier
from referee.verifiers.records import Completion, Reward, Verdict
from referee.verifiers.rubric import Rubric


def test_pass_at_k_is_the_share_of_draws_that_hold_a_pass():
    for n, c, k in [(5, 2, 3), (4, 0, 2), (6, 6, 1), (6, 1, 6)]:
        draws = list(itertools.combinations([1] * c + [0] * (n - c), k))
        assert pass_at_k(n, c, k) == pytest.approx(sum(any(d) for d in draws) / len(draws))
    with pytest.raises(ValueError, match="k and passed must be within the 3 samples"):
        pass_at_k(3, 1, 4)


def test_the_most_a_rubric_can_pay():
    @verifier(range=(-1.0, 0.0))
    def short(completion, problem):
        return 0.0

    assert best_total(Rubric({"a": (lambda c, p: True, 2.0), "b": (lambda c, p: True, 0.0)})) == 2.0
    assert best_total(Rubric({"a": lambda c, p: True, "short": short})) == 1.0
    assert best_total(Rubric({"a": lambda c, p: True, "fine": (lambda c, p: True, -0.5)})) == 1.0


def test_abstentions_are_in_neither_number(tiny):
    def odd(completion, problem):
        return None if int(problem.answer) % 2 else True

    policy = tiny_policy(tiny.options)
    problems = tiny.problems[:10]
    rubric = Rubric({"odd": odd}, truncation="score")
    held, seen = measure(policy, problems, rubric, sampling=Sampling(max_new_tokens=3), samples=2)
    assert (held.passed, held.decided, held.abstained) == (10, 10, 10)
    assert (held.pass_at_1, held.pass_at_k, held.k) == (1.0, 1.0, 2)
    assert held.low == pytest.approx(0.5655, abs=1e-4)  # Wilson's for 5 problems of 5
    assert len(seen) == 20


def test_supervised_fine_tuning_learns_completions_and_not_prompts(tiny):
    policy = tiny_policy(tiny.options, seed=1)
    row = demonstration_row(policy, tiny.problems[12], "3")
    assert policy.decode(t for t, m in zip(row.token_ids, row.mask, strict=True) if m) == "3"
    assert row.token_ids[-1] == policy.eos_ids[0]
    shown = [(p, p.answer) for p in tiny.problems[:8]]
    losses = fine_tune(policy, shown, options=SFT(steps=120, batch_size=8, learning_rate=3e-3))
    assert losses[-1] < 0.1 < losses[0]
    held, _ = measure(
        policy,
        tiny.problems[:8],
        Rubric({"exact": tiny.exact}),
        sampling=Sampling(max_new_tokens=4, temperature=0.0),
    )
    assert held.pass_at_1 == 1.0


def test_micro_batches_change_no_supervised_step(tiny):
    shown = [(p, p.answer) for p in tiny.problems]
    losses = []
    for tokens in (10_000, 40):
        policy = tiny_policy(tiny.options, seed=1, dtype="float64")
        losses.append(
            fine_tune(policy, shown, options=SFT(steps=3, batch_size=16, micro_batch_tokens=tokens))
        )
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_adapters_train_and_their_base_stays(tiny):
    policy = add_adapters(tiny_policy(tiny.options, seed=1), LoRA(rank=2))
    before = {n: p.clone() for n, p in policy.model.named_parameters()}
    fine_tune(policy, [(p, p.answer) for p in tiny.problems], options=SFT(steps=3, batch_size=8))
    changed = {n for n, p in policy.model.named_parameters() if not torch.equal(p, before[n])}
    assert changed
    assert all("lora" in n for n in changed)


def group(problem, *paid, texts=None):
    rollouts = []
    for i, total in enumerate(paid):
        verdict = Verdict(score=total)
        text = texts[i] if texts else str(i)
        rollouts.append(
            Rollout(
                problem=problem,
                turns=(Turn(completion=Completion(text=text, token_ids=(5, 6), logprobs=(-0.5, -1.5))),),
                reward=Reward(total=total, parts={"exact": verdict}),
            )
        )
    return Group(problem=problem, rollouts=tuple(rollouts))


@pytest.mark.parametrize(
    ("paid", "texts", "kind"),
    [
        ((1.0, 0.0), None, None),
        ((1.0, 1.0), None, "all_solved"),
        ((0.0, 0.0), None, "all_failed"),
        ((0.5, 0.5), None, "all_partial"),
        ((0.1 + 0.2, 0.3), None, None),  # different numbers are a signal, however close
        ((1.0, 1.0), ("a", "a"), "identical_texts"),
        ((1.0, None), None, "undecided"),
        ((None, None), None, "undecided"),
        ((1.0, None, 0.0), None, None),
    ],
)
def test_groups_without_signal_are_told_apart(tiny, paid, texts, kind):
    assert signal(group(tiny.problems[0], *paid, texts=texts), best=1.0) == kind


def test_the_figures_of_a_step(tiny):
    groups = [
        group(tiny.problems[0], 1.0, 0.0),
        group(tiny.problems[1], 0.0, 0.0),
        group(tiny.problems[2], 1.0, None),
    ]
    figures = group_metrics(groups, best=1.0, max_new_tokens=4)
    assert figures["reward"] == pytest.approx(0.4)
    assert figures["reward_std"] == pytest.approx(0.4899, abs=1e-4)
    assert figures["solved"] == pytest.approx(2 / 6)
    assert figures["groups/no_signal"] == pytest.approx(2 / 3)
    assert figures["groups/all_failed"] == figures["groups/undecided"] == pytest.approx(1 / 3)
    assert figures["abstained"] == pytest.approx(1 / 6)
    assert figures["entropy"] == 1.0
    assert figures["completion_tokens"] == 2.0
    assert figures["reasons/exact/correct"] == 2
    assert figures["reasons/exact/unavailable"] == 1


def test_learning_rates_rise_and_fall():
    cosine = Training(steps=12, schedule="cosine", warmup_steps=2)
    rates = [cosine.rate(step) for step in range(12)]
    assert rates[:3] == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
    assert rates[7] == pytest.approx(0.5)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert replace(cosine, schedule="constant").rate(11) == 1.0
