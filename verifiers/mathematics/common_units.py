"""Two measures as plain numbers in one unit, or that they are none of the same kind."""

from __future__ import annotations

from fractions import Fraction

from referee.verifiers.mathematics.opposites import opposed
from referee.verifiers.mathematics.real_sets import variables
from referee.verifiers.mathematics.tree import Node, num
from referee.verifiers.mathematics.units import Unit

_ANGLE = (("angle", 1),)
_TEMPERATURES = ((("celsius", 1),), (("fahrenheit", 1),))


def in_one_unit(a: Node, g: Node) -> tuple[Node, Node, Fraction] | None:
    """Return an answer, a reference, and what to multiply the answer by, where at least one has a unit.

    A unit that one side leaves out is left out. None where both name known units of other dimensions, or one
    a known unit and the other a percent or degree sign that is no such unit.
    """
    if a.kind == "unit" and g.kind == "unit":
        left, right = a.value, g.value
        if opposed(left.name, right.name):
            return None
        powers = _length_power(left), _length_power(right)
        if None not in powers and powers[0] != powers[1]:
            return None
        if left.dims is None or right.dims is None:
            return a.args[0], g.args[0], Fraction(1)
        return None if left.dims != right.dims else (a.args[0], g.args[0], left.size / right.size)
    lone, other = (a, g) if a.kind == "unit" else (g, a)
    inner, dims = lone.args[0], lone.value.dims
    if len(lone.args) > 1 and (variables(other) or (lone is g and not lone.value.certain)):
        inner = lone.args[1]  # "5 m" is a product beside variables, "5m/s" as a reference
    elif dims is not None and other.kind in ("deg", "pct"):
        if dims == _ANGLE and other.kind == "deg":
            other = Node("mul", None, (other.args[0], Node("const", "pi"), num(Fraction(1, 180))))
        elif dims not in _TEMPERATURES or other.kind != "deg":
            return None
    return (inner, other, Fraction(1)) if lone is a else (other, inner, Fraction(1))


def _length_power(unit: Unit) -> int | None:
    """Return 2 for a unit of areas and 3 for one of volumes, whatever the unit of length; None for others."""
    if unit.dims is None:
        return {"square units": 2, "cubic units": 3}.get(unit.name)
    return unit.dims[0][1] if len(unit.dims) == 1 and unit.dims[0] in (("m", 2), ("m", 3)) else None
