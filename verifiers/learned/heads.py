"""Heads on frozen embeddings: a folder with ``head.json`` and ``head.safetensors``.

``head.json`` names the embedder; the tensors are the features' mean and scale, and the layers of a
small perceptron with a ReLU between them, of which the last gives one number.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from referee.verifiers.learned.embedding import Embedder
from referee.verifiers.protocol import Item

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """A trained head: ``layers`` of (weight, bias), over features that are first standardised."""

    embedder: Embedder
    mean: Array
    scale: Array
    layers: tuple[tuple[Array, Array], ...]

    def __call__(self, features_BD: Array) -> Array:
        """Return one number for each row of features."""
        x = (features_BD - self.mean) / self.scale
        for i, (weight, bias) in enumerate(self.layers):
            x = x @ weight.T + bias
            if i + 1 < len(self.layers):
                x = np.maximum(x, 0.0)
        out: Array = x[:, 0]
        return out

    def logits(self, items: Sequence[Item], *, dtype: str, device: str, batch_tokens: int) -> list[float]:
        """Embed items and return a number for each."""
        features_BD = self.embedder(items, dtype=dtype, device=device, batch_tokens=batch_tokens)
        return [float(x) for x in self(features_BD)]

    def save(self, folder: str | Path) -> None:
        """Write the head so that :func:`head_of` and ``RewardModel(model=folder)`` read it."""
        from safetensors.numpy import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {"mean": self.mean, "scale": self.scale}
        for i, (weight, bias) in enumerate(self.layers):
            tensors |= {f"layers.{i}.weight": weight, f"layers.{i}.bias": bias}
        save_file(
            {k: np.ascontiguousarray(v, np.float32) for k, v in tensors.items()}, folder / "head.safetensors"
        )
        about = {"embedder": asdict(self.embedder), "layers": len(self.layers)}
        (folder / "head.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        _heads.pop(str(folder), None)


_heads: dict[str, Head] = {}


def head_of(name: str) -> Head | None:
    """Return the head in the folder ``name``; None where that is not a head's folder."""
    if name not in _heads:
        place = Path(name)
        if not (place / "head.json").is_file():
            return None
        from safetensors.numpy import load_file

        about = json.loads((place / "head.json").read_text(encoding="utf-8"))
        tensors = load_file(place / "head.safetensors")
        _heads[name] = Head(
            embedder=Embedder(**about["embedder"]),
            mean=tensors["mean"],
            scale=tensors["scale"],
            layers=tuple(
                (tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"]) for i in range(about["layers"])
            ),
        )
    return _heads[name]
