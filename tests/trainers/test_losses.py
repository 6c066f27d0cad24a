"""Losses against references of a few lines, finite differences, and every way of cutting a batch."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch

from referee.trainers.objective.losses import (
    aggregate,
    cispo_loss,
    clip_loss,
    clip_metrics,
    log_ratio,
    loss_normaliser,
    loss_weights,
    policy_loss,
    value_loss,
)

AGGREGATIONS = ("token", "sequence", "constant")
LENGTHS = (5, 2, 0, 4, 1, 6)
OPTIONS = {
    "grpo": ({}, "sequence"),
    "dapo": ({"clip_high": 0.28}, "token"),
    "dr_grpo": ({}, "constant"),
    "dual": ({"dual_clip": 1.5}, "token"),
    "gspo": ({"ratio": "sequence", "clip_low": 0.05, "clip_high": 0.1}, "sequence"),
    "cispo": ({"loss": "cispo", "clip_low": 1.0, "clip_high": 0.3}, "token"),
    "reinforce": ({"loss": "reinforce"}, "constant"),
}


@pytest.fixture
def batch():
    g = torch.Generator().manual_seed(0)
    new = -torch.rand(6, 6, dtype=torch.float64, generator=g)
    old = new + 0.5 * torch.randn(6, 6, dtype=torch.float64, generator=g)
    mask = torch.arange(6)[None] < torch.tensor(LENGTHS)[:, None]
    return new, old, torch.randn(6, dtype=torch.float64, generator=g), mask


def reference(new, old, advantages, options, by) -> torch.Tensor:
    """The same loss, one token at a time."""
    sums, rows = [], [i for i, n in enumerate(LENGTHS) if n]
    low, high = options.get("clip_low", 0.2), options.get("clip_high", 0.2)
    for i in rows:
        n, a, terms = LENGTHS[i], advantages[i], []
        s = ((new[i, :n] - old[i, :n]).sum() / n).exp()
        for t in range(n):
            rho = s if options.get("ratio") == "sequence" else (new[i, t] - old[i, t]).exp()
            if options.get("loss") == "reinforce":
                terms.append(-a * new[i, t])
            elif options.get("loss") == "cispo":
                terms.append(-rho.detach().clamp(1 - low, 1 + high) * a * new[i, t])
            else:
                capped = torch.minimum(rho, rho.new_tensor(options.get("dual_clip", torch.inf)))
                terms.append(-torch.minimum(capped * a, rho.clamp(1 - low, 1 + high) * a))
        sums.append(sum(terms) / (n if by == "sequence" else 1))
    return sum(sums) / {"token": sum(LENGTHS), "sequence": len(rows), "constant": len(rows) * 7}[by]


def ours(new, old, advantages, mask, options, by, normaliser=None) -> torch.Tensor:
    whole = loss_normaliser(mask, by=by, max_new_tokens=7) if normaliser is None else normaliser
    return aggregate(policy_loss(new, old, advantages, mask, **options), mask, by=by, normaliser=whole)


@pytest.mark.parametrize("by", AGGREGATIONS)
@pytest.mark.parametrize("name", OPTIONS)
def test_each_loss_and_its_gradient_against_its_reference(batch, name, by) -> None:
    new, old, advantages, mask = batch
    options = OPTIONS[name][0]
    new.requires_grad_()
    a, b = ours(new, old, advantages, mask, options, by), reference(new, old, advantages, options, by)
    assert a.item() == pytest.approx(b.item(), rel=1e-9)
    da, db = (torch.autograd.grad(x, new)[0] for x in (a, b))
    assert torch.allclose(da, db, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in OPTIONS if n != "cispo"])  # cispo stops a gradient on purpose
def test_gradients_against_finite_differences(batch, name) -> None:
    new, old, advantages, mask = batch
    options, by = OPTIONS[name]
    if options.get("ratio") == "sequence":
        # GSPO-token's value per token is the sequence's; only the sum over a sequence has its gradient.
        by = "sequence"
        x = new.clone().requires_grad_()
        got = torch.autograd.grad(ours(x, old, advantages, mask, options, by), x)[0]
        for i, t in ((0, 1), (3, 3), (5, 0)):
            shift = torch.zeros_like(new)
            shift[i, t] = 1e-6
            up, down = (ours(new + k * shift, old, advantages, mask, options, by) for k in (1, -1))
            assert got[i, t].item() == pytest.approx(float(up - down) / 2e-6, abs=1e-8)
        return
    assert torch.autograd.gradcheck(
        lambda x: ours(x, old, advantages, mask, options, by), (new.requires_grad_(),)
    )


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("cut", [[6], [1] * 6, [2, 4], [3, 1, 2]])
def test_micro_batches_add_up_to_the_batch(batch, name, cut) -> None:
    new, old, advantages, mask = batch
    options, by = OPTIONS[name]
    new.requires_grad_()
    whole = loss_normaliser(mask, by=by, max_new_tokens=7)
    assert whole == sum(loss_normaliser(m, by=by, max_new_tokens=7) for m in mask.split(cut))
    parts = [
        ours(n, o, a, m, options, by, whole)
        for n, o, a, m in zip(*(x.split(cut) for x in (new, old, advantages, mask)), strict=True)
    ]
    once = torch.autograd.grad(ours(new, old, advantages, mask, options, by), new)[0]
    assert torch.allclose(torch.autograd.grad(sum(parts), new)[0], once, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_changes_nothing_whatever_stands_there(batch, name, side) -> None:
    new, old, advantages, mask = batch
    options, by = OPTIONS[name]
    junk = torch.full((6, 3), -99.0, dtype=torch.float64)

    def pad(x, p):
        return torch.cat([p, x] if side == "left" else [x, p], 1)

    padded = ours(pad(new, junk), pad(old, -junk), advantages, pad(mask, junk > 0), options, by)
    assert padded.item() == pytest.approx(ours(new, old, advantages, mask, options, by).item(), rel=1e-12)


@pytest.mark.parametrize("name", OPTIONS)
def test_row_order_and_advantages_per_token_change_nothing(batch, name) -> None:
    new, old, advantages, mask = batch
    options, by = OPTIONS[name]
    before = ours(new, old, advantages, mask, options, by).item()
    order = torch.tensor([3, 5, 0, 1, 4, 2])
    assert ours(new[order], old[order], advantages[order], mask[order], options, by).item() == pytest.approx(
        before
    )
    per_token = advantages[:, None].expand(6, 6)
    assert ours(new, old, per_token, mask, options, by).item() == pytest.approx(before)


@pytest.mark.parametrize("by", AGGREGATIONS)
def test_an_empty_row_is_as_if_it_had_never_been_sampled(batch, by) -> None:
    new, old, advantages, mask = batch
    rows = mask.any(1)
    without = ours(new[rows], old[rows], advantages[rows], mask[rows], {}, by)
    assert ours(new, old, advantages, mask, {}, by).item() == pytest.approx(without.item(), rel=1e-12)
    nothing = torch.zeros_like(mask)
    assert ours(new, old, advantages, nothing, {}, by).item() == 0.0


def test_the_three_aggregations_by_hand() -> None:
    loss, mask = torch.tensor([[1.0, 1.0, 4.0], [2.0, 9.0, 9.0]]), torch.tensor([[1, 1, 1], [1, 0, 0]])
    expected = {"token": 8 / 4, "sequence": (2 + 2) / 2, "constant": 8 / (2 * 10)}
    for by, value in expected.items():
        normaliser = loss_normaliser(mask, by=by, max_new_tokens=10)
        assert aggregate(loss, mask, by=by, normaliser=normaliser).item() == pytest.approx(value)
        assert (loss * loss_weights(mask, by=by, normaliser=normaliser)).sum().item() == pytest.approx(value)


def test_the_clip_takes_the_gradient_only_where_moving_on_would_pay() -> None:
    rho = torch.tensor([[0.7, 0.7, 1.3, 1.3, 1.0]]).log().requires_grad_()
    A = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0]])
    clip_loss(rho, A).sum().backward()
    assert torch.allclose(rho.grad, torch.tensor([[-0.7, 0.0, 0.0, 1.3, -1.0]]))
    shares = clip_metrics(rho, A, torch.ones(1, 5), clip_low=0.2, clip_high=0.2)
    assert shares == {"clip_share_low": 0.2, "clip_share_high": 0.2, "clip_share": 0.4}


def test_clip_higher_leaves_a_rising_token_more_room() -> None:
    rho, A = torch.tensor([[1.25]]).log(), torch.ones(1, 1)
    assert clip_loss(rho, A).item() == pytest.approx(-1.2)
    assert clip_loss(rho, A, clip_high=0.28).item() == pytest.approx(-1.25)


def test_the_dual_clip_bounds_the_loss_of_a_bad_token_that_became_likely() -> None:
    rho, A = torch.tensor([[100.0, 2.0]]).log().requires_grad_(), torch.tensor([[-1.0, -1.0]])
    assert torch.allclose(clip_loss(rho, A), torch.tensor([[100.0, 2.0]]))
    assert torch.allclose(clip_loss(rho, A, dual_clip=3.0), torch.tensor([[3.0, 2.0]]))
    clip_loss(rho, A, dual_clip=3.0).sum().backward()
    assert torch.allclose(rho.grad, torch.tensor([[0.0, 2.0]]))


def test_cispo_keeps_the_gradient_of_a_token_that_the_clip_would_drop() -> None:
    lp, old, A = torch.tensor([[-1.0]], requires_grad=True), torch.tensor([[-4.0]]), torch.ones(1, 1)
    ratio = log_ratio(lp, old, torch.ones(1, 1))
    assert torch.autograd.grad(clip_loss(ratio, A).sum(), lp, retain_graph=True)[0].item() == 0.0
    assert torch.autograd.grad(cispo_loss(lp, ratio, A).sum(), lp)[0].item() == pytest.approx(-5.0)


def test_the_value_loss_is_the_worse_of_the_clipped_and_the_plain_error() -> None:
    v, old, returns = torch.tensor([1.0, 0.3, 0.0]), torch.zeros(3), torch.tensor([1.0, 1.0, 1.0])
    assert torch.allclose(value_loss(v, returns), torch.tensor([0.0, 0.245, 0.5]))
    assert torch.allclose(value_loss(v, returns, old, clip=0.2), torch.tensor([0.32, 0.32, 0.5]))
    assert torch.allclose(value_loss(v, returns, old, clip=None), value_loss(v, returns))


def test_bad_input_is_named(batch) -> None:
    new, old, advantages, mask = batch
    with pytest.raises(ValueError, match="loss must be one of clip, cispo, reinforce, got 'ppo'"):
        policy_loss(new, old, advantages, mask, loss="ppo")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ratio must be one of token, sequence, got 'word'"):
        policy_loss(new, old, advantages, mask, ratio="word")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"dual_clip must be above 1 \+ clip_high = 1.2, got 1.0"):
        policy_loss(new, old, advantages, mask, dual_clip=1.0)
    with pytest.raises(ValueError, match="by must be one of token, sequence, constant, sum, got 'mean'"):
        aggregate(new, mask, by="mean", normaliser=1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_new_tokens must be at least 1"):
        loss_normaliser(mask, by="constant")


WIDE, TALL, ONE = torch.ones(2, 5), torch.ones(3, 5), torch.ones(3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: aggregate(TALL, torch.ones(1, 5), normaliser=1.0), "mask_BT must have the shape of loss_BT (3, 5), got (1, 5)"),
        (lambda: aggregate(TALL, TALL, normaliser=torch.ones(5)), "normaliser must be one number, that of the batch, got (5,)"),
        (lambda: aggregate(ONE, ONE, normaliser=1.0), "loss_BT must have two dimensions, sequences by tokens, got (3,)"),
        (lambda: loss_normaliser(ONE), "mask_BT must have two dimensions"),
        (lambda: loss_weights(ONE, normaliser=1.0), "mask_BT must have two dimensions"),
        (lambda: policy_loss(TALL, torch.ones(1, 5), ONE, TALL), "old_logprobs_BT must have the shape of logprobs_BT"),
        (lambda: policy_loss(TALL, TALL, torch.ones(3, 1, 1), TALL), "advantages must hold one number for each sequence, (3,), or for each token, (3, 5), got (3, 1, 1)"),
        (lambda: policy_loss(TALL, TALL, torch.ones(1), TALL), "advantages must hold one number for each sequence"),
        (lambda: policy_loss(TALL, TALL, ONE, WIDE), "mask_BT must have the shape of logprobs_BT"),
        (lambda: policy_loss(TALL, TALL, torch.ones(1), TALL, loss="reinforce"), "advantages must hold one number"),
        (lambda: policy_loss(TALL, TALL, torch.ones(1), TALL, loss="cispo"), "advantages must hold one number"),
        (lambda: log_ratio(TALL, WIDE, TALL), "old_logprobs_BT must have the shape"),
        (lambda: cispo_loss(TALL, torch.ones(1, 5), ONE), "log_ratio_BT must have the shape"),
        (lambda: value_loss(TALL, torch.ones(3, 1)), "returns_BT must have the shape"),
        (lambda: value_loss(TALL, TALL, torch.ones(1, 5)), "old_values_BT must have the shape"),
        (lambda: clip_metrics(TALL, ONE, WIDE, clip_low=0.2, clip_high=0.2), "mask_BT must have the shape"),
    ],
)  # fmt: skip
def test_a_tensor_of_another_shape_is_refused_by_name_and_never_broadcast(
    call: Callable[[], object], said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        call()
