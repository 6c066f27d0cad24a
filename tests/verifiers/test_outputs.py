"""Comparing results: as Python's own comparison does, without computing what the solution chose."""

from __future__ import annotations

import json
import math
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referee.sandbox import Limits
from referee.sandbox.inside.wire import encode
from referee.verifiers import Problem, UnitTests
from referee.verifiers.outputs import same_output, same_value

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(1 << 80), 1 << 80), FINITE, st.text(max_size=4))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
NUMBERS = st.one_of(
    st.integers(-(1 << 80), 1 << 80),
    FINITE,
    st.fractions(),
    st.decimals(allow_nan=False, allow_infinity=False),
)


@given(JSON, JSON)
def test_plain_data_is_compared_as_python_does(expected: Any, got: Any) -> None:
    assert same_value(expected, encode(expected))
    assert same_value(expected, encode(got)) == (expected == got)


@given(st.integers(-(1 << 80), 1 << 80) | FINITE, NUMBERS)
def test_numbers_of_all_kinds_are_compared_as_python_does(expected: float, got: Any) -> None:
    assert same_value(expected, encode(got)) == (expected == got)
    if isinstance(expected, int):
        for same in (
            Fraction(expected),
            Decimal(expected),
            complex(expected) if abs(expected) < 1 << 50 else 0,
        ):
            assert same_value(expected, encode(same)) == (expected == same)


TAGS = st.sampled_from(
    ["int", "float", "Decimal", "Fraction", "complex", "tuple", "dict", "set", "x", 1, None]
)
INNER = st.one_of(
    st.text("0123456789abcdefxsNaInEe.+-", max_size=9), st.integers(), st.none(), st.floats(), st.booleans()
)
TREES = st.recursive(
    INNER,
    lambda t: st.lists(t, max_size=3) | st.fixed_dictionaries({"t": TAGS, "v": t}) | st.dictionaries(TAGS, t),
    max_leaves=20,
)


@settings(max_examples=300)
@given(JSON, TREES, st.sampled_from([0.0, 1e-6]))
def test_no_tree_makes_the_comparison_raise(expected: Any, got: Any, tolerance: float) -> None:
    assert same_value(expected, got, tolerance=tolerance) in (True, False)


def nested(tag: str, depth: int) -> Any:
    tree: Any = 1
    for _ in range(depth):
        tree = {"t": tag, "v": [tree, 1]}
    return tree


@pytest.mark.parametrize(
    "got",
    [
        {"t": "Decimal", "v": "sNaN"},
        {"t": "Decimal", "v": "-sNaN123"},
        {"t": "Decimal", "v": "1E+999999999999"},
        {"t": "Decimal", "v": "9" * 10**6},
        {"t": "int", "v": "0x" + "f" * 10**6},
        {
            "t": "Fraction",
            "v": [{"t": "int", "v": "0x" + "f" * 10**6}, {"t": "int", "v": "0x" + "e" * 10**6}],
        },
        {"t": "Fraction", "v": [1, 0]},
        nested("Fraction", 5000),
        nested("complex", 5000),
        nested("tuple", 5000),
        [[]] * 10**6,
    ],
    ids=lambda got: (
        str(got)[:30] if not isinstance(got, dict) or "v" not in str(got.keys()) else str(got["t"])
    ),
)
@pytest.mark.parametrize("expected", [9, 9.5, [9], {"a": 9}, "9", None])
def test_what_would_be_slow_or_raise_is_unequal(expected: Any, got: Any) -> None:
    start = time.process_time()
    assert not same_value(expected, got, tolerance=1e-6)
    assert time.process_time() - start < 0.1


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        (1000000, 1000001, False),
        (1000000, 1000001.0, False),
        (50000000000000000, 50000000000000001, False),
        (987654321, 987653421, False),
        (2, 1.9999999999, True),
        (2.0, 1.9999999999, True),
        (0.5, Fraction(1, 2), True),
        (0.3, Fraction(3, 10), True),
        (3, Fraction(9000001, 3000000), True),
        (3, Decimal("3.0000001"), True),
        (3, Decimal("4"), False),
        (math.inf, math.inf, True),
        (math.inf, 1e308, False),
        (-math.inf, math.inf, False),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (1.0, math.nan, False),
        (1, True, True),
        (True, 2, False),
    ],
)
def test_values_within_a_tolerance(expected: Any, got: Any, same: bool) -> None:
    assert same_value(expected, encode(got), tolerance=1e-6) is same


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ("1000000", "1000001", False),
        ("1000000", "1000001.0", False),
        ("50000000000000000", "50000000000000001", False),
        ("1000000007", "1e9", False),
        ("3", "2.9999999", True),
        ("3.0", "3", True),
        ("0.3333333", "0.33333334", True),
        ("YES 0.5", "YES 0.5000001", True),
        ("YES 0.5", "NO 0.5", False),
        ("1e3", "1000.0001", True),
        ("7", "+7", True),
        ("7", "7e0", True),
        ("9" * 500, "9" * 499 + "8", False),
        ("1", "1e99999", False),
    ],
)
def test_words_within_a_tolerance(expected: str, got: str, same: bool) -> None:
    assert same_output(expected, got, match="float", tolerance=1e-6) is same


