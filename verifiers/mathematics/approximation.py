r"""Numbers behind normal forms: refuting by value, proving by root separation.

A value that is clearly off zero refutes equality. A value that cannot be told from zero proves it
only with a reason: an algebraic number whose conjugates are all at most U in size, times a known
integer, is zero if it is smaller than U^(1-d), d bounding its degree (the constructive root bound
of Burnikel, Fleischer, Mehlhorn and Schirra, 2000). Where no such bound is at hand (logarithms, e
beside pi, functions of variables) equality takes agreement to 300 digits, far past the size
of anything that the bounds on input admit, and the verdict says so.

A refutation needs a point where both sides are defined: over the reals inside every function's
domain, at small whole numbers together for functions of whole numbers. Where there is none, and
where functions that jump or functions without a known value stand in the way, neither is proved:
the tier is "undecided".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from referee.verifiers.mathematics.float_values import KNOWN, float_value
from referee.verifiers.mathematics.forms import Atom, Form, Poly, Work, atoms_within
from referee.verifiers.mathematics.points import (
    STEPS,
    WHOLE,
    Point,
    complex_points,
    real_points,
    whole_points,
)
from referee.verifiers.mathematics.precise_values import MAX_PROOF_BITS, is_small
from referee.verifiers.mathematics.root_separation import proof_bits

UNDECIDED = "undecided"
_AGREEMENT_BITS = 1000  # some 300 digits, and more where the numbers themselves are long
_PRECISE_POINTS = 3


class Zero(NamedTuple):
    """Whether something is zero, and how that is known; "undecided" where it is not known."""

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
    inside = set(atoms_within(top, work))
    variables = sorted(a for a in inside if a.kind == "variable")
    if any(a in work.atoms and (a.kind in WHOLE or a.kind in STEPS or a.kind not in KNOWN) for a in inside):
        return _jumping_zero(top, work, inside, variables)
    whole = _whole_variables(inside, work)
    if not variables:
        return _constant_zero(top, work)
    if _over_the_complex(inside, variables) and any(
        _is_off(top, work, at) for at in complex_points(variables)
    ):
        return Zero(False, "numeric")
    points = whole_points(variables, whole) if whole else real_points(variables)
    return _agreeing(top, work, points)


def _over_the_complex(inside: set[Atom], variables: list[Atom]) -> bool:
    """Tell whether the variables are complex: one is called z, or a part of one is taken."""
    kinds = {a.kind for a in inside}
    return bool(kinds & {"Re", "Im", "arg"}) or ("abs" in kinds and any(v.of == "z" for v in variables))


def _constant_zero(top: Poly, work: Work) -> Zero:
    at = Point({}, real=False)
    if _is_off(top, work, at):
        return Zero(False, "numeric")
    bits = proof_bits(top, work)
    if bits is not None and bits <= MAX_PROOF_BITS:
        return Zero(is_small(top, work, at, bits + 64, -bits) is True, "root separation")
    small = _agrees(top, work, at)
    return Zero(bool(small), UNDECIDED if small is None else "numeric")


def _agreeing(top: Poly, work: Work, points: Iterable[Point]) -> Zero:
    """Ask for a value off zero at any point, then for many digits at some."""
    usable, first = [], None
    for at in points:
        first = first or at
        off = _is_off(top, work, at)
        if off:
            return Zero(False, "numeric")
        if off is not None:
            usable.append(at)
    if not usable and first is not None:  # real nowhere: compared as complex numbers
        usable = [first._replace(real=False)]
        if _is_off(top, work, usable[0]):
            return Zero(False, "numeric")
    agreed = 0
    for at in usable[:_PRECISE_POINTS]:
        small = _agrees(top, work, at)
        if small is False:
            return Zero(False, "numeric")
        agreed += small is True
    return Zero(agreed > 0, "numeric" if agreed else UNDECIDED)


def _jumping_zero(top: Poly, work: Work, inside: set[Atom], variables: list[Atom]) -> Zero:
    """Decide over functions that jump, functions of whole numbers and functions without a known value.

    Equality is proved for any values that these may have; it is refuted by the values that they do have.
    """
    anywhere = (at._replace(opaque=True) for at in real_points(variables))
    if _agreeing(top, work, anywhere).zero:
        return Zero(True, "numeric")
    if any(a in work.atoms and a.kind not in KNOWN for a in inside):
        return Zero(False, UNDECIDED)
    whole = _whole_variables(inside, work)
    if any(_is_off(top, work, at) for at in whole_points(variables, whole or set(variables))):
        return Zero(False, "numeric")
    if not whole and any(_is_off(top, work, at) for at in real_points(variables)):
        return Zero(False, "numeric")
    return Zero(False, UNDECIDED)


def _whole_variables(inside: set[Atom], work: Work) -> set[Atom]:
    """Return the variables that stand inside functions of whole numbers."""
    return {
        a
        for of_whole in inside
        if of_whole.kind in WHOLE or of_whole.kind == "alternating"
        for part in work.atoms[of_whole]
        for p in (part.top, part.bottom)
        for a in atoms_within(p, work)
        if a.kind == "variable"
    }


def _agrees(top: Poly, work: Work, at: Point) -> bool | None:
    """Tell whether many digits are zero: more of them than the numbers in the expression are long."""
    polys = [top]
    polys += (p for a in atoms_within(top, work) for x in work.atoms.get(a, ()) for p in (x.top, x.bottom))
    numbers = (n for p in polys for mono, c in p.items() for n in (c, *(e for _, e in mono)))
    longest = max(max(n.numerator.bit_length(), n.denominator.bit_length()) for n in numbers)
    bits = _AGREEMENT_BITS + 4 * longest
    return is_small(top, work, at, bits + 120, -bits)


def _is_off(top: Poly, work: Work, at: Point) -> bool | None:
    """Tell whether the value is clearly off zero; None outside the domain."""
    try:
        value, size = float_value(top, work, at)
    except ValueError:
        return None
    except (OverflowError, ZeroDivisionError):
        return False
    return bool(size) and abs(value) > 1e-7 * size


def _huge(top: Poly) -> bool:
    return any(n.kind == "prime" and abs(Fraction(e)) > 1 for mono in top for n, e in mono)


def has_variables(x: Form, work: Work) -> bool:
    """Tell whether any variable stands in a form, also inside functions."""
    return any(a.kind == "variable" for p in (x.top, x.bottom) for a in atoms_within(p, work))


def real_value(x: Form, work: Work) -> float | None:
    """Return a constant form's value to some 12 digits; None where it is not real or not constant."""
    if has_variables(x, work):
        return None
    at = Point({}, real=False)
    try:
        top, top_size = float_value(x.top, work, at)
        bottom, bottom_size = float_value(x.bottom, work, at)
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
