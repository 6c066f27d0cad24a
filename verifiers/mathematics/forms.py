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

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from referee.verifiers.mathematics.magnitude import exactly
from referee.verifiers.mathematics.tree import TooBig, Unreadable

Number: TypeAlias = "int | Fraction"
Mono: TypeAlias = "tuple[tuple[Atom, Number], ...]"
Poly: TypeAlias = "dict[Mono, Number]"

MAX_WORK = 12_000  # monomial products for one decision
MAX_TERMS = 600
MAX_BITS = 60_000  # of a coefficient
UNIT: Poly = {(): 1}


class Atom(NamedTuple):
    """What a normal form is made of: ``kind`` says what it is, ``of`` tells it from others of its kind.

    | kind | of |
    |---|---|
    | variable | its name |
    | i, pi, e | |
    | prime, log prime | the prime |
    | cosine | the part of half a turn |
    | alternating | a whole number n, for ``(-1)^n``; its exponent counts modulo 2 |
    | E | what e is raised to, a monomial with the coefficient 1 |
    | any other function | the key of its arguments, which ``Work.atoms`` keeps |
    """

    kind: str
    of: str | int | Fraction = ""

    @property
    def key(self) -> str:
        """A text that only this atom has."""
        if isinstance(self.of, str):
            return f"{self.kind}[{self.of}]"
        return f"{self.kind} {exactly(self.of)}"


IMAGINARY, PI, EULER = Atom("i"), Atom("pi"), Atom("e")


def variable(name: str) -> Atom:
    """Return the atom of a variable."""
    return Atom("variable", name)


@dataclass(slots=True, frozen=True)
class Form:
    """``top / bottom``; the bottom is 1 wherever it would be a single monomial."""

    top: Poly
    bottom: Poly = field(default_factory=lambda: UNIT)

    @property
    def constant(self) -> Number | None:
        """The rational that this is, or None."""
        if self.bottom is not UNIT and self.bottom != UNIT:
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
        return top if self.bottom == UNIT else f"({top})/({poly_key(self.bottom)})"


@dataclass(slots=True)
class Work:
    """The budget of one decision, and what the atoms that it met are made of."""

    left: int = MAX_WORK
    atoms: dict[Atom, tuple[Form, ...]] = field(default_factory=dict)

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

    def atom(self, name: str, *args: Form) -> Atom:
        """Name a function of forms, and keep what it is made of."""
        key = ";".join(a.key for a in args)
        if len(key) > 4000:
            raise TooBig("a function of an expression that is too long")
        atom = Atom(name, key)
        self.atoms[atom] = args
        return atom


def atoms_within(poly: Poly, work: Work) -> Iterator[Atom]:
    """Yield the atoms of a polynomial, and those that they are made of, each once."""
    seen: set[Atom] = set()
    waiting = [poly]
    while waiting:
        for mono in waiting.pop():
            for atom, _ in mono:
                if atom not in seen:
                    seen.add(atom)
                    yield atom
                    for part in work.atoms.get(atom, ()):
                        waiting += (part.top, part.bottom)


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


def atom_form(atom: Atom, exponent: Number = 1) -> Form:
    """Return one atom under an exponent."""
    return Form({((atom, exponent),): 1})


def poly_key(poly: Poly) -> str:
    """Write a polynomial as a text, in hexadecimal, with its terms sorted."""
    terms = []
    for mono, c in poly.items():
        atoms = "*".join(f"{a.key}^{exactly(e)}" if e != 1 else a.key for a, e in mono)
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
        special = special or name.kind in ("i", "prime", "alternating")
    return settle(exponents) if special else (1, tuple(sorted(exponents.items())))


def settle(exponents: dict[Atom, Number]) -> tuple[Number, Mono]:
    """Reduce powers of i, and take whole powers of primes out as a number."""
    coefficient: Number = 1
    for name in list(exponents):
        e = exponents[name]
        if name.kind == "i":
            turn = int(e) % 4
            if turn >= 2:
                coefficient = -coefficient
            if turn % 2:
                exponents[name] = 1
            else:
                del exponents[name]
        elif name.kind == "alternating":
            exponents[name] = number(e % 2)
            if not exponents[name]:
                del exponents[name]
        elif name.kind == "prime":
            whole = e.numerator // e.denominator
            prime = int(name.of)
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
    if a is UNIT:
        return b
    if b is UNIT:
        return a
    work.spend(len(a) * len(b))
    out: Poly = {}
    rooted = False
    for ma, ca in a.items():
        for mb, cb in b.items():
            c, mono = multiply_monos(ma, mb)
            value = check(number(c * ca * cb))
            work.weigh(value)
            rooted = rooted or any(n.kind == "root" and type(e) is int for n, e in mono)
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
        whole = [(n, e) for n, e in mono if n.kind == "root" and type(e) is int and 0 < e < 20]
        term: Poly = {tuple(p for p in mono if p not in whole): c}
        for name, e in whole:
            inner = work.atoms[name][0]
            for _ in range(int(e)):
                term = multiply_polys(term, inner.top, work)
        out = add_polys(out, term)
    return out


def single(poly: Poly) -> bool:
    """Tell whether a polynomial is one monomial."""
    return len(poly) == 1


def make(top: Poly, bottom: Poly, work: Work) -> Form:
    """Return ``top / bottom``, taking a monomial bottom into the top.

    Raises:
        Unreadable: for a division by zero.
    """
    if not bottom:
        raise Unreadable("a division by zero")
    if bottom is UNIT or bottom == UNIT:
        return Form(top)
    if single(bottom):
        ((mono, c),) = bottom.items()
        inverse: Mono = tuple((n, -e) for n, e in mono)
        k, inverse = settle(dict(inverse))
        return Form(multiply_polys(top, {inverse: check(number(Fraction(k) / c))}, work))
    lead = bottom[max(bottom)]
    if lead != 1:
        top = {m: number(Fraction(c) / lead) for m, c in top.items()}
        bottom = {m: number(Fraction(c) / lead) for m, c in bottom.items()}
    if top == bottom:
        return Form(UNIT)
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
