"""inspect_ai 0.3.285: a whole evaluation with its own runner and mock model, and the log it writes."""

from __future__ import annotations

import math

import pytest
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, totals
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from referee.trainers import to_inspect
from referee.verifiers.protocol import verifier
from referee.verifiers.rubric import Rubric

CASES, EXPECTED = cases(), expected()


def said(text, stop="stop"):
    output = ModelOutput.from_content("mockllm/model", text, stop_reason=stop)
    output.usage = ModelUsage(
        input_tokens=1, output_tokens=1, total_tokens=2
    )  # else it looks for a tokenizer
    return output


def run(rubric, samples, outputs, tmp_path):
    task = Task(dataset=MemoryDataset(samples), scorer=to_inspect(rubric))
    by_input = {s.input: o for s, o in zip(samples, outputs, strict=True)}
    model = get_model("mockllm/model", custom_outputs=lambda asked, *_: by_input[asked[-1].text])
    (log,) = eval(task, model=model, display="none", log_dir=str(tmp_path))
    return log


def test_an_evaluation_holds_every_score_bit_for_bit_and_leaves_abstentions_out_of_the_mean(tmp_path):
    samples = [Sample(input=f"{c.id}. {c.prompt}", target=c.answer, id=c.id) for c in CASES]
    log = run(RUBRIC, samples, [said(c.completion) for c in CASES], tmp_path)
    assert log.status == "success"
    by_id = {s.id: s.scores["referee"] for s in log.samples}
    held = [by_id[c.id].value for c in CASES]
    assert bits(None if math.isnan(v) else v for v in held) == bits(totals(EXPECTED))
    (score,) = log.results.scores
    decided = [t for t in totals(EXPECTED) if t is not None]
    assert score.unscored_samples == len(CASES) - len(decided)
    assert score.metrics["mean"].value == pytest.approx(sum(decided) / len(decided), abs=1e-12)
    silent = next(c for c, e in zip(CASES, EXPECTED, strict=True) if e.abstains)
    assert by_id[silent.id].explanation
    assert by_id[silent.id].metadata["exact"]["reason"] in (
        "bad_reference",
        "correct",
        "incorrect",
        "no_answer",
    )


def test_several_targets_metadata_and_the_token_limit_reach_the_rubric(tmp_path):
    @verifier()
    def is_easy(completion, problem):
        return problem.info["easy"]

    rubric = Rubric({**{k: p for k, p in RUBRIC.parts.items() if k == "exact"}, "easy": (is_easy, 0.5)})
    samples = [
        Sample(input=f"{i}. 2+2", target=["4", "four"], id=i, metadata={"easy": True}) for i in range(2)
    ]
    log = run(rubric, samples, [said("four"), said("four", "max_tokens")], tmp_path)
    assert sorted(s.scores["referee"].value for s in log.samples) == [0.0, 1.5]


def test_a_group_verifier_is_refused_at_construction():
    with pytest.raises(ValueError, match="one completion a call"):
        to_inspect(GROUP_RUBRIC)
