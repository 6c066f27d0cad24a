"""Normal forms: quotients of polynomials over the rationals in atoms.

An atom is a variable, i, pi, a prime under a fractional exponent, an exponential, a logarithm of a
prime, a root or another function of a normal form. Powers of one base, exponentials and
trigonometric functions (through exponentials) fall together by construction, so two expressions
whose difference has no terms are equal. Even roots of even powers give absolute values; products
under roots and logarithms are taken apart as for positive factors.

Arithmetic runs under one budget of monomial products and one bound on the size of coefficients;
what would pass them raises ``TooBig`` before it is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import gcd, log2
from typing import TypeAlias

from referee.verifiers.mathematics.tree import TooBig, Unreadable

Number: TypeAlias = "int | Fraction"
Mono: TypeAlias = "tuple[tuple[str, Number], ...]"
Poly: TypeAlias = "dict[Mono, Number]"

MAX_WORK = 12_000  # monomial products for one decision
MAX_TERMS = 600
MAX_BITS = 60_000  # of a coefficient
_UNIT: Poly = {(): 1}


@dataclass(slots=True, frozen=True)
class Form:
    """``top / bottom``; the bottom is 1 wherever it would be a single monomial."""

    top: Poly
    bottom: Poly = field(default_factory=lambda: _UNIT)

    @property
    def constant(self) -> Number | None:
        """The rational that this is, or None."""
        if self.bottom is not _UNIT and self.bottom != _UNIT:
            return None
        if not self.top:
            return 0
        if len(self.top) == 1 and () in self.top:
            return self.top[()]
        return None

    @property
    def key(self) -> str:
        """A text that equal forms share."""
        top = poly_key(self.top)
        return top if self.bottom == _UNIT else f"({top})/({poly_key(self.bottom)})"


@dataclass(slots=True)
class Work:
    """The budget of one decision, and what the atoms that it met are made of."""

    left: int = MAX_WORK
    atoms: dict[str, tuple[str, tuple[Form, ...]]] = field(default_factory=dict)

    def spend(self, amount: int) -> None:
        """Take from the budget."""
        self.left -= amount
        if self.left < 0:
            raise TooBig("the expression takes more work than the bound allows")

    def weigh(self, value: Number) -> None:
        """Take from the budget what arithmetic with a long coefficient costs beyond a short one's."""
        bits = max(value.numerator.bit_length(), value.denominator.bit_length())
        if bits > 1024:
            self.spend(bits >> 8 if type(value) is int else (bits >> 10) ** 2)

    def atom(self, name: str, *args: Form) -> str:
        """Name a function of forms, and keep what it is made of."""
        key = f"{name}[{';'.join(a.key for a in args)}]"
        if len(key) > 4000:
            raise TooBig("a function of an expression that is too long")
        self.atoms[key] = (name, args)
        return key


def number(value: Number) -> Number:
    """Return an integer where a fraction is whole."""
    if type(value) is Fraction and value.denominator == 1:
        return value.numerator
    return value


def check(value: Number) -> Number:
    """Refuse a coefficient past the bound on its digits."""
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise TooBig("a number past the bound on digits")
    return value


def rational(value: Number) -> Form:
    """Return a rational number as a form."""
    value = number(value)
    return Form({(): value}) if value else Form({})


def atom_form(name: str, exponent: Number = 1) -> Form:
    """Return one atom under an exponent."""
    return Form({((name, exponent),): 1})


def poly_key(poly: Poly) -> str:
    """Write a polynomial as a text, in hexadecimal, with its terms sorted."""
    terms = []
    for mono, c in poly.items():
        atoms = "*".join(f"{a}^{e}" if e != 1 else a for a, e in mono)
        terms.append(
            f"{c.numerator:x}/{c.denominator:x}*{atoms}" if c.denominator != 1 else f"{c.numerator:x}*{atoms}"
        )
    return "+".join(sorted(terms))


def multiply_monos(a: Mono, b: Mono) -> tuple[Number, Mono]:
    """Multiply two monomials; a number comes out where powers of i or of a prime become rational."""
    if not a:
        return 1, b
    if not b:
        return 1, a
    exponents = dict(a)
    special = False
    for name, e in b:
        total = exponents.get(name, 0) + e
        if total:
            exponents[name] = number(total)
        else:
            del exponents[name]
        special = special or name == "i" or name[:2] == "p:"
    return settle(exponents) if special else (1, tuple(sorted(exponents.items())))


def settle(exponents: dict[str, Number]) -> tuple[Number, Mono]:
    """Reduce powers of i, and take whole powers of primes out as a number."""
    coefficient: Number = 1
    for name in list(exponents):
        e = exponents[name]
        if name == "i":
            turn = int(e) % 4
            if turn >= 2:
                coefficient = -coefficient
            if turn % 2:
                exponents[name] = 1
            else:
                del exponents[name]
        elif name[:2] == "p:":
            whole = e.numerator // e.denominator
            prime = int(name[2:], 16)
            if whole and abs(whole) * prime.bit_length() <= MAX_BITS:
                coefficient *= Fraction(prime) ** whole
                rest = e - whole
                if rest:
                    exponents[name] = number(rest)
                else:
                    del exponents[name]
    return number(coefficient), tuple(sorted(exponents.items()))


def add_polys(a: Poly, b: Poly, sign: int = 1) -> Poly:
    """Return ``a + sign b``."""
    out = dict(a)
    for mono, c in b.items():
        total = out.get(mono, 0) + sign * c
        if total:
            out[mono] = number(total)
        else:
            out.pop(mono, None)
    if len(out) > MAX_TERMS:
        raise TooBig("too many terms")
    return out