HOSTILE = {
    "a signalling NaN": "from decimal import Decimal\ndef f(x): return Decimal('sNaN')",
    "a fraction that is not reduced": (
        "import random\nfrom fractions import Fraction\ndef f(x):\n"
        "    a, b = (random.getrandbits(3_000_000) | 1 for _ in 'ab')\n"
        "    return Fraction(a, b, _normalize=False)"
    ),
    "a whole number without end": "def f(x): return 1 << 10_000_000",
    "many empty lists": "def f(x): return [[] for _ in range(99_000)] * 9",
    "many empty lists, to be awaited": "async def f(x): return [[] for _ in range(99_000)] * 9",
    "a deep list": "def f(x):\n    r = []\n    for _ in range(190): r = [r]\n    return r",
    "frames of its own, nested": (
        "import os\ndef f(x):\n    d = b'1'\n    for _ in range(470): d = b'{\"t\":\"Fraction\",\"v\":[' + d + b',1]}'\n"
        "    d = b'{\"value\":' + d + b'}'\n    os.write(3, len(d).to_bytes(4, 'big') + d)\n    while True: pass"
    ),
    "an error with a long text": "def f(x): raise ValueError('x' * 10_000_000)",
    "an error with a long name": "def f(x): raise type('E' * 10_000_000, (Exception,), {})",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_result_is_a_decided_zero_in_time(what: str) -> None:
    verifier = UnitTests(limits=Limits(wall_s=1.5))
    problem = Problem(info={"calls": [[[3], 9]], "entry_point": "f"})
    assert verifier("def f(x): return x * x", problem).score == 1.0
    start, cpu = time.monotonic(), time.process_time()
    assert verifier(HOSTILE[what], problem).score == 0.0
    assert time.process_time() - cpu < 0.3
    assert time.monotonic() - start < 4.0


def test_a_result_may_be_as_long_as_what_is_expected() -> None:
    numbers = list(range(400_000))
    problem = Problem(info={"calls": [[[len(numbers)], numbers]], "entry_point": "f"})
    assert UnitTests(limits=Limits(wall_s=10))("def f(n): return list(range(n))", problem).score == 1.0
    text = "x" * 3_000_000
    problem = Problem(info={"cases": [{"stdin": "3000000", "stdout": text}]})
    assert UnitTests(limits=Limits(wall_s=10))("print('x' * int(input()))", problem).score == 1.0


@given(JSON)
def test_infinities_and_nans_are_expected_values(value: Any) -> None:
    info = {"calls": [[[math.inf, value], [math.nan, -math.inf, value]]], "entry_point": "f"}
    problem = Problem(info=info)
    json.dumps(problem.info, allow_nan=False)
    assert Problem(info=problem.info) == problem


def test_infinities_cross_both_ways() -> None:
    problem = Problem(info={"calls": [[[math.inf], [math.nan, -math.inf]]], "entry_point": "f"})
    assert UnitTests()("def f(x): return [x - x, -x]", problem).score == 1.0
    assert UnitTests()("def f(x): return [x, -x]", problem).score == 0.0
