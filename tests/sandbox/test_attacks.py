"""Programs that try to be paid for nothing, to stay, or to be late. Each names what it would gain."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from referee.sandbox import Limits
from referee.verifiers import Problem, UnitTests

ATTACKS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "code_attacks.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a["id"])
def test_no_attack_is_paid_or_late(attack, sandbox):
    limits = Limits(
        wall_s=attack.get("wall_s", 3.0)
    )  # those that never come back need not be waited for longer
    verifier = UnitTests(sandbox, limits=limits)
    problem = Problem(info={"tests": attack["tests"], "entry_point": attack["entry_point"]})
    for before in attack["before"]:
        verifier(before, problem)
    start = time.monotonic()
    verdict = verifier(attack["code"], problem)
    assert verdict.score == 0.0, verdict
    assert time.monotonic() - start < limits.wall_s + 0.5, attack["note"]
