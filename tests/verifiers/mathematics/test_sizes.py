"""No size of number, nesting or mixture of functions makes deciding raise."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referee.verifiers import Math, Problem
from referee.verifiers.mathematics.compare import Comparer
from referee.verifiers.mathematics.leniency import Leniency
from referee.verifiers.mathematics.magnitude import exactly, log2_size, shown, to_float
from referee.verifiers.mathematics.tree import Node, TooBig, Unreadable, num, rearranged, show

LONG = st.builds(lambda m, e: m * 10**e, st.integers(-9, 9), st.integers(0, 20_000))
NUMBERS = st.integers(-3, 12) | st.fractions(max_denominator=9) | LONG
FUNCTIONS = st.sampled_from(
    [
        "sin",
        "cos",
        "tan",
        "sec",
        "sinh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "arccsc",
        "ln",
        "exp",
        "abs",
        "floor",
        "ceil",
        "factorial",
        "factorial2",
        "Gamma",
        "cbrt",
        "lg",
        "sgn",
        "Re",
        "Im",
        "arg",
    ]
)
OF_TWO = st.sampled_from(["root", "log", "binom", "permutations", "gcd", "lcm", "max", "min", "mod"])
LEAVES = st.one_of(
    NUMBERS.map(num),
    (LONG.filter(bool)).map(lambda n: num(Fraction(1, n))),
    st.sampled_from(["n", "k", "x", "a_1"]).map(lambda name: Node("var", name)),
    st.sampled_from(["pi", "e", "i", "inf", "dots", "reals"]).map(lambda name: Node("const", name)),
)


def grown(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    two = st.tuples(inner, inner)
    return st.one_of(
        st.builds(Node, st.sampled_from(["add", "mul", "seq", "set"]), st.just("comma"), several),
        st.builds(Node, st.sampled_from(["div", "pow", "mod", "ratio"]), st.none(), two),
        st.builds(lambda name, a: Node("fn", name, (a,)), FUNCTIONS, inner),
        st.builds(lambda name, both: Node("fn", name, both), OF_TWO, two),
        st.builds(lambda sign, both: Node("rel", (sign,), both), st.sampled_from(["=", "<", "<=", "~"]), two),
        st.builds(lambda kind, a: Node(kind, None, (a,)), st.sampled_from(["deg", "pct"]), inner),
        st.builds(lambda a: Node("pm", "+", (a,)), inner),
        st.builds(lambda both: Node("group", ("(", ")"), both), two),
    )


TREES = st.recursive(LEAVES, grown, max_leaves=8)
DECIDED = (TooBig, Unreadable, OverflowError, ZeroDivisionError)  # what the verifier turns into a decision


@settings(max_examples=150, deadline=None)
@given(TREES, TREES)
def test_two_trees_are_compared_without_any_other_exception(a, g):
    show(a)
    assert rearranged(rearranged(a)) == rearranged(a)
    try:
        match = Comparer(Leniency()).same(a, g)
    except DECIDED:
        return
    assert isinstance(match.equal, bool)


SIGNS = [
    r"1",
    r"2",
    r"9",
    r"0",
    r".",
    r",",
    r"1e9999",
    r"2^{2006}",
    r"3^{-2007}",
    r"9^{99}",
    r"10^{400}",
    r"x",
    r"n",
    r"k",
    r"e",
    r"i",
    r"\pi",
    r"+",
    r"-",
    r"*",
    r"/",
    r"^",
    r"_",
    r"!",
    r"!!",
    r"(",
    r")",
    r"[",
    r"]",
    r"{",
    r"}",
    r"|",
    r"=",
    r"<",
    r"\{",
    r"\}",
    r"\frac",
    r"\frac{1}",
    r"{2}",
    r"\sqrt",
    r"\sqrt[3]",
    r"\binom{n}{k}",
    r"\ln",
    r"\log_2",
    r"\sin",
    r"\arcsin",
    r"\Gamma(",
    r"\lfloor",
    r"\rfloor",
    r"\infty",
    r"\begin{cases}",
    r"\end{cases}",
    r"\begin{aligned}",
    r"\end{aligned}",
    r"&",
    r"\\",
    r"\text{if}",
    r"\text{m}",
    r"\pm",
    r"\cup",
    r"\in",
    r"\mathbb{R}",
    r"\lim_{x\to0}",
    r"\sum_{k=1}^{n}",
    r"\int_0^1",
    r"dx",
    r"\partial",
    r"^\circ",
    r"^",
    r"\forall",
    r"\perp",
    r"\neg",
    r"\vee",
    r"\to",
    r"\%",
    r"\$",
    r"and",
    r"or",
]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(SIGNS), max_size=14), st.lists(st.sampled_from(SIGNS), min_size=1, max_size=8)
)
def test_a_mixture_of_signs_gets_a_verdict(answer, gold):
    verdict = Math()(r"\boxed{" + " ".join(answer) + "}", Problem(answer=" ".join(gold)))
    assert verdict.score in (0.0, 1.0, None)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("1e9999 + e", "5"),
        ("x+1e9999", "x+1e9998"),
        (r"\frac{1}{3 \cdot 2^{2006}}", r"\frac{2^i{2005}+1}{3 \cdot 2^{2006}}"),
        (r"f(1e9999) = 5", r"f(1e9998) = 5"),
        (r"\sin(10^{-400})", r"10^{-400}"),
        (r"e^{10^{-400}}", "1"),
        (r"\arctan(10^{400})", r"\frac{\pi}{2}"),
        (r"\lfloor 10^{400}\pi\rfloor", "3"),
        (r"x^{10^{400}}+\sqrt2", r"x^{10^{401}}+\sqrt3"),
        (r"2^{10^{400}}", r"2^{10^{401}}"),
    ],
)
def test_sizes_that_no_machine_number_holds_are_a_decision(answer, gold):
    for a, g in ((answer, gold), (gold, answer)):
        verdict = Math()(rf"\boxed{{{a}}}", Problem(answer=g))
        assert verdict.score == 0.0, verdict


@pytest.mark.parametrize("size", ["1E5000", "1e-5000", "10^{5000}", "1,000e4999"])
def test_a_list_of_references_may_hold_any_size(size):
    """No decimal digits are written of a number that has thousands of them."""
    verifier = Math(list_means="all")
    assert verifier(r"\boxed{0}", Problem(answer=[size])).score == 0.0
    assert verifier(rf"\boxed{{{size}}}", Problem(answer=[size])).score == 1.0


@given(LONG.filter(bool))
def test_sizes_are_taken_without_decimal_digits(n):
    tiny = Fraction(1, n)
    assert abs(log2_size(tiny) + log2_size(n)) < 1e-6
    assert abs(to_float(tiny)) <= 1.0
    assert shown(n)
    assert int(exactly(n).split("/")[0], 16) == n
