"""Units and number words: laws over every notation, and the tables' own sanity."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.verifiers import Math, Problem
from referee.verifiers.mathematics.number_words import number_word
from referee.verifiers.mathematics.reader import read
from referee.verifiers.mathematics.unit_notation import marked_unit, unit_text
from referee.verifiers.mathematics.unit_table import NAMES, PREFIXES, SYMBOLS
from referee.verifiers.mathematics.units import read_unit

ATOMS = ["m", "kg", "s", "mol", "K", "A", "J", "N", "kPa", "mL", "V", "cm", "Hz", "W", "MeV"]
EXPONENTS = st.integers(-3, 3).filter(bool)
EXPRESSIONS = st.lists(st.tuples(st.sampled_from(ATOMS), EXPONENTS), min_size=1, max_size=4)


def same(answer: str, gold: str) -> bool:
    verdict = Math()(rf"\boxed{{{answer}}}", Problem(answer=gold))
    assert verdict.score is not None, verdict
    return verdict.score == 1.0


def measure(unit: str) -> tuple[Fraction, object]:
    read_as = read_unit(unit)[2]
    assert read_as is not None
    assert read_as.dims is not None
    return read_as.size, read_as.dims


def notations(factors: list[tuple[str, int]]) -> list[str]:
    def power(unit: str, n: int) -> str:
        return unit if n == 1 else f"{unit}^{{{n}}}"

    out = []
    for space in (r"\,", r"\cdot ", r"\ ", "~"):
        out.append(r"\mathrm{" + space.join(power(u, n) for u, n in factors) + "}")
    out.append(r"\,".join(rf"\text{{{u}}}" + (f"^{{{n}}}" if n != 1 else "") for u, n in factors))
    top = [(u, n) for u, n in factors if n > 0]
    bottom = [(u, -n) for u, n in factors if n < 0]
    if top and bottom:
        above, below = (r"\,".join(power(u, n) for u, n in part) for part in (top, bottom))
        out.append(rf"\mathrm{{{above}/({below})}}")
        out.append(rf"\mathrm{{\frac{{{above}}}{{{below}}}}}")
        out.append(rf"\frac{{\mathrm{{{above}}}}}{{\mathrm{{{below}}}}}")
    return out


@given(EXPRESSIONS, st.integers(1, 999))
def test_a_unit_is_the_same_in_every_notation_and_may_be_left_out(factors, tenths):
    number = f"{tenths / 10}"
    forms = [rf"{number}\ {unit}" for unit in notations(factors)]
    for form in forms:
        assert same(form, number), form
        assert same(number, form), form
        assert same(form, forms[0]), form
        assert not same(form, f"{(tenths + 1) / 10}"), form


@given(st.sampled_from(sorted(SYMBOLS)), st.sampled_from(sorted(SYMBOLS)))
def test_two_units_are_equal_only_where_their_sizes_and_dimensions_are(a, b):
    left, right = rf"7\ \mathrm{{{a}}}", rf"7\ \mathrm{{{b}}}"
    if len(a) == 1 or len(b) == 1:  # a letter alone may be a variable
        return
    if marked_unit(a) and marked_unit(b):
        assert same(left, right) is (SYMBOLS[a] == SYMBOLS[b] or a == b)


@given(
    st.sampled_from(["m", "g", "s", "V", "W", "J", "Pa", "Hz"]), st.sampled_from("kmGM"), st.integers(1, 99)
)
def test_a_prefix_scales_its_unit(unit, prefix, n):
    if prefix + unit not in SYMBOLS:
        return
    factor = Fraction(10) ** PREFIXES[prefix]
    assert measure(prefix + unit)[0] == factor * measure(unit)[0]
    assert same(rf"{n}\ \mathrm{{{prefix}{unit}}}", rf"{n}\cdot10^{{{PREFIXES[prefix]}}}\ \mathrm{{{unit}}}")
    assert not same(rf"{n}\ \mathrm{{{prefix}{unit}}}", rf"{n}\ \mathrm{{{unit}}}")


@given(st.integers(0, 50), st.integers(0, 59), st.integers(0, 59))
def test_a_measure_in_parts_is_their_sum(hours, minutes, seconds):
    parts = rf"{hours}\text{{ h }}{minutes}\text{{ min }}{seconds}\text{{ s}}"
    assert same(parts, rf"{hours * 3600 + minutes * 60 + seconds}\text{{ s}}")
    assert not same(parts, rf"{hours * 3600 + minutes * 60 + seconds + 1}\text{{ s}}")
    arc = rf"{hours}^\circ {minutes}' {seconds}''"
    assert same(arc, rf"({hours}+\frac{{{minutes}}}{{60}}+\frac{{{seconds}}}{{3600}})^\circ")


@given(st.sampled_from("abcdefijklnopqrvwxyz"), st.integers(2, 99), st.booleans())
def test_a_variable_is_no_unit(letter, n, spaced):
    product = f"{n}{' ' * spaced}{letter}"
    assert same(product, rf"{letter}\cdot {n}")
    assert not same(str(n), f"{n}{letter}")
    assert not same(product, str(n))


@given(st.text(alphabet=list(r"\mathrm{}^_-/ ()sgkm.1290μΩ°\,·文万"), max_size=60))
def test_no_text_raises(text):
    read("7 " + text)
    unit_text(text)
    marked_unit(text)


@pytest.mark.parametrize(
    "piece", [r"m\,", "(", r"\mathrm{", "m/", "5 m ", r"\frac{\mathrm ", "kg^", "个", "{,}1", "1 h "]
)
def test_reading_is_linear_in_the_text(piece):
    text = "5 " + piece * (3900 // len(piece))
    seconds = []
    for _ in range(3):
        start = time.thread_time()
        read.__wrapped__(text)
        seconds.append(time.thread_time() - start)
    assert min(seconds) < 0.25


def test_the_tables_have_no_name_of_two_meanings():
    for name in NAMES.keys() & SYMBOLS.keys():
        assert NAMES[name] == SYMBOLS[name], name


def chinese(n: int) -> str:
    if n < 10:
        return "零一二三四五六七八九"[n]
    for size, unit in ((10**8, "亿"), (10**4, "万"), (1000, "千"), (100, "百"), (10, "十")):
        if n >= size:
            rest = n % size
            gap = "零" if rest and rest * 10 < size else ""
            return chinese(n // size) + unit + gap + (chinese(rest) if rest else "")
    raise AssertionError


@given(st.integers(0, 10**10))
def test_chinese_numbers_read_as_they_are_written(n):
    assert number_word(chinese(n)) == n
    assert number_word("负" + chinese(n)) == -n


@pytest.mark.parametrize(
    "text", ["一二", "十十", "百", "万", "一分之", "分之一", "零分之一", "三点", "一十百", "亿万"]
)
def test_what_is_no_chinese_number_reads_as_none(text):
    assert number_word(text) is None
