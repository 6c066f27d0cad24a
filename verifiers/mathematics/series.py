r"""Sums, products and integrals, where they can be worked out exactly in few steps.

Sums and products between whole bounds, sums of polynomials up to a variable, infinite geometric
series, progressions with dots; definite integrals of polynomials. Nothing else: limits, other
integrals and other infinite series have no value here.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from math import comb
from typing import TYPE_CHECKING

from referee.verifiers.mathematics import forms as f
from referee.verifiers.mathematics.forms import Atom, Form, atoms_within
from referee.verifiers.mathematics.powers import integer_power
from referee.verifiers.mathematics.tree import Node, TooBig, Unreadable

if TYPE_CHECKING:
    from referee.verifiers.mathematics.evaluate import Evaluator

MAX_TERMS = 400
_MAX_DEGREE = 8
_INDEX = f.variable("")  # no variable of an answer has this name


def continued(to: Evaluator, args: tuple[Node, ...]) -> Form:
    """Return the sum of ``1 + 2 + ... + 10``: a progression whose difference or ratio is constant."""
    if (indexed := _of_indexed(to, args)) is not None:
        return indexed
    given = [to.form(a).constant for a in (*args[:-2], args[-1])]
    numbers = [Fraction(v) for v in given if v is not None]
    if len(numbers) != len(given):
        return f.atom_form(to.work.atom("continued", *(to.form(a) for a in args)))
    *terms, last = numbers
    step = terms[1] - terms[0]
    if step and all(b - a == step for a, b in pairwise(terms)):
        count = (last - terms[0]) / step + 1
        if count.denominator == 1 and count > len(terms):
            return f.rational(count * (terms[0] + last) / 2)
    ratio = terms[1] / terms[0] if terms[0] else Fraction(0)
    if abs(ratio) not in (0, 1) and all(b == a * ratio for a, b in pairwise(terms)):
        total, term = sum(terms, Fraction(0)), terms[-1]
        for _ in range(MAX_TERMS):
            term *= ratio
            total += term
            f.check(total)
            if term == last:
                return f.rational(total)
    raise Unreadable("a sum that goes on in a way that this reader does not know")


_INDEXED = re.compile(r"(?P<stem>[^_]+)_(?P<letter>[a-z]?)(?P<number>(?:[+-]?\d{1,9})?)")


def _of_indexed(to: Evaluator, args: tuple[Node, ...]) -> Form | None:
    """Return ``a_1 + a_2 + ... + a_n`` as one atom, the same from its end; with numbers as the sum it is."""
    found = [_INDEXED.fullmatch(a.value) for a in (*args[:-2], args[-1]) if a.kind == "var"]
    matches = [m for m in found if m is not None]
    if len(matches) < len(args) - 1 or len({m["stem"] for m in matches}) > 1:
        return None
    *given, last = [(m["letter"], int(m["number"] or 0)) for m in matches]
    steps = {b[1] - a[1] if a[0] == b[0] else 0 for a, b in pairwise(given)}
    if steps not in ({1}, {-1}):
        return None
    low, high = (given[0], last) if steps == {1} else (last, given[0])
    stem = matches[0]["stem"]
    if low[0] or high[0]:
        return f.atom_form(f.variable(f"{stem}_{low[0]}{low[1]}...{high[0]}{high[1]}"))
    if high[1] - low[1] > MAX_TERMS:
        raise TooBig(f"a sum of more than {MAX_TERMS} terms")
    total = f.rational(0)
    for k in range(low[1], high[1] + 1):
        total = f.add(total, f.atom_form(f.variable(f"{stem}_{k}")), to.work)
    return total


def series(to: Evaluator, name: str, args: tuple[Node, ...]) -> Form:
    """Return the sum or the product over an index."""
    index, low, high, body = args
    if to.bound:
        raise TooBig("a series in a series")
    first = to.form(low).constant
    if type(first) is int and name == "sum" and high == Node("const", "inf"):
        return _geometric(to, index, first, body)
    end = to.form(high)
    last = end.constant
    if type(first) is int and name == "sum" and last is None:
        return _polynomial_sum(to, index, first, end, body)
    if type(first) is not int or type(last) is not int:
        raise Unreadable(f"a {name} without whole bounds")
    if last - first > MAX_TERMS:
        raise TooBig(f"a {name} of more than {MAX_TERMS} terms")
    total = f.rational(0 if name == "sum" else 1)
    for k in range(first, last + 1):
        term = _at(to, index, f.rational(k), body)
        to.work.spend(10)
        total = f.add(total, term, to.work) if name == "sum" else f.multiply(total, term, to.work)
    return total


def _at(to: Evaluator, index: Node, value: Form, body: Node) -> Form:
    try:
        to.bound = {index: value}
        return to.form(body)
    finally:
        to.bound = {}


def _geometric(to: Evaluator, index: Node, first: int, body: Node) -> Form:
    """Return an infinite series whose terms have one ratio of a size below 1: first / (1 - ratio)."""
    k = f.atom_form(_INDEX)
    here, after = (_at(to, index, x, body) for x in (k, f.add(k, f.rational(1), to.work)))
    if not here.top:
        raise Unreadable("a series of zeros")
    ratio = f.divide(after, here, to.work).constant
    if ratio is None or abs(Fraction(ratio)) >= 1:
        raise Unreadable("an infinite series that is not geometric")
    head = _at(to, index, f.rational(first), body)
    return f.divide(head, f.rational(1 - Fraction(ratio)), to.work)


def _polynomial_sum(to: Evaluator, index: Node, first: int, end: Form, body: Node) -> Form:
    """Return the sum of a polynomial up to a variable, by Faulhaber's formula."""
    below = f.rational(first - 1)
    total = f.rational(0)
    for degree, c in _coefficients(_at(to, index, f.atom_form(_INDEX), body), _INDEX, to).items():
        powers = [_power_sum(to, degree, x) for x in (end, below)]
        part = f.add(powers[0], powers[1], to.work, -1)
        total = f.add(total, f.multiply(c, part, to.work), to.work)
    return total


