"""Powers and roots of normal forms."""

from __future__ import annotations

from fractions import Fraction
from math import gcd

from referee.verifiers.mathematics.factoring import factor
from referee.verifiers.mathematics.forms import (
    IMAGINARY,
    MAX_BITS,
    UNIT,
    Atom,
    Form,
    Mono,
    Number,
    Poly,
    Work,
    atom_form,
    check,
    divide,
    make,
    multiply,
    multiply_polys,
    number,
    rational,
    settle,
    single,
)
from referee.verifiers.mathematics.tree import TooBig, Unreadable


def integer_power(a: Form, n: int, work: Work) -> Form:
    """Return ``a`` to a whole exponent.

    Raises:
        TooBig: before the work starts, where the result would pass a bound.
    """
    if n == 0:
        return Form(UNIT)
    if n < 0:
        return integer_power(make(a.bottom, a.top, work), -n, work)
    if single(a.top) and a.bottom == UNIT:
        ((mono, c),) = a.top.items()
        out = _monomial_power(mono, c, n, work)
        # a whole power of a root is written out by the product
        return Form(multiply_polys(out.top, {(): 1}, work)) if any(a.kind == "root" for a, _ in mono) else out
    terms = max(len(a.top), len(a.bottom))
    if n > 300 or terms ** min(n, 12) > 10**9:
        raise TooBig("a power of a sum past the bound on terms")
    result, square = Form(UNIT), a
    while n:
        if n & 1:
            result = multiply(result, square, work)
        n >>= 1
        if n:
            square = multiply(square, square, work)
    return result


def _monomial_power(mono: Mono, c: Number, n: Number, work: Work) -> Form:
    """Raise a monomial with a positive coefficient (or, for whole ``n``, any) to a power."""
    exponents: dict[Atom, Number] = {name: number(e * n) for name, e in mono}
    size = max(c.numerator.bit_length(), c.denominator.bit_length())
    coefficient: Number = 1
    if type(n) is int and (c in (1, -1) or n * size <= MAX_BITS):
        coefficient = number(Fraction(c) ** n) if c not in (1, -1) else (c if n % 2 else 1)
    else:
        if c < 0:
            if type(n) is not int:
                raise Unreadable("a fractional power of a negative number")
            coefficient = -1 if n % 2 else 1
            c = -c
        for prime, k in factor(c).items():
            name = Atom("prime", prime)
            exponents[name] = number(exponents.get(name, 0) + k * n)
    k2, settled = settle({a: e for a, e in exponents.items() if e})
    return Form({settled: check(number(coefficient * k2))})


def fractional_power(a: Form, exponent: Fraction, work: Work) -> Form:
    """Return the principal power, real where an odd root of a negative number is asked for."""
    q = exponent.denominator
    if not a.top:
        if exponent < 0:
            raise Unreadable("a division by zero")
        return a
    if a.bottom != UNIT:
        top = fractional_power(Form(a.top), exponent, work)
        return divide(top, fractional_power(Form(a.bottom), exponent, work), work)
    if single(a.top):
        ((mono, c),) = a.top.items()
        if not any(n == IMAGINARY for n, _ in mono):
            return _root_of_monomial(mono, c, exponent, q, work)
    # take the content out: sqrt(4x + 4) = 2 sqrt(x + 1)
    content = _content(a.top)
    inner = Form({m: number(Fraction(c) / content) for m, c in a.top.items()})
    outer = _monomial_power((), content, exponent, work)
    name = work.atom("root", inner)
    return multiply(outer, Form(multiply_polys({((name, number(exponent)),): 1}, {(): 1}, work)), work)


def _root_of_monomial(mono: Mono, c: Number, exponent: Fraction, q: int, work: Work) -> Form:
    factors: list[Form] = []
    if c < 0:
        if q % 2:
            factors.append(rational(-1 if exponent.numerator % 2 else 1))
        elif q == 2:
            factors.append(integer_power(atom_form(IMAGINARY), exponent.numerator, work))
        else:
            raise Unreadable("an even root of a negative number")
        c = -c
    plain: dict[Atom, Number] = {}
    for name, e in mono:
        power = number(e * exponent)
        if (
            q % 2 == 0
            and name.kind == "variable"
            and type(e) is int
            and e % 2 == 0
            and not (type(power) is int and power % 2 == 0)
        ):
            name = work.atom("abs", atom_form(name))
        plain[name] = power
    k, settled = settle(plain)
    out = multiply(Form({settled: k}), _monomial_power((), c, exponent, work), work)
    for f in factors:
        out = multiply(out, f, work)
    return out


def _content(poly: Poly) -> Fraction:
    top, bottom = 0, 1
    for c in poly.values():
        top = gcd(top, c.numerator)
        bottom = bottom * c.denominator // gcd(bottom, c.denominator)
    return Fraction(abs(top) or 1, bottom)
