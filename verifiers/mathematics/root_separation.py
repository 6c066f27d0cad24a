"""How small an algebraic number can be without being zero (Burnikel et al., 2000)."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from referee.verifiers.mathematics.forms import Atom, Poly, Work
from referee.verifiers.mathematics.magnitude import log2_size, to_float
from referee.verifiers.mathematics.tree import Unreadable


def proof_bits(top: Poly, work: Work) -> int | None:
    """Return how many bits tell an algebraic number from zero, relative to its terms; None if unknown."""
    degrees: dict[Atom, int] = {}
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


def _conjugates(top: Poly, work: Work, degrees: dict[Atom, int], depth: int) -> tuple[float, float]:
    """Return log2 bounds on all conjugates of a sum, and on an integer that makes it an algebraic integer."""
    if depth > 6:
        raise Unreadable("nested too deeply for a root bound")
    log_size, denominator = 0.0, 1
    extra = 0.0
    terms: list[float] = []
    for mono, c in top.items():
        denominator = math.lcm(denominator, c.denominator)
        log_term = log2_size(c)
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
    name: Atom, e: Any, work: Work, degrees: dict[Atom, int], depth: int
) -> tuple[float, float]:
    q = e.denominator
    if name.kind == "i":
        degrees[name] = 2
        return 0.0, 0.0
    if name.kind == "prime":
        degrees[name] = math.lcm(degrees.get(name, 1), q)
        bits = log2_size(int(name.of))
        return to_float(e) * bits, 0.0 if e > 0 else abs(to_float(e)) * bits + 1
    if name.kind == "cosine" and type(e) is int and e > 0:
        degrees[name] = Fraction(name.of).denominator * 2
        return 0.0, to_float(e)
    if name.kind == "root" and e > 0:
        inner = work.atoms[name][0]
        log_size, log_den = _conjugates(inner.top, work, degrees, depth + 1)
        degrees[name] = math.lcm(degrees.get(name, 1), q)
        return max(to_float(e) * log_size, 0.0), log_den * (math.ceil(to_float(e)) + 1)
    raise Unreadable("not an algebraic number with a known bound")
