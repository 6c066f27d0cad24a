"""Importance weights: their expectation by enumeration, their clips, and the telemetry."""

from __future__ import annotations

import pytest
import torch

from referee.trainers.objective.importance import (
    chi_square,
    effective_sample_size,
    importance_weights,
    off_policy_metrics,
)

PI, MU = torch.tensor([[0.5, 0.3, 0.2], [0.25, 0.25, 0.5]], dtype=torch.float64)
NINE = torch.cartesian_prod(torch.arange(3), torch.arange(3))  # every sequence of two symbols
ONES = torch.ones(9, 2, dtype=torch.bool)


@pytest.mark.parametrize("level", ["token", "sequence"])
def test_unclipped_weights_turn_expectations_under_the_sampler_into_the_policys(level) -> None:
    w = importance_weights(PI.log()[NINE], MU.log()[NINE], ONES, level=level, high=1e9)
    f = torch.randn(3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    p_mu, p_pi = (p[NINE].prod(1) for p in (MU, PI))
    corrected = (p_mu[:, None] * w * f[NINE]).sum(0)
    assert torch.allclose(corrected, (p_pi[:, None] * f[NINE]).sum(0), atol=1e-12)


def test_truncation_caps_a_weight_and_masking_drops_it() -> None:
    pi, mu = torch.tensor([[0.9, 0.1, 0.5]]).log(), torch.tensor([[0.3, 0.4, 0.5]]).log()
    mask = torch.ones(1, 3, dtype=torch.bool)
    cases = {
        ("token", "truncate"): [2.0, 0.25, 1.0],
        ("token", "mask"): [0.0, 0.25, 1.0],
        ("sequence", "truncate"): [0.75] * 3,
        ("sequence", "mask"): [0.75] * 3,
    }
    for (level, correction), expected in cases.items():
        w = importance_weights(pi, mu, mask, level=level, correction=correction)
        assert torch.allclose(w, torch.tensor([expected]))
    assert torch.allclose(
        importance_weights(pi, mu, mask, correction="mask", low=0.5), torch.tensor([[0.0, 0.0, 1.0]])
    )
    assert torch.allclose(
        importance_weights(pi, mu, mask, level="sequence", correction="mask", high=0.7), torch.zeros(1, 3)
    )


def test_padding_has_no_weight_and_no_say() -> None:
    pi, mu = torch.zeros(1, 3), torch.tensor([[0.0, 0.0, -50.0]])
    mask = torch.tensor([[1, 1, 0]])
    for level in ("token", "sequence"):
        assert importance_weights(pi, mu, mask, level=level).tolist() == [[1.0, 1.0, 0.0]]
    m = off_policy_metrics(pi, mu, mask)
    assert m["ess_token"] == m["ess_sequence"] == 1.0
    assert m["kl"] == m["gap_max"] == m["chi2_token"] == m["chi2_sequence"] == 0.0


def test_weights_carry_no_gradient() -> None:
    lp = torch.zeros(1, 2, requires_grad=True)
    assert not importance_weights(lp, torch.ones(1, 2), torch.ones(1, 2)).requires_grad


def test_effective_sample_size_and_chi_square_by_hand() -> None:
    w = torch.tensor([1.0, 1.0, 2.0, 0.0])
    assert effective_sample_size(w).item() == pytest.approx(16 / (4 * 6))
    assert chi_square(w).item() == pytest.approx(6 / 4 - 1)
    one = torch.tensor([5.0, 0.0, 0.0, 0.0])
    assert effective_sample_size(one).item() == pytest.approx(0.25)
    # chi-square by enumeration: sum p^2 / q - 1
    counts = (MU * 20).round().long()
    drawn = torch.repeat_interleave(PI / MU, counts)
    assert chi_square(drawn).item() == pytest.approx(float((PI**2 / MU).sum() - 1), abs=1e-12)


def test_telemetry_of_tokens_drawn_in_their_exact_proportions() -> None:
    tokens = torch.repeat_interleave(torch.arange(3), (MU * 20).round().long())[:, None]
    m = off_policy_metrics(PI.log()[tokens], MU.log()[tokens], torch.ones_like(tokens))
    assert m["kl"] == pytest.approx(float((MU * (MU / PI).log()).sum()), abs=1e-12)
    assert m["gap_max"] == pytest.approx(float((PI / MU).log().abs().max()))
    assert m["chi2_token"] == m["chi2_sequence"] == pytest.approx(float((PI**2 / MU).sum() - 1))
    assert m["ess_token"] == pytest.approx(1 / (1 + m["chi2_token"]))


def test_an_empty_batch_has_no_figures() -> None:
    assert off_policy_metrics(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 3)) == {}


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="level must be one of token, sequence, got 'word'"):
        importance_weights(PI[None], MU[None], PI[None], level="word")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"0 <= low <= high, got 3\.0 and 2\.0"):
        importance_weights(PI[None], MU[None], PI[None], low=3.0)


def test_a_tensor_of_another_shape_is_refused_by_name_and_never_broadcast() -> None:
    wide, one, ones = torch.zeros(3, 5), torch.zeros(1, 5), torch.ones(3, 5)
    for weigh in (importance_weights, off_policy_metrics):
        with pytest.raises(ValueError, match="sampler_logprobs_BT must have the shape of logprobs_BT"):
            weigh(wide, one, ones)
        with pytest.raises(ValueError, match="mask_BT must have the shape of logprobs_BT"):
            weigh(wide, wide, ones[:1])
    for measure in (effective_sample_size, chi_square):
        with pytest.raises(ValueError, match="mask must have the shape of weights"):
            measure(torch.ones(3, 5), torch.ones(3))
