"""lm-evaluation-harness 0.4.13: a task from YAML, evaluated by its own runner."""

from __future__ import annotations

import json

import pytest
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, totals
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.api.registry import get_filter
from lm_eval.tasks import TaskManager

from referee.trainers import to_lm_eval_filter

CASES, EXPECTED = cases(), expected()
TASK = """
task: sums
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{id}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: []}}
{more}
metric_list:
  - {{metric: reward, aggregation: mean, higher_is_better: true}}
  - {{metric: abstained, aggregation: mean, higher_is_better: false}}
  - {{metric: reward/digest, aggregation: mean, higher_is_better: true}}
"""


class Said(LM):
    """A model that says what the case says."""

    def __init__(self):
        super().__init__()
        self.texts = {c.id: c.completion for c in CASES}

    def generate_until(self, requests):
        return [self.texts[r.args[0]] for r in requests]

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def run(tmp_path, more):
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(c.__dict__) + "\n" for c in CASES))
    (tmp_path / "sums.yaml").write_text(TASK.format(data=data, more=more))
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    return simple_evaluate(Said(), tasks=["sums"], task_manager=manager, log_samples=True, bootstrap_iters=0)


def test_an_evaluation_holds_every_score_bit_for_bit_and_leaves_abstentions_out_of_the_mean(tmp_path):
    (tmp_path / "harness_rewards.py").write_text("from conformance import GROUP_RUBRIC, RUBRIC\nfrom referee.trainers import "
                                                 "to_lm_eval\nprocess_results = to_lm_eval(RUBRIC)\n")  # fmt: skip
    out = run(tmp_path, "process_results: !function harness_rewards.process_results")
    samples = sorted(out["samples"]["sums"], key=lambda s: s["doc_id"])
    assert bits(s.get("reward") for s in samples) == bits(totals(EXPECTED))
    decided = [t for t in totals(EXPECTED) if t is not None]
    results = out["results"]["sums"]
    assert results["reward,none"] == pytest.approx(sum(decided) / len(decided), abs=1e-12)
    assert results["abstained,none"] == pytest.approx(1 - len(decided) / len(CASES), abs=1e-12)


def test_the_filter_replaces_each_response_by_its_reward():
    assert to_lm_eval_filter(RUBRIC) == "referee"
    docs = [{"prompt": c.prompt, "answer": c.answer} for c in CASES]
    (said,) = zip(*get_filter("referee")().apply([[c.completion] for c in CASES], docs), strict=True)
    held = [None if s == "abstained" else float(s) for s in said]
    assert bits(held) == bits(totals(EXPECTED))


def test_a_name_is_registered_once_and_refused_to_another_rubric():
    assert to_lm_eval_filter(RUBRIC, name="once") == to_lm_eval_filter(RUBRIC, name="once") == "once"
    with pytest.raises(ValueError, match="already registered"):
        to_lm_eval_filter(GROUP_RUBRIC, name="once")
