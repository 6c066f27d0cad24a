"""Rows of tokens through a model, so that what a row gets depends on that row alone.

Rows of like length go together and are filled up on the right; states are taken at places that the
caller names, never searched for by a pad token or by what is not zero. A prompt that several rows
share is read once and its cache is repeated, where the model is causal and that saves work.
What remains between one batch and another is rounding in the model's arithmetic: about 1e-6 in
float32, 1e-2 in bfloat16.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from referee.verifiers.learned.loading import Loaded

Rows: TypeAlias = "Sequence[Sequence[int]]"
Forward: TypeAlias = "Callable[[Tensor, Tensor, Any], Tensor]"
"""(tokens_BT, mask_BP of what may be attended to, cache or None) -> states_BTD"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A row's tokens, and the places at which its states are wanted."""

    token_ids: tuple[int, ...]
    places: tuple[int, ...]
    group: int = 0  # rows of the same group share a prompt

    def __post_init__(self) -> None:
        if not self.token_ids:
            raise ValueError("token_ids must have at least one token, got none")
        if any(not 0 <= p < len(self.token_ids) for p in self.places):
            raise ValueError(f"places must be within the {len(self.token_ids)} tokens, got {self.places}")


def by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Return row numbers in batches of at most ``batch_tokens`` tokens with padding, longest first.

    A row that is longer than that goes alone.

    >>> by_length([2, 9, 3, 8], 18)
    [[1, 3], [2, 0]]
    """
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def fill_up(
    rows: Rows, pad_id: int, device: Any, *, side: str = "right", least: int = 0
) -> tuple[Tensor, Tensor]:
    """Return tokens_BT and mask_BT of rows filled up to the longest, or to ``least`` tokens."""
    longest = max(least, *(len(r) for r in rows))
    tokens, mask = [], []
    for row in rows:
        gap = longest - len(row)
        left, right = (gap, 0) if side == "left" else (0, gap)
        tokens.append([pad_id] * left + list(row) + [pad_id] * right)
        mask.append([0] * left + [1] * len(row) + [0] * right)
    return torch.tensor(tokens, device=device), torch.tensor(mask, device=device)


@torch.inference_mode()
def states(
    loaded: Loaded,
    forward: Forward,
    wanted: Sequence[Wanted],
    *,
    batch_tokens: int,
    share_prefix: bool = False,
) -> list[Tensor]:
    """Return, for each row, its states at its places: a tensor (places, D) in float32."""
    out: dict[int, Tensor] = {}
    alone = list(range(len(wanted)))
    if share_prefix and is_causal(loaded):
        for group, prefix in _sharing(wanted):
            out.update(_with_shared_prefix(loaded, forward, wanted, group, prefix, batch_tokens))
        alone = [i for i in alone if i not in out]
    for batch in by_length([len(wanted[i].token_ids) for i in alone], batch_tokens):
        chosen = [alone[i] for i in batch]
        tokens_BT, mask_BT = fill_up([wanted[i].token_ids for i in chosen], loaded.pad_id, loaded.device)
        states_BTD = forward(tokens_BT, mask_BT, None)
        for row, i in enumerate(chosen):
            out[i] = _at(states_BTD[row], wanted[i].places)
    return [out[i] for i in range(len(wanted))]


def is_causal(loaded: Loaded) -> bool:
    """Tell whether a token's state is untouched by what stands after it, by trying it out."""
    if id(loaded) not in _causal:
        size = int(loaded.model.config.vocab_size)
        tokens = torch.tensor([[0, 0, 0], [0, 0, size - 1], [0, 0, size // 2]], device=loaded.device)
        base = loaded.model.base_model
        with torch.inference_mode():
            first_B1D = base(input_ids=tokens, attention_mask=torch.ones_like(tokens))[0][:, :1].float()
        _causal[id(loaded)] = (loaded, bool((first_B1D - first_B1D[:1]).abs().max() < 1e-4))
    return _causal[id(loaded)][1]


_causal: dict[int, tuple[Loaded, bool]] = {}  # the model is kept beside its answer: no id is used twice


def _at(states_TD: Tensor, places: Sequence[int]) -> Tensor:
    # The places are clamped for models that give one state a row.
    index = torch.tensor(places, device=states_TD.device).clamp(max=len(states_TD) - 1)
    return states_TD[index].float().cpu()


def _sharing(wanted: Sequence[Wanted]) -> list[tuple[list[int], int]]:
    """Return the groups of rows whose common beginning is worth reading once, and its length."""
    groups: dict[int, list[int]] = {}
    for i, row in enumerate(wanted):
        groups.setdefault(row.group, []).append(i)
    found = []
    for group in groups.values():
        rows = [wanted[i].token_ids for i in group]
        first, last = min(rows), max(rows)
        common = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        earliest = min((p for i in group for p in wanted[i].places), default=0)
        common = min(common, earliest, *(len(r) - 1 for r in rows))
        if len(group) > 1 and common * (len(group) - 1) >= sum(len(r) - common for r in rows):
            found.append((group, common))
    return found


def _with_shared_prefix(
    loaded: Loaded,
    forward: Forward,
    wanted: Sequence[Wanted],
    group: list[int],
    prefix: int,
    batch_tokens: int,
) -> dict[int, Tensor]:
    from transformers import DynamicCache

    head_1P = torch.tensor([wanted[group[0]].token_ids[:prefix]], device=loaded.device)
    cache: Any = DynamicCache(config=loaded.model.config)
    forward(head_1P, torch.ones_like(head_1P), cache)
    rests = [wanted[i].token_ids[prefix:] for i in group]
    out = {}
    for batch in by_length([len(r) for r in rests], max(1, batch_tokens - prefix)):
        tokens_BT, mask_BT = fill_up([rests[b] for b in batch], loaded.pad_id, loaded.device)
        repeated = copy.deepcopy(cache)
        repeated.batch_repeat_interleave(len(batch))
        seen_BP = torch.cat([mask_BT.new_ones(len(batch), prefix), mask_BT], 1)
        states_BTD = forward(tokens_BT, seen_BP, repeated)
        for row, b in enumerate(batch):
            i = group[b]
            out[i] = _at(states_BTD[row], [p - prefix for p in wanted[i].places])
    return out
