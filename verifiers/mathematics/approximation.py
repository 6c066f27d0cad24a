"""Numbers behind normal forms: refuting by value, proving by root separation.

A value that is clearly off zero refutes equality. A value that cannot be told from zero proves it
only with a reason: an algebraic number whose conjugates are all at most U in size, times a known
integer, is zero if it is smaller than U^(1-d), d bounding its degree (the constructive root bound
of Burnikel, Fleischer, Mehlhorn and Schirra, 2000). Where no such bound is at hand (logarithms, e
beside pi, functions of variables) equality takes agreement to 300 digits, far past the size
of anything that the bounds on input admit, and the verdict says so.
"""

from __future__ import annotations

import cmath
import math
from fractions import Fraction
from typing import Any, NamedTuple
from zlib import crc32

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.forms import Form, Poly, Work
from referee.verifiers.mathematics.tree import TooBig, Unreadable

_PROBES = 3
_AGREEMENT_BITS = 1000  # some 300 digits
_MAX_PROOF_BITS = 12_000


class Zero(NamedTuple):
    """Whether something is zero, and how that is known."""

    zero: bool
    tier: str


def is_zero(x: Form, work: Work) -> Zero:
    """Decide whether a form is zero."""
    top = x.top
    if not top:
        return Zero(True, "normal form")
    names = {n for mono in top for n, _ in mono}
    if not names or (all(n[:2] in ("v:", "p:") or n in ("i", "π") for n in names) and not _huge(top)):
        return Zero(False, "normal form")  # monomials in these are independent
    probes = _PROBES if _has_variables(top, work) else 1
    for probe in range(probes):
        try:
            value, size = _float_value(top, work, probe)
        except (OverflowError, ZeroDivisionError, ValueError):
            continue
        if size and abs(value) > 1e-7 * size:
            return Zero(False, "numeric")
    if probes == 1:
        bits = _proof_bits(top, work)
        if bits is not None and bits <= _MAX_PROOF_BITS:
            small = _high_value(top, work, 0, bits + 64, -bits)
            return Zero(small is True, "root separation")
    agreed = 0
    for probe in range(probes):
        small = _high_value(top, work, probe, _AGREEMENT_BITS + 120, -_AGREEMENT_BITS)
        if small is False:
            return Zero(False, "numeric")
        agreed += small is True
    return Zero(agreed > 0, "numeric")


def _huge(top: Poly) -> bool:
    return any(n[:2] == "p:" and abs(Fraction(e)) > 1 for mono in top for n, e in mono)


def _has_variables(top: Poly, work: Work, depth: int = 0) -> bool:
    for mono in top:
        for n, _ in mono:
            if n[:2] == "v:":
                return True
            if (
                n in work.atoms
                and depth < 20
                and any(
                    _has_variables(a.top, work, depth + 1) or _has_variables(a.bottom, work, depth + 1)
                    for a in work.atoms[n][1]
                )
            ):
                return True
    return False


def has_variables(x: Form, work: Work) -> bool:
    """Tell whether any variable stands in a form, also inside functions."""
    return _has_variables(x.top, work) or _has_variables(x.bottom, work)


def real_value(x: Form, work: Work) -> float | None:
    """Return a constant form's value to some 12 digits; None where it is not real or not constant."""
    if has_variables(x, work):
        return None
    try:
        top, top_size = _float_value(x.top, work, 0)
        bottom, bottom_size = _float_value(x.bottom, work, 0)
        value = top / bottom
    except (OverflowError, ZeroDivisionError, ValueError):
        return None
    if abs(bottom) < 1e-9 * bottom_size or abs(value.imag) > 1e-9 * max(1.0, abs(value.real)):
        return None
    if x.top and abs(top) < 1e-9 * top_size and not is_zero(x, work).zero:
        return None
    return value.real if math.isfinite(value.real) else None


def sign_of(x: Form, work: Work) -> int | None:
    """Return -1, 0 or 1 for a real constant, else None."""
    constant = x.constant
    if constant is not None:
        return (constant > 0) - (constant < 0)
    value = real_value(x, work)
    if value is None:
        return None
    if value != 0.0 and abs(value) > 1e-7:
        return 1 if value > 0 else -1
    return 0 if is_zero(x, work).zero else (1 if value > 0 else -1)


