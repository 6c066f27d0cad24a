"""How the tests of a program are read: the common spellings, and nothing that is only like them."""

from __future__ import annotations

from typing import Any

import pytest

from referee.sandbox import Limits, Outcome
from referee.verifiers import Problem, Reason, UnitTests
from referee.verifiers.code_tests import read_code_tests

SUM = "print(sum(map(int, input().split())))"
ADD = "def add(a, b): return a + b"
PROGRAMS = {
    "our own": {"cases": [{"stdin": "2 3", "stdout": "5"}]},
    "input and output": {"cases": [{"input": "2 3", "output": "5"}]},
    "inputs and outputs": {"cases": [{"inputs": "2 3", "outputs": "5"}]},
    "stdin and expected_output": {"cases": [{"stdin": "2 3", "expected_output": "5"}]},
    "stdin and expected": {"cases": [{"stdin": "2 3", "expected": "5"}]},
    "lines": {"cases": [{"input": ["2 3"], "output": ["5"]}]},
    "a type, and no function": {
        "cases": [{"input": "2 3", "output": "5", "type": "stdin_stdout", "fn_name": None}]
    },
    "testtype": {"test_cases": [{"input": "2 3", "output": "5", "testtype": "stdin"}]},
    "the text of cases": {"cases": '[{"input": "2 3", "output": "5"}]'},
    "parallel lists": {"inputs": ["2 3", "1 1"], "outputs": ["5", "2"]},
    "input_output": {"input_output": {"inputs": ["2 3"], "outputs": ["5"], "fn_name": None}},
    "input_output as text": {"input_output": '{"inputs": ["2 3"], "outputs": ["5"]}'},
    "no input": {"cases": [{"stdout": "5"}]},
}
FUNCTIONS = {
    "pairs": {"calls": [[[2, 3], 5]], "entry_point": "add"},
    "objects": {"calls": [{"args": [2, 3], "expected": 5}], "entry_point": "add"},
    "keywords": {"calls": [{"args": [2], "kwargs": {"b": 3}, "expected": 5}], "entry_point": "add"},
    "keywords alone": {"calls": [{"kwargs": {"a": 2, "b": 3}, "expected": 5}], "entry_point": "add"},
    "input and output": {"calls": [{"input": [2, 3], "output": 5}], "fn_name": "add"},
    "parallel lists": {"inputs": [[2, 3]], "outputs": [5], "fn_name": "add"},
    "what is expected in a list": {"inputs": [[2, 3]], "outputs": [[5]], "fn_name": "add"},
    "input_output": {"input_output": {"inputs": [[2, 3]], "outputs": [[5]], "fn_name": "add"}},
    "lines of JSON": {
        "cases": [{"input": "2\n3", "output": "5", "testtype": "functional"}],
        "entry_point": "add",
    },
    "a function in each case": {
        "cases": [{"type": "function_call", "fn_name": "add", "input": [2, 3], "output": 5}]
    },
    "tests under another name": {"test": "assert add(2, 3) == 5", "entry_point": "add"},
    "a list of asserts": {"test_list": ["assert add(2, 3) == 5", "assert add(1, 1) == 2"]},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str) -> None:
    problem = Problem(info=PROGRAMS[name])
    if name != "no input":
        assert UnitTests()(SUM, problem).score == 1.0
    assert UnitTests()("print(5)" if name == "no input" else SUM, problem).score == 1.0
    assert UnitTests()("pass", problem).score == 0.0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    problem = Problem(info=FUNCTIONS[name])
    assert UnitTests()(ADD, problem).score == 1.0
    assert UnitTests()("def add(a, b): return None", problem).score == 0.0


@pytest.mark.parametrize(
    "info",
    [
        {"cases": [{"in": "2 3", "out": "5"}]},
        {"cases": [{"stdin": "2 3"}]},
        {"cases": [{"stdin": "2 3", "stdout": None}]},
        {"cases": [{"input": "2 3"}]},
        {"cases": [{"stdin": "2 3", "stdout": "5", "output": "6"}]},
        {"cases": [{"stdin": "2 3", "stdout": "5", "checker": "x"}]},
        {"cases": [{"stdin": "2 3", "stdout": 5}]},
        {"cases": ["2 3"]},
        {"cases": {"stdin": "2 3", "stdout": "5"}},
        {"cases": [{"stdin": "2 3", "stdout": "5"}], "matches": "float"},
        {"cases": [{"stdin": "2 3", "stdout": "5"}], "match": "fuzzy"},
        {"cases": [{"stdin": "2 3", "stdout": "5"}], "time_limit": 2},
        {"cases": [{"stdin": "2 3", "stdout": "5"}], "time_limit_s": -1},
        {"cases": [{"stdin": "2 3", "stdout": "5"}], "tolerance": "small"},
        {"cases": [{"stdin": "2 3", "stdout": "5"}], "calls": [[[1], 2]]},
        {"inputs": ["2 3"], "outputs": []},
        {"inputs": ["2 3"]},
        {"input_output": "no JSON"},
        {"calls": [["ab", 5]], "entry_point": "add"},
        {"calls": [[{"a": 1}, 5]], "entry_point": "add"},
        {"calls": [{"args": "23", "expected": 5}], "entry_point": "add"},
        {"calls": [{"args": [2, 3]}], "entry_point": "add"},
        {"calls": [{"args": [2, 3], "result": 5}], "entry_point": "add"},
        {"calls": [[2, 3, 5]], "entry_point": "add"},
        {"calls": [[[2, 3], 5]]},
        {"calls": [[[2, 3], 5]], "entrypoint": "add"},
        {"calls": [[[2, 3], 5]], "entry_point": "add", "language": "cpp"},
        {"cases": [{"input": "2\nx", "output": "5", "testtype": "functional"}], "entry_point": "add"},
    ],
    ids=str,
)
def test_what_is_missing_or_unknown_is_a_bad_reference(info: dict[str, Any]) -> None:
    for code in ("pass", ADD, SUM):
        verdict = UnitTests()(code, Problem(info=info))
        assert verdict.reason is Reason.BAD_REFERENCE, verdict


