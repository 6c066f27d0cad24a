"""KL estimators: value and gradient by enumeration over three symbols, never by sampling."""

from __future__ import annotations

import math

import pytest
import torch

from referee.trainers.objective.kl import (
    AdaptiveKL,
    FixedKL,
    k1,
    k2,
    k3,
    kl_divergence,
    kl_estimate,
    rewards_with_kl,
)

P, Q = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64), torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
KL = float((P * (P / Q).log()).sum())  # 0.3 log 2.5 = 0.2749


def expectation(estimator, p=P, q=Q) -> float:
    """Sum over the three symbols of p(y) times the estimate at y."""
    return float((p * estimator(p.log(), q.log())).sum())


def test_k1_and_k3_are_unbiased_and_k2_is_not() -> None:
    assert pytest.approx(0.3 * math.log(2.5), abs=1e-12) == KL
    assert expectation(k1) == pytest.approx(KL, abs=1e-12)
    assert expectation(k3) == pytest.approx(KL, abs=1e-12)
    assert expectation(k2) == pytest.approx(0.5 * float((P * (P / Q).log() ** 2).sum()), abs=1e-12)
    assert abs(expectation(k2) - KL) > 0.01
    assert float(kl_divergence(P.log(), Q.log())) == pytest.approx(KL, abs=1e-12)


def test_the_ratio_the_wrong_way_round_is_caught_by_enumeration() -> None:
    """A teaching code base swaps policy and reference: k1 is then -KL, and k3 some other number."""
    assert expectation(lambda lp, ref: k1(ref, lp)) == pytest.approx(-KL, abs=1e-12)
    assert abs(expectation(lambda lp, ref: k3(ref, lp)) - KL) > 0.01


def test_k3_is_never_negative_and_keeps_its_digits_near_zero() -> None:
    d = torch.linspace(-3, 3, 1001, dtype=torch.float64)
    assert (k3(d, torch.zeros_like(d)) >= 0).all()
    assert (k1(d, torch.zeros_like(d)) < 0).any()
    near = k3(
        torch.tensor([1e-3]), torch.tensor([0.0])
    ).item()  # float32: exp(-d) - 1 + d would lose 3 digits
    assert near == pytest.approx(0.5e-6 - 1e-9 / 6, rel=2e-4)


def gradient(logits, loss) -> torch.Tensor:
    return torch.autograd.grad(loss(torch.log_softmax(logits, -1)), logits)[0]


def test_expected_gradients_are_what_the_table_says() -> None:
    logits = torch.tensor([0.4, -0.3, 0.1], dtype=torch.float64, requires_grad=True)
    ref = Q.log()
    reverse = gradient(logits, lambda lp: kl_divergence(lp, ref))
    forward = gradient(logits, lambda lp: kl_divergence(ref, lp))
    sampled = torch.softmax(logits, -1).detach()  # tokens are drawn, then held fixed

    def expected(estimator):
        return gradient(logits, lambda lp: (sampled * estimator(lp, ref)).sum())

    assert expected(k1).abs().max() < 1e-12
    assert torch.allclose(expected(k2), reverse, atol=1e-12)
    assert torch.allclose(expected(k3), forward, atol=1e-12)
    assert (forward - reverse).abs().max() > 0.01
    weighted = gradient(logits, lambda lp: (sampled * (lp - sampled.log()).exp() * k3(lp, ref)).sum())
    assert torch.allclose(weighted, reverse, atol=1e-12)


def test_an_unknown_estimator_is_named() -> None:
    with pytest.raises(ValueError, match="estimator must be one of k1, k2, k3, got 'k4'"):
        kl_estimate(P, Q, "k4")  # type: ignore[arg-type]
    assert torch.equal(kl_estimate(P, Q, "k2"), k2(P, Q))


def test_the_score_stands_on_the_last_token_and_the_kl_on_each() -> None:
    lp = torch.tensor([[-1.0, -2.0, -3.0, -4.0], [-1.0, -1.0, -1.0, -1.0], [-1.0] * 4], requires_grad=True)
    ref = torch.full((3, 4), -2.0)
    mask = torch.tensor([[0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    r = rewards_with_kl(torch.tensor([5.0, 7.0, 9.0]), lp, ref, mask, kl_coef=0.1)
    expected = [[0, 0.0, 5.1, 0], [-0.1, 0, 6.9, 0], [0, 0, 0, 0]]
    assert torch.allclose(r, torch.tensor(expected))
    assert not r.requires_grad


def test_paying_for_the_sum_of_kl_is_the_regularised_objective() -> None:
    """E[score - coef * sum of k1] = E[score] - coef * KL, summed over both tokens of every sequence."""
    first, second = P.log(), torch.stack([P.log(), Q.log(), P.flip(0).log()])
    scores = torch.arange(9, dtype=torch.float64)
    lp = torch.stack([first.repeat_interleave(3), second.reshape(9)], 1)
    ref = torch.stack([Q.log().repeat_interleave(3), Q.log().repeat(3)], 1)
    p = lp.sum(1).exp()
    paid = rewards_with_kl(scores, lp, ref, torch.ones(9, 2), kl_coef=0.3).sum(1)
    whole_kl = float((p * (lp.sum(1) - ref.sum(1))).sum())
    assert float((p * paid).sum()) == pytest.approx(float((p * scores).sum()) - 0.3 * whole_kl, abs=1e-12)


def test_the_adaptive_controller_steers_towards_its_target_and_not_faster_than_its_clip() -> None:
    c = AdaptiveKL(kl_coef=0.2, target=6.0, horizon=100)
    assert c.updated(6.6, samples=10).kl_coef == pytest.approx(0.2 * (1 + 0.1 * 0.1))
    assert c.updated(5.4, samples=10).kl_coef == pytest.approx(0.2 * (1 - 0.1 * 0.1))
    assert c.updated(600.0, samples=10).kl_coef == pytest.approx(0.2 * 1.02)
    assert c.updated(0.0, samples=10).kl_coef == pytest.approx(0.2 * 0.98)
    assert c.updated(6.0, samples=10) == c
    assert FixedKL(kl_coef=0.2).updated(99.0, samples=10).kl_coef == 0.2
    with pytest.raises(ValueError, match="target and horizon must be above 0"):
        AdaptiveKL(kl_coef=0.1, target=0.0)


def test_the_adaptive_controller_settles_where_kl_falls_as_the_coefficient_rises() -> None:
    c = AdaptiveKL(kl_coef=0.2, target=6.0, horizon=1000)
    for _ in range(2000):
        c = c.updated(3.0 / c.kl_coef, samples=64)
    assert c.kl_coef == pytest.approx(0.5, rel=1e-3)


def test_a_tensor_of_another_shape_is_refused_by_name_and_never_broadcast() -> None:
    wide, one = torch.zeros(3, 5), torch.zeros(1, 5)
    for estimate in (k1, k2, k3, kl_estimate):
        with pytest.raises(ValueError, match="ref_logprobs_BT must have the shape of logprobs_BT"):
            estimate(wide, one)
    with pytest.raises(ValueError, match="ref_logprobs_V must have the shape of logprobs_V"):
        kl_divergence(wide, one)
    ones = torch.ones(3, 5)
    with pytest.raises(ValueError, match="scores_B must hold one number for each row of logprobs_BT"):
        rewards_with_kl(torch.ones(1), wide, wide, ones, kl_coef=0.1)
    with pytest.raises(ValueError, match="mask_BT must have the shape of logprobs_BT"):
        rewards_with_kl(torch.ones(3), wide, wide, ones[:1], kl_coef=0.1)
