"""Embeddings by a frozen backbone, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from referee.verifiers.jsonl import write_json
from referee.verifiers.learned.surface import COUNT, surface_features
from referee.verifiers.learned.text_layout import PLAIN, Reading, cut, longest_row, read
from referee.verifiers.protocol import Item
from referee.verifiers.records import Json, Problem

Pooling = Literal["mean", "first", "last"]
Features = Literal["joint", "parts", "completion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedder:
    """A frozen backbone and how its states become one vector for a prompt and a completion.

    ``pooling``: the ``mean`` over tokens, the ``first`` ([CLS]) or the ``last``. ``features``:
    ``joint`` embeds prompt and completion as one row; ``completion`` the completion alone, which is
    enough where completions of one prompt are compared; ``parts`` embeds p and c apart and gives
    [p, c, p * c, |p - c|], unit vectors. ``layers`` are those whose states are pooled, one after another:
    0 is what goes into the first, -1 what comes out of the last. ``surface`` adds the features of
    :mod:`referee.verifiers.learned.surface` at the end.
    """

    backbone: str
    pooling: Pooling = "mean"
    features: Features = "joint"
    reading: Reading = PLAIN
    layers: tuple[int, ...] = (-1,)
    surface: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("layers must name at least one layer, got none")
        if isinstance(self.reading, dict):
            object.__setattr__(self, "reading", Reading(**self.reading))
        for name, options in (("pooling", get_args(Pooling)), ("features", get_args(Features))):
            if getattr(self, name) not in options:
                raise ValueError(f"{name} must be one of {', '.join(options)}, got {getattr(self, name)!r}")

    def __call__(
        self,
        items: Sequence[Item],
        *,
        dtype: str = "auto",
        device: str = "auto",
        batch_tokens: int = 16_384,
        cache: Path | None = None,
    ) -> NDArray[np.float32]:
        """Return one row of features for each item; with ``cache``, a folder, embed equal items once."""
        rows = self._cached(items, dtype, device, batch_tokens, cache)
        if not self.surface:
            return rows
        shown = [surface_features(i.problem.prompt_text, i.completion.text) for i in items]
        return np.concatenate([rows, np.array(shown, np.float32).reshape(len(items), COUNT)], axis=1)

    def _cached(
        self, items: Sequence[Item], dtype: str, device: str, batch_tokens: int, cache: Path | None
    ) -> NDArray[np.float32]:
        if cache is None:
            return self._features(items, dtype, device, batch_tokens)
        texts: list[Json] = [[i.problem.prompt_text, i.completion.text] for i in items]
        about = {k: v for k, v in asdict(self).items() if k != "surface"}
        key = hashlib.sha256(write_json([about, dtype, texts]).encode()).hexdigest()[:24]
        file = cache / f"embeddings-{key}.npy"
        if not file.is_file():
            made = self._features(items, dtype, device, batch_tokens)
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=cache, delete=False) as aside:
                np.save(aside, made, allow_pickle=False)
            os.replace(aside.name, file)
        kept: NDArray[np.float32] = np.load(file, allow_pickle=False)
        return kept

    def _features(
        self, items: Sequence[Item], dtype: str, device: str, batch_tokens: int
    ) -> NDArray[np.float32]:
        if self.features == "joint":
            return self._pooled(items, dtype, device, batch_tokens)
        bare = [Item(i.completion, Problem()) for i in items]
        if self.features == "completion":
            return self._pooled(bare, dtype, device, batch_tokens)
        prompts = list(dict.fromkeys(i.problem.prompt_text for i in items))
        asked = [Item(type(items[0].completion)(text=p), Problem()) for p in prompts] if items else []
        rows = _unit(self._pooled([*asked, *bare], dtype, device, batch_tokens))
        index = {p: n for n, p in enumerate(prompts)}
        p_BD = rows[[index[i.problem.prompt_text] for i in items]]
        c_BD = rows[len(prompts) :]
        return np.concatenate([p_BD, c_BD, p_BD * c_BD, np.abs(p_BD - c_BD)], axis=1)

    def _pooled(
        self, items: Sequence[Item], dtype: str, device: str, batch_tokens: int
    ) -> NDArray[np.float32]:
        import torch

        from referee.verifiers.learned.batching import by_length, fill_up
        from referee.verifiers.learned.loading import load

        loaded: Any = load(self.backbone, "encoder", dtype=dtype, device=device)
        longest = longest_row(loaded, self.reading.max_length)
        rows = [
            cut(read(loaded.tokenizer, i.completion, i.problem, self.reading), longest) or (loaded.pad_id,)
            for i in items
        ]
        out: list[Any] = [None] * len(rows)
        with torch.inference_mode():
            for batch in by_length([len(r) for r in rows], batch_tokens):
                tokens_BT, mask_BT = fill_up([rows[i] for i in batch], loaded.pad_id, loaded.device)
                states = loaded.model(
                    input_ids=tokens_BT, attention_mask=mask_BT, output_hidden_states=True
                ).hidden_states
                states_BTD = torch.cat([states[n] for n in self.layers], -1).float()
                for row, i in enumerate(batch):
                    states_TD = states_BTD[row, : len(rows[i])]
                    pooled = {"mean": states_TD.mean(0), "first": states_TD[0], "last": states_TD[-1]}
                    out[i] = pooled[self.pooling].cpu().numpy()
        width = loaded.model.config.hidden_size * len(self.layers)
        return np.stack(out) if out else np.zeros((0, width), np.float32)


def _unit(rows_BD: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = np.linalg.norm(rows_BD, axis=1, keepdims=True)
    return rows_BD / np.maximum(norm, 1e-12)  # type: ignore[no-any-return]
