"""Functions of whole numbers: factorials, binomials, divisors, remainders, rounding."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, comb, factorial, floor, gcd, lcm
from typing import TYPE_CHECKING

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.approximation import real_value
from referee.verifiers.mathematics.forms import Form
from referee.verifiers.mathematics.powers import fractional_power
from referee.verifiers.mathematics.tree import TooBig, Unreadable

if TYPE_CHECKING:
    from referee.verifiers.mathematics.evaluate import Evaluator

MAX_FACTORIAL = 5000
_MAX_GAMMA = 100


def factorial_of(to: Evaluator, name: str, x: Form) -> Form:
    """Return the factorial or the double factorial."""
    n = x.constant
    if n is None:
        return _symbolic_factorial(to, x) if name == "factorial" else _symbolic_double(to, x)
    if type(n) is not int or n < 0:
        raise Unreadable("the factorial of a number that is not whole")
    if n > MAX_FACTORIAL:
        raise TooBig(f"a factorial of more than {MAX_FACTORIAL}")
    if name == "factorial":
        return f.rational(f.check(factorial(n)))
    out = 1
    for k in range(n, 0, -2):
        out *= k
    return f.rational(f.check(out))


def _symbolic_factorial(to: Evaluator, x: Form) -> Form:
    shift = x.top.get((), 0) if x.bottom == {(): 1} else 0
    rises = any(c > 0 for mono, c in x.top.items() if mono)
    if type(shift) is not int or not 0 < abs(shift) <= 20 or not rises:
        return f.atom_form(to.work.atom("factorial", x))
    base = f.add(x, f.rational(shift), to.work, -1)
    out = f.atom_form(to.work.atom("factorial", base))
    for k in range(1, shift + 1):
        out = f.multiply(out, f.add(base, f.rational(k), to.work), to.work)
    for k in range(-shift):
        out = f.divide(out, f.add(base, f.rational(-k), to.work), to.work)
    return out


def _symbolic_double(to: Evaluator, x: Form) -> Form:
    """Return ``(2y)!! = 2^y y!`` and ``(2y - 1)!! = (2y)! / (2y)!!``."""
    steps = {mono: c for mono, c in x.top.items() if mono}
    odd = x.top.get((), 0)
    if x.bottom != f.UNIT or type(odd) is not int or any(type(c) is not int or c % 2 for c in steps.values()):
        return f.atom_form(to.work.atom("factorial2", x))
    even = f.add(x, f.rational(odd % 2), to.work)
    half = f.multiply(even, f.rational(Fraction(1, 2)), to.work)
    doubled = f.multiply(to.power(f.rational(2), half), _symbolic_factorial(to, half), to.work)
    return f.divide(_symbolic_factorial(to, even), doubled, to.work) if odd % 2 else doubled


def gamma(to: Evaluator, x: Form) -> Form:
    r"""Return the gamma function: a factorial, at halves a multiple of ``\sqrt\pi``."""
    at = x.constant
    if type(at) is Fraction and (at.denominator != 2 or abs(at) > _MAX_GAMMA):
        return f.atom_form(to.work.atom("Gamma", x))
    if type(at) is not Fraction:
        return factorial_of(to, "factorial", f.add(x, f.rational(1), to.work, -1))
    out, k = Fraction(1), at
    while k > 1:
        k -= 1
        out *= k
    while k < 0:
        out /= k
        k += 1
    return f.multiply(f.rational(out), fractional_power(f.atom_form(f.PI), Fraction(1, 2), to.work), to.work)


def binomial(to: Evaluator, n: Form, k: Form) -> Form:
    """Return the binomial coefficient."""
    top, low = n.constant, k.constant
    if type(low) is int and 0 <= low <= 12 and top is None:
        out = f.rational(1)
        for j in range(low):
            out = f.multiply(out, f.add(n, f.rational(-j), to.work), to.work)
        return f.divide(out, f.rational(factorial(low)), to.work)
    if type(top) is not int or type(low) is not int:
        rest = f.add(n, k, to.work, -1)
        below = [factorial_of(to, "factorial", x) for x in (k, rest)]
        return f.divide(factorial_of(to, "factorial", n), f.multiply(below[0], below[1], to.work), to.work)
    if top < 0 or low < 0:
        raise Unreadable("a binomial of negative numbers")
    if low > top:
        return f.rational(0)
    if min(low, top - low) * top.bit_length() > 20_000:
        raise TooBig("a binomial past the bound on digits")
    return f.rational(comb(top, low))


def of_rationals(to: Evaluator, name: str, xs: list[Form]) -> Form:
    """Return a divisor, a multiple, an extremum or a remainder."""
    values = [x.constant for x in xs]
    numbers = [v for v in values if v is not None]
    if len(values) < 2:
        raise Unreadable(f"{name} of one number")
    if len(numbers) != len(values):
        return _of_forms(to, name, xs)
    if name == "max":
        return f.rational(max(numbers))
    if name == "min":
        return f.rational(min(numbers))
    whole = [v for v in numbers if type(v) is int]
    if len(whole) != len(numbers):
        raise Unreadable(f"{name} of numbers that are not whole")
    if name == "mod":
        if whole[1] == 0:
            raise Unreadable("a division by zero")
        return f.rational(whole[0] % whole[1])
    return f.rational(gcd(*whole) if name == "gcd" else lcm(*whole))


def _of_forms(to: Evaluator, name: str, xs: list[Form]) -> Form:
    if name != "mod":
        xs = sorted(xs, key=lambda x: x.key)
    if name in ("max", "min") and len(xs) == 2:
        apart = to.absolute(f.add(xs[0], xs[1], to.work, -1))
        both = f.add(f.add(xs[0], xs[1], to.work), apart, to.work, 1 if name == "max" else -1)
        return f.multiply(both, f.rational(Fraction(1, 2)), to.work)
    if name == "gcd" and len(xs) == 2 and f.add(xs[0], xs[1], to.work, -1).constant in (1, -1):
        return f.rational(1)  # neighbours
    return f.atom_form(to.work.atom(name, *xs))


def rounded(to: Evaluator, name: str, x: Form) -> Form:
    """Return the floor or the ceiling."""
    constant = x.constant
    if constant is not None:
        down = constant.numerator // constant.denominator
        return f.rational(down if name == "floor" or down == constant else down + 1)
    value = real_value(x, to.work)
    if value is None or abs(value) > 1e9 or abs(value - round(value)) < 1e-6:
        return _rounded_form(to, name, x)
    return f.rational(floor(value) if name == "floor" else ceil(value))


def _rounded_form(to: Evaluator, name: str, x: Form) -> Form:
    """Return a floor, whole numbers taken out of it; a ceiling is the floor from below."""
    if name == "ceil":
        return f.negate(_rounded_form(to, "floor", f.negate(x)))
    constant = x.top.get((), 0) if x.bottom == f.UNIT else 0
    whole = f.rational(constant.numerator // constant.denominator)
    return f.add(f.atom_form(to.work.atom("floor", f.add(x, whole, to.work, -1))), whole, to.work)
