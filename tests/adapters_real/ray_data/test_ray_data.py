"""Ray Data 2.60: map_batches on a local cluster."""

from __future__ import annotations

import math
import os

import pytest
import ray
from conformance import RUBRIC, bits, cases, expected, totals

from referee.trainers import to_ray_data

CASES, EXPECTED = cases(), expected()


@pytest.fixture(scope="module", autouse=True)
def cluster():
    env = {"PYTHONPATH": os.path.dirname(__import__("conformance").__file__)}
    ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR", runtime_env={"env_vars": env})
    yield
    ray.shutdown()


def test_map_batches_gives_every_score_bit_for_bit_and_nan_with_a_flag_for_an_abstention():
    rows = [{"id": c.id, "prompt": c.prompt, "answer": c.answer, "completion": c.completion} for c in CASES]
    out = (
        ray.data.from_items(rows)
        .map_batches(to_ray_data(RUBRIC), batch_format="numpy", batch_size=128)
        .take_all()
    )
    by_id = {row["id"]: row for row in out}
    held = [by_id[c.id] for c in CASES]
    assert bits(None if math.isnan(r["reward"]) else r["reward"] for r in held) == bits(totals(EXPECTED))
    assert [bool(r["abstained"]) for r in held] == [e.abstains for e in EXPECTED]
    assert all(bool(r["why"]) == bool(r["abstained"]) for r in held)
    for row, reward in zip(held, EXPECTED, strict=True):
        score = reward.parts["digest"].score
        assert math.isnan(row["part/digest"]) if score is None else row["part/digest"] == score
