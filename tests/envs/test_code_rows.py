"""Data sets of code: each row's own solution passes its tests, and a program that does nothing does not."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from typing import Any

import pytest

from referee.envs.code_rows import CODE_LAYOUTS, stubs
from referee.envs.loaders import BadRow, gold, lint, load_rows, recognise
from referee.verifiers import UnitTests
from referee.verifiers.records import Problem, Reason


def packed(tests: list[dict[str, str]]) -> str:
    """Pack private tests as LiveCodeBench does."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


STDIN = [{"input": "2 3\n", "output": "5\n", "testtype": "stdin"}]
CALLS = [{"input": "[1, 2, 3]\n2", "output": "[3, 1, 2]", "testtype": "functional"}]
ADD = "a, b = map(int, input().split())\nprint(a + b)"
ROTATE = (
    "class Solution:\n    def rotate(self, xs: List[int], k: int) -> List[int]:\n"
    "        k %= len(xs)\n        return xs[-k:] + xs[:-k]\n"
)
ROWS: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "APPS, programs",
        "apps",
        {
            "problem_id": 7, "question": "Add two numbers.", "starter_code": "", "difficulty": "interview",
            "input_output": json.dumps({"inputs": ["2 3\n", "1 1\n"], "outputs": ["5\n", "2\n"]}),
            "solutions": json.dumps([ADD]),
        },
        ADD,
    ),
    (
        "APPS, a function, what is expected in a list of one",
        "apps",
        {
            "problem_id": 8, "question": "Rotate.", "starter_code": "class Solution:\n    def rotate(self, xs, k):",
            "input_output": json.dumps(
                {"fn_name": "rotate", "inputs": [[[1, 2, 3], 1]], "outputs": [[[3, 1, 2]]]}
            ),
            "solutions": json.dumps([ROTATE]),
        },
        ROTATE,
    ),
    (
        "TACO, with limits",
        "apps",
        {
            "question": "Add two numbers.", "starter_code": "", "time_limit": "2.0 seconds", "memory_limit": "256.0 megabytes",
            "input_output": json.dumps({"inputs": [["2 3"]], "outputs": [["5"]]}), "solutions": json.dumps([ADD]),
        },
        ADD,
    ),
    (
        "LiveCodeBench, programs",
        "livecodebench",
        {
            "question_title": "A", "question_content": "Add two numbers.", "question_id": "abc_a", "starter_code": "",
            "public_test_cases": json.dumps(STDIN), "private_test_cases": packed(STDIN), "metadata": "{}",
        },
        ADD,
    ),
    (
        "LiveCodeBench, a function",
        "livecodebench",
        {
            "question_content": "Rotate.", "question_id": "3000",
            "starter_code": "class Solution:\n    def rotate(self, xs: List[int], k: int) -> List[int]:\n        ",
            "public_test_cases": json.dumps([{"input": "[1, 2, 3]\n1", "output": "[3, 1, 2]", "testtype": "functional"}]),
            "private_test_cases": json.dumps([{"input": "[1, 2]\n4", "output": "[1, 2]", "testtype": "functional"}]),
            "metadata": json.dumps({"func_name": "rotate"}),
        },
        ROTATE,
    ),
    (
        "CodeContests",
        "code_contests",
        {
            "name": "1_A. Sum", "description": "Add two numbers.", "input_file": "", "output_file": "",
            "public_tests": {"input": ["2 3\n"], "output": ["5\n"]},
            "private_tests": {"input": ["7 1\n"], "output": ["8\n"]}, "generated_tests": {"input": [], "output": []},
            "time_limit": {"seconds": 2, "nanos": 500000000}, "memory_limit_bytes": 256000000,
            "solutions": {"language": [2, 3], "solution": ["int main() {}", ADD]},
        },
        ADD,
    ),
    (
        "MBPP+",
        "mbpp",
        {
            "task_id": 2, "prompt": "Write a function that squares.", "code": "def square(x):\n    return x * x",
            "test_imports": [], "test_list": ["assert square(2) == 4"],
            "test": (
                "inputs = [[2], [-3]]\nresults = [4, 9]\nfor i, (inp, exp) in enumerate(zip(inputs, results)):\n"
                "    assert square(*inp) == exp\n"
            ),
        },
        "def square(x):\n    return x * x",
    ),
    (
        "evalplus",
        "evalplus",
        {
            "task_id": "HumanEval/0", "prompt": "def half(x):\n    \"\"\"Half of x.\"\"\"\n", "entry_point": "half",
            "canonical_solution": "    return x / 2\n", "base_input": [[1]], "plus_input": [[3], [-5.5]], "atol": 1e-6,
        },
        "def half(x):\n    return x * 0.5",
    ),
    (
        "LeetCodeDataset",
        "leetcode",
        {
            "task_id": "rotate", "problem_description": "Rotate a list.", "entry_point": "Solution().rotate",
            "prompt": "from typing import *\n", "starter_code": "class Solution:\n    def rotate(self, xs, k):\n        ",
            "completion": ROTATE,
            "test": "def check(candidate):\n    assert candidate(xs = [1, 2, 3],k = 1) == [3, 1, 2]\n",
        },
        ROTATE,
    ),
    (
        "BigCodeBench",
        "bigcodebench",
        {
            "task_id": "BigCodeBench/1", "complete_prompt": "import math\ndef task_func(x):\n    \"\"\"Root.\"\"\"\n",
            "instruct_prompt": "Write task_func, the root.", "code_prompt": "import math\ndef task_func(x):\n",
            "canonical_solution": "    return math.sqrt(x)\n", "entry_point": "task_func", "libs": "['math']",
            "test": (
                "import unittest\nclass TestCases(unittest.TestCase):\n    def test_case_1(self):\n"
                "        self.assertEqual(task_func(4), 2)\n"
            ),
        },
        "import math\ndef task_func(x):\n    return math.sqrt(x)",
    ),
    (
        "KodCode",
        "kodcode",
        {
            "question_id": "Prefill_1", "question": "Write square.", "solution": "def square(x):\n    return x * x",
            "test": "from solution import square\n\ndef test_square():\n    assert square(3) == 9\n",
            "test_info": [{"function_name": "square", "parameter_list": "(x)"}],
        },
        "def square(x):\n    return x * x",
    ),
    (
        "verifiable problems of open-r1",
        "open_r1",
        {
            "problem_id": "vcp_1", "prompt": "Add two numbers.", "gold_standard_solution": ADD,
            "verification_info": {
                "language": "python",
                "test_cases": [{"fn_name": None, "input": "2 3\n", "output": "5\n", "type": "stdin_stdout"}],
            },
        },
        ADD,
    ),
    (
        "PRIME's and verl's rows of code",
        "verl",
        {
            "prompt": [{"role": "user", "content": "Add two numbers."}], "data_source": "taco", "ability": "code",
            "reward_model": {"style": "rule", "ground_truth": json.dumps({"inputs": ["2 3\n"], "outputs": ["5\n"]})},
        },
        ADD,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("layout", "row", "right"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_a_right_program_passes_and_one_that_does_nothing_does_not(
    layout: str, row: dict[str, Any], right: str
) -> None:
    assert recognise(row) == layout
    (problem,) = load_rows([row])
    assert problem.prompt_text
    verify = UnitTests()
    assert verify(right, problem).score == 1.0, verify(right, problem)
    for text in stubs(problem):
        assert verify(text, problem).score == 0.0
    own = gold(problem)
    assert own is None or verify(own, problem).score == 1.0


def test_every_layout_of_code_has_a_row() -> None:
    assert {r[1] for r in ROWS} | {"classeval"} >= set(CODE_LAYOUTS)


def test_limits_are_the_problems_own() -> None:
    taco, contest = load_rows([ROWS[2][2]]), load_rows([ROWS[5][2]])
    assert (taco[0].info["time_limit_s"], taco[0].info["memory_bytes"]) == (2.0, 256 << 20)
    assert (contest[0].info["time_limit_s"], contest[0].info["memory_bytes"]) == (2.5, 256_000_000)


def test_private_tests_are_read_without_a_pickles_powers() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return print, ("unpickled",)

    for content in (Evil(), ["a list"], b"bytes"):
        cells = base64.b64encode(zlib.compress(pickle.dumps(content))).decode()
        with pytest.raises(BadRow, match="a pickle of a text was expected"):
            load_rows([{**ROWS[3][2], "private_test_cases": cells}])
    with pytest.raises(BadRow, match="private_test_cases"):
        load_rows([{**ROWS[3][2], "private_test_cases": "not packed"}])


def test_programs_that_read_files_are_refused() -> None:
    with pytest.raises(BadRow, match="read and write files"):
        load_rows([{**ROWS[5][2], "input_file": "in.txt"}])


def test_lint_runs_each_solution_and_a_program_that_does_nothing() -> None:
    def row(id: int, solution: str, expected: str) -> dict[str, Any]:
        pairs = json.dumps({"inputs": [f"{id} 3\n"], "outputs": [expected]})
        return {
            "problem_id": id,
            "question": f"Q{id}",
            "input_output": pairs,
            "solutions": json.dumps([solution]),
        }

    problems = load_rows([row(1, ADD, "4\n"), row(2, ADD, "9\n"), row(3, "pass", "")])
    assert [(i.row, i.issue) for i in lint(problems, UnitTests())] == [
        (2, "its own solution is incorrect"),
        (3, "a program that does nothing is correct"),
    ]


def test_classeval_rows_name_their_imports() -> None:
    row = {
        "task_id": "ClassEval_0", "skeleton": "class Counter:\n    pass", "class_name": "Counter",
        "solution_code": "import math\nclass Counter:\n    def up(self):\n        return math.floor(1.5)",
        "import_statement": ["import math"],
        "test": "import unittest\nclass T(unittest.TestCase):\n    def test_up(self):\n        self.assertEqual(Counter().up(), 1)",
    }  # fmt: skip
    (problem,) = load_rows([row])
    assert recognise(row) == "classeval"
    assert problem.info["import_statement"] == "import math"
    assert gold(problem) == row["solution_code"]


def test_a_ground_truth_that_is_no_code_stays_the_answer() -> None:
    for truth in ("4", '["a", "b"]', "[1, 2", {"x": 1}):
        row = {"prompt": [{"role": "user", "content": "Q"}], "reward_model": {"ground_truth": truth}}
        (problem,) = load_rows([row])
        assert problem.answer == truth
        assert UnitTests()("pass", Problem(info=problem.info)).reason is Reason.BAD_REFERENCE
