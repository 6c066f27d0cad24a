"""Prime factors and sizes of rational numbers."""

from __future__ import annotations

from functools import lru_cache

from referee.verifiers.mathematics.forms import Number
from referee.verifiers.mathematics.tree import TooBig


@lru_cache(maxsize=4096)
def factor_integer(n: int) -> tuple[tuple[int, int], ...]:
    """Factor by trial division up to 2000; a larger cofactor stays whole, roots of it taken."""
    out = []
    p = 2
    while p < 2000 and p * p <= n:
        if n % p == 0:
            k = 0
            while n % p == 0:
                n //= p
                k += 1
            out.append((p, k))
        p += 1 if p == 2 else 2
    if n > 1:
        out.append(_perfect_power(n))
    return tuple(out)


def _perfect_power(n: int) -> tuple[int, int]:
    if n.bit_length() <= 22 or n.bit_length() > 4000:
        return n, 1
    for k in (2, 3, 5, 7, 11, 13):
        root = _integer_root(n, k)
        if root > 1 and root**k == n:
            base, more = _perfect_power(root)
            return base, more * k
    return n, 1


def _integer_root(n: int, k: int) -> int:
    high = 1 << (n.bit_length() // k + 1)
    while True:
        step = ((k - 1) * high + n // high ** (k - 1)) // k
        if step >= high:
            return high
        high = step


def factor(value: Number) -> dict[int, int]:
    """Return the exponents of a positive rational's prime factors."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > 20_000:
        raise TooBig("a number past the bound on factoring")
    out = dict(factor_integer(value.numerator))
    for p, k in factor_integer(value.denominator):
        out[p] = out.get(p, 0) - k
    return out
