"""What follows a box changes it only where it takes it back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referee.verifiers import Math, Problem
from referee.verifiers.mathematics.extract import extract
from referee.verifiers.reading.boxes import boxed

OPENED = [
    "Wait, I miscounted.",
    "Hold on.",
    "Hmm, let me recheck.",
    "Actually, I made an error.",
    "Scratch that.",
]
STATED = [
    "It is {}.",
    "The answer is {}.",
    "So it's {}.",
    "It should be {}.",
    "The correct value is {}.",
    "So the total is {}.",
]
REMARKS = [
    "If order mattered, the answer would be {}.",
    "For n = 4, the answer is {}.",
    "In part (a), the answer is {}.",
    "Without repeats the answer is {}.",
    "The common wrong answer is {}.",
    "Some students answer {}.",
    "Could it be {}? No.",
    "Let me check: {} - 1 is even. Yes.",
    "Suppose it were. Then the answer is {}.",
    "The perimeter is {}.",
]
NUMBERS = st.integers(-999, 9999)


def box_and(before: int, behind: str) -> str:
    return f"So we get $\\boxed{{{before}}}$.\n\n{behind}"


@given(before=NUMBERS, after=NUMBERS, opened=st.sampled_from(OPENED), stated=st.sampled_from(STATED))
@settings(max_examples=200, deadline=None)
def test_a_doubt_and_a_statement_replace_a_box(before: int, after: int, opened: str, stated: str) -> None:
    text = box_and(before, f"{opened} {stated.format(after)}")
    assert Math()(text, Problem(answer=str(after))).score == 1.0
    assert Math()(text, Problem(answer=str(before))).score == float(before == after)


@given(before=NUMBERS, after=NUMBERS, remark=st.sampled_from(REMARKS))
@settings(max_examples=200, deadline=None)
def test_a_remark_never_replaces_a_box(before: int, after: int, remark: str) -> None:
    text = box_and(before, remark.format(after))
    assert Math()(text, Problem(answer=str(before))).score == 1.0
    assert Math()(text, Problem(answer=str(after))).score == float(before == after)


@pytest.mark.parametrize(
    "behind",
    [
        "Wait, I made a mistake in the second step.",
        "Scratch that.",
        "I made an error in step 2.",
        "My mistake: that is wrong.",
    ],
)
def test_an_admission_without_a_new_value_leaves_no_answer(behind: str) -> None:
    assert extract(box_and(5, behind)).answer is None


@given(
    lead=st.sampled_from(["", "x = ", r"x \approx ", r"\Rightarrow ", r"\text{so } ", r"\quad "]),
    tail=st.sampled_from(["", ".", r"\%", r"^\circ", r"\text{ cm}", r"\ \mathrm{kg}", r"\qquad", r"\,."]),
    number=st.integers(0, 10**6),
)
@settings(deadline=None)
def test_a_box_that_stands_alone_is_an_answer(lead: str, tail: str, number: int) -> None:
    found = boxed(f"Hence ${lead}\\boxed{{{number}}}{tail}$")
    assert found is not None
    assert found.contents == (str(number),)


@given(
    lead=st.sampled_from(
        [
            "2",
            "x",
            "3+",
            "10-",
            r"\frac{1}{",
            r"\sqrt{",
            "x^{",
            r"\ln ",
            r"x \ge ",
            "x < ",
            r"\pi",
            r"2\cdot ",
        ]
    ),
    number=st.integers(0, 10**6),
)
@settings(deadline=None)
def test_a_box_behind_a_part_of_an_expression_is_none(lead: str, number: int) -> None:
    closing = "}" * lead.count("{") if not lead.startswith(r"\frac") else "}"
    assert boxed(f"Hence ${lead}\\boxed{{{number}}}{closing}$").contents == ()  # type: ignore[union-attr]


@given(
    tail=st.sampled_from(
        [
            r"\pi",
            "x",
            r"\sqrt2",
            "+1",
            "-3",
            "/2",
            "!",
            "^2",
            "_8",
            r"\times 2",
            "(x+1)",
            r"\ln 2",
            "< x",
            r"\le x",
        ]
    ),
    number=st.integers(0, 10**6),
)
@settings(deadline=None)
def test_a_box_before_a_part_of_an_expression_is_none(tail: str, number: int) -> None:
    assert boxed(f"Hence $\\boxed{{{number}}}{tail}$").contents == ()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "unit",
    [
        "Wait, ",
        "no ",
        "actually, ",
        "I missed ",
        "it is ",
        "so ",
        "sorry for the ",
        "Suppose ",
        "the answer is ",
        "? ",
        "* ",
        ", ",
        ": ",
        "答案",
        "（",
    ],
)
def test_text_behind_a_box_is_read_in_time_linear_in_it(unit: str) -> None:
    import time

    started = time.process_time()
    extract(box_and(5, unit * (100_000 // len(unit))))
    extract(unit * (100_000 // len(unit)) + "7")
    assert time.process_time() - started < 3.0