# Machine precision


def _point(name: str, probe: int) -> Fraction:
    """A fixed value for a variable: positive first, then of either sign."""
    seed = crc32(f"{name}#{probe}".encode())
    value = Fraction(seed % 9973 + 3571, 7919)
    return -value if probe == 1 or (probe == 2 and seed & 65536) else value


def _float_value(top: Poly, work: Work, probe: int) -> tuple[complex, float]:
    cache: dict[str, complex] = {}
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


def _float_atom(name: str, work: Work, probe: int, depth: int) -> complex:
    if depth > 25:
        raise OverflowError
    if name[:2] == "v:":
        return complex(float(_point(name, probe)))
    if name[:2] == "p:":
        return complex(float(int(name[2:], 16)))
    if name[:3] == "ln:":
        return complex(math.log(int(name[3:], 16)))
    if name[:4] == "cos:":
        return complex(math.cos(math.pi * float(Fraction(name[4:]))))
    if name in _FLOAT_CONSTANTS:
        return _FLOAT_CONSTANTS[name]
    kind, args = work.atoms[name]
    xs = [_float_form(a, work, probe, depth + 1) for a in args]
    if probe and kind in ("root", "ln") and (xs[0].real < 0 or abs(xs[0].imag) > 1e-12):
        raise ValueError  # outside the reals: says nothing about an identity between reals
    if kind == "root":
        return xs[0]
    if kind in _FLOAT_FUNCTIONS:
        return complex(_FLOAT_FUNCTIONS[kind](xs[0]))
    return complex(float(_opaque(name, probe)))


_FLOAT_CONSTANTS = {"i": 1j, "π": complex(math.pi), "E[1]": complex(math.e)}


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


def _opaque(name: str, probe: int) -> Fraction:
    return _point(name, probe)


# High precision


def _high_value(top: Poly, work: Work, probe: int, bits: int, limit: int) -> bool | None:
    """Tell whether the value is below 2^limit (times the size of its terms); None where it has none."""
    from mpmath import MPContext  # loaded when first needed

    work.spend(500)
    ctx: Any = MPContext()
    grow = sum(abs(Fraction(c)) for c in top.values())
    ctx.prec = bits + 40 + max(int(f.log2_size(grow)), 0)
    if ctx.prec > 2 * _MAX_PROOF_BITS:
        raise TooBig("a proof past the bound on precision")
    cache: dict[str, Any] = {}
    try:
        total, size = _high_poly(top, work, probe, ctx, cache, 0)
    except (ZeroDivisionError, ValueError, OverflowError, TypeError):
        return None
    return bool(abs(total) < (size or ctx.mpf(1)) * ctx.mpf(2) ** limit)


def _high_poly(
    top: Poly, work: Work, probe: int, ctx: Any, cache: dict[str, Any], depth: int
) -> tuple[Any, Any]:
    total, size = ctx.mpc(0), ctx.mpf(0)
    work.spend(len(top))
    for mono, c in top.items():
        term = ctx.mpf(c.numerator) / c.denominator
        for name, e in mono:
            if name not in cache:
                cache[name] = _high_atom(name, work, probe, ctx, cache, depth + 1)
            term *= _high_power(cache[name], e, ctx)
        total += term
        size += abs(term)
    return total, size


def _high_power(base: Any, e: Any, ctx: Any) -> Any:
    if type(e) is int:
        if abs(e) > 10**6:
            raise OverflowError
        return base**e
    if base.imag == 0 and base.real < 0 and e.denominator % 2:
        return (-1) ** (e.numerator % 2) * (-base.real) ** (ctx.mpf(e.numerator) / e.denominator)
    return base ** (ctx.mpf(e.numerator) / e.denominator)


