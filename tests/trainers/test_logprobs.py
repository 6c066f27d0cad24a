"""Token log-probabilities and entropies against log_softmax, in value and gradient."""

from __future__ import annotations

import pytest
import torch

from referee.trainers.objective import logprobs as module
from referee.trainers.objective.logprobs import entropy, token_logprobs, token_logprobs_and_entropy


def reference(logits, tokens, temperature):
    lp = torch.log_softmax(logits.double() / temperature, -1)
    return lp.gather(-1, tokens[..., None])[..., 0], -(lp.exp() * lp).sum(-1)


@pytest.fixture(params=[2**22, 11], ids=["one chunk", "a chunk a row"])
def _chunks(request, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_NUMBERS", request.param)


@pytest.mark.usefixtures("_chunks")
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize(
    ("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 1e-2)]
)
def test_values_and_gradients_are_those_of_log_softmax(dtype, rtol, temperature) -> None:
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 11, dtype=torch.float64, generator=g).mul(3).to(dtype).requires_grad_()
    tokens = torch.randint(0, 11, (2, 5), generator=g)
    weights = torch.randn(2, 2, 5, dtype=torch.float64, generator=g)
    grads, values = [], []
    for f in (
        lambda: token_logprobs_and_entropy(logits, tokens, temperature=temperature),
        lambda: reference(logits, tokens, temperature),
    ):
        lp, h = f()
        values.append((lp, h))
        grads.append(torch.autograd.grad((weights[0] * lp + weights[1] * h).sum(), logits)[0])
    exact = 1e-12 if dtype == torch.float64 else 2e-6
    for ours, theirs in zip(*values, strict=True):
        assert torch.allclose(ours.double(), theirs, rtol=exact, atol=exact)
    assert grads[0].dtype == dtype
    assert torch.allclose(grads[0].double(), grads[1].double(), rtol=rtol, atol=rtol)


def test_gradients_against_finite_differences() -> None:
    logits = torch.randn(
        2, 3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ).requires_grad_()
    tokens = torch.tensor([[0, 3, 6], [1, 1, 2]])
    assert torch.autograd.gradcheck(
        lambda z: token_logprobs_and_entropy(z, tokens, temperature=0.7), (logits,)
    )
    assert torch.autograd.gradcheck(lambda z: token_logprobs(z, tokens), (logits,))
    assert torch.autograd.gradcheck(entropy, (logits,))


def test_a_forbidden_token_has_probability_zero_and_no_gradient() -> None:
    logits = torch.tensor([[0.0, 0.0, -torch.inf]], requires_grad=True)
    lp, h = token_logprobs_and_entropy(logits, torch.tensor([1]))
    assert lp.item() == pytest.approx(-0.693147, abs=1e-6)
    assert h.item() == pytest.approx(0.693147, abs=1e-6)
    (lp + h).sum().backward()
    assert torch.allclose(logits.grad, torch.tensor([[-0.5, 0.5, 0.0]]))


def test_entropy_is_greatest_where_all_tokens_are_alike() -> None:
    assert entropy(torch.zeros(1, 8)).item() == pytest.approx(3 * 0.693147, abs=1e-5)
    assert entropy(torch.tensor([[100.0, 0.0]])).item() == pytest.approx(0.0, abs=1e-6)


def test_only_one_gradient_of_the_logits_size_is_held() -> None:
    """The graph keeps two numbers a token beside the logits; log_softmax keeps a copy of the logits."""
    logits = torch.randn(4, 16, 1000, requires_grad=True)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: (kept.append(x.numel() if x is not logits and x.data_ptr() != logits.data_ptr() else 0), x)[
            1
        ],
        lambda x: x,
    ):
        token_logprobs(logits, torch.zeros(4, 16, dtype=torch.long))
    assert sum(kept) <= 3 * 64


def test_bad_input_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"tokens_BT must have the leading shape of logits_BTV \(2, 3\), got \(2, 4\)"
    ):
        token_logprobs(torch.zeros(2, 3, 5), torch.zeros(2, 4, dtype=torch.long))
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        token_logprobs(torch.zeros(1, 1, 5), torch.zeros(1, 1, dtype=torch.long), temperature=0)
