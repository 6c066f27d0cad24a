"""What the learned rewards' benchmark measures with: each figure by hand, and chains that are what they claim."""

from __future__ import annotations

import re
import runpy
from itertools import product
from pathlib import Path

import numpy as np
import pytest

BENCH = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "learned.py"))


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.integers(0, 4, 12).astype(np.float32)
        labels = rng.random(12) < 0.5
        labels[:2] = True, False
        pairs = list(product(scores[labels], scores[~labels]))
        by_hand = sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs)
        assert BENCH["auc"](scores, labels) == pytest.approx(by_hand)


def test_votes_are_weighted_by_the_chance_of_being_right() -> None:
    right = np.array([[True, False, False, True], [False, True, True, False]])
    answers = ["1", "2", "2", "1", "a", "b", "b", "c"]
    even = np.zeros(8, np.float32)
    sure = np.array([-9, 9, 9, -9, 9, -9, -9, 0], np.float32)
    assert BENCH["voted"](answers, even, right).tolist() == [1.0, 1.0]
    assert BENCH["voted"](answers, sure, right).tolist() == [0.0, 0.0]
    assert BENCH["majority_accuracy"](answers[:4], right[0]) == 0.5  # a tie is broken at random
    assert BENCH["majority_accuracy"](answers[4:], right[1]) == 1.0


@pytest.mark.parametrize("wrong", [True, False])
def test_a_chain_has_one_wrong_step_where_it_says_and_none_elsewhere(wrong: bool) -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        problem, steps, planted = BENCH["chain"](rng, wrong=wrong)
        value, bad = problem.prompt[0], []
        for i, step in enumerate(steps):
            found = re.fullmatch(r"(\d)([+-])(\d)=(\d)", step)
            assert found is not None
            assert found[1] == value  # it goes on from what was written
            change = int(found[3]) if found[2] == "+" else -int(found[3])
            value = found[4]
            if (int(found[1]) + change) % BENCH["MODULUS"] != int(value):
                bad.append(i)
        assert bad == ([planted] if wrong else [])
        terms = sum(int(t) for t in re.findall(r"[+-]?\d", problem.prompt))
        assert problem.answer == str(terms % BENCH["MODULUS"])


def test_only_the_last_number_tells_the_verifier_whether_a_chain_is_right() -> None:
    rng = np.random.default_rng(4)
    for n in range(50):
        problem, steps, planted = BENCH["chain"](rng, wrong=n % 2 == 0)
        verdict = BENCH["ends_right"](BENCH["Completion"](text="\n".join(steps)), problem)
        assert verdict == (planted < 0)


def test_f1_has_an_interval_around_it() -> None:
    planted = [0] * 40 + [-1] * 40
    predicted = [0] * 36 + [1] * 4 + [-1] * 38 + [2] * 2
    low, high = BENCH["f1_interval"](predicted, planted, draws=400)
    assert low < BENCH["process_f1"](predicted, planted).f1 < high
    assert BENCH["f1_interval"](planted, planted, draws=10) == (1.0, 1.0)
