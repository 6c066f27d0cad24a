"""Judging never raises and never takes long: raw text, mutated answers, repeated signs, trees of commands.

The quick tests run a few hundred texts of each kind. ``test_an_hour_of_texts`` (slow) runs as long as
REFEREE_FUZZ_MINUTES says and reports every distinct fault with its smallest text.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from referee.verifiers import Math, Problem

DATA = Path(__file__).resolve().parents[2] / "data"
LIMIT_S = 0.5
VERIFIERS = (
    Math(),
    Math(profile="strict", boxes="last"),
    Math(units="required", lists="ordered", tolerance=1e-3),
)

ROWS = [
    json.loads(line)
    for path in (DATA / "mathematics_pairs.jsonl", *sorted((DATA / "mathematics").glob("*.jsonl")))
    for line in path.read_text().splitlines()
]
GOLDS = sorted({r["gold"] for r in ROWS if isinstance(r["gold"], str)})
COMPLETIONS = sorted({r["completion"] for r in ROWS})

SIGNS = [
    *"0123456789abcdefinxyzABCEGMNkmst+-*/^_=<>()[]{}|,.;:!?%$&\\~'\"`# \n\t°′″²³⁻½√∞−×·÷≤≥≠±∪∩∈∅πθμΩ，。、；：（）｛｝＝１２五十万亿",
    "\u0305", "\u200b", "\ud800", "\x00", "ß", "İ", "٣", "é", "Я", "あ", "ℝ", "𝟙",
]  # fmt: skip
WORDS = [
    "the answer is ", "Answer: ", "**", "#### ", "<answer>", "</answer>", "<think>", "</think>", "\\boxed{", "wait, ",
    "correction: ", "actually ", "not ", " or ", " and ", " for all ", " where ", "hence ", "if ", "答案为", "故选", "【答案】",
    "或", "无解", "no solution", "diverges", " cm", " m/s", " kg", " hours", " min", " million", " dozen", " percent",
    "eV", "MHz", "N·m", "a.m.", "12:00", "5 ft 6 in", "1e9999", "1e-9999", "0.\\overline{3}", "10^{10^{10}}", "H_2SO_4", "(C)",
    "(a) ", "(ii) ", "N/A", "...", "\\ldots", "1,234", "3{,}5", "99999999999999999999", "0.0000000000000000001",
]  # fmt: skip
LEAVES = [
    *"0123457xyabeinkCN", "\\pi", "\\infty", "1.5", "12", "-3", "2^{99}", "1e5", "1e5000", "\\theta", "\\mathbb{R}", "\\emptyset",
    "\\text{cm}", "\\text{ or }", "\\text{no solution}", "\\mathrm{m\\,s^{-2}}", "^\\circ", "\\%", "50\\%", "x_1", "f(x)", "",
]  # fmt: skip
ONE = [
    "\\sqrt{%s}", "\\sqrt[3]{%s}", "(%s)", "[%s)", "\\{%s\\}", "|%s|", "\\left(%s\\right)", "\\lfloor %s\\rfloor", "-%s", "%s!", "%s!!",
    "\\sin %s", "\\arccos(%s)", "\\ln %s", "\\log_2 %s", "e^{%s}", "\\text{%s}", "\\mathrm{%s}", "\\boxed{%s}", "\\vec{%s}",
    "\\overline{%s}", "\\Gamma(%s)", "\\det(%s)", "\\frac{d}{dx}%s", "\\int_0^1 %s\\,dx", "\\begin{pmatrix}%s\\end{pmatrix}",
    "\\begin{cases}%s\\end{cases}", "\\begin{aligned}%s\\end{aligned}", "\\dfrac%s", "\\max(%s)", "\\mathbf{%s}", "P(%s)",
]  # fmt: skip
TWO = [
    "%s+%s", "%s-%s", "%s%s", "%s\\cdot %s", "%s/%s", "\\frac{%s}{%s}", "%s^{%s}", "%s_{%s}", "\\binom{%s}{%s}", "%s=%s", "%s<%s",
    "%s\\le x<%s", "%s,%s", "(%s,%s)", "(%s,%s]", "%s:%s", "%s\\cup%s", "%s\\setminus%s", "%s\\pm%s", "%s\\approx %s", "%s\\in%s",
    "%s&%s", "%s\\\\%s", "\\{%s\\mid %s\\}", "%s\\pmod{%s}", "\\sum_{k=%s}^{%s}k", "\\prod_{k=1}^{%s}%s", "\\lim_{x\\to %s}%s",
    "%s \\text{ and } %s", "%s\\equiv %s", "%s\\land %s", "%s;%s", "%s\\ne %s", "%s\\times 10^{%s}", "\\gcd(%s,%s)", "%s\\bmod %s",
]  # fmt: skip
FRAMES = [
    r"\boxed{%s}", r"The answer is $%s$.", "Answer: %s", "%s", r"so $x = \boxed{%s}$ cm. Wait, it is 5.", "**%s**", "<answer>%s</answer>",
    r"\[\boxed{%s}\]", "#### %s", r"\(\boxed{%s} \approx 5\)", r"\boxed{5} and \boxed{%s}", "答案为%s。", "$$%s$$",
]  # fmt: skip

PIECES = st.sampled_from([*SIGNS, *WORDS, *LEAVES])
TREES = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.builds(str.__mod__, st.sampled_from(ONE), inner),
        st.builds(lambda form, a, b: form % (a, b), st.sampled_from(TWO), inner, inner),
    ),
    max_leaves=8,
)
FRAMED = st.builds(str.__mod__, st.sampled_from(FRAMES), TREES)
SOUP = st.lists(PIECES, max_size=40).map("".join)
RUNS = st.builds(
    lambda head, unit, n, tail: head + unit * n + tail,
    SOUP, st.lists(PIECES, min_size=1, max_size=3).map("".join), st.integers(2, 400), SOUP,
)  # fmt: skip


@st.composite
def mutated(draw, texts):
    """Return a text of the tables with some places cut, doubled, swapped or overwritten."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        to = min(len(text), at + draw(st.integers(0, 6)))
        text = text[:at] + draw(st.one_of(st.just(""), PIECES, st.just(2 * text[at:to]))) + text[to:]
    return text


