"""What is skipped because it cannot matter never does: each shortcut says what the long way says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from referee.verifiers.mathematics.extract import _GRAMMAR
from referee.verifiers.mathematics.reference_answer import is_its_own_text, reference_of
from referee.verifiers.reading.box_denials import _DENIED_BEFORE, _SUPPOSED_BEFORE, NEAR, lead_of
from referee.verifiers.reading.boxes import boxed, plainly_boxed
from referee.verifiers.reading.dress import narrow
from referee.verifiers.reading.retractions import taken_back

DATA = Path(__file__).resolve().parents[2] / "data"
TABLES = [
    DATA / "mathematics_pairs.jsonl",
    DATA / "reading.jsonl",
    *sorted((DATA / "mathematics").glob("*.jsonl")),
]
ROWS = [json.loads(line) for path in TABLES for line in path.read_text().splitlines()]
TEXTS = sorted({v for row in ROWS for v in row.values() if isinstance(v, str)})

PROSE = """not never isn't doubt wrong incorrect at least less than suppose assume that if had we would have
been might be either or the The answer is was it equal to final our nearly twice far from but anything cannot"""
SIGNS = r"= \ne \neq ≠ ( [ { $ $$ \( \[ : , . ! ? - + * 2 x \sqrt \frac12 x^ } 13 3.5"
WORDS = st.sampled_from([*PROSE.split(), *SIGNS.split(), "5.\n", "\n", "\n\n", "7 eggs\n"])
BEFORE = st.lists(WORDS, max_size=12).flatmap(
    lambda words: st.sampled_from([" ", "", "\n"]).map(lambda gap: gap.join(words))
)
CONTENT = st.sampled_from(
    ["5", "12", " 7 ", "x+1", "?", "", "...", "A", "1,2", "answer", r"\frac12", "{5}", r"\text{a}"]
)
AFTER = st.text("$.)] \n*\\,?}5x-", max_size=9) | st.sampled_from([r" or \boxed{6}", ". No, 6.", "$ if so."])


def same_as_the_long_way(text: str) -> bool:
    plain = plainly_boxed(text)
    if plain is None:
        return True
    found = boxed(text)
    assert found is not None
    assert taken_back(text, found.end, _GRAMMAR) is None
    return (found.contents, found.why) == ((plain,), "")


@settings(max_examples=600, deadline=None)
@given(BEFORE, st.sampled_from(["", " ", "$", " $", ": "]), CONTENT, AFTER)
@example("not\nthe answer is", " $", "5", "$")
@example("either 5 or", " $", "5", "$.")
def test_a_plainly_boxed_answer_is_what_the_boxes_say(before, sign, content, after):
    assert same_as_the_long_way(f"{before}{sign}\\boxed{{{content}}}{after}")


def test_so_it_is_in_every_text_of_the_tables():
    assert [t for t in map(narrow, TEXTS) if not same_as_the_long_way(t)] == []
    assert sum(plainly_boxed(t) is not None for t in TEXTS) > 100


@settings(max_examples=600, deadline=None)
@given(BEFORE, st.sampled_from(["", " ", " $", ": "]))
@example("It would have been 13", "\n")
def test_the_lead_of_a_box_denies_it_where_a_pattern_for_all_before_it_does(before, sign):
    text = before + sign
    end = len(text)
    line = text.rpartition("\n")[2]
    sentence = line if line[:1].isupper() else text
    found = _DENIED_BEFORE.search(sentence[-80:]) or _SUPPOSED_BEFORE.search(sentence[-NEAR:])
    assert (lead_of(text, end) == "denied") == (found is not None)


@pytest.mark.parametrize("text", sorted({row["gold"] for row in ROWS if isinstance(row.get("gold"), str)}))
def test_a_reference_that_needs_no_reading_is_its_own_text(text):
    if is_its_own_text(text):
        reference = reference_of(text)
        assert reference.text == text
        assert not reference.problem


def test_what_is_a_placeholder_or_damaged_needs_reading():
    texts = [
        "",
        "?",
        "N/A",
        "see figure",
        "\x0crac12",
        r"\boxed{5}",
        "#### 5",
        "Answer: 5",
        " 5",
        "$5$",
        "90^",
    ]
    assert [t for t in texts if is_its_own_text(t)] == []
