"""What every backend does alike."""

from __future__ import annotations

import pytest

from referee.sandbox import Calls, Check, Limits, Outcome, Program, Source, Trial


def program(code: str, stdin: str = "") -> Program:
    return Program(sources=(Source(code=code),), stdin=stdin)


def test_a_program_reads_its_stdin_and_its_output_is_captured(sandbox):
    run = sandbox.execute(program("import sys\nprint(int(input()) * 2)\nprint('e', file=sys.stderr)", "21\n"))
    assert (run.outcome, run.stdout, run.stderr, run.exit_code) == (Outcome.OK, "42\n", "e\n", 0)
    assert run.cpu_s is not None
    assert run.peak_bytes is not None


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("def f(:", Outcome.SYNTAX_ERROR),
        ("raise ValueError('x')", Outcome.RAISED),
        ("import sys; sys.exit(3)", Outcome.RAISED),
        ("while True: pass", Outcome.TIMEOUT),
        ("import time; time.sleep(60)", Outcome.TIMEOUT),
        ("x = bytearray(1 << 40)", Outcome.MEMORY),
        ("while True: print('x' * 4096)", Outcome.OUTPUT),
        ("import ctypes; ctypes.string_at(0)", Outcome.KILLED),
        ("import os; print(1, flush=True); os.close(3); os._exit(0)", Outcome.OK),
    ],
)
def test_each_way_of_ending_has_its_outcome(sandbox, code, outcome):
    run = sandbox.execute(program(code), limits=Limits(wall_s=0.7))
    assert run.outcome is outcome, run


def test_calls_return_plain_data_and_stop_when_told(sandbox):
    job = Calls(
        sources=(Source(code="def f(x): return (x, {x: None})"),), entry_point="f", arguments=((1,), (2,))
    )
    run = sandbox.execute(job, on_value=lambda i, value: False)
    assert run.values == ({"t": "tuple", "v": [1, {"t": "dict", "v": [[1, None]]}]},)


def test_a_trial_counts_its_asserts(sandbox):
    tests = "def check(candidate):\n    assert candidate(1) == 1\n    assert candidate(2) == 3\n"
    job = Trial(sources=(Source(code="def f(x): return x"),), tests=tests, entry_point="f", stop_early=False)
    run = sandbox.execute(job)
    assert (run.outcome, run.report["passed"], run.report["total"]) == (Outcome.WRONG, 1, 2)


def test_a_checker_decides_and_one_that_cannot_run_is_the_references_fault(sandbox):
    checker = "def check(stdin, stdout, expected): return int(stdout) == int(expected)"
    right = Check(checker=checker, stdin="", stdout="7", expected="07")
    assert sandbox.execute(right).outcome is Outcome.OK
    wrong = Check(checker=checker, stdin="", stdout="seven", expected="7")
    assert sandbox.execute(wrong).outcome is Outcome.WRONG
    broken = Check(checker="def check(:", stdin="", stdout="", expected="")
    assert sandbox.execute(broken).outcome is Outcome.BAD_REFERENCE


@pytest.mark.parametrize("field", ["wall_s", "memory_bytes", "files"])
def test_a_limit_must_be_positive(field):
    with pytest.raises(ValueError, match=f"{field} must be a positive number, got 0"):
        Limits(**{field: 0})
