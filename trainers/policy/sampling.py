"""Sampling completions in batches, on any device, with what training needs kept as it was drawn.

Each prompt is read once and its cache is shared by all its siblings. Rows that have ended leave the
batch. The random numbers of a prompt's siblings come from a generator of their own, so that what a
prompt gets does not depend on which other prompts were sampled beside it, nor on how the prompts
were split among batches or processes (up to rounding in the model's arithmetic).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from referee.envs.dialogue import before_stop
from referee.trainers.policy.policy import Policy
from referee.verifiers.records import Completion, FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are drawn. ``temperature`` 0 is greedy; ``top_k`` 0 and ``top_p`` 1 keep every token.

    ``rows`` bounds the completions that are drawn at the same time (memory, not results). A completion ends
    where one of the texts of ``stop`` stands in it: its text ends before that, its tokens with it.
    """

    max_new_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    rows: int = 256
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(self.stop):
            raise ValueError(f"stop must hold texts of at least one character, got {self.stop}")
        for name, low in (("max_new_tokens", 1), ("rows", 1), ("top_k", 0), ("temperature", 0)):
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")

    @property
    def narrows(self) -> bool:
        """True where not every token can be drawn, as at temperature 0 none but one."""
        return self.temperature > 0.0 and (self.top_k > 0 or self.top_p < 1.0)


def seed_of(*parts: int | str) -> int:
    """Return a 63-bit seed that depends on every part: distinct streams for distinct purposes."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def sample(
    policy: Policy,
    prompts: Sequence[Sequence[int]],
    *,
    group_size: int = 1,
    sampling: Sampling,
    seeds: Sequence[int],
    siblings: Sequence[Sequence[int]] | None = None,
) -> list[list[Completion]]:
    """Draw ``group_size`` completions for each prompt, given as token ids.

    ``siblings`` are the numbers of those that are wanted of each prompt, from 0, where another process draws
    the others: each is drawn as it would be among all.

    ``seeds`` has one seed for each prompt. A completion's ``token_ids`` are the very tokens that
    were drawn, the end-of-sequence token included where the model wrote it (its ``finish_reason``
    is then ``stop``, else ``length``). ``logprobs`` are natural logarithms under the softmax of
    logits / temperature over the whole vocabulary: what training recomputes. Where ``top_p`` or ``top_k``
    narrowed the draw, ``drawn_logprobs`` are those of what was left. At temperature 0 they are those of
    temperature 1.

    Raises:
        ValueError: for an empty prompt, or seeds that do not match the prompts.
    """
    if len(seeds) != len(prompts):
        raise ValueError(f"seeds must have one seed for each of {len(prompts)} prompts, got {len(seeds)}")
    if group_size < 1:
        raise ValueError(f"group_size must be at least 1, got {group_size}")
    wanted = [range(group_size)] * len(prompts) if siblings is None else list(siblings)
    if any(len(p) == 0 for p in prompts):
        raise ValueError("prompts must have at least one token each, got an empty one")
    at_once = max(1, sampling.rows // group_size)
    # Prompts of like length beside each other leave less padding.
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    out: dict[int, list[Completion]] = {}
    training = policy.model.training
    policy.model.eval()
    try:
        for start in range(0, len(order), at_once):
            chosen = order[start : start + at_once]
            groups = _sample_chunk(
                policy,
                [prompts[i] for i in chosen],
                [wanted[i] for i in chosen],
                sampling,
                _uniforms([seeds[i] for i in chosen], group_size, sampling.max_new_tokens),
            )
            out.update(zip(chosen, groups, strict=True))
    finally:
        policy.model.train(training)
    return [out[i] for i in range(len(prompts))]


@torch.inference_mode()
def _sample_chunk(
    policy: Policy,
    prompts: Sequence[Sequence[int]],
    wanted: Sequence[Sequence[int]],
    sampling: Sampling,
    uniform_PGN: Tensor,
) -> list[list[Completion]]:
    from transformers import DynamicCache

    device, longest = policy.device, max(map(len, prompts))
    padded = any(len(p) != longest for p in prompts)
    prompt_PT = torch.tensor([[policy.pad_id] * (longest - len(p)) + list(p) for p in prompts], device=device)
    valid_PT = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=device)
    prompt_B = torch.tensor([i for i, numbers in enumerate(wanted) for _ in numbers], device=device)
    lengths_B = valid_PT.sum(1)[prompt_B]
    sibling_B = torch.tensor([g for numbers in wanted for g in numbers])
    uniform_BN = uniform_PGN[prompt_B.cpu(), sibling_B].to(device)
    end_E = torch.tensor(policy.eos_ids, device=device)

    cache = DynamicCache(config=policy.model.config)
    logits_PV = policy.model(
        input_ids=prompt_PT,
        # Without padding no mask is needed, and attention takes its fast path.
        attention_mask=valid_PT if padded else None,
        position_ids=(valid_PT.cumsum(1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits[:, -1]
    cache.batch_select_indices(prompt_B)
    logits_BV, valid_BT = logits_PV[prompt_B], valid_PT[prompt_B]

    rows = len(prompt_B)
    live = torch.arange(rows, device=device)  # the rows of the whole batch that are still in this one
    tokens_BN = torch.full((rows, sampling.max_new_tokens), policy.pad_id, device=device)
    logprobs_BN = torch.zeros(rows, sampling.max_new_tokens, dtype=torch.float32, device=device)
    drawn_BN = torch.zeros_like(logprobs_BN)
    count_B = torch.zeros(rows, dtype=torch.long, device=device)
    open_B = torch.ones(rows, dtype=torch.bool, device=device)  # rows of the live batch not yet ended
    for n in range(sampling.max_new_tokens):
        token_B, logprob_B, drawn_B = _draw(logits_BV.float(), uniform_BN[live, n], sampling)
        writes = live[open_B]
        tokens_BN[writes, n], logprobs_BN[writes, n] = token_B[open_B], logprob_B[open_B]
        drawn_BN[writes, n] = drawn_B[open_B]
        count_B[writes] += 1
        open_B = open_B & ~torch.isin(token_B, end_E)
        if sampling.stop:
            open_B = open_B & ~_stopped(policy, sampling.stop, tokens_BN[live, : n + 1], open_B)
        still = int(open_B.sum())
        if still == 0 or n + 1 == sampling.max_new_tokens:
            break
        if still <= 0.75 * len(live):  # copying the cache costs more than a few idle rows
            kept = open_B.nonzero()[:, 0]
            cache.batch_select_indices(kept)
            live, token_B, valid_BT, open_B = live[kept], token_B[kept], valid_BT[kept], open_B[kept]
        valid_BT = torch.cat([valid_BT, valid_BT.new_ones(len(live), 1)], 1)
        logits_BV = policy.model(
            input_ids=token_B[:, None],
            attention_mask=valid_BT if padded else None,
            position_ids=(lengths_B[live] + n)[:, None],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
    flat = _completions(policy, sampling, tokens_BN, logprobs_BN, drawn_BN, count_B.tolist())
    return [[next(flat) for _ in numbers] for numbers in wanted]


def _stopped(policy: Policy, stop: Sequence[str], tokens_BN: Tensor, open_B: Tensor) -> Tensor:
    """Tell which open rows' last tokens have brought a stop text to its end."""
    longest = max(map(len, stop)) + 8  # tokens: each of a text has at least a byte, and some come before it
    out_B = torch.zeros_like(open_B)
    for row in open_B.nonzero()[:, 0].tolist():
        tail = policy.decode(tokens_BN[row, -longest:].tolist())
        out_B[row] = any(text in tail for text in stop)
    return out_B


