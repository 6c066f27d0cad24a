"""Advantages: worked numbers, laws, and masks that leave no trace."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from referee.trainers.objective.advantages import (
    discounted_returns,
    gae,
    gdpo_advantages,
    group_advantages,
    no_signal,
    place_step_rewards,
    potential_shaping,
    reinforce_advantages,
    reinforce_pp_advantages,
    rloo_advantages,
    step_advantages,
    step_potential_rewards,
    whiten,
)

STDS = ("none", "population", "sample", "batch")
PER_GROUP = {
    "none": lambda r, m: group_advantages(r, m, std="none"),
    "population": lambda r, m: group_advantages(r, m, std="population"),
    "sample": lambda r, m: group_advantages(r, m, std="sample"),
    "batch": lambda r, m: group_advantages(r, m, std="batch"),
    "rloo": rloo_advantages,
    "group baseline": lambda r, m: reinforce_advantages(r, m, baseline="group"),
    "batch baseline": lambda r, m: reinforce_advantages(r, m, baseline="batch"),
    "no baseline": lambda r, m: reinforce_advantages(r, m, baseline="none"),
    "reinforce_pp": reinforce_pp_advantages,
    "reinforce_pp group": lambda r, m: reinforce_pp_advantages(r, m, baseline="group"),
    "gdpo": lambda r, m: gdpo_advantages(
        torch.stack([r, r.nan_to_num() ** 2]), torch.tensor([1.0, 0.5]).to(r), m
    ),
}
rewards = hnp.arrays("float64", (3, 5), elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))


def t(*values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_group_advantages_by_hand() -> None:
    r = t([1.0, 0.0, 0.0, 0.0])  # mean 1/4, variance 3/16 over n, 1/4 over n - 1
    assert torch.allclose(group_advantages(r, std="none"), t([0.75, -0.25, -0.25, -0.25]))
    assert torch.allclose(
        group_advantages(r, std="population", eps=0), r.new_tensor([[3**0.5, *[-(3**-0.5)] * 3]])
    )
    assert torch.allclose(group_advantages(r, std="sample", eps=0), t([1.5, -0.5, -0.5, -0.5]))


def test_the_two_std_conventions_are_fifteen_percent_apart_at_group_size_four() -> None:
    r = t([1.0, 0.0, 0.3, 0.4])
    by_n, by_n_less_1 = (group_advantages(r, std=s, eps=0) for s in ("population", "sample"))
    assert (by_n / by_n_less_1).mean().item() == pytest.approx((4 / 3) ** 0.5)  # 1.1547


def test_batch_std_is_that_of_all_rewards() -> None:
    r = t([1.0, 0.0], [0.0, 0.0])
    assert torch.allclose(group_advantages(r, std="batch", eps=0), t([1.0, -1.0], [0.0, 0.0]))


def test_rloo_is_the_reward_less_the_others_mean() -> None:
    r = t([1.0, 0.5, 0.0, 0.2])
    by_hand = [r[0, i] - (r[0].sum() - r[0, i]) / 3 for i in range(4)]
    assert torch.allclose(rloo_advantages(r)[0], torch.stack(by_hand))


@given(rewards)
def test_rloo_is_the_centred_reward_times_n_over_n_less_one(r) -> None:
    r = torch.from_numpy(r)
    assert torch.allclose(rloo_advantages(r), 5 / 4 * (r - r.mean(-1, keepdim=True)), atol=1e-12)


@given(rewards, st.sampled_from(STDS))
def test_a_groups_advantages_sum_to_zero_and_ignore_a_shift(r, std) -> None:
    r = torch.from_numpy(r)
    a = group_advantages(r, std=std)
    assert a.sum(-1).abs().max() < 1e-9
    assert torch.allclose(a, group_advantages(r + 7.0, std=std), atol=1e-9)


@pytest.mark.parametrize("name", PER_GROUP)
@given(r=rewards, mask=hnp.arrays("bool", (3, 5)), junk=st.sampled_from([0.0, 1.0, 1e9, float("nan")]))
def test_a_masked_item_leaves_no_trace_and_gets_nothing(name, r, mask, junk) -> None:
    r, mask = torch.from_numpy(r), torch.from_numpy(mask)
    a = PER_GROUP[name](r.masked_fill(~mask, junk), mask)
    assert torch.isfinite(a).all()
    assert (a[~mask] == 0).all()
    assert torch.equal(a, PER_GROUP[name](r.masked_fill(~mask, 0.5), mask))


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in PER_GROUP
        if n not in ("batch", "batch baseline", "reinforce_pp", "reinforce_pp group", "gdpo")
    ],
)
@given(r=rewards, mask=hnp.arrays("bool", (5,)))
def test_a_group_with_items_masked_is_the_smaller_group(name, r, mask) -> None:
    r, mask = torch.from_numpy(r[:1]), torch.from_numpy(mask)
    small = r[:, mask]
    if small.numel():
        a = PER_GROUP[name](r, mask[None])
        assert torch.allclose(a[:, mask], PER_GROUP[name](small, None), atol=1e-12)


@pytest.mark.parametrize(
    "name", [n for n in PER_GROUP if n not in ("no baseline", "batch baseline", "reinforce_pp")]
)
def test_groups_with_one_survivor_or_none_get_nothing(name) -> None:
    r = t([0.3, 0.9], [0.1, 0.7], [0.0, 1.0])
    mask = torch.tensor([[True, False], [False, False], [True, True]])
    a = PER_GROUP[name](r, mask)
    assert (a[:2] == 0).all()
    assert (a[2] != 0).all()


@pytest.mark.parametrize("name", PER_GROUP)
def test_group_order_only_permutes_the_result(name) -> None:
    r = torch.rand(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([2, 0, 3, 1])
    assert torch.allclose(PER_GROUP[name](r, None)[order], PER_GROUP[name](r[order], None), atol=1e-12)


def test_equal_rewards_get_exactly_zero_in_float32() -> None:
    r = torch.full((1, 7), 0.1)
    for std in STDS:
        assert (group_advantages(r, std=std) == 0).all()
    assert (group_advantages(r, eps=0.0) == 0).all()


def test_no_signal_looks_at_the_spread_and_not_at_the_mean() -> None:
    r = t([0.5, 0.5, 0.5], [0.0, 1.0, 0.5], [0.2, 0.2, 0.9])
    assert no_signal(r).tolist() == [True, False, False]
    assert no_signal(r, torch.tensor([[True] * 3, [False] * 3, [True, True, False]])).tolist() == [True] * 3
    assert no_signal(r, tolerance=0.8).tolist() == [True, False, True]


def test_reinforce_pp_is_the_z_score_over_the_batch() -> None:
    r = t([1.0, 0.0], [0.0, 3.0])
    assert torch.allclose(reinforce_pp_advantages(r, eps=0), (r - 1.0) / r.std(correction=0))
    centred = t([0.5, -0.5], [-1.5, 1.5])
    assert torch.allclose(
        reinforce_pp_advantages(r, baseline="group", eps=0), centred / centred.std(correction=0)
    )


def test_gdpo_tells_apart_what_the_sum_cannot() -> None:
    right, short = t([1.0, 0.0, 0.0, 0.0]), t([0.0, 1.0, 1.0, 1.0])
    assert (group_advantages(right + short) == 0).all()  # every total is 1
    a = gdpo_advantages(torch.stack([right, short]), t(1.0, 0.5), std="sample", eps=0, batch_normalise=False)
    expected = group_advantages(right, std="sample", eps=0) + 0.5 * group_advantages(
        short, std="sample", eps=0
    )
    assert torch.allclose(a, expected)
    assert a[0, 0] > a[0, 1]
    b = gdpo_advantages(torch.stack([right, short]), t(1.0, 0.5), std="sample", eps=0)
    assert torch.allclose(b, (a - a.mean()) / a.std())


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="std must be one of none, population, sample, batch, got 'group'"):
        group_advantages(t([1.0]), std="group")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mask must have the shape of values"):
        group_advantages(t([1.0, 2.0]), torch.ones(2, dtype=torch.bool))


def brute_gae(r, v, mask, gamma, lam, bootstrap):
    """Equation 16 by its sum: A_t = sum_l (gamma lam)^l delta_{t+l} over the tokens of the mask."""
    at = [i for i in range(len(r)) if mask[i]]
    nexts = [*(v[i] for i in at[1:]), bootstrap]
    deltas = [r[i] + gamma * n - v[i] for i, n in zip(at, nexts, strict=False)]
    out = [0.0] * len(r)
    for k, i in enumerate(at):
        out[i] = sum((gamma * lam) ** (j - k) * deltas[j] for j in range(k, len(at)))
    return out


@pytest.mark.parametrize("lam", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_gae_against_its_sum_with_tool_tokens_stepped_over(gamma, lam) -> None:
    g = torch.Generator().manual_seed(1)
    r, v = (torch.randn(4, 6, dtype=torch.float64, generator=g) for _ in range(2))
    mask = torch.tensor(
        [[1, 1, 1, 1, 1, 1], [0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]]
    ).bool()
    bootstrap = t(0.0, 0.8, 0.3, -0.4)
    a, returns = gae(r, v, mask, gamma=gamma, lam=lam, bootstrap_B=bootstrap)
    for i in range(4):
        expected = brute_gae(r[i].tolist(), v[i].tolist(), mask[i].tolist(), gamma, lam, bootstrap[i].item())
        assert a[i].tolist() == pytest.approx(expected, abs=1e-12)
    assert torch.allclose(returns, (a + v) * mask)


def test_gae_at_lambda_zero_is_the_one_step_error_and_at_one_the_return_less_the_value() -> None:
    g = torch.Generator().manual_seed(2)
    r, v = (torch.randn(2, 5, dtype=torch.float64, generator=g) for _ in range(2))
    following = torch.cat([v[:, 1:], torch.zeros(2, 1, dtype=torch.float64)], 1)
    assert torch.allclose(gae(r, v, gamma=0.9, lam=0.0)[0], r + 0.9 * following - v)
    powers = 0.9 ** torch.arange(5, dtype=torch.float64)
    returns = torch.stack([(r[:, k:] * powers[: 5 - k]).sum(1) for k in range(5)], 1)
    assert torch.allclose(gae(r, v, gamma=0.9, lam=1.0)[0], returns - v)
    assert torch.allclose(discounted_returns(r, gamma=0.9), returns)


def test_truncation_is_bootstrapped_and_termination_is_not() -> None:
    """One row of two episodes equals the episodes apart, each with its own ending."""
    g = torch.Generator().manual_seed(3)
    r, v, final = (torch.randn(1, 7, dtype=torch.float64, generator=g) for _ in range(3))
    at = torch.arange(7)[None]
    for cut in (False, True):
        flags = {"truncated_BT": (at == 2) & cut, "terminated_BT": (at == 2) & (not cut)}
        both, _ = gae(r, v, gamma=0.9, lam=0.8, bootstrap_B=t(0.5), final_values_BT=final, **flags)
        head, _ = gae(r[:, :3], v[:, :3], gamma=0.9, lam=0.8, bootstrap_B=final[:, 2] * cut)
        tail, _ = gae(r[:, 3:], v[:, 3:], gamma=0.9, lam=0.8, bootstrap_B=t(0.5))
        assert torch.allclose(both, torch.cat([head, tail], 1))


def test_padding_on_either_side_changes_no_advantage() -> None:
    g = torch.Generator().manual_seed(4)
    r, v = (torch.randn(2, 4, dtype=torch.float64, generator=g) for _ in range(2))
    a, _ = gae(r, v, gamma=0.9)
    pad = torch.full((2, 3), 99.0, dtype=torch.float64)
    ones, zeros = torch.ones(2, 4).bool(), torch.zeros(2, 3).bool()
    for order in (lambda x, p: torch.cat([x, p], 1), lambda x, p: torch.cat([p, x], 1)):
        padded, _ = gae(order(r, pad), order(v, pad), order(ones, zeros), gamma=0.9)
        assert torch.allclose(padded, order(a, 0 * pad))


def test_whitening_gives_mean_zero_and_variance_one_over_what_is_kept() -> None:
    x, mask = t([1.0, 2.0, 99.0], [4.0, 99.0, 99.0]), torch.tensor([[1, 1, 0], [1, 0, 0]]).bool()
    w = whiten(x, mask, eps=0)
    assert w[mask].mean().abs() < 1e-12
    assert w[mask].var(correction=0).item() == pytest.approx(1.0)
    assert (w[~mask] == 0).all()
    kept = whiten(x, mask, shift_mean=False, eps=0)
    assert kept[mask].mean().item() == pytest.approx(7 / 3)
    assert torch.isfinite(whiten(torch.full((3,), 0.1))).all()


def test_step_rewards_stand_on_the_tokens_that_end_the_steps() -> None:
    placed = place_step_rewards(
        t([0.5, 0.2, 9.0], [1.0, 2.0, 4.0]), torch.tensor([[1, 3, -1], [0, 0, 4]]), length=5
    )
    assert torch.allclose(placed, t([0, 0.5, 0, 0.2, 0], [3.0, 0, 0, 0, 4.0]))
    with pytest.raises(ValueError, match="ends_BK must be below length 4, got 4"):
        place_step_rewards(t([1.0]), torch.tensor([[4]]), length=4)


def test_step_advantages_sum_the_normalised_scores_of_the_steps_to_come() -> None:
    r = t([[1.0, 0.0], [0.0, 9.0]])  # the 9 is padding
    ends = torch.tensor([[[1, 3], [2, -1]]])
    normal = group_advantages(t([1.0, 0.0, 0.0]), eps=0)[0]
    a = step_advantages(r, ends, length=4, eps=0)
    expected = t([[normal[0] + normal[1]] * 2 + [normal[1]] * 2, [normal[2]] * 3 + [0.0]])
    assert torch.allclose(a, expected)


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_potential_rewards_of_steps_discount_to_minus_the_initial_potential(gamma) -> None:
    scores = t([0.3, 0.8, 0.6], [0.9, 5.0, 5.0])
    ends = torch.tensor([[1, 2, 5], [3, -1, -1]])
    shaped = step_potential_rewards(scores, ends, length=7, gamma=gamma, initial=0.5)
    total = (shaped * gamma ** torch.arange(7, dtype=torch.float64)).sum(1)
    assert torch.allclose(total, t(-0.5, -0.5))
    if gamma == 1.0:
        assert torch.allclose(shaped, t([0, -0.2, 0.5, 0, 0, -0.8, 0], [0, 0, 0, -0.5, 0, 0, 0]))
        assert torch.allclose(potential_shaping(t([0.5]), t([0.8]), gamma=0.9), t([0.22]))


@pytest.mark.parametrize("name", ["values_BT", "mask_BT", "terminated_BT", "truncated_BT", "final_values_BT"])
def test_gae_refuses_a_tensor_of_another_shape_by_name(name) -> None:
    shapes = dict.fromkeys(
        ("values_BT", "mask_BT", "terminated_BT", "truncated_BT", "final_values_BT"), (3, 5)
    )
    given = {n: torch.ones(shape) for n, shape in (shapes | {name: (1, 5)}).items()}
    with pytest.raises(ValueError, match=f"{name} must have the shape of rewards_BT"):
        gae(torch.ones(3, 5), **given, gamma=1.0, lam=1.0)
    with pytest.raises(ValueError, match="bootstrap_B must hold one number for each row of rewards_BT"):
        gae(torch.ones(3, 5), torch.ones(3, 5), gamma=1.0, lam=1.0, bootstrap_B=torch.ones(1))


def test_maxrl_counts_a_success_for_as_much_more_as_it_is_rarer():
    from referee.trainers.objective.advantages import maxrl_advantages

    rewards = torch.tensor(
        [[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0], [0.0] * 4, [1.0] * 4, [-1.0, -2.0, 0, 0]]
    )
    expected = [[3.0, -1, -1, -1], [1 / 3, 1 / 3, 1 / 3, -1.0], [0.0] * 4, [0.0] * 4, [0.0] * 4]
    assert torch.allclose(maxrl_advantages(rewards), torch.tensor(expected))
    mask = torch.tensor([[True, True, False, False]])
    assert torch.allclose(maxrl_advantages(rewards[:1], mask), torch.tensor([[1.0, -1.0, 0.0, 0.0]]))


def test_maxrl_estimates_the_gradient_of_the_log_of_the_pass_rate():
    """Every draw of a group from a coin: the mean over draws is that of log p, truncated."""
    import itertools

    from referee.trainers.objective.advantages import maxrl_advantages

    theta = torch.tensor(0.3, dtype=torch.float64)
    p = torch.sigmoid(theta)
    score = {1.0: 1 - p, 0.0: -p}  # d log pi / d theta
    for n in (2, 3, 4):
        total = torch.tensor(0.0, dtype=torch.float64)
        for draw in itertools.product((0.0, 1.0), repeat=n):
            chance = torch.stack([p if x else 1 - p for x in draw]).prod()
            (a,) = maxrl_advantages(torch.tensor([draw], dtype=torch.float64))
            total += chance * sum(a_i * score[x] for a_i, x in zip(a, draw, strict=True)) / n
        # d log p / d theta = sum_k (1 - p)^k dp / d theta, of which the mean of n leaves the first n - 1 terms
        truncated = sum((1 - p) ** k for k in range(n - 1)) * p * (1 - p)
        assert float(total) == pytest.approx(float(truncated), rel=1e-12)