def multiply_polys(a: Poly, b: Poly, work: Work) -> Poly:
    """Return the product, with whole powers of roots written out."""
    if a is _UNIT:
        return b
    if b is _UNIT:
        return a
    work.spend(len(a) * len(b))
    out: Poly = {}
    rooted = False
    for ma, ca in a.items():
        for mb, cb in b.items():
            c, mono = multiply_monos(ma, mb)
            value = check(number(c * ca * cb))
            work.weigh(value)
            rooted = rooted or any(n[:5] == "root[" and type(e) is int for n, e in mono)
            total = out.get(mono, 0) + value
            if total:
                out[mono] = number(total)
            else:
                out.pop(mono, None)
        if len(out) > MAX_TERMS:
            raise TooBig("too many terms")
    return _unroot(out, work) if rooted else out


def _unroot(poly: Poly, work: Work) -> Poly:
    out: Poly = {}
    for mono, c in poly.items():
        whole = [(n, e) for n, e in mono if n[:5] == "root[" and type(e) is int and 0 < e < 20]
        term: Poly = {tuple(p for p in mono if p not in whole): c}
        for name, e in whole:
            inner = work.atoms[name][1][0]
            for _ in range(int(e)):
                term = multiply_polys(term, inner.top, work)
        out = add_polys(out, term)
    return out


def _single(poly: Poly) -> bool:
    return len(poly) == 1


def make(top: Poly, bottom: Poly, work: Work) -> Form:
    """Return ``top / bottom``, taking a monomial bottom into the top.

    Raises:
        Unreadable: for a division by zero.
    """
    if not bottom:
        raise Unreadable("a division by zero")
    if bottom is _UNIT or bottom == _UNIT:
        return Form(top)
    if _single(bottom):
        ((mono, c),) = bottom.items()
        inverse: Mono = tuple((n, -e) for n, e in mono)
        k, inverse = settle(dict(inverse))
        return Form(multiply_polys(top, {inverse: check(number(Fraction(k) / c))}, work))
    lead = bottom[max(bottom)]
    if lead != 1:
        top = {m: number(Fraction(c) / lead) for m, c in top.items()}
        bottom = {m: number(Fraction(c) / lead) for m, c in bottom.items()}
    if top == bottom:
        return Form(_UNIT)
    return Form(top, bottom)


def add(a: Form, b: Form, work: Work, sign: int = 1) -> Form:
    """Return ``a + sign b``."""
    small, large = (a.top, b.top) if len(a.top) < len(b.top) else (b.top, a.top)
    for mono, c in small.items():
        work.weigh(c)
        work.weigh(large.get(mono, 0))
    if a.bottom == b.bottom:
        return make(add_polys(a.top, b.top, sign), a.bottom, work)
    left = multiply_polys(a.top, b.bottom, work)
    right = multiply_polys(b.top, a.bottom, work)
    return make(add_polys(left, right, sign), multiply_polys(a.bottom, b.bottom, work), work)


def multiply(a: Form, b: Form, work: Work) -> Form:
    """Return ``a b``."""
    return make(multiply_polys(a.top, b.top, work), multiply_polys(a.bottom, b.bottom, work), work)


def divide(a: Form, b: Form, work: Work) -> Form:
    """Return ``a / b``."""
    return make(multiply_polys(a.top, b.bottom, work), multiply_polys(a.bottom, b.top, work), work)


def negate(a: Form) -> Form:
    """Return ``-a``."""
    return Form({m: -c for m, c in a.top.items()}, a.bottom)


def integer_power(a: Form, n: int, work: Work) -> Form:
    """Return ``a`` to a whole exponent.

    Raises:
        TooBig: before the work starts, where the result would pass a bound.
    """
    if n == 0:
        return Form(_UNIT)
    if n < 0:
        return integer_power(make(a.bottom, a.top, work), -n, work)
    if _single(a.top) and a.bottom == _UNIT:
        ((mono, c),) = a.top.items()
        out = _monomial_power(mono, c, n, work)
        # a whole power of a root is written out by the product
        return Form(multiply_polys(out.top, {(): 1}, work)) if "root[" in str(mono) else out
    terms = max(len(a.top), len(a.bottom))
    if n > 300 or terms ** min(n, 12) > 10**9:
        raise TooBig("a power of a sum past the bound on terms")
    result, square = Form(_UNIT), a
    while n:
        if n & 1:
            result = multiply(result, square, work)
        n >>= 1
        if n:
            square = multiply(square, square, work)
    return result


def _monomial_power(mono: Mono, c: Number, n: Number, work: Work) -> Form:
    """Raise a monomial with a positive coefficient (or, for whole ``n``, any) to a power."""
    exponents: dict[str, Number] = {name: number(e * n) for name, e in mono}
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
            name = f"p:{prime:x}"
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
    if a.bottom != _UNIT:
        top = fractional_power(Form(a.top), exponent, work)
        return divide(top, fractional_power(Form(a.bottom), exponent, work), work)
    if _single(a.top):
        ((mono, c),) = a.top.items()
        if not any(n == "i" for n, _ in mono):
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
            factors.append(integer_power(atom_form("i"), exponent.numerator, work))
        else:
            raise Unreadable("an even root of a negative number")
        c = -c
    plain: dict[str, Number] = {}
    for name, e in mono:
        power = number(e * exponent)
        if (
            q % 2 == 0
            and name[:2] == "v:"
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


def log2_size(value: Number) -> float:
    """Return a bound on the binary logarithm of a number's size."""
    size = abs(Fraction(value))
    return log2(size) if 0 < size < 10**300 else float(value.numerator.bit_length())
