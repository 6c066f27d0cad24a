"""Hugging Face evaluate 0.4.6: a metric's compute, through its own Arrow cache."""

from __future__ import annotations

import pytest
from conformance import RUBRIC, bits, cases, expected, totals

from referee.trainers import to_evaluate

CASES, EXPECTED = cases(), expected()


@pytest.mark.parametrize("batched", [False, True])
def test_compute_gives_every_score_bit_for_bit_and_leaves_abstentions_out_of_the_mean(batched):
    metric = to_evaluate(RUBRIC, prompts=True)
    columns = {
        "predictions": [c.completion for c in CASES],
        "references": [c.answer for c in CASES],
        "prompts": [c.prompt for c in CASES],
    }
    if batched:
        for i in range(0, len(CASES), 300):
            metric.add_batch(**{k: v[i : i + 300] for k, v in columns.items()})
        out = metric.compute()
    else:
        out = metric.compute(**columns)
    assert bits(out["rewards"]) == bits(totals(EXPECTED))
    decided = [t for t in totals(EXPECTED) if t is not None]
    assert out["reward"] == pytest.approx(sum(decided) / len(decided), abs=1e-12)
    assert out["abstained"] == len(CASES) - len(decided)


def test_prompts_may_be_left_out():
    out = to_evaluate(RUBRIC).compute(predictions=["4", "4"], references=["4", ""])
    assert out["rewards"][1] is None
    assert out["abstained"] == 1
