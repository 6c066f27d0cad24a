"""Held-out measures, supervised fine-tuning and figures of a step, on examples worked by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from referee.trainers.loop.heldout import measure, pass_at_k
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.sft import SFT, demonstration_row, fine_tune
from referee.trainers.policy.policy import LoRA, add_adapters, tiny_policy
from referee.trainers.policy.sampling import Sampling
from referee.verifiers.protocol import verifier
from referee.verifiers.rubric import Rubric, best_total


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


def test_learning_rates_rise_and_fall():
    cosine = Training(steps=12, schedule="cosine", warmup_steps=2)
    rates = [cosine.rate(step) for step in range(12)]
    assert rates[:3] == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
    assert rates[7] == pytest.approx(0.5)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert replace(cosine, schedule="constant").rate(11) == 1.0
