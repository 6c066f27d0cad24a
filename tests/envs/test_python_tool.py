"""The tools that come along: a calculator, and Python in the sandbox."""

from __future__ import annotations

import json

import pytest

from referee.envs.episode import Episode
from referee.envs.families import family
from referee.envs.records import Stop
from referee.envs.standard_tools import CALCULATOR, PYTHON
from referee.verifiers.records import Message

TASK = family("python_tool")


def call(code: str) -> str:
    return f"<tool_call>{json.dumps({'name': 'python', 'arguments': {'code': code}})}</tool_call>"


@pytest.mark.parametrize("level", range(4))
def test_the_program_finds_the_answer_and_the_answer_is_paid(level: int) -> None:
    problem = TASK.problem(0, 1, level)
    episode = Episode(TASK, problem)
    step = episode.step(call(str(problem.info["program"])))
    assert step.observation == (Message(role="tool", name="python", content=f"{problem.answer}\n"),)
    assert episode.step(step.observation[0].content).stop is Stop.TERMINATED
    reward = episode.rollout().reward
    assert reward is not None
    assert reward.total == 1.0


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1/0", "ZeroDivisionError"),
        ("x = 1", "(it printed nothing)"),
        ("def", "Error: syntax_error"),
        ("open('/etc/shadow').read()", "Error"),
    ],
)
def test_a_program_that_fails_is_told_why(code: str, said: str) -> None:
    assert said in PYTHON.call({"code": code})


@pytest.mark.parametrize(
    ("expression", "value"), [("(3+4)*5", "35"), ("1/3", "1/3"), ("1/0", "Error"), ("2**9", "Error")]
)
def test_the_calculator_is_exact_and_takes_no_code(expression: str, value: str) -> None:
    assert CALCULATOR.call({"expression": expression}).startswith(value)
