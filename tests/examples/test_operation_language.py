"""The example pays what its weights say, and runs."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest

from referee import Problem

EXAMPLE = Path(__file__).parents[2] / "examples" / "operation_language.py"
PROBLEM = Problem(answer=16, info={"start": 5})


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("<answer>add 3, double</answer>", 0.4 + 0.5 + 0.1 * 0.8),
        ("<answer>double, add 5</answer>", 0.4 + 0.5 * math.exp(-0.5)),
        ("<answer>add 11, square</answer>", 0.4 * 0.5),
        ("<answer>" + "double, " * 1000 + "</answer>", 0.4),
        ("<answer></answer>", 0.0),
        ("I can't.", 0.0),
        ("", 0.0),
    ],
)
def test_the_example_pays_what_its_weights_say(text: str, total: float) -> None:
    rubric = runpy.run_path(str(EXAMPLE))["RUBRIC"]
    assert rubric(text, PROBLEM).total == pytest.approx(total)


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert capsys.readouterr().out.splitlines()[0].startswith("0.980")
