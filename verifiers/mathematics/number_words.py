"""Numbers that are written in words, in English and Chinese, and the words that scale a number."""

from __future__ import annotations

import re
from fractions import Fraction

SCALES: dict[str, int | Fraction] = {
    "ten": 10,
    "tens": 10,
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
    "fourths": Fraction(1, 4),
    "fifths": Fraction(1, 5),
    "sixths": Fraction(1, 6),
    "sevenths": Fraction(1, 7),
    "eighths": Fraction(1, 8),
    "ninths": Fraction(1, 9),
    "万亿": 10**12,
    "亿": 10**8,
    "千万": 10**7,
    "百万": 10**6,
    "万": 10**4,
    "億": 10**8,
    "萬": 10**4,
    "千": 1000,
    "百": 100,
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

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_GROUPS = {"万": 10**4, "亿": 10**8}
CHINESE_NUMBER = re.compile(r"负?[零〇一二两三四五六七八九十百千万亿点分之]{1,24}")


def number_word(text: str) -> Fraction | None:
    """Read a number that is written in words, up to the billions; None for any other text."""
    if not text.isascii():
        return _chinese(text.strip())
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


def _chinese(text: str) -> Fraction | None:
    if not CHINESE_NUMBER.fullmatch(text):
        return None
    negative, text = text[0] == "负", text.lstrip("负")
    bottom, of, top = text.partition("分之")
    if of:
        parts = _UNITS.get(bottom) or _whole(bottom), _number(top)
        value = None if parts[0] is None or parts[1] is None or not parts[0] else parts[1] / parts[0]
    else:
        value = _number(text)
    return value if value is None or not negative else -value


def _number(text: str) -> Fraction | None:
    head, point, tail = text.partition("点")
    whole = _whole(head)
    if whole is None or (point and not tail) or any(c not in _DIGITS for c in tail):
        return None
    return whole + Fraction(int("".join(str(_DIGITS[c]) for c in tail) or "0"), 10 ** len(tail))


def _whole(text: str) -> int | None:
    """Read a whole number: 二十五, 一百零三, 三万五千; its units fall from left to right."""
    total, part, digit, last = 0, 0, None, 10**9
    if not text:
        return None
    for c in text:
        if c in _DIGITS:
            if digit:
                return None
            digit = _DIGITS[c]
        elif c in _UNITS:
            unit = _UNITS[c]
            if unit >= last or (digit is None and c != "十"):
                return None
            part, digit, last = part + (1 if digit is None else digit) * unit, None, unit
        elif c in _GROUPS:
            part += digit or 0
            if not part or (total and total < _GROUPS[c]):
                return None
            total, part, digit, last = total + part * _GROUPS[c], 0, None, 10**9
        else:
            return None
    return total + part + (digit or 0)
