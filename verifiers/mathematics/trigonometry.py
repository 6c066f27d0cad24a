"""Trigonometric, hyperbolic and inverse functions of normal forms, through exponentials."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import acos, asin, atan, pi
from typing import TYPE_CHECKING

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.approximation import is_zero, real_value
from referee.verifiers.mathematics.forms import Atom, Form, Number
from referee.verifiers.mathematics.powers import fractional_power
from referee.verifiers.mathematics.tree import Unreadable

if TYPE_CHECKING:
    from referee.verifiers.mathematics.evaluate import Evaluator

_HALF = Fraction(1, 2)
_ANGLES: dict[str, Callable[[float], float]] = {
    "arcsin": asin,
    "arccos": acos,
    "arctan": atan,
    "arccot": lambda v: pi / 2 - atan(v),
    "arcsec": lambda v: acos(1 / v),
    "arccsc": lambda v: asin(1 / v),
}


def cos_turn(to: Evaluator, r: Fraction) -> Form:
    """Return the cosine of pi ``r``, as surds where they are plain."""
    r = abs(r) % 2
    if r > 1:
        r = 2 - r
    if r > _HALF:
        return f.negate(cos_turn(to, 1 - r))
    surds: dict[Fraction, tuple[tuple[Number, int], ...]] = {
        Fraction(0): ((1, 1),),
        _HALF: (),
        Fraction(1, 3): ((_HALF, 1),),
        Fraction(1, 4): ((_HALF, 2),),
        Fraction(1, 6): ((_HALF, 3),),
        Fraction(1, 5): ((Fraction(1, 4), 1), (Fraction(1, 4), 5)),
        Fraction(2, 5): ((Fraction(-1, 4), 1), (Fraction(1, 4), 5)),
        Fraction(1, 12): ((Fraction(1, 4), 2), (Fraction(1, 4), 6)),
        Fraction(5, 12): ((Fraction(-1, 4), 2), (Fraction(1, 4), 6)),
    }
    if r in surds:
        out = f.rational(0)
        for c, n in surds[r]:
            root = fractional_power(f.rational(n), _HALF, to.work)
            out = f.add(out, f.multiply(f.rational(c), root, to.work), to.work)
        return out
    return f.atom_form(Atom("cosine", r))


def _turns(to: Evaluator, x: Form) -> Fraction | None:
    if not x.top:
        return Fraction(0)
    if x.bottom == {(): 1} and len(x.top) == 1 and ((f.PI, 1),) in x.top:
        return Fraction(x.top[((f.PI, 1),)])
    return None


def cos_sin(to: Evaluator, x: Form) -> tuple[Form, Form]:
    """Return the cosine and the sine."""
    r = _turns(to, x)
    if r is not None:
        return cos_turn(to, r), cos_turn(to, _HALF - r)
    i = f.atom_form(f.IMAGINARY)
    up = to.exp(f.multiply(i, x, to.work))
    down = to.exp(f.negate(f.multiply(i, x, to.work)))
    half = f.rational(_HALF)
    cos = f.multiply(f.add(up, down, to.work), half, to.work)
    sin = f.multiply(f.add(up, down, to.work, -1), f.multiply(half, f.negate(i), to.work), to.work)
    return cos, sin


def trigonometric(to: Evaluator, name: str, x: Form) -> Form:
    """Return a trigonometric function through the cosine and the sine."""
    cos, sin = cos_sin(to, x)
    one, work = f.rational(1), to.work
    if name == "cis":
        return f.add(cos, f.multiply(f.atom_form(f.IMAGINARY), sin, work), work)
    tops = {
        "sin": (sin, one),
        "cos": (cos, one),
        "tan": (sin, cos),
        "cot": (cos, sin),
        "sec": (one, cos),
        "csc": (one, sin),
    }
    top, bottom = tops[name]
    return f.divide(top, bottom, work)


def hyperbolic(to: Evaluator, name: str, x: Form) -> Form:
    """Return a hyperbolic function through exponentials."""
    up, down, work = to.exp(x), to.exp(f.negate(x)), to.work
    half = f.rational(_HALF)
    cosh = f.multiply(f.add(up, down, work), half, work)
    sinh = f.multiply(f.add(up, down, work, -1), half, work)
    one = f.rational(1)
    tops = {
        "sinh": (sinh, one),
        "cosh": (cosh, one),
        "tanh": (sinh, cosh),
        "coth": (cosh, sinh),
        "sech": (one, cosh),
        "csch": (one, sinh),
    }
    return f.divide(*tops[name], work)


def inverse(to: Evaluator, name: str, x: Form) -> Form:
    """Return an inverse function, as a multiple of pi where that can be proved."""
    if name in _ANGLES and (r := _guess_turn(to, name, x)) is not None:
        return Form({((f.PI, 1),): r}) if r else f.rational(0)
    return f.atom_form(to.work.atom(name, x))


def _guess_turn(to: Evaluator, name: str, x: Form) -> Number | None:
    value = real_value(x, to.work)
    if value is None:
        return None
    try:
        angle = _ANGLES[name](value)
    except (ValueError, ZeroDivisionError):
        raise Unreadable(f"{name} outside its domain") from None
    r = Fraction(angle / pi).limit_denominator(60)
    if abs(float(r) - angle / pi) > 1e-9:
        return None
    function = {
        "arcsin": "sin",
        "arccos": "cos",
        "arctan": "tan",
        "arccot": "cot",
        "arcsec": "sec",
        "arccsc": "csc",
    }[name]
    back = trigonometric(to, function, Form({((f.PI, 1),): f.number(r)}) if r else f.rational(0))
    return f.number(r) if is_zero(f.add(back, x, to.work, -1), to.work).zero else None
