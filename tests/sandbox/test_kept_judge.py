"""A judge stays for the next trial of the same tests only where nothing of this one is left in it."""

from __future__ import annotations

import pytest

from referee.sandbox import Embedded, Outcome, Source, Trial
from referee.sandbox.lane import MOST_TRIALS
from referee.sandbox.pool import _lanes

PLAIN = "def check(candidate):\n    assert candidate(1) == 1\n"


@pytest.fixture(scope="module")
def box():
    box = Embedded(workers=1, preload=("json",))
    yield box
    box.close()


def trial(box: Embedded, code: str, tests: str = PLAIN) -> Outcome:
    return box.execute(Trial(sources=(Source(code=code),), tests=tests, entry_point="f")).outcome


def kept(box: Embedded) -> int | None:
    """How many trials the judge that waits has behind it; None where none waits."""
    [lane] = _lanes[box]._all
    return None if lane._kept is None else lane._kept.trials


def test_it_stays_for_the_same_tests_and_judges_each_solution_anew(box):
    outcomes = [trial(box, f"def f(x): return {i % 2}") for i in range(20)]
    assert outcomes == [Outcome.WRONG, Outcome.OK] * 10
    assert kept(box) > 10


def test_other_tests_have_a_judge_of_their_own(box):
    trial(box, "def f(x): return x")
    trial(box, "def f(x): return x", PLAIN + "    assert candidate(2) == 2\n")
    assert kept(box) == 1


@pytest.mark.parametrize(
    ("why", "code", "tests"),
    [
        ("changed in place", "def f(x): x.append(1)", "def check(candidate):\n    candidate([])\n"),
        ("called back", "def f(g): return g(1)", "def check(candidate):\n    candidate(lambda x: x)\n"),
        ("wrote", "def f(x): return x", "def check(candidate):\n    print(candidate(1))\n"),
        (
            "patched a module",
            "def f(x): return x",
            "import math\ndef check(candidate):\n    math.pi = candidate(3)\n",
        ),
        ("imported it", "def f(x): return x", "from solution import f\nassert f(1) == 1\n"),
        ("large answers", "def f(x): return 'x' * (2 << 20)", "def check(candidate):\n    candidate(1)\n"),
        ("gone", "import os\ndef f(x): os._exit(0)", PLAIN),
        ("malformed", "import os\ndef f(x): os.write(3, b'\\0\\0\\0\\1x')", PLAIN),
        (
            "left a thread",
            "def f(x): return x",
            "import threading, time\ndef check(candidate):\n    candidate(1)\n"
            "    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n",
        ),
    ],
    ids=lambda value: value if "\n" not in value and "def" not in value else "",
)
def test_it_goes_where_something_is_left(box, why, code, tests):
    trial(box, code, tests)
    assert kept(box) is None


def test_tests_that_leave_something_in_a_module_find_it_clean_the_next_time(box):
    tests = (
        "import string\ndef check(candidate):\n    assert not hasattr(string, 'left')\n"
        "    string.left = candidate(1)\n"
    )
    assert [trial(box, "def f(x): return x", tests) for _ in range(3)] == [Outcome.OK] * 3


def test_it_goes_after_so_many_trials(box):
    behind = []
    for _ in range(MOST_TRIALS + 1):
        assert trial(box, "def f(x): return x") is Outcome.OK
        behind.append(kept(box) or 0)
    assert behind[-1] < len(behind)
    assert max(behind) < MOST_TRIALS


def test_memory_that_runs_out_in_a_call_is_no_wrong_answer(box):
    assert trial(box, "def f(x): return bytearray(1 << 40)") is Outcome.MEMORY
    caught = "def check(candidate):\n    try:\n        candidate(1)\n    except MemoryError:\n        pass\n"
    assert trial(box, "def f(x): return bytearray(1 << 40)", caught) is Outcome.OK
