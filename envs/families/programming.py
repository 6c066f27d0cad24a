"""Programming tasks that hidden tests decide, run in the sandbox: as a function, and from stdin to stdout."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from referee.envs.families.code_tasks import Task, task
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.sandbox.records import Limits
from referee.verifiers.protocol import Item
from referee.verifiers.records import Completion, Json, Problem, Verdict
from referee.verifiers.unit_tests import UnitTests

SHOWN, HIDDEN = 2, 6


@dataclass(frozen=True, kw_only=True)
class CodeFunction(Procedural):
    """A function ``solve(x)`` that returns what is asked, on inputs that the prompt does not show.

    Levels: 0 arithmetic; 1 lists; 2 strings; 3 loops with a state; 4 recurrences.

    Accepts:
        - what :class:`referee.verifiers.unit_tests.UnitTests` takes as code, where every test passes
    Rejects:
        - code that only knows the examples; that raises, hangs, floods its output or ends its process
    """

    name: ClassVar[str] = "code_function"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw a task and inputs."""
        drawn = task(stream, level)
        pairs = _pairs(stream, drawn)
        shown = "\n".join(f"solve({x!r}) == {y!r}" for x, y in pairs[:SHOWN])
        calls: list[Json] = [[[x], y] for x, y in pairs]
        return Draft(
            f"Write a Python function solve(x) that returns {drawn.ask}.\nExamples:\n{shown}\n"
            "End with the code in a ```python block.",
            f"{drawn.ask}\n:",
            f"def solve(x):\n{textwrap.indent(drawn.body, '    ')}\n",
            {"calls": calls, "entry_point": "solve"},
        )

    def gold(self, problem: Problem) -> str:
        """Return the reference in a fence."""
        return f"```python\n{problem.answer}```"

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Run the tests on the code that the completion's answer holds."""
        return self.foreign(problem) or _tests()(completion, problem)

    def verify_batch(self, items: Sequence[Item]) -> list[Verdict]:
        """Return the verdicts on many completions, as many at a time as the sandbox has workers."""
        return _tests().verify_batch(items)


@dataclass(frozen=True, kw_only=True)
class CodeStdin(CodeFunction):
    """A program that reads one line of JSON and prints what is asked as JSON; levels as for functions."""

    name: ClassVar[str] = "code_stdin"

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw a task and inputs."""
        drawn = task(stream, level)
        pairs = _pairs(stream, drawn)
        shown = "\n".join(f"{json.dumps(x)} gives {json.dumps(y)}" for x, y in pairs[:SHOWN])
        cases: list[Json] = [
            {"stdin": f"{json.dumps(x)}\n", "stdout": f"{json.dumps(y)}\n"} for x, y in pairs
        ]
        body = textwrap.indent(drawn.body, "    ")
        return Draft(
            f"Write a Python program that reads x as one line of JSON from stdin and prints {drawn.ask}, "
            f"as JSON.\nExamples:\n{shown}\nEnd with the code in a ```python block.",
            f"{drawn.ask}\n:",
            f"import json\n\n\ndef solve(x):\n{body}\n\n\nprint(json.dumps(solve(json.loads(input()))))\n",
            {"cases": cases},
        )


def _pairs(stream: Stream, drawn: Task) -> list[tuple[Json, Json]]:
    inputs = [drawn.draw(stream) for _ in range(SHOWN + HIDDEN)]
    return [(x, drawn.reference(x)) for x in inputs]


@cache
def _tests() -> UnitTests:
    # Any right solution takes milliseconds: processor time decides, and a busy machine has time to spare.
    return UnitTests(limits=Limits(wall_s=15.0, cpu_s=2))
