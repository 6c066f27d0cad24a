"""UnitTests: what it accepts, what it rejects, and when it abstains."""

from __future__ import annotations

import pickle

import pytest

from referee.verifiers import Problem, Reason, UnitTests

ADD = Problem(
    info={"tests": "def check(candidate):\n    assert candidate(3, 4) == 7\n", "entry_point": "add"}
)
RIGHT = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("completion", "score", "reason"),
    [
        (RIGHT, 1.0, Reason.CORRECT),
        (f"Sure:\n```python\n{RIGHT}```\nDone.", 1.0, Reason.CORRECT),
        (f"```python\n{RIGHT}```\nUse it:\n```python\nprint(add(1, 2))\n```", 1.0, Reason.CORRECT),
        (f"<think>```python\nx\n```</think>```python\n{RIGHT}```", 1.0, Reason.CORRECT),
        ("class Solution:\n    def add(self, a, b):\n        return a + b", 1.0, Reason.CORRECT),
        ("def add(a, b):\n    return a - b", 0.0, Reason.INCORRECT),
        ("<think>" + RIGHT, 0.0, Reason.NO_ANSWER),
        ("", 0.0, Reason.NO_ANSWER),
        ("def add(a, b):\n    while True: pass", 0.0, Reason.TIMEOUT),
        ("def add(a, b):\n    return 'x' * (1 << 40)", 0.0, Reason.RESOURCE_LIMIT),
        ("I cannot do that.", 0.0, Reason.INCORRECT),
    ],
)
def test_completions_are_judged(completion, score, reason):
    from referee.sandbox import Limits

    verdict = UnitTests(limits=Limits(wall_s=0.7))(completion, ADD)
    assert (verdict.score, verdict.reason) == (score, reason), verdict


def test_the_body_that_continues_the_prompt_is_code_too():
    problem = Problem(prompt='def add(a, b):\n    """Add."""\n', info=ADD.info)
    assert UnitTests()("    return a + b", problem).score == 1.0
    assert UnitTests()("return a + b", problem).score == 1.0


@pytest.mark.parametrize(
    "info",
    [
        {"tests": "def check(candidate)", "entry_point": "add"},
        {"tests": "x = 1", "entry_point": "add"},
        {"tests": "import no_such_module\nassert add(1, 2) == 3", "entry_point": "add"},
        {},
        {"cases": [], "tests": ""},
    ],
)
def test_tests_that_fail_by_themselves_make_it_abstain(info):
    assert UnitTests()(RIGHT, Problem(info=info)).reason is Reason.BAD_REFERENCE


def test_cases_compare_what_a_program_writes():
    problem = Problem(
        info={"cases": [{"stdin": "3 4\n", "stdout": "7\n"}, {"stdin": "1 1\n", "stdout": "2\n"}]}
    )
    code = "a, b = map(int, input().split())\nprint(a + b)"
    assert UnitTests()(code, problem).score == 1.0
    assert UnitTests(score="fraction")(code.replace("a + b", "7"), problem).score == 0.5


def test_calls_compare_what_a_function_returns():
    calls = [[[3, 4], 7], {"args": [1, 1], "expected": 2, "weight": 3}]
    problem = Problem(info={"calls": calls, "entry_point": "add"})
    assert UnitTests()(RIGHT, problem).score == 1.0
    assert UnitTests(score="weighted")("def add(a, b): return 7", problem).score == 0.25


def test_it_pickles_and_equal_options_are_equal():
    assert pickle.loads(pickle.dumps(UnitTests())) == UnitTests()


@pytest.mark.parametrize(
    ("helper", "score"),
    [
        ("", 1.0),  # it need not bring the prompt's helper along
        ("def twice(x):\n    return x * 2\n", 1.0),
        ("def twice(x):\n    return x + 2\n", 0.0),
        ("twice = lambda x: 0\n", 0.0),
    ],
)
def test_the_tests_use_the_problems_own_helper_and_the_solutions_copy_must_agree(helper, score):
    prompt = 'def twice(x):\n    return x * 2\n\ndef half(x):\n    """Undo twice."""\n'
    tests = "def check(candidate):\n    assert twice(candidate(6)) == 6\n"
    problem = Problem(prompt=prompt, info={"tests": tests, "entry_point": "half"})
    assert UnitTests()(helper + "def half(x):\n    return x // 2\n", problem).score == score
