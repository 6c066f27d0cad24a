"""Programs that try to be paid for nothing, to stay, or to be late. Each names what it would gain."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from referee.sandbox import Embedded, Limits
from referee.verifiers import Item, Problem, UnitTests
from referee.verifiers.records import as_completion

ATTACKS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "code_attacks.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a["id"])
def test_no_attack_is_paid_or_late(attack, sandbox, latest):
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
    assert time.monotonic() - start < latest(limits.wall_s), attack["note"]


@pytest.mark.slow
def test_twenty_thousand_programs_of_which_a_tenth_attack_are_all_decided_in_order():
    box = Embedded(workers=2)
    attacks = [a for a in ATTACKS if "wall_s" not in a and a["entry_point"] == "add" and not a["before"]]
    tests = "def check(candidate):\n    assert candidate(3, 4) == 7\n"
    items, wanted = [], []
    for i in range(20_000):
        attack = attacks[i // 10 % len(attacks)] if i % 10 == 9 else None
        code = attack["code"] if attack else f"def add(a, b): return a + b + {i % 3}"
        info = {"tests": attack["tests"] if attack else tests, "entry_point": "add"}
        items.append(Item(as_completion(code), Problem(info=info)))
        wanted.append(0.0 if attack or i % 3 else 1.0)
    verdicts = UnitTests(box, limits=Limits(wall_s=10)).verify_batch(items)
    assert [v.score for v in verdicts] == wanted
    box.close()
