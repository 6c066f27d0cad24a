"""Checks of tensors' shapes, so that a wrong one is refused by name and never broadcast in silence."""

from __future__ import annotations

from torch import Tensor


def same_shape(**tensors: Tensor | None) -> None:
    """Refuse tensors that do not have the shape of the first; None is a tensor that was not given.

    Raises:
        ValueError: naming the first that differs.
    """
    (first, a), *rest = [(name, t) for name, t in tensors.items() if t is not None]
    for name, b in rest:
        if a.shape != b.shape:
            raise ValueError(f"{name} must have the shape of {first} {tuple(a.shape)}, got {tuple(b.shape)}")


def same_token_shape(**tensors: Tensor | None) -> None:
    """Refuse tensors that are not all ``_BT``, of one shape: sequences by tokens."""
    name, first = next((name, t) for name, t in tensors.items() if t is not None)
    if first.dim() != 2:
        raise ValueError(f"{name} must have two dimensions, sequences by tokens, got {tuple(first.shape)}")
    same_shape(**tensors)


def one_each(**tensors: Tensor | None) -> None:
    """Refuse tensors after the first that are not ``_B``: one number for each row of the first."""
    (first, a), *rest = [(name, t) for name, t in tensors.items() if t is not None]
    for name, b in rest:
        if tuple(b.shape) != tuple(a.shape[:1]):
            raise ValueError(
                f"{name} must hold one number for each row of {first}, "
                f"{tuple(a.shape[:1])}, got {tuple(b.shape)}"
            )


def per_token(advantages: Tensor, like_BT: Tensor) -> Tensor:
    """Return advantages that can be multiplied with ``like_BT``: those of ``_B`` become ``_B1``.

    Raises:
        ValueError: where they are neither one number a sequence nor one a token.
    """
    if like_BT.dim() == 2 and tuple(advantages.shape) == tuple(like_BT.shape[:1]):
        return advantages[:, None]
    if advantages.shape not in (like_BT.shape, (*like_BT.shape[:1], 1)):
        raise ValueError(
            f"advantages must hold one number for each sequence, {tuple(like_BT.shape[:1])}, "
            f"or for each token, {tuple(like_BT.shape)}, got {tuple(advantages.shape)}"
        )
    return advantages
