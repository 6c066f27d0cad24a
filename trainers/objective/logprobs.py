"""Log-probabilities of the tokens that were sampled, and entropies, without a second copy of the logits.

The logits of a batch are its largest tensor by far: 8 x 1,024 tokens x a vocabulary of 150,000 are
5 GB in float32. ``log_softmax`` makes one more such tensor for the result and another for the
gradient, in float32 whatever the model's type. Here one pass over chunks of rows keeps two numbers a
token, and the backward pass writes one gradient in the logits' own type.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_CHUNK_NUMBERS = 2**22  # float32 numbers in flight: 16 MB a temporary


def token_logprobs(logits_BTV: Tensor, tokens_BT: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Return log softmax(logits / temperature) at the given tokens, ``_BT``, in float32 or wider.

    log p(y) = z_y - log sum_v exp z_v, with z = logits / temperature.
    """
    return token_logprobs_and_entropy(logits_BTV, tokens_BT, temperature=temperature)[0]


def token_logprobs_and_entropy(
    logits_BTV: Tensor, tokens_BT: Tensor, *, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return the tokens' log-probabilities and the exact entropies (nats) of their distributions.

    H = -sum_v p_v log p_v. Both are ``_BT`` and differentiable
    (once): d log p(y) / dz_v = [v = y] - p_v and dH / dz_v = -p_v (log p_v + H). A logit of -inf
    (a forbidden token) counts as probability 0.
    """
    if logits_BTV.shape[:-1] != tokens_BT.shape:
        raise ValueError(
            f"tokens_BT must have the leading shape of logits_BTV {tuple(logits_BTV.shape[:-1])}, "
            f"got {tuple(tokens_BT.shape)}"
        )
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    return _TokenLogprobs.apply(logits_BTV, tokens_BT, temperature)  # type: ignore[no-any-return, no-untyped-call]


def entropy(logits_BTV: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Return the exact entropy of softmax(logits / temperature), in nats, ``_BT``; differentiable."""
    tokens_BT = torch.zeros(logits_BTV.shape[:-1], dtype=torch.long, device=logits_BTV.device)
    return token_logprobs_and_entropy(logits_BTV, tokens_BT, temperature=temperature)[1]


class _TokenLogprobs(torch.autograd.Function):
    """The two functions above: forward and backward over chunks of rows."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, tokens: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        flat, index = logits.reshape(-1, logits.shape[-1]), tokens.reshape(-1)
        wide = torch.promote_types(logits.dtype, torch.float32)
        norms, entropies, chosen = (flat.new_empty(len(flat), dtype=wide) for _ in range(3))
        for rows in _chunks(flat):
            z = flat[rows].to(wide) / temperature
            norms[rows] = torch.logsumexp(z, -1)
            log_p = z.sub_(norms[rows, None])
            chosen[rows] = log_p.gather(-1, index[rows, None])[:, 0]
            p = log_p.exp()
            # Not norm - sum p z: where z is large, that difference loses its digits.
            entropies[rows] = -p.mul_(log_p.masked_fill_(p == 0, 0.0)).sum(-1)
        ctx.save_for_backward(logits, tokens, norms, entropies)
        ctx.temperature = temperature
        return chosen.view(tokens.shape), entropies.view(tokens.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        logits, tokens, norms, entropies = ctx.saved_tensors
        flat, index = logits.reshape(-1, logits.shape[-1]), tokens.reshape(-1)
        g_logprob, g_entropy = (g.reshape(-1).to(norms.dtype) for g in grads)
        with_entropy = bool(g_entropy.any())
        out = torch.empty_like(flat)
        for rows in _chunks(flat):
            log_p = (flat[rows].to(norms.dtype) / ctx.temperature).sub_(norms[rows, None])
            p = log_p.exp()
            grad = p * -g_logprob[rows, None]
            grad.scatter_add_(-1, index[rows, None], g_logprob[rows, None])
            if with_entropy:
                slope = log_p.masked_fill_(p == 0, 0.0).add_(entropies[rows, None])
                grad.sub_(p.mul_(slope).mul_(g_entropy[rows, None]))
            out[rows] = (grad / ctx.temperature).to(out.dtype)
        return out.view(logits.shape), None, None


def _chunks(flat: Tensor) -> list[slice]:
    rows = max(1, _CHUNK_NUMBERS // max(flat.shape[-1], 1))
    return [slice(i, i + rows) for i in range(0, len(flat), rows)]