def test_the_error_names_the_keys_that_there_are() -> None:
    verdict = UnitTests()("pass", Problem(info={"cases": [{"in": "2 3", "out": "5"}]}))
    assert "in, out" in str(verdict.detail["error"])


def test_keys_of_others_are_left_alone() -> None:
    info = {"cases": [{"stdin": "", "stdout": "5"}], "difficulty": "hard", "task_id": 7, "schema": {}}
    assert UnitTests()("print(5)", Problem(info=info)).score == 1.0


def test_limits_belong_to_the_problem_up_to_the_verifiers() -> None:
    def limits(**info: Any) -> Limits:
        problem = Problem(info={"cases": [{"stdin": "", "stdout": "5"}], **info})
        verifier = UnitTests(limits=Limits(wall_s=4.0, memory_bytes=256 << 20))
        return verifier._limits(read_code_tests(problem.info))

    assert limits().wall_s == 4.0
    assert limits(time_limit_s=1).wall_s == 1.0
    assert limits(time_limit_s=60).wall_s == 4.0
    assert limits(memory_bytes=64 << 20).memory_bytes == 64 << 20
    assert limits(memory_bytes=1 << 34).memory_bytes == 256 << 20


def test_a_problems_limits_hold() -> None:
    slow = Problem(info={"calls": [[[], 1]], "entry_point": "f", "time_limit_s": 0.4})
    verdict = UnitTests()("import time\ndef f():\n    time.sleep(1)\n    return 1", slow)
    assert verdict.reason is Reason.TIMEOUT
    large = Problem(info={"calls": [[[], 1]], "entry_point": "f", "memory_bytes": 64 << 20})
    verdict = UnitTests()("def f():\n    x = bytearray(200 << 20)\n    return 1", large)
    assert verdict.detail["outcome"] == Outcome.MEMORY


CHECKED = {"cases": [{"stdin": "", "stdout": "10"}, {"stdin": "", "stdout": "10"}]}


@pytest.mark.parametrize(
    ("checker", "code", "every", "share"),
    [
        ("return int(stdout) / 10", "print(10)", 1.0, 1.0),
        ("return int(stdout) / 10", "print(1)", 0.0, 0.1),
        ("return int(stdout) == 10", "print(10)", 1.0, 1.0),
        ("return int(stdout) == 10", "print(1)", 0.0, 0.0),
        ("if int(stdout) == 10: return True", "print(1)", 0.0, 0.0),
        ("return int(stdout)", "print(10)", None, None),
        ("return float('nan')", "print(10)", None, None),
        ("int(stdout)", "print(10)", None, None),
    ],
)
def test_a_checkers_number_is_its_share(
    checker: str, code: str, every: float | None, share: float | None
) -> None:
    info = {**CHECKED, "checker": f"def check(stdin, stdout, expected):\n    {checker}\n"}
    assert UnitTests()(code, Problem(info=info)).score == every
    assert UnitTests(score="fraction")(code, Problem(info=info)).score == share


@pytest.mark.parametrize("ending", ["raise ValueError", "import os; os._exit(0)", "return None"])
def test_a_fraction_is_of_all_calls(ending: str) -> None:
    problem = Problem(info={"calls": [[[i], i * i] for i in range(20)], "entry_point": "f"})
    code = f"def f(i):\n    if i < 5: return i * i\n    {ending}"
    assert UnitTests(score="fraction")(code, problem).score == 0.25


def test_one_call_that_raises_costs_only_itself() -> None:
    problem = Problem(info={"calls": [[[i], i * i] for i in range(4)], "entry_point": "f"})
    verdict = UnitTests(score="fraction")("def f(i): return i * i if i != 1 else 1 / 0", problem)
    assert (verdict.score, verdict.detail["passed"]) == (0.75, 3)
    assert verdict.detail["failed"]["test"] == 1
    assert "ZeroDivisionError" in str(verdict.detail["error"])


def test_a_package_that_is_here_but_not_preloaded_is_named() -> None:
    problem = Problem(info={"calls": [[[], 1]], "entry_point": "f"})
    verdict = UnitTests()("import pytest\ndef f(): return 1", problem)
    assert verdict.score == 0.0
    assert 'preload=("pytest",)' in str(verdict.detail["error"])
    for code in ("import nosuchmodule", "import sys\nraise ImportError(\"No module named 'sys'\")"):
        assert "preload" not in str(UnitTests()(f"{code}\ndef f(): return 1", problem).detail["error"])