def _high_atom(name: str, work: Work, probe: int, ctx: Any, cache: dict[str, Any], depth: int) -> Any:
    if depth > 25:
        raise OverflowError
    if name[:2] == "v:":
        point = _point(name, probe)
        return ctx.mpf(point.numerator) / point.denominator
    if name[:2] == "p:":
        return ctx.mpf(int(name[2:], 16))
    if name[:3] == "ln:":
        return ctx.log(int(name[3:], 16))
    if name[:4] == "cos:":
        r = Fraction(name[4:])
        return ctx.cospi(ctx.mpf(r.numerator) / r.denominator)
    if name == "i":
        return ctx.mpc(0, 1)
    if name == "π":
        return +ctx.pi
    if name == "E[1]":
        return +ctx.e
    kind, args = work.atoms[name]
    xs = []
    for a in args:
        value, _ = _high_poly(a.top, work, probe, ctx, cache, depth + 1)
        if a.bottom != {(): 1}:
            value = value / _high_poly(a.bottom, work, probe, ctx, cache, depth + 1)[0]
        xs.append(value)
    if probe and kind in ("root", "ln") and (ctx.re(xs[0]) < 0 or ctx.im(xs[0]) != 0):
        raise ValueError
    if kind == "root":
        return xs[0]
    functions = {
        "E": ctx.exp,
        "exp": ctx.exp,
        "ln": ctx.log,
        "abs": abs,
        "arcsin": ctx.asin,
        "arccos": ctx.acos,
        "arctan": ctx.atan,
        "arccot": lambda z: ctx.pi / 2 - ctx.atan(z),
        "arcsec": ctx.asec,
        "arccsc": ctx.acsc,
        "arcsinh": ctx.asinh,
        "arccosh": ctx.acosh,
        "arctanh": ctx.atanh,
        "arcosh": ctx.acosh,
        "arsinh": ctx.asinh,
        "artanh": ctx.atanh,
        "Re": ctx.re,
        "Im": ctx.im,
        "arg": ctx.arg,
    }
    if kind in functions:
        if abs(xs[0]) > 10**6:
            raise OverflowError
        return functions[kind](xs[0])
    point = _opaque(name, probe)
    return ctx.mpf(point.numerator) / point.denominator


# Root separation


def _proof_bits(top: Poly, work: Work) -> int | None:
    """Return how many bits tell an algebraic number from zero, relative to its terms; None if unknown."""
    degrees: dict[str, int] = {}
    try:
        log_bound, log_denominator = _conjugates(top, work, degrees, 0)
    except Unreadable:
        return None
    degree = 1
    for d in degrees.values():
        degree *= d
        if degree > 400:
            return None
    # |L x| >= U^(1-d) with U the bound on the conjugates of L x, and the size of the terms is at least 1/L
    return int((degree - 1) * max(log_bound + log_denominator, 1.0) + log_denominator + log_bound) + 8


def _conjugates(top: Poly, work: Work, degrees: dict[str, int], depth: int) -> tuple[float, float]:
    """Return log2 bounds on all conjugates of a sum, and on an integer that makes it an algebraic integer."""
    if depth > 6:
        raise Unreadable("nested too deeply for a root bound")
    log_size, denominator = 0.0, 1
    extra = 0.0
    terms: list[float] = []
    for mono, c in top.items():
        denominator = math.lcm(denominator, c.denominator)
        log_term = f.log2_size(c)
        log_den = 0.0
        for name, e in mono:
            bound, den = _atom_conjugates(name, e, work, degrees, depth)
            log_term += bound
            log_den += den
        terms.append(log_term)
        extra += log_den
    log_size = max(terms) + math.log2(len(terms)) if terms else 0.0
    return log_size, float(denominator.bit_length()) + extra


def _atom_conjugates(
    name: str, e: Any, work: Work, degrees: dict[str, int], depth: int
) -> tuple[float, float]:
    q = e.denominator
    if name == "i":
        degrees[name] = 2
        return 0.0, 0.0
    if name[:2] == "p:":
        degrees[name] = math.lcm(degrees.get(name, 1), q)
        bits = f.log2_size(int(name[2:], 16))
        return float(e) * bits, 0.0 if e > 0 else abs(float(e)) * bits + 1
    if name[:4] == "cos:" and type(e) is int and e > 0:
        degrees[name] = Fraction(name[4:]).denominator * 2
        return 0.0, float(e)
    if name[:5] == "root[" and e > 0:
        inner = work.atoms[name][1][0]
        log_size, log_den = _conjugates(inner.top, work, degrees, depth + 1)
        degrees[name] = math.lcm(degrees.get(name, 1), q)
        return max(float(e) * log_size, 0.0), log_den * (math.ceil(float(e)) + 1)
    raise Unreadable("not an algebraic number with a known bound")
