"""Where the variables of a normal form stand while its value is taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import islice, product
from typing import NamedTuple
from zlib import crc32

from referee.verifiers.mathematics.forms import Atom

# functions of whole numbers: their variables stand at whole numbers
WHOLE = frozenset(["factorial", "factorial2", "gcd", "lcm", "mod"])
# functions that jump: agreement at points proves nothing of what lies between them
STEPS = frozenset(["floor", "ceil", "sgn", "max", "min"])

_REAL_POINTS = 8
_LARGEST = 7
_WHOLE_POINTS = 64


class Point(NamedTuple):
    """One place.

    ``real`` refuses functions outside their real domain. Where it is ``opaque``, functions of whole
    numbers and functions that jump have values of their own, unlike those of any other.
    """

    values: Mapping[Atom, Fraction | complex]
    real: bool = True
    opaque: bool = False


@lru_cache(maxsize=512)
def fixed(atom: Atom, probe: int = 0) -> Fraction:
    """A number for an atom: about 1 first, then of either sign, large and small."""
    seed = crc32(f"{atom.key}#{probe}".encode())
    value = Fraction(seed % 9973 + 3571, 7919)
    if probe in (4, 5, 6):
        value *= 5
    elif probe in (3, 7):
        value /= 3
    negative = probe in (1, 5) or (probe in (2, 6, 7) and seed & 65536)
    return -value if negative else value


def real_points(variables: list[Atom]) -> Iterator[Point]:
    """Yield places over the reals."""
    for probe in range(_REAL_POINTS):
        yield Point({v: fixed(v, probe) for v in variables})


def complex_points(variables: list[Atom]) -> Iterator[Point]:
    """Yield two places off the real axis."""
    for probe in range(2):
        values = {v: complex(fixed(v, probe), fixed(v, probe + 2)) for v in variables}
        yield Point(values, real=False)


def whole_points(variables: list[Atom], whole: set[Atom]) -> Iterator[Point]:
    """Yield places where some variables are small whole numbers from 1 on, together in every order."""
    at = [v for v in variables if v in whole]
    numbers = range(1, _LARGEST + 1)
    places = list(product(numbers, repeat=len(at))) if len(at) <= 4 else _spread(len(at))
    step = max(1, len(places) // _WHOLE_POINTS)
    for probe, place in enumerate(islice(places[::-1], 0, None, step)):
        values = {v: fixed(v, probe % _REAL_POINTS) for v in variables if v not in whole}
        yield Point(values | {v: Fraction(n) for v, n in zip(at, place, strict=True)})


def _spread(count: int) -> list[tuple[int, ...]]:
    return [tuple(1 + (i * 5 + j * (i + 3)) % _LARGEST for j in range(count)) for i in range(_WHOLE_POINTS)]