def _uniforms(seeds: Sequence[int], group_size: int, count: int) -> Tensor:
    """Return a random number in [0, 1) for each token that might be drawn, ``_PGN``, a stream a prompt."""
    streams = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        streams.append(torch.rand(group_size, count, generator=generator))
    return torch.stack(streams).double()


def _draw(logits_BV: Tensor, uniform_B: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a token for each row by inverting its distribution function at a uniform number.

    Return it with its log-probabilities under the whole distribution and under the one drawn from.
    """
    if sampling.temperature == 0.0:
        token_B = logits_BV.argmax(-1)
        logprob_B = logits_BV.log_softmax(-1).gather(-1, token_B[:, None])[:, 0]
        return token_B, logprob_B, logprob_B
    logprobs_BV = (logits_BV / sampling.temperature).log_softmax(-1)
    probs_BV = _narrow(logprobs_BV.exp(), sampling)
    cumulative_BV = probs_BV.double().cumsum(-1)
    target_B1 = uniform_B[:, None] * cumulative_BV[:, -1:]
    token_B = torch.searchsorted(cumulative_BV, target_B1, right=True)[:, 0]
    token_B = token_B.clamp(max=logits_BV.shape[-1] - 1)
    logprob_B = logprobs_BV.gather(-1, token_B[:, None])[:, 0]
    # what was left out makes the rest likelier
    drawn_B = logprob_B - cumulative_BV[:, -1].log().to(logprob_B.dtype) if sampling.narrows else logprob_B
    return token_B, logprob_B, drawn_B


def _narrow(probs_BV: Tensor, sampling: Sampling) -> Tensor:
    """Set to zero what ``top_k`` and ``top_p`` leave out; the most probable token always stays."""
    if sampling.top_k and sampling.top_k < probs_BV.shape[-1]:
        least_B1 = probs_BV.topk(sampling.top_k, -1).values[:, -1:]
        probs_BV = probs_BV.masked_fill(probs_BV < least_B1, 0.0)
    if sampling.top_p < 1.0:
        sorted_BV, order_BV = probs_BV.sort(-1, descending=True)
        before_BV = sorted_BV.cumsum(-1) - sorted_BV
        sorted_BV = sorted_BV.masked_fill(before_BV >= sampling.top_p * sorted_BV.sum(-1, keepdim=True), 0.0)
        probs_BV = torch.zeros_like(probs_BV).scatter(-1, order_BV, sorted_BV)
    return probs_BV


def _completions(
    policy: Policy,
    sampling: Sampling,
    tokens_BN: Tensor,
    logprobs_BN: Tensor,
    drawn_BN: Tensor,
    counts: Sequence[int],
) -> Iterator[Completion]:
    ends = set(policy.eos_ids)
    drawn = drawn_BN.tolist() if sampling.narrows else None
    for row, (tokens, logprobs, count) in enumerate(
        zip(tokens_BN.tolist(), logprobs_BN.tolist(), counts, strict=True)
    ):
        ids = tokens[:count]
        text, stopped = before_stop(policy.decode(ids), sampling.stop)
        stopped = stopped or ids[-1] in ends
        yield Completion(
            text=text,
            token_ids=tuple(ids),
            logprobs=tuple(logprobs[:count]),
            drawn_logprobs=None if drawn is None else tuple(drawn[row][:count]),
            finish_reason=FinishReason.STOP if stopped else FinishReason.LENGTH,
        )
