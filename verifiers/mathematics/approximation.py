"""Numbers behind normal forms: refuting by value, proving by root separation.

A value that is clearly off zero refutes equality. A value that cannot be told from zero proves it
only with a reason: an algebraic number whose conjugates are all at most U in size, times a known
integer, is zero if it is smaller than U^(1-d), d bounding its degree (the constructive root bound
of Burnikel, Fleischer, Mehlhorn and Schirra, 2000). Where no such bound is at hand (logarithms, e
beside pi, functions of variables) equality takes agreement to 300 digits, far past the size
of anything that the bounds on input admit, and the verdict says so.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from referee.verifiers.mathematics.float_values import float_value
from referee.verifiers.mathematics.forms import Form, Poly, Work, atoms_within
from referee.verifiers.mathematics.precise_values import MAX_PROOF_BITS, is_small
from referee.verifiers.mathematics.root_separation import proof_bits

_PROBES = 3
_AGREEMENT_BITS = 1000  # some 300 digits


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
    if not names or (all(n.kind in ("variable", "prime", "i", "pi") for n in names) and not _huge(top)):
        return Zero(False, "normal form")  # monomials in these are independent
    probes = _PROBES if has_variables(x, work) else 1
    for probe in range(probes):
        try:
            value, size = float_value(top, work, probe)
        except (OverflowError, ZeroDivisionError, ValueError):
            continue
        if size and abs(value) > 1e-7 * size:
            return Zero(False, "numeric")
    if probes == 1:
        bits = proof_bits(top, work)
        if bits is not None and bits <= MAX_PROOF_BITS:
            small = is_small(top, work, 0, bits + 64, -bits)
            return Zero(small is True, "root separation")
    agreed = 0
    for probe in range(probes):
        small = is_small(top, work, probe, _AGREEMENT_BITS + 120, -_AGREEMENT_BITS)
        if small is False:
            return Zero(False, "numeric")
        agreed += small is True
    return Zero(agreed > 0, "numeric")


def _huge(top: Poly) -> bool:
    return any(n.kind == "prime" and abs(Fraction(e)) > 1 for mono in top for n, e in mono)


def has_variables(x: Form, work: Work) -> bool:
    """Tell whether any variable stands in a form, also inside functions."""
    return any(a.kind == "variable" for p in (x.top, x.bottom) for a in atoms_within(p, work))


def real_value(x: Form, work: Work) -> float | None:
    """Return a constant form's value to some 12 digits; None where it is not real or not constant."""
    if has_variables(x, work):
        return None
    try:
        top, top_size = float_value(x.top, work, 0)
        bottom, bottom_size = float_value(x.bottom, work, 0)
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
