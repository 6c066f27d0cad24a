"""What the mathematics benchmark reads of others' files, and how it counts."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bars(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    return importlib.import_module("mathematics_bars")


def test_cases_are_read_as_syntax_and_never_run(bars, tmp_path):
    (tmp_path / "test_one.py").write_text(
        "raise SystemExit\nimport pytest\n"
        "@pytest.mark.parametrize('gold, pred, result', [('$1$', r'\\boxed{1}', 1), (f'{1}', '1', 1), (2, '2', 0)])\n"
        "def test_it(gold, pred, result): ...\n"
        "@pytest.mark.parametrize('pred,expected', [('1', 1)])\n"
        "def test_other(pred, expected): ...\n"
    )
    assert list(bars.cases_of(tmp_path)) == [bars.Case("test_one::test_it[0]", "$1$", "\\boxed{1}", True)]


def test_agreement_counts_what_is_judged_as_labelled(bars):
    cases = [bars.Case("a", "1", "1", True), bars.Case("b", "1", "2", True), bars.Case("c", "1", "x", False)]
    found = bars.agreement(cases, lambda text, gold: float(text == gold))
    assert (found["rows"], found["agree"], [d["place"] for d in found["differing"]]) == (3, 2, ["b"])


@pytest.mark.parametrize(
    ("text", "closes"),
    [(r"\frac{1}{2}", True), (r"\left\{1\right.", True), (r"\text{a}}", False), ("}{", False)],
)
def test_braces_that_are_signs_need_not_close(bars, text, closes):
    assert bars.balanced(text) is closes


def test_references_are_found_under_any_known_key(bars, tmp_path):
    rows = [
        {"gold": "1"},
        {"answer": "so\n#### 2"},
        {"final_answer": ["3"]},
        {"Answer": 4.0},
        {"question": "?"},
    ]
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert bars.references_of(path) == ["1", "2", "3", "4.0"]


def test_a_reference_against_itself_is_counted_with_its_reason(bars):
    found = bars.against_themselves(["5", "?"])
    assert (found["rows"], found["right"], found["reasons"]) == (2, 1, {"correct": 1, "bad_reference": 1})


def test_an_option_that_the_verifier_has_not_is_not_there(bars, tmp_path):
    assert bars.hard_verify(tmp_path / "none", {"no_such_option": 1}) is None
