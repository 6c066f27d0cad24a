"""Batches: what a policy is trained on, as tensors named by their shapes.

``B`` rows, ``T`` tokens of prompt and completion. Everything that belongs to a token stands at that
token's own place: ``logprobs_BT[b, t]`` is the log-probability of ``tokens_BT[b, t]`` given what
stands before it. Rows are filled up on the right, so a causal model needs no attention mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from referee.trainers.objective.logprobs import token_logprobs_and_entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One sequence: its tokens, and which of them the policy wrote and is trained on."""

    token_ids: tuple[int, ...]
    mask: tuple[bool, ...]
    logprobs: tuple[float, ...] = ()  # the sampler's, 0 where the policy did not write
    drawn: tuple[float, ...] = ()  # under the distribution that was drawn from, where it was narrowed

    def __post_init__(self) -> None:
        if len(self.mask) != len(self.token_ids):
            raise ValueError(
                f"mask must have one value for each of {len(self.token_ids)} tokens, got {len(self.mask)}"
            )
        for name in ("logprobs", "drawn"):
            stated = getattr(self, name)
            if stated and len(stated) != len(self.token_ids):
                raise ValueError(
                    f"{name} must have one value for each of {len(self.token_ids)} tokens, got {len(stated)}"
                )
        if self.mask and self.mask[0]:
            raise ValueError("mask must be False at the first token: nothing stands before it")


def completion_row(
    prompt_ids: Sequence[int],
    completion_ids: Sequence[int],
    logprobs: Sequence[float] = (),
    drawn: Sequence[float] = (),
) -> TokenRow:
    """Return the row of one prompt and what was written after it."""
    before = len(prompt_ids)
    return TokenRow(
        token_ids=(*prompt_ids, *completion_ids),
        mask=(False,) * before + (True,) * len(completion_ids),
        logprobs=(0.0,) * before + tuple(logprobs) if logprobs else (),
        drawn=(0.0,) * before + tuple(drawn) if drawn else (),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows as tensors.

    ``mask_BT`` is 1.0 at the tokens that count in the loss, ``numbers_B`` tells rows apart however they are
    dealt. ``sampler_logprobs_BT`` are the sampler's log-probabilities, ``drawn_logprobs_BT`` those under
    the distribution that it drew from, ``old_logprobs_BT`` the policy's before the
    update, ``ref_logprobs_BT`` the reference policy's, ``advantages_BT`` the advantages. With a
    critic, ``values_BT`` are its values before the update and ``returns_BT`` what it should learn.
    """

    tokens_BT: Tensor
    mask_BT: Tensor
    lengths_B: Tensor
    numbers_B: Tensor | None = None
    sampler_logprobs_BT: Tensor | None = None
    drawn_logprobs_BT: Tensor | None = None
    old_logprobs_BT: Tensor | None = None
    ref_logprobs_BT: Tensor | None = None
    advantages_BT: Tensor | None = None
    values_BT: Tensor | None = None
    returns_BT: Tensor | None = None

    def __len__(self) -> int:
        return self.tokens_BT.shape[0]

    @property
    def before_BT(self) -> Tensor:
        """The policy's log-probabilities before the update: recomputed where they are, else the sampler's."""
        known = self.sampler_logprobs_BT if self.old_logprobs_BT is None else self.old_logprobs_BT
        if known is None:
            raise ValueError("the batch must have log-probabilities of its policy, got none")
        return known

    def select(self, rows: Tensor) -> Batch:
        """Return some rows, cut to the longest of them."""
        longest = int(self.lengths_B[rows].max())
        changes: dict[str, Tensor] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if value is not None:
                changes[f.name] = value[rows, :longest] if f.name.endswith("_BT") else value[rows]
        return replace(self, **changes)

    def split(self, tokens: int) -> list[Tensor]:
        """Return row numbers in micro-batches of at most ``tokens`` tokens with padding, longest first.

        Rows of like length go together. A row that is longer than ``tokens`` goes alone.
        """
        order = torch.argsort(self.lengths_B, descending=True, stable=True).tolist()
        lengths = self.lengths_B.tolist()
        parts: list[list[int]] = []
        for row in order:
            if parts and (len(parts[-1]) + 1) * lengths[parts[-1][0]] <= tokens:
                parts[-1].append(row)
            else:
                parts.append([row])
        device = self.tokens_BT.device
        return [torch.tensor(sorted(part), device=device) for part in parts]


def collate(rows: Sequence[TokenRow], *, pad_id: int, device: torch.device | str = "cpu") -> Batch:
    """Fill rows up on the right with ``pad_id`` and return them as tensors.

    Raises:
        ValueError: where there is no row.
    """
    if not rows:
        raise ValueError("rows must have at least one row, got none")
    longest = max(len(r.token_ids) for r in rows)

    def filled(values: Sequence[Any], pad: Any) -> list[Any]:
        return [*values, *[pad] * (longest - len(values))]

    sampled = all(r.logprobs for r in rows)
    narrowed = sampled and any(r.drawn for r in rows)
    return Batch(
        tokens_BT=torch.tensor([filled(r.token_ids, pad_id) for r in rows], device=device),
        mask_BT=torch.tensor([filled(r.mask, False) for r in rows], dtype=torch.float32, device=device),
        lengths_B=torch.tensor([len(r.token_ids) for r in rows], device=device),
        numbers_B=torch.arange(len(rows), device=device),
        sampler_logprobs_BT=torch.tensor([filled(r.logprobs, 0.0) for r in rows], device=device)
        if sampled
        else None,
        drawn_logprobs_BT=torch.tensor([filled(r.drawn or r.logprobs, 0.0) for r in rows], device=device)
        if narrowed
        else None,
    )


def batch_logprobs(
    model: Any, tokens_BT: Tensor, mask_BT: Tensor, *, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return log-probability and entropy (nats) of the policy's distribution at masked tokens, ``_BT`` each.

    Both are 0 where the mask is, and differentiable. The distribution is the softmax of
    logits / temperature. Logits are computed only in columns where some row is masked in.
    """
    columns = mask_BT[:, 1:].any(0).nonzero()[:, 0]  # the places whose next token counts
    if len(columns) == 0:
        nothing = torch.zeros(tokens_BT.shape, device=tokens_BT.device)
        return nothing, nothing
    logits_BCV = model(input_ids=tokens_BT, use_cache=False, logits_to_keep=columns).logits
    if logits_BCV.shape[1] != len(columns):  # a model that does not know the option
        logits_BCV = logits_BCV[:, columns]
    logprobs_BC, entropy_BC = token_logprobs_and_entropy(
        logits_BCV, tokens_BT[:, columns + 1], temperature=temperature
    )
    keep_BC = mask_BT[:, columns + 1].to(logprobs_BC.dtype)
    empty_BT = logprobs_BC.new_zeros(tokens_BT.shape)
    return (
        empty_BT.index_copy(1, columns + 1, logprobs_BC * keep_BC),
        empty_BT.index_copy(1, columns + 1, entropy_BC * keep_BC),
    )
