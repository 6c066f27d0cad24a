"""Laws of equality: what is the same is right, either way round, however the text is dressed; hedges never pay."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from referee.verifiers import Math, Problem
from referee.verifiers.mathematics.reference_lint import lint_reference

SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
PAIRS = Path(__file__).resolve().parents[2] / "data" / "mathematics_pairs.jsonl"
GOLDS = sorted(
    {g for line in PAIRS.read_text().splitlines() if isinstance(g := json.loads(line)["gold"], str) and g}
)

WHOLE = st.integers(-999, 999)
ABOVE = st.integers(2, 99)
PLAIN = st.one_of(
    WHOLE.map(str),
    st.builds(lambda a, b: rf"\frac{{{a}}}{{{b}}}", WHOLE, ABOVE),
    st.builds(lambda a, b: f"{a}/{b}", WHOLE, ABOVE),
    st.builds(lambda a, b: f"{a}.{b}", WHOLE, st.integers(0, 99)),
    st.builds(lambda a, b: rf"{a}\sqrt{{{b}}}", ABOVE, ABOVE),
    st.builds(lambda a, b: f"{a}^{{{b}}}", ABOVE, st.integers(-5, 300)),
    st.builds(lambda a, b: rf"{a}+{b}\pi", ABOVE, ABOVE),
    st.builds(lambda a, b: f"{a}x^2+{b}", ABOVE, ABOVE),
    st.builds(lambda a, b: f"({a}, {b})", WHOLE, WHOLE),
    st.builds(lambda a, b: f"[{a}, {a + b}]", WHOLE, ABOVE),
)
BOXED = r"So it is $\boxed{%s}$."
BEFORE = [
    "<think>It may be \\boxed{0}, or 5 or so. Wait, no.</think>",
    "<think>\nThe answer is 17.\n</think>\n\n",
    "We add the two. ",
    "First, x = 3.\n\n",
]
BEHIND = ["<|im_end|>", "<|eot_id|>", "</s>", "<|endoftext|>", "\n", "  \n\n"]


def score(text: str, gold: str) -> float | None:
    return Math()(text, Problem(answer=gold)).score


@SETTINGS
@given(PLAIN | st.sampled_from(GOLDS))
def test_a_reference_is_right_against_its_own_text(gold):
    assert score(rf"\boxed{{{gold}}}", gold) in (1.0, None)


@SETTINGS
@given(PLAIN, PLAIN)
def test_equality_is_the_same_either_way_round(one, other):
    assert score(BOXED % one, other) == score(BOXED % other, one)


@SETTINGS
@given(st.integers(-99, 99), st.integers(1, 40), st.integers(2, 9))
def test_equal_notations_are_equal_either_way_round(top, bottom, factor):
    one, other = rf"\frac{{{top * factor}}}{{{bottom * factor}}}", f"{top}/{bottom}"
    assert score(BOXED % one, other) == score(BOXED % other, one) == 1.0


@SETTINGS
@given(PLAIN, PLAIN, st.booleans(), st.sampled_from(BEFORE), st.sampled_from(BEHIND))
def test_thinking_special_tokens_and_dollars_change_no_verdict(answer, gold, same, before, behind):
    gold = answer if same else gold
    expected = score(rf"\boxed{{{answer}}}", gold)
    for text in (
        before + rf"\boxed{{{answer}}}",
        rf"\boxed{{{answer}}}" + behind,
        rf"$\boxed{{{answer}}}$",
        rf"\[\boxed{{{answer}}}\]" + behind,
        before + BOXED % answer + behind,
    ):
        assert score(text, gold) == expected, text
    assert score(rf"\boxed{{{answer}}}", f"${gold}$") == expected


@SETTINGS
@given(
    PLAIN, PLAIN, st.sampled_from([r"\text{ or }", " or ", r"\text{ or maybe }", " , ", "; "]), st.booleans()
)
def test_a_wrong_second_option_never_pays(gold, wrong, joint, behind):
    """Not in one box, and not in another beside it."""
    assume(lint_reference(gold) is None and score(rf"\boxed{{{wrong}}}", gold) == 0.0)
    first, second = (gold, wrong) if behind else (wrong, gold)
    assert score(rf"\boxed{{{first}{joint}{second}}}", gold) != 1.0
    assert score(rf"\boxed{{{first}}} or \boxed{{{second}}}", gold) != 1.0
    assert score(rf"\boxed{{{first}}} and \boxed{{{second}}}", gold) != 1.0
    assert score(f"The answer is ${first}$ or ${second}$.", gold) != 1.0
