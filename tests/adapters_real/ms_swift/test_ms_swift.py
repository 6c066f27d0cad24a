"""ms-swift 4.6: its table of reward functions, its scoring of samples and its advantages."""

from __future__ import annotations

import math

import pytest
import torch
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, filled
from swift.rewards import orms
from swift.rl_core.advantage import compute_advantages
from swift.rl_core.data import OnPolicySample
from swift.rl_core.grpo_algorithm import score_completions

from referee.trainers import Abstained, to_ms_swift

CASES, EXPECTED = cases(), expected()


def resolved(rubric, on_abstention):
    from swift.rlhf_trainers.utils import resolve_reward_funcs

    orms["referee"] = to_ms_swift(rubric, on_abstention=on_abstention)
    (function,), _ = resolve_reward_funcs(["referee"], args=object())
    return function


def sample(prompt, completion, answer, finish_reason="stop"):
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
    return OnPolicySample(
        messages=messages, extra={"answer": answer}, finish_reason=finish_reason, prompt_id=prompt
    )


def scored(samples, function):
    return score_completions(
        samples, reward_funcs=[function], reward_model_plugins=[None], use_gym_env=False,
        device=torch.device("cpu"), trainer_state=object(),
    )  # fmt: skip


def advantages(rewards, group=4, **options):
    return compute_advantages(rewards, torch.ones(1), group, **options)[0]


def test_the_resolved_function_gives_every_score_bit_for_bit():
    columns = {"answer": [c.answer for c in CASES], "id": [c.id for c in CASES]}
    held = resolved(RUBRIC, -7.0)([c.completion for c in CASES], trainer_state=object(), **columns)
    assert bits(held) == bits(filled(EXPECTED, -7.0))


def test_its_own_scoring_of_samples_holds_every_score_after_its_cast():
    samples = [sample(c.prompt, c.completion, c.answer) for c in CASES]
    held = scored(samples, resolved(RUBRIC, -7.0))[:, 0]
    assert torch.equal(held, torch.tensor(filled(EXPECTED, -7.0), dtype=torch.float32))


def test_what_none_would_become_there_is_a_zero_so_it_is_never_returned():
    rewards = torch.tensor([[1.0], [1.0], [1.0], [math.nan]])  # what its cast makes of None
    as_zero = advantages(rewards.nan_to_num(0.0))
    assert torch.equal(advantages(rewards), as_zero)
    assert as_zero[3] < -1.0


@pytest.mark.parametrize("estimator", ["grpo", "rloo"])
@pytest.mark.parametrize("scale", ["group", "none"])
def test_the_mean_of_the_siblings_gives_no_advantage_and_moves_no_baseline(estimator, scale):
    said = ["4", "4", "5", "4", "4", "5", "6", "7"]
    answers = ["4"] * 4 + ["unreachable"] * 4
    rubric, lost = RUBRIC, 1
    samples = [sample(f"p{i // 4}", t, a) for i, (t, a) in enumerate(zip(said, answers, strict=True))]
    samples[lost].extra["answer"] = ""  # one sibling whose reference is gone
    rewards = scored(samples, resolved(rubric, "mean"))
    held = advantages(rewards, advantage_estimator=estimator, scale_rewards=scale)
    assert held[lost].abs() < 1e-6
    assert torch.equal(held[4:], torch.zeros(4))
    decided = [i for i in range(4) if i != lost]
    assert torch.allclose(rewards[lost, 0], rewards[decided, 0].mean())
    if scale == "none" and estimator == "grpo":
        alone = advantages(rewards[decided], group=3, scale_rewards="none")
        assert torch.allclose(held[decided], alone, atol=1e-6)


def test_a_response_that_ran_out_of_tokens_scores_zero():
    right = next(c for c, e in zip(CASES, EXPECTED, strict=True) if e.total and e.total > 1.0)
    samples = [sample(right.prompt, right.completion, right.answer, reason) for reason in ("stop", "length")]
    held = scored(samples, resolved(RUBRIC, "raise"))[:, 0].tolist()
    assert held[0] > 1.0
    assert held[1] == 0.0


def test_siblings_are_told_by_their_messages():
    messages = [[{"role": "user", "content": q}, {"role": "assistant", "content": "?"}] for q in "abab"]
    held = resolved(GROUP_RUBRIC, "mean")(["4", "4", "5", "4"], answer=["4"] * 4, messages=messages)
    assert held == [1.25, 1.0, 0.25, 1.0]


def test_an_abstention_raises_where_the_user_says_so_and_a_column_that_is_not_there_is_named():
    from referee.verifiers.scoring import Columns

    with pytest.raises(Abstained):
        to_ms_swift(RUBRIC, on_abstention="raise")(["4"], answer=[""])
    with pytest.raises(ValueError, match="no column 'solution'"):
        to_ms_swift(RUBRIC, on_abstention=0.0, columns=Columns(answer="solution"))(["4"], answer=["4"])
