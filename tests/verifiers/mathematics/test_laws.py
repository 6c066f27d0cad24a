"""Laws over a grammar of answers: equal forms are equal, perturbed forms are not."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from referee.verifiers import Math, Problem

SETTINGS = settings(max_examples=50, deadline=None)
NUMBERS = st.integers(-999, 999)
NAMES = st.sampled_from("abkmnpqrxyz")


def judge(answer: str, gold: str) -> bool:
    return Math()(f"So the answer is $\\boxed{{{answer}}}$.", Problem(answer=gold)).score == 1.0


@st.composite
def expressions(draw, depth: int = 3):
    """Return (LaTeX, another LaTeX of the same value)."""
    if depth == 0 or draw(st.booleans()):
        if draw(st.booleans()):
            n = draw(st.integers(1, 40))
            return str(n), f"\\frac{{{2 * n}}}{{2}}"
        x = draw(NAMES)
        return x, f"({x}+1-1)"
    (a, a2), (b, b2) = draw(expressions(depth=depth - 1)), draw(expressions(depth=depth - 1))
    kind = draw(st.sampled_from(["sum", "difference", "product", "square", "quotient"]))
    if kind == "sum":
        return f"({a}+{b})", f"({b2}+{a2})"
    if kind == "difference":
        return f"({a}-{b})", f"-({b2}-{a2})"
    if kind == "product":
        return f"({a})({b})", f"{{{b2}}} \\cdot {{{a2}}}"
    if kind == "square":
        return f"({a}+{b})^2", f"(({a2})^{{2}}+2({a2})({b2})+({b2})^2)"
    return f"\\frac{{{a}}}{{({b})^2+1}}", f"({a2})\\cdot\\frac{{1}}{{1+({b2})^2}}"


@SETTINGS
@given(expressions())
def test_an_expression_equals_its_rewriting(pair):
    assert judge(pair[1], pair[0])
    assert judge(pair[0], pair[1])


@SETTINGS
@given(expressions(), st.integers(1, 9))
def test_an_expression_does_not_equal_itself_and_something(pair, n):
    assert not judge(f"{pair[1]}+{n}", pair[0])
    assert not judge(f"{pair[1]}+\\frac{{1}}{{10^{{{10 * n}}}}}", pair[0])


@SETTINGS
@given(NUMBERS, st.integers(1, 999))
def test_a_fraction_equals_all_its_notations(top, bottom):
    value = Fraction(top, bottom)
    gold = f"\\frac{{{top}}}{{{bottom}}}"
    assert judge(f"{value.numerator}/{value.denominator}", gold)
    assert judge(f"{7 * top}/{7 * bottom}", gold)
    assert judge(f"-\\dfrac{{{-top}}}{{{bottom}}}", gold)
    assert not judge(f"\\frac{{{top + 1}}}{{{bottom}}}", gold)


@SETTINGS
@given(st.integers(0, 10**12))
def test_thousands_separators_change_no_value(n):
    for text in (
        f"{n:,}",
        f"{n:,}".replace(",", "{,}"),
        f"{n:,}".replace(",", "\\,"),
        f"{n:,}".replace(",", " "),
    ):
        assert judge(text, str(n))
        assert judge(str(n), text)
        assert not judge(text, str(n + 1))


@SETTINGS
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=6, unique=True), st.randoms())
def test_bare_lists_and_sets_are_unordered_and_tuples_are_not(items, rng):
    other = items[:]
    rng.shuffle(other)
    text, mixed = (", ".join(map(str, x)) for x in (items, other))
    assert judge(mixed, text)
    assert judge(f"\\{{{mixed}\\}}", f"\\{{{text}\\}}")
    assert judge(f"({mixed})", f"({text})") is (items == other)
    assert not judge(f"{mixed}, 99", text)


@SETTINGS
@given(st.integers(-50, 50), st.integers(1, 50), st.sampled_from(["()", "[)", "(]", "[]"]))
def test_an_interval_equals_its_inequality_and_no_other_bracket(low, width, brackets):
    high = low + width
    left, right = ("<" if brackets[0] == "(" else "\\le"), ("<" if brackets[1] == ")" else "\\le")
    gold = f"{brackets[0]}{low}, {high}{brackets[1]}"
    assert judge(f"{low} {left} x {right} {high}", gold)
    for other in ("()", "[)", "(]", "[]"):
        assert judge(f"{other[0]}{low},{high}{other[1]}", gold) is (other == brackets)


@SETTINGS
@given(st.integers(2, 60), st.integers(2, 12), st.integers(1, 30))
def test_surds_equal_their_simplest_form(radicand, factor, plus):
    gold = f"{factor}\\sqrt{{{radicand}}}"
    assert judge(f"\\sqrt{{{factor * factor * radicand}}}", gold)
    assert not judge(f"\\sqrt{{{factor * factor * radicand + 1}}}", gold)
    # (sqrt r + p)^2 = r + p^2 + 2 p sqrt r
    assert judge(
        f"\\sqrt{{{radicand + plus * plus}+{2 * plus}\\sqrt{{{radicand}}}}}", f"\\sqrt{{{radicand}}}+{plus}"
    )


@SETTINGS
@given(st.integers(2, 9), st.integers(100, 4000), st.integers(1, 5))
def test_powers_past_any_float_are_told_apart(base, exponent, step):
    assert judge(f"{base * base}^{{{exponent}}}", f"{base}^{{{2 * exponent}}}")
    assert not judge(f"{base}^{{{exponent + step}}}", f"{base}^{{{exponent}}}")
    assert not judge(f"{base}^{{-{exponent + step}}}", f"{base}^{{-{exponent}}}")
    assert not judge(f"{base}^{{{exponent}}}+1", f"{base}^{{{exponent}}}")


@SETTINGS
@given(st.integers(-9, 9), st.integers(1, 9), st.integers(0, 23))
def test_complex_numbers_in_polar_and_rectangular_form(a, r, turn):
    angle = f"\\frac{{{turn}\\pi}}{{12}}"
    assert judge(f"{r}e^{{i{angle}}}", f"{r}\\cos{angle}+{r}i\\sin{angle}")
    assert judge(f"{r}i+{a}", f"{a}+{r}i")
    assert not judge(f"{a}-{r}i", f"{a}+{r}i")


@SETTINGS
@given(st.integers(1, 400), NAMES)
def test_trigonometric_identities_hold_and_near_misses_do_not(n, x):
    assert judge(f"\\sin^2 {n}{x} + \\cos^2 {n}{x}", "1")
    assert judge(f"2\\sin {n}{x}\\cos {n}{x}", f"\\sin {2 * n}{x}")
    assert not judge(f"\\sin {n}{x}\\cos {n}{x}", f"\\sin {2 * n}{x}")
    assert judge(f"\\cos {n}^\\circ", f"\\sin({90 - n})^\\circ")
