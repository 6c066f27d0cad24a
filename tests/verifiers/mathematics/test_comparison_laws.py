"""Laws of what is compared: ratios, times, roundings, names, signs, quantities, bound letters, constants."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from referee.verifiers import Math, Problem

SETTINGS = settings(max_examples=50, deadline=None)
SMALL = st.integers(1, 60)
NUMBERS = st.integers(-99, 99)
CLOCKS = st.tuples(st.integers(0, 23), st.integers(0, 59))
PARTS = st.lists(st.integers(0, 9), min_size=2, max_size=3)
LETTERS = st.sampled_from(["xy", "mn", "abc", "pq", "xyz"])


def judge(answer: str, gold: str) -> bool:
    return Math()(f"So the answer is $\\boxed{{{answer}}}$.", Problem(answer=gold)).score == 1.0


def clock(time: tuple[int, int]) -> str:
    return f"{time[0]}:{time[1]:02d}"


@SETTINGS
@given(CLOCKS, CLOCKS)
def test_times_are_equal_only_where_they_are_one_time(a, g):
    assert judge(clock(a), clock(g)) is (a == g)


@SETTINGS
@given(PARTS, st.integers(2, 7))
def test_a_ratio_equals_its_multiples_unless_it_has_a_zero(parts, k):
    ratio, multiple = (":".join(str(p * by) for p in parts) for by in (1, k))
    assert judge(ratio, ratio)
    assert judge(multiple, ratio) is (0 not in parts or not any(parts))


@SETTINGS
@given(PARTS, PARTS)
def test_a_ratio_with_a_zero_equals_no_other(a, g):
    assume(a != g and (0 in a or 0 in g))
    assert not judge(":".join(map(str, a)), ":".join(map(str, g)))


@SETTINGS
@given(st.integers(1, 9999), st.integers(1, 4), st.sampled_from([-3, -2, -1, 1, 2, 3]))
def test_an_approximation_is_an_answer_only_where_it_is_a_rounding(top, places, off):
    value = Fraction(top, 7)
    assume(value.denominator > 1)
    rounded = round(value, places)
    assert judge(f"\\frac{{{top}}}{{7}} \\approx {float(rounded)}", f"\\frac{{{top}}}{{7}}")
    wrong = f"{float(rounded + Fraction(off, 10**places)):.{places}f}"
    assume(not wrong.endswith("0"))
    hedge = f"\\frac{{{top}}}{{7}} \\approx {wrong}"
    assert not judge(hedge, f"\\frac{{{top}}}{{7}}")
    assert not judge(hedge, wrong)


@SETTINGS
@given(NUMBERS, NUMBERS)
def test_a_whole_number_approximates_no_other(a, b):
    assume(a != b)
    for hedge in (f"{a} \\approx {b}", f"x = {a} \\approx {b}"):
        assert not judge(hedge, str(a))
        assert not judge(hedge, str(b))


@SETTINGS
@given(LETTERS, st.data())
def test_named_values_keep_their_names(names, data):
    values = data.draw(st.lists(NUMBERS, min_size=len(names), max_size=len(names), unique=True))
    order = data.draw(st.permutations(range(len(names))))
    named = ", ".join(f"{n}={v}" for n, v in zip(names, values, strict=True))
    mixed = ", ".join(f"{names[i]}={values[i]}" for i in order)
    bare = ", ".join(map(str, values))
    assert judge(mixed, named)
    assert judge(mixed, f"({bare})")
    assert judge(bare, mixed)
    shuffled = ", ".join(str(values[i]) for i in order)
    kept = list(order) == sorted(order)
    assert judge(shuffled, named) is kept
    assert judge(mixed, f"({shuffled})") is kept
    assert not judge(f"\\{{{bare}\\}}", named)


@SETTINGS
@given(SMALL, SMALL)
def test_two_signs_of_plus_minus_give_four_values(a, b):
    assume(a != b)
    four = f"{a + b}, {a - b}, {b - a}, {-a - b}"
    assert judge(f"\\pm{a}\\pm{b}", four)
    assert not judge(f"\\pm{a}\\pm{b}", f"{a + b}, {-a - b}")
    assert judge(f"\\pm{a}\\mp{b}", f"{a - b}, {b - a}")
    assert judge(f"(\\pm{a},\\mp{b})", f"({a},{-b}),({-a},{b})")


@SETTINGS
@given(
    st.sampled_from(["m+n", "a+b+c", "100p+q", "\\frac{a}{b}", "|z|", "\\det(A)", "P(A\\cap B)"]),
    SMALL,
    SMALL,
)
def test_a_quantity_answers_its_value_and_no_other(quantity, value, other):
    assert judge(f"{quantity}={value}", str(value))
    assert judge(f"{quantity}={value - 1}+1={value}", str(value))
    assume(value != other)
    assert not judge(f"{quantity}={value}", str(other))
    assert not judge(f"{quantity}={value}={other}", str(value))
    assert not judge(f"{quantity}={value}={other}", str(other))
    assert not judge(f"{quantity}={value}", f"{quantity}={other}")


@SETTINGS
@given(st.integers(2, 12), NUMBERS, st.integers(-30, 30))
def test_a_progression_is_the_set_of_its_values(step, start, apart):
    gold = f"x = {step}n {start:+d}, n\\in\\mathbb{{Z}}"
    same = apart % step == 0
    assert judge(f"x = {step}k {start + apart:+d}, k\\in\\mathbb{{Z}}", gold) is same
    assert judge(f"x \\equiv {start + apart} \\pmod{{{step}}}", gold) is same
    assert not judge(f"x = {step + 1}k {start:+d}, k\\in\\mathbb{{Z}}", gold)


@SETTINGS
@given(st.integers(-5, 5), st.integers(-5, 5), st.sampled_from(["AB", "C_1 C_2", "C_2 C_1", "c_1 c_2"]))
def test_a_family_is_one_whatever_its_constants_are_called(r, s, called):
    assume(r != s and r and s)
    p, q = called.split() if " " in called else called
    gold = f"y = C_1e^{{{r}x}} + C_2e^{{{s}x}}"
    assert judge(f"y = {p}e^{{{s}x}} + {q}e^{{{r}x}}", gold)
    assert not judge(f"y = {p}e^{{{s}x}} + {p}e^{{{r}x}}", gold)
    assert not judge(f"y = {p}e^{{{s + 20}x}} + {q}e^{{{r}x}}", gold)


@SETTINGS
@given(st.sampled_from("ikmn"), st.sampled_from("jlrs"), st.sampled_from(["+", "-"]))
def test_an_index_may_have_any_name(i, j, sign):
    assert judge(f"\\sum_{{{i}=1}}^{{N}} (b_{i} {sign} {i})", f"\\sum_{{{j}=1}}^{{N}} (b_{j} {sign} {j})")
    assert not judge(f"\\sum_{{{i}=1}}^{{N}} (b_{i} {sign} {i})", f"\\sum_{{{j}=1}}^{{N}} (b_{i} {sign} {j})")
