"""Texts compared without their punctuation, words of scripts without spaces, schemas' patterns and numbers."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referee.verifiers import Exact, JsonSchema, Problem, Reason, TokenF1
from referee.verifiers.reading.plain_words import split_words, without_punctuation

LOOSE = Exact(ignore_case=True, ignore_punctuation=True, ignore_articles=True)


@pytest.mark.parametrize(
    ("text", "reference", "paid"),
    [
        ("-5", "5", 0),
        ("−5", "-5", 1),
        ("31.4", "3.14", 0),
        ("1.5", "15", 0),
        (".5", "5", 0),
        ("1,5", "15", 0),
        ("1/2", "12", 0),
        ("12:30", "1230", 0),
        ("2^10", "210", 0),
        ("(5)", "5", 1),
        ("5.", "5", 1),
        ("5!", "5", 1),
        ("$5", "5", 1),
        ("“Paris”", "Paris", 1),
        ("Paris。", "Paris", 1),
        ("Paris…", "Paris", 1),
        ("«Paris»", "paris", 1),
        ("well-known", "wellknown", 1),
        ("covid-19", "covid19", 1),
        ("snake_case", "snakecase", 1),
        ("5 €", "5", 0),
        ("√2", "2", 0),
        ("x ≤ 3", "x 3", 0),
        ("A", "A", 1),
        ("the", "a", 0),
        ("The tower.", "tower", 1),
    ],
)
def test_what_is_ignored_is_no_part_of_a_number(text: str, reference: str, paid: float) -> None:
    assert LOOSE(text, Problem(prompt="", answer=reference)).score == paid


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=3),
    st.sampled_from(["{}", "({})", "{}!", "“{}”"]),
)
def test_a_number_stays_the_number_that_it_is(number: Decimal, dress: str) -> None:
    assert without_punctuation(dress.format(number)) == str(number)


@given(st.text())
def test_taking_punctuation_out_twice_changes_nothing_more_but_around_numbers(text: str) -> None:
    once = without_punctuation(text)
    assert len(once) <= len(text)
    assert not set(once) & set("“”‘’«»…。，、！？")


@pytest.mark.parametrize(
    ("text", "reference", "score"),
    [
        ("Paris。", "Paris", 1.0),
        ("-5", "5", 0.0),
        ("1.5", "15", 0.0),
        ("北京是首都", "北京", 2 * 2 / (5 + 2)),
        ("東京タワー", "東京", 2 * 2 / (5 + 2)),
        ("It is 北京", "北京", 2 * 2 / (4 + 2)),
        ("上海", "北京", 0.0),
        ("The Eiffel Tower", "eiffel tower", 1.0),
        ("a", "A", 1.0),
    ],
)
def test_f1_counts_words_of_every_script(text: str, reference: str, score: float) -> None:
    assert TokenF1()(text, Problem(prompt="", answer=reference)).score == pytest.approx(score)


def test_marks_stay_with_their_letters() -> None:
    assert split_words("ที่นี่ ok") == ["ที่", "นี่", "ok"]


def judged(text: str, schema: object) -> tuple[float | None, Reason]:
    verdict = JsonSchema()(text, Problem(prompt="", info={"schema": schema}))  # type: ignore[dict-item]
    return verdict.score, verdict.reason


@pytest.mark.parametrize(
    ("value", "pattern", "fits"),
    [
        ("Ünal", r"^\p{L}+$", True),
        ("U1", r"^\p{L}+$", False),
        ("U1", r"^[\p{L}\d]+$", True),
        ("٣", r"^\d$", False),
        ("٣", r"^[\d]$", False),
        ("é", r"^\w$", False),
        ("-", r"^\W$", True),
        ("a\n", "^a$", False),
        ("$", "^[$]$", True),
        ("$", r"^\$$", True),
        ("😀", r"^\u{1F600}$", True),
        ("\n", r"^\cJ$", True),
        ("ab", "^(?<first>a)b$", True),
        ("a/b", r"^a\/b$", True),
        ("[", "^[[]$", True),
    ],
)
def test_patterns_are_those_of_ecma(value: str, pattern: str, fits: bool) -> None:
    assert judged(json.dumps(value), {"pattern": pattern})[0] == float(fits)
    assert judged(json.dumps({value: 1}), {"patternProperties": {pattern: {"type": "string"}}})[0] == float(
        not fits
    )


@pytest.mark.parametrize("pattern", ["(", "[a", r"\u{110000}", "a{2,1}"])
def test_what_is_no_pattern_is_the_schemas_fault(pattern: str) -> None:
    assert judged('"a"', {"pattern": pattern}) == (None, Reason.BAD_REFERENCE)


@pytest.mark.parametrize(
    ("number", "divisor", "fits"),
    [
        ("0.3", 0.1, True),
        ("0.35", 0.1, False),
        ("19.99", 0.01, True),
        ("1e300", 1e-300, True),
        ("7.5", 2.5, True),
        ("12345678901234567890123", 7, False),
        ("21", 7, True),
        ("1e-7", 1e-8, True),
        ('"x"', 7, True),
    ],
)
def test_multiples_are_those_of_the_decimals(number: str, divisor: float, fits: bool) -> None:
    assert judged(number, {"multipleOf": divisor})[0] == float(fits)


FENCED = '{"code": "```python\\nprint(1)\\n```"}'


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (FENCED, True),
        (f"```json\n{FENCED}\n```", True),
        (f"Here it is:\n```json\n{FENCED}\n```\nDone", True),
        (f"~~~\n{FENCED}\n~~~", True),
        ('text ```{"a": 1}``` text', True),
        ('```json\n{"a": 1}\n```\nand\n```json\n{"a": 2}\n```', False),
        ('{"a": 1} ```', False),
    ],
)
def test_a_fence_in_a_string_is_no_fence(text: str, right: bool) -> None:
    assert judged(text, {"type": "object"})[0] == float(right)
