"""Units: what stands behind a number. They may be left out; where both sides name one, they count.

A known unit has a size in base units and dimensions, so that 500 cm = 5 m and 5 m is not 5 cm.
An unknown noun ("18 apples") says nothing about the number. Scale words (million, dozen) are
numbers. Words that take the number back ("5 is wrong") or hedge make the text unreadable.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from referee.verifiers.mathematics.tree import Unreadable


class Unit(NamedTuple):
    """``dims`` is None for a noun that is not a known unit."""

    name: str
    size: Fraction = Fraction(1)
    dims: tuple[tuple[str, int], ...] | None = None


SCALES: dict[str, int | Fraction] = {
    "hundred": 100,
    "hundreds": 100,
    "thousand": 1000,
    "thousands": 1000,
    "million": 10**6,
    "millions": 10**6,
    "billion": 10**9,
    "billions": 10**9,
    "trillion": 10**12,
    "trillions": 10**12,
    "dozen": 12,
    "dozens": 12,
    "gross": 144,
    "lakh": 10**5,
    "crore": 10**7,
    "quadrillion": 10**15,
    "mil": 10**6,
    "mln": 10**6,
    "bn": 10**9,
    "score": 20,
    "tenths": Fraction(1, 10),
    "hundredths": Fraction(1, 100),
    "thousandths": Fraction(1, 1000),
    "halves": Fraction(1, 2),
    "thirds": Fraction(1, 3),
    "quarters": Fraction(1, 4),
    "fifths": Fraction(1, 5),
}

_SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
""".split()
_TENS = """
twenty thirty forty fifty sixty seventy eighty ninety
""".split()
NUMBER_WORDS = {w: i for i, w in enumerate(_SMALL)} | {w: 10 * i for i, w in enumerate(_TENS, 2)}

_FRACTION_WORDS: dict[str, Fraction] = {
    "half": Fraction(1, 2),
    "third": Fraction(1, 3),
    "quarter": Fraction(1, 4),
    "fourth": Fraction(1, 4),
    "fifth": Fraction(1, 5),
    "sixth": Fraction(1, 6),
    "eighth": Fraction(1, 8),
    "tenth": Fraction(1, 10),
}

# name: size in base units (metre, second, kilogram, dollar), dimension
_BASE: dict[str, tuple[Fraction, str, int]] = {}


def _define(dimension: str, power: int, **sizes: str) -> None:
    for size, names in sizes.items():
        value = Fraction(size.lstrip("_").replace("_", "/").replace("p", "."))
        for name in names.split():
            _BASE[name] = (value, dimension, power)


_define(
    "length",
    1,
    _1="m meter metre",
    _1_100="cm centimeter centimetre",
    _1_1000="mm millimeter millimetre",
    _1000="km kilometer kilometre",
    _1_10="dm decimeter decimetre",
    _254_10000="in inch inche",
    _3048_10000="ft foot feet",
    _9144_10000="yd yard",
    _1609344_1000="mi mile",
    _1_1000000="micrometer micrometre",
    _1_1000000000="nm nanometer nanometre",
)
_define("length", 3, _1_1000="l liter litre", _1_1000000="ml milliliter millilitre cc")
_define("length", 2, _10000="hectare")
_define(
    "time",
    1,
    _1="s sec second",
    _60="min minute",
    _3600="h hr hour",
    _86400="day",
    _604800="week",
    _1_1000="ms millisecond",
)
_define("months", 1, _1="month", _12="year yr", _120="decade", _1200="century centurie")
_define("mass", 1, _1="kg kilogram kilo", _1_1000="g gram", _1_1000000="mg milligram", _1000="tonne")
_define("pounds", 1, _16="lb pound", _1="oz ounce", _32000="ton")
_define(
    "volume",
    1,
    _1="cup",
    _2="pint pt",
    _4="quart qt",
    _16="gallon gal",
    _1_16="tablespoon tbsp",
    _1_48="teaspoon tsp",
)
_define(
    "money", 1, _1="dollar buck usd", _1_100="cent penny pennie", _1_10="dime", _1_20="nickel", _1_4="quarter"
)
_define("euros", 1, _1="euro eur")
_define("sterling", 1, _1="gbp")
_define("rupees", 1, _1="rupee")
_define("yen", 1, _1="yen")
_define("speed", 1, _1="knot")
_define("angle", 1, _1="radian rad")
_define("celsius", 1, _1="celsius")
_define("fahrenheit", 1, _1="fahrenheit")
_define("joule", 1, _1="j joule", _1000="kj kilojoule")
_define("newton", 1, _1="n newton")
_define("watt", 1, _1="w watt", _1000="kw kilowatt")
_define("volt", 1, _1="v volt")
_define("hertz", 1, _1="hz hertz")
_PHRASES = {
    "mph": "mile per hour",
    "kph": "km per hour",
    "kmh": "km per hour",
    "fps": "foot per second",
    "sqft": "square foot",
    "sq": "square",
    "cu": "cubic",
    "per cent": "percent",
}

