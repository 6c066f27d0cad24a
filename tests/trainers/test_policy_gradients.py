"""Policies small enough to enumerate: what training converges to, and what a failed score does to it."""

from __future__ import annotations

import pytest
import torch

from referee.trainers.objective.advantages import group_advantages, potential_shaping, rloo_advantages
from referee.trainers.objective.kl import k2, k3, rewards_with_kl
from referee.trainers.objective.losses import aggregate, loss_normaliser, policy_loss

D = torch.float64


def test_the_softmax_bandits_gradient_is_its_closed_form() -> None:
    """d E[r] / d z_a = pi_a (r_a - E[r]); the expected REINFORCE and PPO gradients are that, exactly."""
    z = torch.tensor([0.3, -0.2, 0.5], dtype=D, requires_grad=True)
    r = torch.tensor([1.0, 0.0, 0.4], dtype=D)
    lp = torch.log_softmax(z, -1)
    pi = lp.detach().exp()
    closed = pi * (r - (pi * r).sum())
    for options in ({"loss": "reinforce"}, {}, {"loss": "cispo", "clip_low": 1.0}):
        for baseline in (0.0, 0.7):
            loss = policy_loss(lp[:, None], lp.detach()[:, None], r - baseline, torch.ones(3, 1), **options)
            grad = torch.autograd.grad(-(pi * loss[:, 0]).sum(), z, retain_graph=True)[0]
            assert torch.allclose(grad, closed, atol=1e-12)


def test_rloos_expected_gradient_is_the_closed_form_and_the_mean_baselines_is_short_by_one_in_n() -> None:
    """Every draw of a group of three from three symbols, with its probability."""
    z = torch.tensor([0.3, -0.2, 0.5], dtype=D, requires_grad=True)
    r = torch.tensor([1.0, 0.0, 0.4], dtype=D)
    lp = torch.log_softmax(z, -1)
    pi = lp.detach().exp()
    closed = pi * (r - (pi * r).sum())
    draws = torch.cartesian_prod(*[torch.arange(3)] * 3)
    p = pi[draws].prod(-1, keepdim=True)
    for advantages, share in (
        (rloo_advantages(r[draws]), 1.0),
        (group_advantages(r[draws], std="none"), 2 / 3),
    ):
        gradient = torch.autograd.grad((p * advantages * lp[draws]).sum() / 3, z, retain_graph=True)[0]
        assert torch.allclose(gradient, share * closed, atol=1e-12)


SEQUENCES = torch.cartesian_prod(torch.arange(3), torch.arange(3))  # all completions of two of three symbols


def sequence_logprobs(table: torch.Tensor) -> torch.Tensor:
    """Per-token log-probabilities of all nine completions: row 0 the first symbol, rows 1 to 3 the second."""
    lp = torch.log_softmax(table, -1)
    return torch.stack([lp[0, SEQUENCES[:, 0]], lp[1 + SEQUENCES[:, 0], SEQUENCES[:, 1]]], 1)


