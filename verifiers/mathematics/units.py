"""Units: what stands behind a number. They may be left out; where both sides name one, they count.

A known unit has a size in base units and dimensions, so that 500 cm = 5 m and 5 m is not 5 cm.
An unknown noun ("18 apples") says nothing about the number. Scale words (million, dozen) are
numbers. Words that change the number ("5 too many") or take it back ("5 is wrong") make the text unreadable.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from referee.verifiers.mathematics.number_words import NUMBER_WORDS, SCALES
from referee.verifiers.mathematics.opposites import says_a_sense
from referee.verifiers.mathematics.tree import Node, Unreadable
from referee.verifiers.mathematics.unit_table import (
    CHINESE,
    COUNTERS,
    NAMES,
    PHRASES,
    SYMBOLS,
    Dims,
    Measure,
)


class Unit(NamedTuple):
    """``dims`` is None for a noun that is not a known unit.

    ``certain`` is false for letters that are as likely a product of variables: in a reference such a unit
    cannot be left out.
    """

    name: str
    size: Fraction = Fraction(1)
    dims: Dims | None = None
    certain: bool = True


_STOP_WORDS = """
or and not less fewer is isn isnt wrong false maybe perhaps either neither nor than plus minus times over
approximately approx about around roughly nearly almost equals equal if but no never incorrect
unless except instead rather actually wait sorry correct right true yes unsure unknown probably
possibly likely guess might could would should was were are divided multiplied squared cubed mod
modulo factorial choose root log answer answers because since therefore so hence it its that this
between through until exact exactly ish something any all none nothing everything where when given
least most infinity infinite negative positive half third fourth fifth quarter point base
too many greater larger smaller bigger higher lower longer shorter older younger taller heavier lighter
faster slower further farther earlier later ago before after past below above beneath short shy
remainder bound fails failed fail invalid excluded
"""
_STOP = frozenset(_STOP_WORDS.split()) | frozenset(NUMBER_WORDS)
_PERCENT = frozenset(["percent", "%", "percentage", "pct"])
_DEGREES = frozenset(["degree", "degrees", "deg", "°", "度"])
_TEMPERATURES = {"C": "°C", "F": "°F", "c": "°C", "f": "°F"}
_NOT_UNITS = frozenset(["as", "at", "am", "us"])  # words, whatever the prefixes give

_WORD = re.compile(r"°?[A-Za-zåÅμΩ]+(?:_[☉⊕])?|[℃℉¢]|\^?-?\d+|[^\x00-\x7f°]+|\S")
_RAISED = re.compile(r"(?<=[A-Za-z])([23])(?!\d)")  # m2, cm3
_CHANGED = re.compile(r"\W{0,3}\d[\d.,]{0,20}+\W{1,9}+((?:[A-Za-z]{1,20}+(?:\W{1,9}+|$)){1,6})")
_CHANGES = frozenset(
    """
    squared cubed factorial root half third quarter less fewer too many negative greater larger smaller bigger
    higher lower longer shorter older younger taller heavier lighter faster slower further farther earlier
    later ago before after past below above beneath short shy when where if unless except remainder bound plus
    minus times over mod modulo divided multiplied
    """.split()
)
_CHINESE = re.compile("|".join(CHINESE))
_CHINESE_STOP = re.compile("[不非或和与及约上下多少]|左右")
# symbols that are words even without markup
_PLAIN = frozenset("in qt cc mL kHz Hz kJ kW kPa MHz GHz MeV keV eV mph".split())
_WORDS = (
    frozenset(PHRASES) | frozenset(SCALES) | {"degree", "degrees", "deg", "unit", "units", "percent", "pct"}
)


def is_unit_word(word: str) -> bool:
    """Tell whether a plain word of two or more letters names a unit or a scale."""
    if len(word) < 2 or word in _NOT_UNITS:
        return False
    small = word.lower()
    if small in _WORDS or word in _PLAIN or small in NAMES:
        return True
    return small[-1] == "s" and len(small) > 2 and small[:-1] in NAMES


def measure_of(word: str) -> Measure | None:
    """Return the size and dimensions of one symbol or name; case counts in symbols."""
    if word in _NOT_UNITS:
        return None
    if (found := SYMBOLS.get(word)) is not None:
        return found
    if len(word) < 2:
        return None
    small = word.lower()
    return NAMES.get(small) or (NAMES.get(small[:-1]) if small[-1] == "s" and len(small) > 2 else None)


@lru_cache(maxsize=2048)
def read_unit(text: str) -> tuple[Fraction, str, Unit | None]:
    """Read what stands behind a number: its scale, ``percent`` or ``degree`` or nothing, and its unit.

    Raises:
        Unreadable: where the words are no unit.
    """
    words = _words(text)
    scale = Fraction(1)
    if [w.lower() for w in words[:2]] == ["per", "cent"]:
        words[:2] = ["percent"]
    while words and words[0].lower() in SCALES:
        scale *= SCALES[words.pop(0).lower()]
        if words and words[0] == "of":
            words.pop(0)
    if not words:
        return scale, "", None
    first = words[0].lower()
    if first in _PERCENT and len(words) <= 2 and words[-1].lower() not in _STOP:
        return scale, "percent", None
    if first in _DEGREES:
        if len(words) == 1:
            return scale, "degree", None
        words = [_TEMPERATURES.get(words[1], words[1]), *words[2:]] if len(words) == 2 else words[1:]
    if first in ("unit", "units") and (len(words) == 1 or re.fullmatch(r"\^?\d|squared|cubed", words[1])):
        power = _exponent(words[1].lower()) if len(words) > 1 else 1
        return scale, "", Unit({2: "square units", 3: "cubic units"}.get(power, "units"))
    if len(words) > 24:
        raise Unreadable("too many words behind a number")
    if measure := _known(words):
        return scale, "", Unit(" ".join(words), *measure)
    if len(words) > 1 and says_a_sense(words[-1]) and (measure := _known(words[:-1])):
        return scale, "", Unit(" ".join(words), *measure)  # 5 km north
    return scale, "", _noun(words)


def _words(text: str) -> list[str]:
    text = _RAISED.sub(r"^\1", text.replace("²", "^2").replace("³", "^3")).replace("° ", "°")
    if not text.isascii():
        text = _from_chinese(text)
    return [w for w in _WORD.findall(text) if w not in (".", "·", "*", ",", "-")]


def _from_chinese(text: str) -> str:
    """Put Chinese units into symbols and scales apart: ``万元`` is ``万 yuan``."""
    run = re.search("[\u4e00-\u9fff]", text)
    if run is None:
        return text
    for scale in ("万亿", "亿", "千万", "百万", "万", "萬", "億"):
        if text.lstrip().startswith(scale):
            return f"{scale} {_from_chinese(text.lstrip()[len(scale) :])}"
    put = _CHINESE.sub(lambda m: CHINESE[m[0]], text)
    return put if re.search("[\u4e00-\u9fff]", put) is None else text


def _noun(words: list[str]) -> Unit:
    """Take words that name what is counted and say nothing about the number."""
    words = ["per" if w == "/" else w.lower() for w in words if w not in ("(", ")")]
    if len(words) == 1 and words[0][:1] in COUNTERS:
        if len(words[0]) > 8 or _CHINESE_STOP.search(words[0]):
            raise Unreadable("the words behind the number are no unit")
        return Unit(words[0])
    if not 0 < len(words) <= 6 or any(
        not w.isalpha() or not w.isascii() or w in _STOP or w in SCALES for w in words
    ):
        raise Unreadable("the words behind the number are no unit")
    if all(len(w) == 1 for w in words):
        raise Unreadable("a single letter is no unit")
    return Unit(" ".join(words))


def is_changed(text: str) -> bool:
    """Tell whether a text is a number with a few words that change it: ``5 too many``."""
    m = _CHANGED.fullmatch(text) if len(text) <= 80 else None
    return m is not None and not _CHANGES.isdisjoint(re.findall("[a-z]+", m[1].lower()))


@lru_cache(maxsize=2048)
def known_unit(text: str) -> bool:
    """Tell whether a text is nothing but an expression of known units."""
    words = _words(text)
    return 0 < len(words) <= 24 and _known(words) is not None


def is_without_unit(node: Node | None) -> bool:
    """Tell whether a value has no unit of its own."""
    return node is not None and node.kind not in ("unit", "pct", "deg", "text", "seq", "rel")


def has_known_unit(node: Node | None) -> bool:
    """Tell whether a value is a quantity: one with a unit that has a size and dimensions."""
    return node is not None and node.kind == "unit" and node.value.dims is not None


def _known(words: list[str]) -> Measure | None:
    """Multiply the units of an expression; behind a stroke or ``per`` all of a level are divided by."""
    expanded = [p for w in words for p in PHRASES.get(w, PHRASES.get(w.lower(), w)).split()]
    size, dims = Fraction(1), dict[str, int]()
    read = _factors(expanded, 0, 1, size, dims, 0)
    if read is None or read[0] != len(expanded) or not read[2]:
        return None
    if "celsius" in dims and dims != {"celsius": 1}:  # a difference of temperatures
        dims["K"] = dims.get("K", 0) + dims.pop("celsius")
    return read[1], tuple(sorted((d, p) for d, p in dims.items() if p))


def _factors(
    words: list[str], pos: int, outer: int, size: Fraction, dims: dict[str, int], depth: int
) -> tuple[int, Fraction, int] | None:
    """Read factors up to a closing parenthesis; return the position, the size and how many there were."""
    sign, power, seen = outer, 1, 0
    before: Measure | None = None
    while pos < len(words):
        w = words[pos]
        pos += 1
        small = w.lower()
        if w == ")":
            return (pos, size, seen) if depth else None
        if w == "(":
            grouped = depth < 4 and (pos == 1 or words[pos - 2] in ("/", "("))
            inner = _factors(words, pos, sign, size, dims, depth + 1) if grouped else None
            if inner is None or not inner[2]:
                return None
            (pos, size, more), before = inner, None
            seen += more
        elif small in ("square", "sq"):
            power = 2
        elif small in ("cubic", "cu"):
            power = 3
        elif w == "/" or small == "per":
            if not seen and depth:
                return None
            sign = -outer
        elif w == "1" and pos < len(words) and words[pos] == "/" and not seen:
            continue
        elif w in ("an", "a", "each"):
            sign = -outer if seen and w != "each" else sign
        elif before and (exponent := _exponent(small)):
            size, before = _times(size, dims, before, sign * (exponent - 1)), None
        else:
            found = measure_of(w)
            if found is None:
                return None
            before = found[0] ** power, tuple((d, p * power) for d, p in found[1])
            size = _times(size, dims, before, sign)
            power, seen = 1, seen + 1
    return None if depth else (pos, size, seen)


def _exponent(word: str) -> int:
    if word in ("squared", "cubed"):
        return 2 if word == "squared" else 3
    digits = word[1:].lstrip("-") if word[0] == "^" else ""
    return int(word[1:]) if digits.isdigit() and len(digits) <= 2 else 0


def _times(size: Fraction, dims: dict[str, int], by: Measure, power: int) -> Fraction:
    for name, p in by[1]:
        dims[name] = dims.get(name, 0) + p * power
    return size * by[0] ** power
