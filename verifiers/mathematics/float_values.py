"""Values of normal forms at machine precision, variables standing at fixed points."""

from __future__ import annotations

import cmath
import math
from fractions import Fraction
from typing import Any
from zlib import crc32

from referee.verifiers.mathematics.forms import Atom, Form, Poly, Work


def point(atom: Atom, probe: int) -> Fraction:
    """A fixed value for a variable: positive first, then of either sign."""
    seed = crc32(f"{atom.key}#{probe}".encode())
    value = Fraction(seed % 9973 + 3571, 7919)
    return -value if probe == 1 or (probe == 2 and seed & 65536) else value


def float_value(top: Poly, work: Work, probe: int) -> tuple[complex, float]:
    """Return a sum's value at a point, and the size of its terms."""
    cache: dict[Atom, complex] = {}
    total, size = 0j, 0.0
    for mono, c in top.items():
        term = complex(float(c))
        for name, e in mono:
            if name not in cache:
                cache[name] = _float_atom(name, work, probe, 0)
            term *= _power(cache[name], e)
        if not cmath.isfinite(term):
            raise OverflowError
        total += term
        size += abs(term)
    return total, size


def _power(base: complex, e: Any) -> complex:
    if base.imag == 0 and base.real < 0 and type(e) is Fraction and e.denominator % 2:
        return complex((-1) ** (e.numerator % 2) * abs(base.real) ** float(e))
    if type(e) is int and abs(e) < 64:
        return base**e
    return base ** float(e)


def _float_form(x: Form, work: Work, probe: int, depth: int) -> complex:
    def poly(p: Poly) -> complex:
        total = 0j
        for mono, c in p.items():
            term = complex(float(c))
            for name, e in mono:
                term *= _power(_float_atom(name, work, probe, depth + 1), e)
            total += term
        return total

    work.spend(1 + len(x.top))
    return poly(x.top) / (poly(x.bottom) if x.bottom != {(): 1} else 1)


def _float_atom(name: Atom, work: Work, probe: int, depth: int) -> complex:
    if depth > 25:
        raise OverflowError
    if name.kind == "variable":
        return complex(float(point(name, probe)))
    if name.kind == "prime":
        return complex(float(int(name.of)))
    if name.kind == "log prime":
        return complex(math.log(int(name.of)))
    if name.kind == "cosine":
        return complex(math.cos(math.pi * float(name.of)))
    if name.kind in _FLOAT_CONSTANTS:
        return _FLOAT_CONSTANTS[name.kind]
    kind, args = name.kind, work.atoms[name]
    xs = [_float_form(a, work, probe, depth + 1) for a in args]
    if probe and kind in ("root", "ln") and (xs[0].real < 0 or abs(xs[0].imag) > 1e-12):
        raise ValueError  # outside the reals: says nothing about an identity between reals
    if kind == "root":
        return xs[0]
    if kind in _FLOAT_FUNCTIONS:
        return complex(_FLOAT_FUNCTIONS[kind](xs[0]))
    return complex(float(point(name, probe)))


_FLOAT_CONSTANTS = {"i": 1j, "pi": complex(math.pi), "e": complex(math.e)}


def _arccot(z: complex) -> complex:
    return math.pi / 2 - cmath.atan(z)


_FLOAT_FUNCTIONS: dict[str, Any] = {
    "E": cmath.exp,
    "exp": cmath.exp,
    "ln": cmath.log,
    "abs": abs,
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
    "arccot": _arccot,
    "arcsec": lambda z: cmath.acos(1 / z),
    "arccsc": lambda z: cmath.asin(1 / z),
    "arcsinh": cmath.asinh,
    "arccosh": cmath.acosh,
    "arctanh": cmath.atanh,
    "arcosh": cmath.acosh,
    "arsinh": cmath.asinh,
    "artanh": cmath.atanh,
    "Re": lambda z: z.real,
    "Im": lambda z: z.imag,
    "arg": cmath.phase,
}
