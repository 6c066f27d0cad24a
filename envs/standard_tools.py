"""Tools that come with referee: a calculator and Python in the sandbox."""

from __future__ import annotations

from functools import cache

from referee.envs.families.countdown import evaluate
from referee.envs.tools import Tool
from referee.sandbox.embedded import Embedded
from referee.sandbox.records import Limits, Outcome, Program, Source

LIMITS = Limits(wall_s=5.0, memory_bytes=256 << 20, output_bytes=64 << 10)


def calculator(expression: str) -> str:
    """Work out an arithmetic expression exactly.

    Args:
        expression: whole numbers, + - * / and brackets, such as (3+4)*5/2
    """
    found = evaluate(expression)
    if found is None:
        raise ValueError("expression must be whole numbers with + - * / and brackets, and not divide by zero")
    return str(found[0])


def python(code: str) -> str:
    """Run a Python program and return what it prints.

    Args:
        code: the program; only the standard library is there, and no files or network
    """
    done = _sandbox().execute(Program(sources=(Source(code=code),)), limits=LIMITS)
    if done.outcome in (Outcome.SANDBOX_UNAVAILABLE, Outcome.BAD_REFERENCE):
        raise RuntimeError(f"the sandbox is not available: {done.error}")
    if done.outcome is Outcome.OK:
        return done.stdout or "(it printed nothing)"
    said = f"{done.stdout}{done.stderr or done.error}"
    return f"Error: {done.outcome}\n{said[-2000:]}"


@cache
def _sandbox() -> Embedded:
    return Embedded()


CALCULATOR = Tool(calculator)
PYTHON = Tool(python)
