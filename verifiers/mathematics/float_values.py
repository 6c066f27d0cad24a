"""Values of normal forms at machine precision."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from fractions import Fraction

from referee.verifiers.mathematics.forms import UNIT, Atom, Form, Number, Poly, Work
from referee.verifiers.mathematics.magnitude import to_float
from referee.verifiers.mathematics.points import STEPS, WHOLE, Point, fixed

_MAX_NESTED = 25
_NEAR = 1e-9


def float_value(top: Poly, work: Work, at: Point) -> tuple[complex, float]:
    """Return a sum's value at a point, and the size of its terms.

    Raises:
        ValueError: outside the domain of a function.
        OverflowError, ZeroDivisionError: where there is no such value.
    """
    return _Floats(work, at).poly(top, 0)


class _Floats:
    def __init__(self, work: Work, at: Point) -> None:
        self.work = work
        self.at = at
        self.known: dict[Atom, complex] = {}

    def poly(self, top: Poly, depth: int) -> tuple[complex, float]:
        self.work.spend(1 + len(top) // 4)
        total, size = 0j, 0.0
        for mono, c in top.items():
            term = complex(to_float(c))
            for atom, e in mono:
                value = self.known.get(atom)
                if value is None:
                    value = self.known[atom] = self.atom(atom, depth)
                term *= (
                    cmath.exp(1j * math.pi * value * to_float(e))
                    if atom.kind == "alternating"
                    else (_power(value, e))
                )
            if not cmath.isfinite(term):
                raise OverflowError
            total += term
            size += abs(term)
        return total, size

    def form(self, x: Form, depth: int) -> complex:
        top = self.poly(x.top, depth)[0]
        return top if x.bottom == UNIT else top / self.poly(x.bottom, depth)[0]

    def atom(self, atom: Atom, depth: int) -> complex:
        if depth > _MAX_NESTED:
            raise OverflowError
        kind, of = atom
        if kind == "variable":
            return complex(self.at.values[atom])
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if not isinstance(of, str):
            return complex(_NUMBERED[kind](of))
        if kind not in KNOWN or (self.at.opaque and kind in WHOLE | STEPS):
            return complex(fixed(atom))
        xs = [self.form(a, depth + 1) for a in self.work.atoms[atom]]
        if kind == "alternating":
            return xs[0]
        if kind in WHOLE or kind in STEPS:
            return complex(_jumping(kind, [_real(x) for x in xs]))
        if self.at.real and kind in _DOMAINS and not _DOMAINS[kind](_real(xs[0])):
            raise ValueError(f"{kind} outside the reals")
        return xs[0] if kind == "root" else complex(_FUNCTIONS[kind](xs[0]))


def _power(base: complex, e: Number) -> complex:
    if base.imag == 0 and base.real < 0 and type(e) is Fraction and e.denominator % 2:
        return complex((-1) ** (e.numerator % 2) * abs(base.real) ** to_float(e))
    if type(e) is int and abs(e) < 64:
        return base**e
    return base ** to_float(e)


def _real(z: complex) -> float:
    if abs(z.imag) > _NEAR * max(1.0, abs(z.real)):
        raise ValueError("no real number")
    return z.real


def _jumping(kind: str, xs: list[float]) -> float:
    """Return a function that jumps, or a function of whole numbers."""
    xs = [float(round(x)) if abs(x - round(x)) < _NEAR else x for x in xs]
    if kind in ("max", "min"):
        return max(xs) if kind == "max" else min(xs)
    if kind == "sgn":
        return float((xs[0] > 0) - (xs[0] < 0))
    if kind in ("floor", "ceil"):
        return float(math.floor(xs[0]) if kind == "floor" else math.ceil(xs[0]))
    if kind == "factorial" and not xs[0].is_integer():
        return math.gamma(xs[0] + 1)
    if not all(x.is_integer() for x in xs) or max(map(abs, xs)) > 1000:
        raise ValueError("no small whole numbers")
    ns = [int(x) for x in xs]
    if kind == "factorial":
        return float(math.factorial(ns[0]))
    if kind == "factorial2":
        if ns[0] < 0:
            raise ValueError("a double factorial of a negative number")
        return float(math.prod(range(ns[0], 0, -2)))
    if kind == "mod":
        return float(ns[0] % ns[1])
    return float(math.gcd(*ns) if kind == "gcd" else math.lcm(*ns))


_CONSTANTS = {"i": 1j, "pi": complex(math.pi), "e": complex(math.e)}
_NUMBERED: dict[str, Callable[[Number], float]] = {
    "prime": to_float,
    "log prime": lambda p: math.log(p.numerator),
    "cosine": lambda r: math.cos(math.pi * to_float(r)),
}
_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "E": cmath.exp,
    "exp": cmath.exp,
    "ln": cmath.log,
    "abs": abs,
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
    "arccot": lambda z: math.pi / 2 - cmath.atan(z),
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
    "Gamma": lambda z: math.gamma(_real(z)),
}
_DOMAINS: dict[str, Callable[[float], bool]] = {
    "root": lambda x: x >= 0,
    "ln": lambda x: x >= 0,
    "arcsin": lambda x: abs(x) <= 1,
    "arccos": lambda x: abs(x) <= 1,
    "arcsec": lambda x: abs(x) >= 1,
    "arccsc": lambda x: abs(x) >= 1,
    "arccosh": lambda x: x >= 1,
    "arcosh": lambda x: x >= 1,
    "arctanh": lambda x: abs(x) < 1,
    "artanh": lambda x: abs(x) < 1,
}
KNOWN = frozenset(_FUNCTIONS) | WHOLE | STEPS | {"root", "alternating"}
