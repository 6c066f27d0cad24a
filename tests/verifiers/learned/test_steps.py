"""Steps: where they stand, what is made of their scores."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.verifiers.learned.steps import aggregate_steps, first_wrong, split_steps

ROWS = [
    ("line", "a\nb\n\nc", ["a", "b", "c"]),
    ("line", "", []),
    ("line", " \n\t", []),
    ("paragraph", "a\nb\n\nc\n \n\nd", ["a\nb", "c", "d"]),
    ("numbered", "Step 1: a\nmore\nStep 2: b", ["Step 1: a\nmore", "Step 2: b"]),
    ("numbered", "1. a\n2. b\n10) c", ["1. a", "2. b", "10) c"]),
    ("numbered", "Let us see.\n(1) a\n(2) b", ["Let us see.", "(1) a", "(2) b"]),
    ("numbered", "**Step 1:** a\n### Step 2\nb", ["**Step 1:** a", "### Step 2\nb"]),
    ("numbered", "It is 3.5 long\n3.5 is more", ["It is 3.5 long\n3.5 is more"]),
    ("sentence", "It costs $2.50. Twice is $5! Is it?", ["It costs $2.50.", "Twice is $5!", "Is it?"]),
    ("sentence", "Mr. A. Smith pays, i.e. he buys. Done.", ["Mr. A. Smith pays, i.e. he buys.", "Done."]),
    ("auto", "Step 1: a\n\nb\nStep 2: c", ["Step 1: a\n\nb", "Step 2: c"]),
    ("auto", "a\nb\n\nc", ["a\nb", "c"]),
    ("auto", "a\nb", ["a", "b"]),
    ("auto", "One. Two.", ["One.", "Two."]),
]


@pytest.mark.parametrize(("how", "text", "steps"), ROWS)
def test_a_completion_is_split_into_steps(how, text, steps):
    assert [s.text for s in split_steps(text, how)] == steps


@given(
    st.text(alphabet="ab1. \n\tStep:()!?"),
    st.sampled_from(["auto", "line", "paragraph", "numbered", "sentence"]),
)
def test_spans_hold_the_steps_and_leave_out_only_space(text, how):
    steps = split_steps(text, how)
    assert all(text[s.start : s.end] == s.text == s.text.strip() != "" for s in steps)
    bounds = [0, *(b for s in steps for b in (s.start, s.end)), len(text)]
    assert bounds == sorted(bounds)
    assert all(not text[a:b].strip() for a, b in zip(bounds[::2], bounds[1::2], strict=True))


@pytest.mark.parametrize("piece", ["1. ", "\n", ". ", "Step ", "a. ", "1) x\n"])
def test_splitting_takes_time_linear_in_the_text(piece):
    def seconds(count):  # the quickest of some, of this thread alone: a busy machine shows the same
        text, taken = piece * count, []
        for _ in range(3):
            started = time.thread_time()
            split_steps(text)
            taken.append(time.thread_time() - started)
        return min(taken)

    short = seconds(5_000)
    assert seconds(80_000) <= 5 * 16 * short + 0.02  # a quadratic would take 256 times as long


@pytest.mark.parametrize(
    ("how", "value"), [("min", 0.0), ("product", 0.0), ("mean", 0.5), ("last", 1.0), ("sum", 1.5)]
)
def test_scores_of_zero_count(how, value):
    assert aggregate_steps([0.5, 0.0, 1.0], how) == value


@pytest.mark.parametrize("how", ["min", "product", "mean", "last", "sum"])
def test_no_steps_score_zero(how):
    assert aggregate_steps([], how) == 0.0


def test_the_first_wrong_step_is_the_first_below_the_threshold():
    assert first_wrong([1, 0.49, 0]) == 1
    assert first_wrong([1, 0.49, 0], 0.4) == 2
    assert first_wrong([0.5]) == -1
    assert first_wrong([]) == -1


def test_wrong_names_are_refused():
    with pytest.raises(ValueError, match="split must be one of"):
        split_steps("a", "word")
    with pytest.raises(ValueError, match="aggregation must be one of"):
        aggregate_steps([1.0], "max")
