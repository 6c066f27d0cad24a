"""Values of normal forms at any precision."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from referee.verifiers.mathematics.forms import UNIT, Atom, Number, Poly, Work
from referee.verifiers.mathematics.magnitude import log2_size
from referee.verifiers.mathematics.points import Point, fixed
from referee.verifiers.mathematics.tree import TooBig

MAX_PROOF_BITS = 12_000


def is_small(top: Poly, work: Work, at: Point, bits: int, limit: int) -> bool | None:
    """Tell whether the value is below 2^limit (times the size of its terms); None where it has none."""
    from mpmath import MPContext  # loaded when first needed

    work.spend(500)
    ctx: Any = MPContext()
    grow = sum(abs(Fraction(c)) for c in top.values())
    ctx.prec = bits + 40 + max(int(log2_size(grow)), 0)
    if ctx.prec > 2 * MAX_PROOF_BITS:
        raise TooBig("a proof past the bound on precision")
    try:
        total, size = _Precise(work, at, ctx).poly(top, 0)
    except (ZeroDivisionError, ValueError, OverflowError, TypeError):
        return None
    return bool(abs(total) < (size or ctx.mpf(1)) * ctx.mpf(2) ** limit)


class _Precise:
    def __init__(self, work: Work, at: Point, ctx: Any) -> None:
        self.work = work
        self.at = at
        self.ctx = ctx
        self.known: dict[Atom, Any] = {}

    def poly(self, top: Poly, depth: int) -> tuple[Any, Any]:
        ctx = self.ctx
        total, size = ctx.mpc(0), ctx.mpf(0)
        self.work.spend(len(top))
        for mono, c in top.items():
            term = self.number(c)
            for atom, e in mono:
                if atom not in self.known:
                    self.known[atom] = self.atom(atom, depth + 1)
                term *= self.power(atom, e)
            total += term
            size += abs(term)
        return total, size

    def number(self, value: Number) -> Any:
        return self.ctx.mpf(value.numerator) / value.denominator

    def power(self, atom: Atom, e: Number) -> Any:
        base = self.known[atom]
        if atom.kind == "alternating":
            return self.ctx.expjpi(base * self.number(e))
        if type(e) is int:
            if abs(e) > 10**6:
                raise OverflowError
            return base**e
        if base.imag == 0 and base.real < 0 and e.denominator % 2:
            return (-1) ** (e.numerator % 2) * (-base.real) ** self.number(e)
        return base ** self.number(e)

    def atom(self, atom: Atom, depth: int) -> Any:
        if depth > 25:
            raise OverflowError
        ctx, (kind, of) = self.ctx, atom
        if kind == "variable":
            value = self.at.values[atom]
            assert not isinstance(value, complex)  # such places only refute
            return self.number(value)
        if kind == "i":
            return ctx.mpc(0, 1)
        if kind in ("pi", "e"):
            return +getattr(ctx, kind)
        if not isinstance(of, str):
            x = self.number(of)
            return x if kind == "prime" else ctx.log(x) if kind == "log prime" else ctx.cospi(x)
        functions = {
            "root": lambda z: z,
            "alternating": lambda z: z,
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
            "Gamma": ctx.gamma,
        }
        if kind not in functions:
            return self.number(fixed(atom))
        (argument,) = self.work.atoms[atom]
        x, _ = self.poly(argument.top, depth + 1)
        if argument.bottom != UNIT:
            x = x / self.poly(argument.bottom, depth + 1)[0]
        if self.at.real and kind in ("root", "ln") and (ctx.re(x) < 0 or ctx.im(x) != 0):
            raise ValueError
        if abs(x) > 10**6 and kind not in ("root", "alternating"):
            raise OverflowError
        return functions[kind](x)
