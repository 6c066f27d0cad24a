"""Labelled pairs of completion and reference: the specification of what is equal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from referee.verifiers import Math, Problem, Reason

DATA = Path(__file__).resolve().parents[2] / "data"
FILES = [DATA / "mathematics_pairs.jsonl", *sorted((DATA / "mathematics").glob("*.jsonl"))]
PAIRS = [json.loads(line) for path in FILES for line in path.read_text().splitlines()]


@pytest.mark.parametrize("pair", PAIRS, ids=[p["id"] for p in PAIRS])
def test_a_labelled_pair_is_judged_as_its_label_says(pair):
    verdict = Math()(pair["completion"], Problem(answer=pair["gold"]))
    assert verdict.score == float(pair["label"]), verdict


@pytest.mark.parametrize("kind", ["pairs", "hostile"])
def test_the_shared_sample_is_judged_as_its_labels_say(shared, kind):
    rows = [json.loads(line) for line in (shared / "math_cases" / f"{kind}_sample.jsonl").open()]
    wrong = [
        r["id"] for r in rows if Math()(r["completion"], Problem(answer=r["gold"])).score != float(r["label"])
    ]
    assert wrong == []


def test_every_math_500_solution_is_correct_against_its_answer(shared):
    rows = [json.loads(line) for line in (shared / "math500" / "test.jsonl").open()]
    wrong = [r["answer"] for r in rows if Math()(r["solution"], Problem(answer=r["answer"])).score != 1.0]
    assert wrong == []


def test_math_agrees_with_every_human_label_of_gsm8k_model_solutions(shared):
    models = ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]
    count, wrong = 0, []
    for line in (shared / "gsm8k" / "example_model_solutions.jsonl").open():
        row = json.loads(line)
        problem = Problem(answer=row["ground_truth"].rsplit("A: ", 1)[-1])
        for model in models:
            count += 1
            if (Math()(row[model]["solution"], problem).score == 1.0) is not row[model]["is_correct"]:
                wrong.append(row[model]["solution"][-60:])
    assert count == 5276
    assert wrong == []


def test_a_verdict_says_what_was_read_how_and_which_tier_decided():
    verdict = Math()(r"so \boxed{\frac{6}{4}}", Problem(answer="1.5"))
    assert verdict.reason is Reason.CORRECT
    assert verdict.answer == r"\frac{6}{4}"
    assert verdict.detail == {
        "decided_by": "exact rationals",
        "strategy": "boxed",
        "read_as": "(6)/(4)",
        "reference": "3/2",
    }


def test_equal_inputs_give_equal_verdicts():
    problem = Problem(answer=r"\sqrt2+\sqrt3")
    assert Math()(r"\boxed{\sqrt{5+2\sqrt6}}", problem) == Math()(r"\boxed{\sqrt{5+2\sqrt6}}", problem)
