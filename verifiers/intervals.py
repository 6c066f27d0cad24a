"""Intervals for what was measured on a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

_Z95 = 1.959963984540054


def wilson(successes: float, n: int, z: float = _Z95) -> tuple[float, float]:
    """Return Wilson's score interval for a proportion (Wilson 1927); 0 to 1 for an empty sample.

    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n). At z = 1.96 it covers 95 %.

    >>> low, high = wilson(8, 10)
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    middle = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def mean_interval(values: Sequence[float], z: float = _Z95) -> tuple[float, float, float]:
    """Return the mean and its interval: Wilson's where all values are 0 or 1, else mean -+ z s/sqrt(n).

    s is the sample's standard deviation (n - 1). An empty sample gives nan.
    """
    n = len(values)
    if n == 0:
        return math.nan, math.nan, math.nan
    mean = math.fsum(values) / n
    if all(v in (0.0, 1.0) for v in values):
        return (mean, *wilson(math.fsum(values), n, z))
    if n == 1:
        return mean, -math.inf, math.inf
    half = z * math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)
    return mean, mean - half, mean + half