@pytest.mark.parametrize("kl_in", ["reward", "loss: k2", "loss: ratio times k3"])
def test_kl_regularised_policy_gradient_reaches_the_tilted_reference(kl_in) -> None:
    """The optimum of E[r] - beta KL(pi, ref) is ref exp(r / beta) / Z."""
    g = torch.Generator().manual_seed(0)
    ref = sequence_logprobs(torch.randn(4, 3, dtype=D, generator=g))
    r, beta = torch.randn(9, dtype=D, generator=g), 0.5
    optimum = torch.softmax(ref.sum(1) + r / beta, -1)
    table, mask = torch.zeros(4, 3, dtype=D, requires_grad=True), torch.ones(9, 2)
    optimiser = torch.optim.Adam([table], lr=0.05)
    for _ in range(1500):
        lp = sequence_logprobs(table)
        p, old = lp.detach().sum(1).exp(), lp.detach()
        if kl_in == "reward":  # each token is to blame for the KL from it on
            togo = rewards_with_kl(r, old, ref, mask, kl_coef=beta).flip(1).cumsum(1).flip(1)
            loss = policy_loss(lp, old, togo, mask)
        elif kl_in == "loss: k2":  # the later tokens' KL depends on the first: their sum's gradient is needed
            gap = (lp.sum(1) - ref.sum(1))[:, None].expand(9, 2)
            loss = policy_loss(lp, old, r, mask) + beta * k2(gap, torch.zeros_like(gap)) / 2
        else:
            gap, ratio = (lp.sum(1) - ref.sum(1))[:, None], (lp - old).sum(1, keepdim=True).exp()
            loss = policy_loss(lp, old, r, mask) + beta * ratio * k3(gap, torch.zeros_like(gap)) / 2
        optimiser.zero_grad()
        (p[:, None] * loss).sum().backward()
        optimiser.step()
    reached = sequence_logprobs(table.detach()).sum(1).exp()
    assert (reached - optimum).abs().max() < 1e-3
    assert (ref.sum(1).exp() - optimum).abs().max() > 0.05


# An MDP to enumerate: four states, two actions, 3 is the end. From 0 both paths reach the goal; from 1 one
# can dawdle back to 0. The step score likes state 1.
NEXT = torch.tensor([[1, 2], [0, 3], [3, 0]])
REWARD = torch.tensor([[0.0, 0.0], [0.0, 0.7], [1.0, 0.0]], dtype=D)
SCORE = torch.tensor([0.1, 0.9, 0.2, 0.0], dtype=D)
GAMMA = 0.9


