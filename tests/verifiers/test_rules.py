"""The rules' table: what each accepts, rejects and abstains on; and the laws that hold for all of them."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import referee.verifiers as v
from referee.verifiers.records import Completion, Problem, Reason, Verdict

TABLE = Path(__file__).parents[1] / "data" / "rules.jsonl"
ROWS = [json.loads(line) for line in TABLE.read_text().splitlines()]


def build(row: dict[str, Any]) -> Any:
    return getattr(v, row["verifier"])(**row.get("options", {}))


def title(row: dict[str, Any]) -> str:
    return f"{row['verifier']}-{row['score']}-{row['note']}-{row['completion'][:20]!r}"


@pytest.mark.parametrize("row", ROWS, ids=title)
def test_the_table_of_rules_holds(row: dict[str, Any]) -> None:
    problem = Problem(prompt=row.get("prompt", ""), answer=row.get("answer"), info=row.get("info", {}))
    rule = build(row)
    verdict = rule(row["completion"], problem)
    assert isinstance(verdict, Verdict)
    if row["score"] is None:
        assert verdict.reason is Reason.BAD_REFERENCE, verdict
    else:
        assert verdict.score == pytest.approx(row["score"], abs=1e-9), verdict
    assert rule(Completion(text=row["completion"]), problem) == verdict


RULES = [v.Numeric(), v.Exact(), v.Choice(), v.ThinkFormat(), v.Tags(), v.Tags(partial=True)]
GOLD = {"exact": "Paris", "numeric": "18", "choice": "B"}


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_rule_is_a_value_that_travels(rule: Any) -> None:
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert eval(repr(rule), vars(v) | {n: getattr(v, n) for n in v.__all__}) == rule
    assert hash(rule) == hash(pickle.loads(pickle.dumps(rule)))


@pytest.mark.parametrize("rule", RULES, ids=repr)
@given(text=st.text() | st.text(alphabet="<>/think answer0123456789.,:/{}\\boxedABC#\n", max_size=80))
@settings(max_examples=150, deadline=None)
def test_no_text_makes_a_rule_raise_or_abstain(rule: Any, text: str) -> None:
    problem = Problem(answer=GOLD.get(rule.name))
    verdict = rule(text, problem)
    low, high = rule.range
    assert verdict.score is not None
    assert low <= verdict.score <= high


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("text", ["", " ", "\n\n", "\x00"])
def test_an_empty_completion_is_never_paid(rule: Any, text: str) -> None:
    assert rule(text, Problem(answer=GOLD.get(rule.name))).score == 0.0


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize(
    "text",
    [
        "<think>" * 20_000,
        "</think>" * 20_000,
        "\\boxed{" * 20_000,
        "1," * 100_000,
        "1 " * 100_000,
        "9" * 200_000,
        "1/" * 100_000,
        "answer is " * 20_000,
        "A or " * 40_000,
        "{" * 200_000,
        " " * 200_000,
        "-" * 200_000,
        "####" * 50_000,
        "<answer>" * 20_000,
        "\\frac{" * 30_000,
        "\\text{" * 30_000,
        "x" * 200_000 + "=",
    ],
    ids=lambda t: t[:10],
)
def test_a_long_hostile_text_is_decided_at_once(rule: Any, text: str) -> None:
    started = time.perf_counter()
    assert rule(text, Problem(answer=GOLD.get(rule.name))).score == 0.0
    assert time.perf_counter() - started < 1.0


def test_numbers_agree_with_the_labels_on_four_models_solutions(shared: Path) -> None:
    rule = v.Numeric(extract="after:A:", reference="after:A:")
    counted = 0
    with (shared / "gsm8k" / "example_model_solutions.jsonl").open() as lines:
        for line in lines:
            row = json.loads(line)
            problem = Problem(answer=row["ground_truth"])
            for solution in (s for s in row.values() if isinstance(s, dict)):
                assert (rule(solution["solution"], problem).score == 1.0) is solution["is_correct"]
                counted += 1
    assert counted == 5276


@pytest.mark.parametrize(
    ("build_it", "message"),
    [
        (lambda: v.Numeric(abs_tol=-1), "abs_tol must be a finite number of at least 0, got -1"),
        (lambda: v.Numeric(abs_tol=float("nan")), "abs_tol must be"),
        (lambda: v.Numeric(percent="half"), "percent must be one of either, fraction, ignore, got 'half'"),
        (lambda: v.Numeric(extract="nowhere"), "extract must be one of"),
        (lambda: v.Exact(extract=()), "extract must name at least one strategy"),
        (lambda: v.Exact(extract="regex:("), "extract must be a valid regular expression"),
        (lambda: v.Choice(letters="AA"), "letters must be different capital letters"),
        (lambda: v.ThinkFormat(opening=""), "opening and closing must be two different tags"),
        (lambda: v.ThinkFormat(min_characters=0), "min_characters must be at least 1"),
        (lambda: v.Tags(names=("a", "a")), "names must be different tag names"),
    ],
)
def test_a_programmers_mistake_is_told_at_construction(build_it: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        build_it()