_STOP_WORDS = """
or and not less fewer is isn isnt wrong false maybe perhaps either neither nor than plus minus times over
approximately approx about around roughly nearly almost equals equal if but no never incorrect
unless except instead rather actually wait sorry correct right true yes unsure unknown probably
possibly likely guess might could would should was were are divided multiplied squared cubed mod
modulo factorial choose root log answer answers because since therefore so hence it its that this
between through until exact exactly ish something any all none nothing everything where when given
least most infinity infinite negative positive half third fourth fifth quarter point base
"""
_STOP = frozenset(_STOP_WORDS.split()) | frozenset(_SMALL) | frozenset(_TENS)

WORDS = {n for n in _BASE if len(n) > 1} | set(_PHRASES) | set(SCALES) | {"degree", "unit", "percent", "deg"}

_WORD = re.compile(r"[a-z]+|\^?-?\d|/|[^\sa-z]")


def is_unit_word(word: str) -> bool:
    """Tell whether a plain word of two or more letters names a unit or a scale."""
    word = word.lower()
    return word in WORDS or _singular(word) in WORDS


@lru_cache(maxsize=2048)
def read_unit(text: str) -> tuple[Fraction, str, Unit | None]:
    """Read what stands behind a number: its scale, ``percent`` or ``degree`` or nothing, and its unit.

    Raises:
        Unreadable: where the words are no unit.
    """
    words = _WORD.findall(text.lower().replace("²", "^2").replace("³", "^3").replace("p.m", "pm"))
    words = [w for w in words if w not in (".", "(", ")", "·", "*", ",")]
    scale = Fraction(1)
    if words[:2] == ["per", "cent"]:
        words[:2] = ["percent"]
    while words and words[0] in SCALES:
        scale *= SCALES[words.pop(0)]
        if words and words[0] == "of":
            words.pop(0)
    if not words:
        return scale, "", None
    if words[0] in ("percent", "%", "percentage", "pct") and len(words) <= 2:
        return scale, "percent", None
    if words[0] in ("degree", "degrees", "deg"):
        if len(words) == 1:
            return scale, "degree", None
        words = words[1:]
    if words[0] in ("unit", "units") and (len(words) == 1 or re.fullmatch(r"\^?\d|squared|cubed", words[1])):
        return scale, "", Unit("units")
    if len(words) > 9:
        raise Unreadable("too many words behind a number")
    if unit := _known(words):
        return scale, "", unit
    if len(words) > 6 or any(not w.isalpha() for w in words) or any(w in _STOP or w in SCALES for w in words):
        raise Unreadable("the words behind the number are no unit")
    if all(len(w) == 1 for w in words):
        raise Unreadable("a single letter is no unit")
    return scale, "", Unit(" ".join(words))


def _known(words: list[str]) -> Unit | None:
    expanded = [p for w in words for p in _PHRASES.get(w, w).split()]
    size = Fraction(1)
    dims: dict[str, int] = {}
    sign, power, seen = 1, 1, 0
    previous: tuple[Fraction, str, int] | None = None
    for w in expanded:
        if w in ("square", "sq"):
            power = 2
        elif w in ("cubic", "cu"):
            power = 3
        elif w in ("per", "/", "an", "a", "each"):
            sign = -1 if w in ("per", "/") else sign
        elif previous and (w in ("squared", "cubed") or w.lstrip("^-").isdigit()):
            more = {"squared": 2, "cubed": 3}.get(w) or int(w.lstrip("^"))
            size *= previous[0] ** (sign * (more - 1))
            dims[previous[1]] += sign * previous[2] * (more - 1)
            previous = None
        elif w in ("unit", "units") and len(expanded) > 1:
            return None
        else:
            found = _BASE.get(w) or _BASE.get(_singular(w))
            if found is None:
                return None
            previous = (found[0] ** power, found[1], found[2] * power)
            size *= previous[0] ** sign
            dims[found[1]] = dims.get(found[1], 0) + sign * previous[2]
            power, seen = 1, seen + 1
    if not seen:
        return None
    return Unit(" ".join(words), size, tuple(sorted((d, p) for d, p in dims.items() if p)))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") else word


def number_word(text: str) -> Fraction | None:
    """Read a number that is written in words, up to the millions; None for any other text."""
    words = re.split(r"[\s-]+", text.strip().lower())
    if len(words) > 8:
        return None
    negative = words[0] in ("negative", "minus") and len(words) > 1
    words = words[1:] if negative else words
    if len(words) == 2 and words[1].rstrip("s") in _FRACTION_WORDS and words[0] in ("one", "a", *_SMALL):
        top = NUMBER_WORDS.get(words[0], 1)
        value = top * _FRACTION_WORDS[words[1].rstrip("s")]
    elif words == ["half"]:
        value = Fraction(1, 2)
    else:
        total, part, any_word = Fraction(0), Fraction(0), False
        for w in words:
            if w in NUMBER_WORDS:
                part, any_word = part + NUMBER_WORDS[w], True
            elif w == "hundred" and any_word:
                part *= 100
            elif w in ("thousand", "million", "billion") and any_word:
                total, part = total + part * SCALES[w], Fraction(0)
            elif w == "dozen":
                part, any_word = (part or Fraction(1)) * 12, True
            elif w != "and" or not any_word:
                return None
        if not any_word:
            return None
        value = total + part
    return -value if negative else value
