"""A stream of random choices that is a pure function of its key, the same on every machine and Python."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Stream:
    """Random choices drawn from the digests of ``key``, ``key`` + 1, ...

    A digest is read as one integer of 512 bits; each choice among n takes the remainder by n and
    leaves the quotient. A new digest is taken before the quotient falls below 2^64 n, so that no
    outcome is likelier than another by more than 2^-64. Streams of different keys share nothing.

    >>> Stream("a").between(1, 6) == Stream("a").between(1, 6)
    True
    """

    __slots__ = ("_block", "_key", "_pool")

    def __init__(self, key: str) -> None:
        self._key = key
        self._block = 0
        self._pool = int.from_bytes(blake2b(key.encode()).digest(), "big")

    def below(self, n: int) -> int:
        """Return an integer from 0 to n - 1."""
        if self._pool < n << 64 or n < 1:
            if n < 1:
                raise ValueError(f"n must be at least 1, got {n}")
            self._block += 1
            digest = blake2b(f"{self._key}\n{self._block}".encode()).digest()
            self._pool = int.from_bytes(digest, "big")
        self._pool, drawn = divmod(self._pool, n)
        return drawn

    def between(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def uniform(self) -> float:
        """Return a number in [0, 1) with 53 random bits."""
        return self.below(1 << 53) / (1 << 53)

    def coin(self) -> bool:
        """Return True or False, each half of the time."""
        return self.below(2) == 1

    def choice(self, items: Sequence[T]) -> T:
        """Return one of ``items``."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """Return one of ``items``, each as often as its weight says."""
        left = self.uniform() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0.0:
                return item
        return next(i for i, w in zip(reversed(items), reversed(weights), strict=True) if w > 0.0)

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put ``items`` in a random order, in place (Fisher-Yates)."""
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return ``items`` in a random order."""
        out = list(items)
        self.shuffle(out)
        return out

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Return ``count`` different members of ``items``, in random order."""
        if count > len(items):
            raise ValueError(f"count must be at most {len(items)}, the number of items, got {count}")
        out = list(items)
        for i in range(count):
            j = i + self.below(len(out) - i)
            out[i], out[j] = out[j], out[i]
        return out[:count]