def optimal(reward: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Value iteration: the best action in each state, and Q."""
    v = torch.zeros(4, dtype=D)
    for _ in range(2000):
        q = reward + GAMMA * v[NEXT]
        v = torch.cat([q.max(-1).values, torch.zeros(1, dtype=D)])
    return q.argmax(-1), q


def test_potential_based_shaping_leaves_the_optimum_and_raw_step_scores_change_it() -> None:
    best, q = optimal(REWARD)
    now, then = SCORE[:3, None].expand(3, 2), SCORE[NEXT]
    shaped, q_shaped = optimal(
        REWARD + potential_shaping(now, then, gamma=GAMMA, terminated_BT=torch.as_tensor(NEXT == 3))
    )
    assert torch.equal(best, shaped)
    assert torch.allclose(q_shaped, q - SCORE[:3, None], atol=1e-6)  # every policy is shifted alike
    raw, _ = optimal(REWARD + then)
    assert not torch.equal(best, raw)  # paid for being in state 1, it goes round for ever


def gradient(z, rewards, mask, tokens, advantage, by, loss) -> torch.Tensor:
    """The gradient of a step on completions of one to three tokens, each abstention an empty row."""
    lp = torch.log_softmax(z, -1)[tokens]
    N, G, T = tokens.shape
    lengths = 1 + (tokens[..., 0] + tokens[..., 1]) % 3
    rows = ((torch.arange(T) < lengths[..., None]) & mask[..., None]).reshape(N * G, T)
    a = advantage(rewards, mask).reshape(N * G)
    per_token = policy_loss(lp.reshape(N * G, T), lp.detach().reshape(N * G, T), a, rows, loss=loss)
    normaliser = loss_normaliser(rows, by=by, max_new_tokens=3)
    return torch.autograd.grad(aggregate(per_token, rows, by=by, normaliser=normaliser), z)[0]


CONFIGURATIONS = {
    "grpo": (group_advantages, "sequence", "clip"),
    "dapo": (lambda r, m: group_advantages(r, m, std="sample"), "token", "clip"),
    "dr_grpo": (lambda r, m: group_advantages(r, m, std="none"), "constant", "clip"),
    "rloo": (rloo_advantages, "constant", "reinforce"),
}


@pytest.fixture
def sampled():
    g = torch.Generator().manual_seed(0)
    z = torch.randn(6, dtype=D, generator=g, requires_grad=True)
    tokens = torch.randint(0, 6, (4, 10, 3), generator=g)
    rewards = (torch.rand(4, 10, generator=g) < 0.5).double()
    return z, tokens, rewards, g


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_with_a_fifth_of_the_scores_failed_the_gradient_is_that_of_the_batch_without_them(
    sampled, name
) -> None:
    z, tokens, rewards, g = sampled
    for _ in range(20):
        mask = torch.rand(4, 10, generator=g) >= 0.2
        mask[:, :2] = True
        failed = gradient(z, rewards.masked_fill(~mask, float("nan")), mask, tokens, *CONFIGURATIONS[name])
        kept = [(r[m][None], t[m][None]) for r, t, m in zip(rewards, tokens, mask, strict=True)]
        widest = max(r.shape[1] for r, _ in kept)  # the smaller groups, filled up to one shape
        small = torch.zeros(4, widest, dtype=D), torch.zeros(4, widest, 3, dtype=torch.long)
        there = torch.zeros(4, widest, dtype=torch.bool)
        for i, (r, t) in enumerate(kept):
            small[0][i, : r.shape[1]], small[1][i, : r.shape[1]], there[i, : r.shape[1]] = r[0], t[0], True
        deleted = gradient(z, small[0], there, small[1], *CONFIGURATIONS[name])
        one_by_one = deleted_by_hand(z, kept, *CONFIGURATIONS[name])
        assert torch.allclose(failed, deleted, rtol=1e-6, atol=1e-12)
        assert torch.allclose(failed, one_by_one, rtol=1e-6, atol=1e-12)


def deleted_by_hand(z, kept, advantage, by, loss) -> torch.Tensor:
    """The same with no mask anywhere: each group at its own size, each completion at its own length."""
    log_pi, total, counts = torch.log_softmax(z, -1), 0.0, {"token": 0, "sequence": 0, "constant": 0}
    for r, tokens in kept:
        for a, t in zip(advantage(r, None)[0], tokens[0], strict=True):
            lp = log_pi[t[: 1 + int(t[0] + t[1]) % 3]]
            terms = -a * (lp if loss == "reinforce" else (lp - lp.detach()).exp())
            total = total + (terms.mean() if by == "sequence" else terms.sum())
            counts = {
                "token": counts["token"] + len(lp),
                "sequence": counts["sequence"] + 1,
                "constant": counts["constant"] + 3,
            }
    return torch.autograd.grad(total / counts[by], z)[0]


def test_over_many_failures_rloos_mean_gradient_points_where_the_undisturbed_one_does(sampled) -> None:
    z, tokens, rewards, g = sampled
    whole = torch.ones_like(rewards, dtype=torch.bool)
    undisturbed = gradient(z, rewards, whole, tokens, *CONFIGURATIONS["rloo"])
    masked, zeroed = torch.zeros_like(undisturbed), torch.zeros_like(undisturbed)
    for _ in range(1000):
        mask = torch.rand(4, 10, generator=g) >= 0.2
        masked += gradient(z, rewards, mask, tokens, *CONFIGURATIONS["rloo"]) / 1000
        zeroed += gradient(z, rewards.masked_fill(~mask, 0.0), whole, tokens, *CONFIGURATIONS["rloo"]) / 1000

    def cosine(x):
        return torch.cosine_similarity(x, undisturbed, dim=0).item()

    size = {
        name: (x.norm() / undisturbed.norm()).item() for name, x in (("masked", masked), ("scored 0", zeroed))
    }
    print(
        f"\ncosine with the undisturbed gradient: masked {cosine(masked):.5f}, scored 0 {cosine(zeroed):.5f}"
    )
    print(f"its length beside the undisturbed: masked {size['masked']:.3f}, scored 0 {size['scored 0']:.3f}")
    assert cosine(masked) > 0.999
    assert abs(size["masked"] - 1) < abs(size["scored 0"] - 1)
