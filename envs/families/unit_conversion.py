"""Quantities in other units, exactly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Problem, Reason, Verdict

_SIZES: dict[str, dict[str, Fraction]] = {  # in metres, grams, seconds, litres, metres a second
    "length": {
        "mm": Fraction(1, 1000),
        "cm": Fraction(1, 100),
        "m": Fraction(1),
        "km": Fraction(1000),
        "in": Fraction(254, 10_000),
        "ft": Fraction(3048, 10_000),
        "mi": Fraction(1_609_344, 1000),
    },
    "mass": {"mg": Fraction(1, 1000), "g": Fraction(1), "kg": Fraction(1000), "t": Fraction(1_000_000)},
    "time": {"s": Fraction(1), "min": Fraction(60), "h": Fraction(3600), "d": Fraction(86_400)},
    "volume": {"ml": Fraction(1, 1000), "cl": Fraction(1, 100), "l": Fraction(1), "hl": Fraction(100)},
    "speed": {"m/s": Fraction(1), "km/h": Fraction(1000, 3600)},
}
_LEVELS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("km", "m"), ("m", "cm"), ("cm", "mm")),
    (("kg", "g"), ("g", "mg"), ("min", "s"), ("h", "min"), ("l", "ml"), ("hl", "l")),
    (("m", "km"), ("g", "kg"), ("s", "min"), ("min", "h"), ("ml", "l"), ("mm", "m")),
    (("in", "cm"), ("ft", "in"), ("mi", "m"), ("ft", "m"), ("d", "s")),
    (("m/s", "km/h"), ("km/h", "m/s"), ("C", "F"), ("F", "C")),
)
_NUMBER = re.compile(r"([-+]?[0-9]{1,20}(?:\.[0-9]{1,20})?)\s*(?:°?\s*([A-Za-z/]{1,4}))?")


@dataclass(frozen=True, kw_only=True)
class UnitConversion(Procedural):
    """The number that a quantity has in another unit. Amounts are drawn so that it has few decimals.

    Levels: 0 metric lengths; 1 mass, time and volume to smaller units; 2 to larger units; 3 inches,
    feet, miles; 4 speeds and temperatures.

    Accepts:
        - the exact number, with or without the unit asked for: ``3000``, ``3,000 m``, ``2.50``
    Rejects:
        - a rounded number; another unit
    """

    name: ClassVar[str] = "unit_conversion"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw the units and an amount."""
        old, new = stream.choice(_LEVELS[level])
        if level == 2 or (old, new) == ("km/h", "m/s"):
            amount = _convert(Fraction(stream.between(2, 99), 2), new, old)
        elif (old, new) == ("F", "C"):
            amount = _convert(Fraction(stream.between(-40, 99)), new, old)
        else:
            amount = Fraction(stream.between(2, 99))
        value = _convert(amount, old, new)
        shown = _decimal(amount)
        return Draft(
            f"How much is {shown} {old} in {new}? End with a line that holds only the number.",
            f"{shown} {old} in {new}:",
            _decimal(value),
            {"unit": new},
        )

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Compare exactly."""
        try:
            wanted = Fraction(str(problem.answer))
        except ValueError:
            return failure(f"answer must be a number, got {problem.answer!r:.60}", Reason.BAD_REFERENCE)
        found = _NUMBER.fullmatch(answer.replace(",", "")) if len(answer) < 60 else None
        if found is None or (found[2] and found[2] != problem.info.get("unit")):
            return False
        return Fraction(found[1]) == wanted


def _convert(amount: Fraction, old: str, new: str) -> Fraction:
    if (old, new) == ("C", "F"):
        return amount * 9 / 5 + 32
    if (old, new) == ("F", "C"):
        return (amount - 32) * 5 / 9
    sizes = next(kind for kind in _SIZES.values() if old in kind and new in kind)
    return amount * sizes[old] / sizes[new]


def _decimal(value: Fraction) -> str:
    """Write a number whose denominator has no prime factors but 2 and 5."""
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
        if places > 12:
            raise ValueError(f"value must have at most 12 decimals, got {value}")
    digits = f"{abs(value * 10**places)}".rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
