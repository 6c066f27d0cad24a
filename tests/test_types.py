"""A user's type checker sees through the front doors: real types for right programs, errors for wrong ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import referee

ROOT = Path(__file__).parents[1]
RIGHT = """
from referee import Problem, Rubric, explain_reward
from referee.envs import Rollout, make_env
from referee.sandbox import Execution, Limits, run_many
from referee.trainers import Policy, Preset, preset, to_trl
from referee.verifiers import Exact, Math, RewardModel, Verdict, evaluate, gate, load_rubric, score

reveal_type(Problem)
reveal_type(Math()("x = 7", Problem(answer="7")))
reveal_type(Rubric({"math": Math()})("x = 7", Problem(answer="7")).total)
reveal_type(preset("grpo").group_size)
reveal_type(load_rubric("rubric.yaml"))
reveal_type(Limits().wall_s)
reveal_type(to_trl(Rubric({"exact": Exact()})))
verdict: Verdict = gate(Exact(), Math())("7", Problem(answer="7"))
lines: list[str] = explain_reward(Rubric({"exact": Exact()})("7", Problem(answer="7")), Problem(answer="7"))
"""
REVEALED = [
    r"def \(\*, prompt: .*records\.Problem",
    "referee.verifiers.records.Verdict",
    r"float \| None|None \| float",
    "int",
    "referee.verifiers.rubric.Rubric",
    "float",
    r"(def .*)?referee\.trainers\.adapters\.trl\..*|def .*",
]
WRONG = """
import referee
from referee import Nothing
from referee.verifiers import Math, Problem, Rubric, score
from referee.trainers import Training, no_such_adapter, preset
from referee.envs import Curiculum
from referee.sandbox import Limits
Problem(promt="typo")
Rubric(3, nonsense=True)
Math(nonsense=1)
seconds: str = Limits().wall_s
Training(schedule="quadratic")
preset(7)
referee.verifiers.nothing
"""
ERRORS = {  # the line, and what is said of it
    3: 'Module "referee" has no attribute "Nothing"',
    5: 'Module "referee.trainers" has no attribute "no_such_adapter"',
    6: 'Module "referee.envs" has no attribute "Curiculum"',
    8: 'Unexpected keyword argument "promt" for "Problem"',
    9: 'Unexpected keyword argument "nonsense" for "Rubric"',
    10: 'Unexpected keyword argument "nonsense" for "Math"',
    11: 'expression has type "float", variable has type "str"',
    12: 'Argument "schedule" to "Training" has incompatible type',
    13: 'Argument 1 to "preset" has incompatible type "int"; expected "str"',
    14: 'Module has no attribute "nothing"',
}


Said = dict[str, list[tuple[int, str, str]]]  # of each program: the line, the kind and the words


@pytest.fixture(scope="module", params=[pytest.param("checkout", marks=pytest.mark.slow), "installed"])
def said(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """Return what mypy says of the two programs, in a folder of their own."""
    folder = tmp_path_factory.mktemp("user")
    options, environment = [], {k: v for k, v in os.environ.items() if k != "MYPYPATH"}
    if request.param == "checkout":
        environment["MYPYPATH"] = str(ROOT)
    else:
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        (packages,) = (folder / "venv").glob("lib/python*/site-packages")
        shutil.copytree(ROOT / "referee", packages / "referee", ignore=shutil.ignore_patterns("__pycache__"))
        options = ["--python-executable", str(folder / "venv/bin/python")]
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text(WRONG)
    others = ("torch", "numpy", "sympy", "transformers", "matplotlib", "pydantic", "fastapi")
    (folder / "mypy.ini").write_text(  # what others ship is not what is looked at, and takes minutes to read
        "[mypy]\nstrict = True\n[mypy-referee.*]\nignore_errors = True\n"
        + "".join(f"[mypy-{o}.*]\nfollow_imports = skip\nignore_missing_imports = True\n" for o in others)
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--no-error-summary", "right.py", "wrong.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert not done.stderr, done.stderr
    found: Said = {"right": [], "wrong": []}
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"(right|wrong)\.py:(\d+): (\w+): (.*)", line)
        assert match, line
        found[match[1]].append((int(match[2]), match[3], match[4]))
    return found


def test_a_program_sees_real_types(said: Said) -> None:
    assert [line for line in said["right"] if line[1] != "note"] == []
    revealed = [re.fullmatch(r'Revealed type is "(.*)"', text) for _, _, text in said["right"]]
    assert len(revealed) == len(REVEALED)
    for match, wanted in zip(revealed, REVEALED, strict=True):
        assert match is not None
        assert re.fullmatch(wanted, match[1].replace("builtins.", "")), match[1]


def test_a_wrong_program_is_told_where_it_is_wrong(said: Said) -> None:
    errors: dict[int, str] = {}
    for line, kind, text in said["wrong"]:
        if kind == "error":
            errors[line] = f"{errors.get(line, '')} {text}"
    assert set(errors) == set(ERRORS), said["wrong"]
    for line, wanted in ERRORS.items():
        assert wanted in errors[line], errors[line]


def test_the_package_says_that_it_is_typed() -> None:
    assert referee.__file__ is not None
    assert (Path(referee.__file__).parent / "py.typed").exists()
