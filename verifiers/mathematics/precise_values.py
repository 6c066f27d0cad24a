"""Values of normal forms at any precision."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from referee.verifiers.mathematics.factoring import log2_size
from referee.verifiers.mathematics.float_values import point
from referee.verifiers.mathematics.forms import Atom, Poly, Work
from referee.verifiers.mathematics.tree import TooBig

MAX_PROOF_BITS = 12_000


def is_small(top: Poly, work: Work, probe: int, bits: int, limit: int) -> bool | None:
    """Tell whether the value is below 2^limit (times the size of its terms); None where it has none."""
    from mpmath import MPContext  # loaded when first needed

    work.spend(500)
    ctx: Any = MPContext()
    grow = sum(abs(Fraction(c)) for c in top.values())
    ctx.prec = bits + 40 + max(int(log2_size(grow)), 0)
    if ctx.prec > 2 * MAX_PROOF_BITS:
        raise TooBig("a proof past the bound on precision")
    cache: dict[Atom, Any] = {}
    try:
        total, size = _high_poly(top, work, probe, ctx, cache, 0)
    except (ZeroDivisionError, ValueError, OverflowError, TypeError):
        return None
    return bool(abs(total) < (size or ctx.mpf(1)) * ctx.mpf(2) ** limit)


def _high_poly(
    top: Poly, work: Work, probe: int, ctx: Any, cache: dict[Atom, Any], depth: int
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


def _high_atom(name: Atom, work: Work, probe: int, ctx: Any, cache: dict[Atom, Any], depth: int) -> Any:
    if depth > 25:
        raise OverflowError
    if name.kind == "variable":
        at = point(name, probe)
        return ctx.mpf(at.numerator) / at.denominator
    if name.kind == "prime":
        return ctx.mpf(int(name.of))
    if name.kind == "log prime":
        return ctx.log(int(name.of))
    if name.kind == "cosine":
        r = Fraction(name.of)
        return ctx.cospi(ctx.mpf(r.numerator) / r.denominator)
    if name.kind == "i":
        return ctx.mpc(0, 1)
    if name.kind == "pi":
        return +ctx.pi
    if name.kind == "e":
        return +ctx.e
    kind, args = name.kind, work.atoms[name]
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
    at = point(name, probe)
    return ctx.mpf(at.numerator) / at.denominator