ANSWERS = st.one_of(TREES, SOUP, mutated(GOLDS), st.text(max_size=80), st.sampled_from(GOLDS))
TEXTS = st.one_of(
    st.builds(str.__mod__, st.sampled_from(FRAMES), ANSWERS),
    mutated(COMPLETIONS),
    RUNS,
    SOUP,
    st.text(max_size=200),
)
REFERENCES = st.one_of(
    ANSWERS,
    st.sampled_from(GOLDS),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(ANSWERS, max_size=3),
)
QUICK = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


def judge(text, gold, cpu_limit):
    """Judge a text with every option, inside the limit of processor time."""
    problem = Problem(answer=gold)
    for verifier in VERIFIERS:
        with cpu_limit(LIMIT_S):
            verdict = verifier(text, problem)
        assert verdict.score in (0.0, 1.0, None), verdict


@QUICK
@given(TEXTS, REFERENCES)
def test_no_text_and_no_reference_make_it_raise_or_take_long(cpu_limit, text, gold):
    judge(text, gold, cpu_limit)


@QUICK
@given(TREES, TREES, st.sampled_from(FRAMES))
def test_no_two_trees_of_commands_make_it_raise_or_take_long(cpu_limit, answer, gold, frame):
    judge(frame % answer, gold, cpu_limit)


@QUICK
@given(mutated(GOLDS), st.sampled_from(GOLDS))
def test_a_mutated_answer_never_makes_it_raise_against_its_own_origin(cpu_limit, answer, gold):
    judge(f"\\boxed{{{answer}}}", gold, cpu_limit)
    judge(f"\\boxed{{{gold}}}", answer, cpu_limit)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANSWERS)
def test_a_reference_that_is_judged_at_all_is_right_against_itself_or_not_paid_by_another_text(
    cpu_limit, answer
):
    judge(answer, answer, cpu_limit)
    judge(f"\\boxed{{{answer}}}", answer, cpu_limit)


def place(error: Exception) -> str:
    """Return what was raised, and in which function of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if "/verifiers/" in f.filename and "/tests/" not in f.filename]
    return (
        f"{type(error).__name__} in {Path(inside[-1].filename).name}, {inside[-1].name}"
        if inside
        else repr(error)
    )


def first_fault(turn, known, cpu_limit):
    """Judge a thousand texts; return the place and smallest text of a fault that is not known."""
    smallest: list[tuple[str, str]] = []

    @seed(turn)
    @settings(QUICK, max_examples=1000, database=None, phases=(Phase.generate, Phase.shrink))
    @given(FRAMED if turn % 2 else TEXTS, REFERENCES)
    def check(text, gold):
        try:
            judge(text, gold, cpu_limit)
        except Exception as e:
            if place(e) not in known:
                smallest.append((place(e), f"{text!r} against {gold!r}: {str(e)[:200]}"))
                raise

    with suppress(Exception):
        check()
    return smallest[-1] if smallest else None


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_an_hour_of_texts(cpu_limit):
    """Every distinct fault is told with its smallest text."""
    ends = time.monotonic() + 60 * float(os.environ.get("REFEREE_FUZZ_MINUTES", "60"))
    turn = first = int(os.environ.get("REFEREE_FUZZ_SEED", "0"))
    faults: dict[str, str] = {}
    while time.monotonic() < ends:
        if found := first_fault(turn, faults, cpu_limit):
            faults[found[0]] = found[1]
            print(f"seed {turn}, {found[0]}: {found[1]}", flush=True)
        turn += 1
    print(f"{turn - first} thousand texts")
    assert faults == {}
