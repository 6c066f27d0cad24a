"""Judging never raises and never takes long: raw text, mutated answers, repeated signs, trees, cross pairs.

Every policy of ``Math`` is drawn; the other verifiers that read a final answer, the families' reading of it
and the linting of references see the same texts.

The quick tests run a few hundred texts of each kind. ``test_an_hour_of_texts`` (slow) runs as long as
REFEREE_FUZZ_MINUTES says and reports every distinct fault with its smallest text.
"""

from __future__ import annotations

import json
import os
import re
import time
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from referee.envs.answers import decimal, final_answer, integer, integers
from referee.verifiers import Choice, Exact, Math, Numeric, Problem
from referee.verifiers.mathematics.reference_lint import lint_reference, repaired_reference

DATA = Path(__file__).resolve().parents[2] / "data"
LIMIT_S = 0.5
POLICIES = st.builds(
    Math,
    profile=st.sampled_from(["lenient", "strict"]),
    percent=st.sampled_from(["any", "fraction", "number"]),
    lists=st.sampled_from(["unordered", "ordered"]),
    units=st.sampled_from(["optional", "required"]),
    boxes=st.sampled_from(["all", "last"]),
    tolerance=st.sampled_from([0.0, 1e-9, 1e-3, 0.5]),
    undecided=st.sampled_from(["decision", "abstain"]),
    rounding=st.sampled_from(["exact", "as_printed"]),
    list_means=st.sampled_from(["any", "all"]),
)
OTHERS = (Numeric(), Numeric(rel_tol=1e-3), Exact(), Exact(extract="last_line", ignore_case=True), Choice())

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
SIZES = st.sampled_from(
    [
        "1e5000", "10^{5000}", "9^{9^{9}}", "2^{2^{2^{2^{2}}}}", "5000!", "99!!", "(10^{9})!", "1e-5000", "10^{-10^{10}}",
        "9" * 400, "0." + "3" * 300, "0.\\overline{142857}", "\\binom{5000}{2500}", "1" + "0" * 3000, "\\sqrt{10^{999}}",
    ]
)  # fmt: skip
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


@st.composite
def resized(draw, texts):
    """Return a text of the tables with one of its numbers as large, as small or as long as can be."""
    text = draw(st.sampled_from(texts))
    numbers = list(re.finditer(r"\d+", text))
    if not numbers:
        return text + draw(SIZES)
    at = draw(st.sampled_from(numbers))
    return text[: at.start()] + draw(SIZES) + text[at.end() :]


ANSWERS = st.one_of(TREES, SOUP, mutated(GOLDS), resized(GOLDS), st.text(max_size=80), st.sampled_from(GOLDS))
TEXTS = st.one_of(
    st.builds(str.__mod__, st.sampled_from(FRAMES), ANSWERS),
    mutated(COMPLETIONS),
    resized(COMPLETIONS),
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


def judge(verifier, text, gold, cpu_limit):
    """Judge a text inside the limit of processor time."""
    with cpu_limit(LIMIT_S):
        verdict = verifier(text, Problem(answer=gold))
    assert verdict.score in (0.0, 1.0, None), verdict


@QUICK
@given(POLICIES, TEXTS, REFERENCES)
def test_no_text_and_no_reference_make_it_raise_or_take_long(cpu_limit, verifier, text, gold):
    judge(verifier, text, gold, cpu_limit)


@QUICK
@given(POLICIES, TREES, TREES, st.sampled_from(FRAMES))
def test_no_two_trees_of_commands_make_it_raise_or_take_long(cpu_limit, verifier, answer, gold, frame):
    judge(verifier, frame % answer, gold, cpu_limit)


@QUICK
@given(POLICIES, mutated(GOLDS) | resized(GOLDS), st.sampled_from(GOLDS) | resized(GOLDS))
def test_two_answers_of_the_tables_never_make_it_raise(cpu_limit, verifier, answer, gold):
    """Each answer is judged against each reference, and the other way round."""
    judge(verifier, f"\\boxed{{{answer}}}", gold, cpu_limit)
    judge(verifier, f"\\boxed{{{gold}}}", answer, cpu_limit)


@settings(QUICK, max_examples=100)
@given(POLICIES, ANSWERS)
def test_an_answer_is_judged_against_itself(cpu_limit, verifier, answer):
    judge(verifier, answer, answer, cpu_limit)
    judge(verifier, f"\\boxed{{{answer}}}", answer, cpu_limit)


def read_otherwise(text, gold, cpu_limit):
    """Let all else that reads a final answer or a reference see a text and a reference."""
    for other in OTHERS:
        judge(other, text, gold, cpu_limit)
    with cpu_limit(LIMIT_S):
        if (found := final_answer(text)) is not None:
            integer(found), decimal(found), integers(found)
    for reference in (text, gold):
        with cpu_limit(LIMIT_S):
            lint_reference(reference)
            repaired_reference(reference)


@settings(QUICK, max_examples=100)
@given(TEXTS, REFERENCES)
def test_the_other_readers_of_an_answer_neither_raise_nor_take_long(cpu_limit, text, gold):
    read_otherwise(text, gold, cpu_limit)


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
    @given(POLICIES, FRAMED if turn % 2 else TEXTS, REFERENCES)
    def check(verifier, text, gold):
        try:
            judge(verifier, text, gold, cpu_limit)
            read_otherwise(text, gold, cpu_limit)
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