def _power_sum(to: Evaluator, p: int, n: Form) -> Form:
    """Return 1^p + ... + n^p as a polynomial in n."""
    out = f.rational(0)
    for j, b in enumerate(_bernoulli(p)):
        c = f.rational(b * comb(p + 1, j) / (p + 1))
        out = f.add(out, f.multiply(c, integer_power(n, p + 1 - j, to.work), to.work), to.work)
    return out


def _bernoulli(p: int) -> list[Fraction]:
    out: list[Fraction] = []
    for m in range(p + 1):
        rest = sum((comb(m + 1, j) * out[j] for j in range(m)), Fraction(0))
        out.append(1 - rest / (m + 1) if m == 0 else -rest / (m + 1))
    return [Fraction(1, 2) if j == 1 else b for j, b in enumerate(out)]


def _coefficients(x: Form, name: Atom, to: Evaluator) -> dict[int, Form]:
    """Return the coefficients of a polynomial in one atom, by degree."""
    if x.bottom != {(): 1}:
        raise Unreadable("a quotient where a polynomial was expected")
    out: dict[int, Form] = {}
    for mono, c in x.top.items():
        degree = 0
        for atom, e in mono:
            if atom == name and type(e) is int and 0 <= e <= _MAX_DEGREE:
                degree = e
            elif atom == name or name in atoms_within({((atom, 1),): 1}, to.work):
                raise Unreadable("a function where a polynomial was expected")
        rest = Form({tuple(p for p in mono if p[0] != name): c})
        out[degree] = Form(f.add_polys(out[degree].top, rest.top)) if degree in out else rest
    return out


def integral(to: Evaluator, args: tuple[Node, ...]) -> Form:
    """Return the definite integral of a polynomial."""
    variable, low, high, body = args
    ends = [to.form(high), to.form(low)]
    out = f.rational(0)
    for degree, c in _coefficients(to.form(body), f.variable(variable.value), to).items():
        top, bottom = (integer_power(end, degree + 1, to.work) for end in ends)
        part = f.multiply(f.add(top, bottom, to.work, -1), f.rational(Fraction(1, degree + 1)), to.work)
        out = f.add(out, f.multiply(c, part, to.work), to.work)
    return out
