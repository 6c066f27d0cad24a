"""Literals: decimals, repeating decimals, mixed numbers, numbers in another base."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from referee.verifiers.mathematics.number_words import NUMBER_WORDS
from referee.verifiers.mathematics.tree import MAX_DIGITS, Node, TooBig, Unreadable, num

if TYPE_CHECKING:
    from referee.verifiers.mathematics.parser import Parser

_PERIOD = re.compile(r"(\d{1,6}?)\1+$")


def number(p: Parser, text: str) -> Node:
    """Parse a number whose first digits have been taken."""
    if len(text) > MAX_DIGITS:
        raise TooBig(f"a number of {len(text)} digits")
    if p.peek.kind == "o" and p.peek.text == "_":
        return _based(p, text)
    after = p.peek
    if "." in text and not after.spaced:
        if after.text == "overline" or after.text == "dot":
            p.pos += 1
            return _repeating(text, p.plain_argument() + _to_last_dot(p))
        if after.text == "(" and p.ahead(1).text.isdigit() and p.ahead(2).text == ")":
            digits = p.ahead(1).text
            p.pos += 3
            return _repeating(text, digits)
    if "." in text and after.text == "ldots":
        period = _PERIOD.search(text.split(".")[1][-60:])
        if period and len(period[0]) >= 3:
            p.pos += 1
            return _repeating(text[: -len(period[0])], period[1])
        raise Unreadable("a decimal that goes on without a visible period")
    value = _decimal(text)
    if (
        text.isdigit()
        and after.kind == "n"
        and after.spaced
        and p.ahead(1).text == "/"
        and p.ahead(2).kind == "n"
    ):
        top, bottom = after.text, p.ahead(2).text
        if top.isdigit() and bottom.isdigit() and int(bottom):
            p.pos += 3
            return Node("num", value + Fraction(int(top), int(bottom)))
    if text.isdigit() and after.kind == "c" and after.text == "frac":
        mark = p.pos
        p.pos += 1
        part = Node("div", None, (p.argument(), p.argument()))
        if part.kind == "div" and all(
            a.kind == "num" and a.value > 0 and a.value.denominator == 1 for a in part.args
        ):
            return Node("num", value + part.args[0].value / part.args[1].value)
        p.pos = mark
    return Node("num", value)


def _to_last_dot(p: Parser) -> str:
    r"""Take what stands up to the second dot of a period: ``0.\dot{1}2\dot{3}``."""
    inside = p.peek.kind == "n" and p.peek.text.isdigit() and p.ahead(1).text == "dot"
    digits = p.next().text if inside else ""
    return digits + p.plain_argument() if p.accept("dot") else ""


def _based(p: Parser, text: str) -> Node:
    p.pos += 1
    sub = p.plain_argument()
    word = NUMBER_WORDS.get(sub.lower())
    if not (sub.isdigit() or word) or not text.isdigit():
        raise Unreadable("a subscript on a number that is no base")
    base = word or int(sub[:3])
    if not 2 <= base <= 36 or any(int(d) >= base for d in text):
        raise Unreadable(f"{text[:40]} is no number in base {base}")
    return num(int(text, base))


def _decimal(text: str) -> Fraction:
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, part = mantissa.partition(".")
    power = int(exponent[:12] or 0) - len(part)
    if abs(power) > 20000:
        raise TooBig("a decimal exponent past 20000")
    value = int((whole + part) or "0")
    return Fraction(value * 10**power) if power >= 0 else Fraction(value, 10**-power)


def _repeating(head: str, period: str) -> Node:
    whole, _, part = head.partition(".")
    digits = (whole + part) or "0"
    if (
        not (period.isdecimal() and digits.isdecimal()) or len(period) > 60
    ):  # behind an exponent nothing repeats
        raise Unreadable("a repeating decimal without digits")
    base = Fraction(int(digits), 10 ** len(part))
    return Node("num", base + Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(part)))
