"""Chinese words as answers: what the usual ones mean, and numbers written in them."""

from __future__ import annotations

import re
from fractions import Fraction

from referee.verifiers.mathematics.tree import Node

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_GROUPS = {"亿": 10**8, "万": 10**4}
_NUMBER = re.compile(r"[零〇一二两三四五六七八九十百千万亿]{1,24}")
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_EMPTY = re.compile(
    r"(?:原|该|此)?(?:方程组?|不等式组?|题目?)?(?:无|没有)(?:实数?|整数|正整数)?(?:解|根|实根)|空集|不存在(?:这样|满足条件)的\w{1,4}"
)
_REALS = re.compile(r"(?:[a-z]为)?(?:全体|任意|一切|所有)实数|实数集")
_ENDLESS = re.compile(r"有?无[数穷](?:多)?(?:个|组|种|条)?(?:解)?")
_WEEKDAY = re.compile(r"(?:星期|周|礼拜)([一二三四五六日天])")
_QUADRANT = re.compile(r"(?:在)?第([一二三四1-4])象限")
_SAID = {
    "是": "yes", "是的": "yes", "对": "yes", "正确": "yes", "对的": "yes", "真": "yes", "√": "yes",
    "否": "no", "不是": "no", "错": "no", "错误": "no", "不对": "no", "不正确": "no", "假": "no",
    "发散": "divergent", "收敛": "convergent", "奇数": "odd", "偶数": "even",
    "无穷大": "inf", "正无穷": "inf", "不存在": "undefined", "无意义": "undefined", "未定义": "undefined",
}  # fmt: skip
_CONSTANTS = frozenset(["inf", "undefined"])


def chinese_meaning(words: str) -> Node | None:
    """Return what Chinese words mean, as :func:`referee.verifiers.mathematics.words.meaning` does."""
    if len(words) > 40:
        return None
    if name := _SAID.get(words):
        return Node("const" if name in _CONSTANTS else "text", name)
    for pattern, constant in ((_EMPTY, "empty"), (_REALS, "reals"), (_ENDLESS, "inf")):
        if pattern.fullmatch(words):
            return Node("const", constant)
    if m := _WEEKDAY.fullmatch(words):
        return Node("text", _DAYS["一二三四五六日".index(m[1].replace("天", "日"))])
    if m := _QUADRANT.fullmatch(words):
        return Node("text", f"quadrant {_DIGITS.get(m[1], m[1])}")
    if words.endswith("月") and (month := chinese_number(words[:-1])) is not None and month in range(1, 13):
        return Node("text", _MONTHS[int(month) - 1])
    if (value := chinese_number(words)) is not None:
        return Node("num", value)
    return None


def chinese_number(text: str) -> Fraction | None:
    """Return a number in Chinese numerals; None for any other text.

    >>> chinese_number("三分之一"), chinese_number("一千零二"), chinese_number("五月")
    (Fraction(1, 3), Fraction(1002, 1), None)
    """
    if text[:1] == "负":
        value = chinese_number(text[1:])
        return None if value is None else -value
    bottom, split, top = text.partition("分之")
    if split:
        parts = (Fraction(100) if bottom == "百" else _whole(bottom)), _whole(top)
        return None if None in parts or not parts[0] else parts[1] / parts[0]  # type: ignore[operator]
    whole, point, digits = text.partition("点")
    value = _whole(whole)
    if value is None or not point:
        return None if point else value
    if not digits or any(d not in _DIGITS for d in digits):
        return None
    return value + Fraction(int("".join(str(_DIGITS[d]) for d in digits)), 10 ** len(digits))


def _whole(text: str) -> Fraction | None:
    if not _NUMBER.fullmatch(text):
        return None
    if all(c in _DIGITS for c in text):
        return Fraction(int("".join(str(_DIGITS[c]) for c in text)))
    total, part, digit = 0, 0, 0
    for c in text:
        if c in _DIGITS:
            digit = _DIGITS[c]
        elif c in _UNITS:
            part, digit = part + (digit or (1 if not part else 0)) * _UNITS[c], 0
        else:
            total, part, digit = (total + part + digit) * _GROUPS[c], 0, 0
    return Fraction(total + part + digit)
