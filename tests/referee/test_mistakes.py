"""A user's mistake in any verb is one line that names the argument, exit code 2, and nothing left behind."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from referee.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
Captured = pytest.CaptureFixture[str]

RECIPE = """
policy: {name: tiny, tiny: {alphabet: "0123456789+=", layers: 1, width: 16, heads: 2}}
problems: {family: arithmetic, level: 0, terse: true}
heldout: {count: 4}
options: {batch_size: 8, group_size: 4, max_new_tokens: 4}
training: {steps: 2}
"""
FILES = {
    "row.jsonl": '{"prompt": "2+2=", "completion": "4", "answer": "4"}\n',
    "bad.jsonl": '{"prompt": "2+2=", "answer": "4"}\n{"oops\n',
    "latin.jsonl": '{"prompt": "2+2=", "answer": "4"}\n{"prompt": "\udce9", "answer": "4"}\n',
    "list.jsonl": "[1]\n",
    "foo.jsonl": '{"foo": 1}\n',
    "scored.jsonl": "{}\n",
    "rubric.yaml": "parts: {right: exact}\n",
    "weight.yaml": "parts: {right: {verifier: exact, wieght: 2}}\n",
    "notyaml.yaml": "parts: {right: [\n",
    "recipe.yaml": RECIPE,
    "file.yaml": RECIPE.replace("{family: arithmetic, level: 0, terse: true}", "{file: FILE.jsonl}")
    + "rubric: {parts: {right: exact}}\n",
    "broken.py": "import json\nx = nothing_here\n",
    "syntax.py": "def judge(completion, problem)\n",
    "ranged.py": "def judge(completion, problem):\n    return 1\n\njudge.range = 5\n",
    "ruled.py": "def judge(completion, problem):\n    return 1\n\njudge.rules_version = 'b'\n",
    "ruled.yaml": "parts: {right: 'ruled.py:judge'}\n",
    "wants.py": "import no_such_package_at_all\n",
}

MISTAKES = [
    ("verify exact --text x --deadline-s 0", "--deadline-s must be above 0"),
    ("verify exact --text x --nonsense 0", "--nonsense"),
    ("verify no.yaml --text x", "the rubric cannot be opened: no.yaml: No such file"),
    ("verify notyaml.yaml --text x", "notyaml.yaml: not YAML"),
    ("verify weight.yaml --text x", "its keys are verifier, options, weight"),
    ("verify broken.py:judge --text x", "broken.py cannot be imported: NameError"),
    ("verify syntax.py:judge --text x", "syntax.py cannot be imported: SyntaxError"),
    ("verify wants.py:judge --text x", "wants.py cannot be imported: No module named"),
    ("verify ranged.py:judge --text x", "range of judge must be (least, greatest), got 5"),
    ("audit ranged.py:judge --problems row.jsonl", "range of judge must be (least, greatest), got 5"),
    ("verify ruled.py:judge --text x", "rules_version of judge must be a whole number"),
    ("verify ruled.yaml --text x", "parts.right: rules_version of judge must be"),
    ("score ruled.yaml row.jsonl -o out.jsonl", "rules_version of judge must be"),
    ("lint row.jsonl --verifier ruled.py:judge", "rules_version of judge must be"),
    ("serve ruled.py:judge", "rules_version of judge must be"),
    ("train recipe.yaml -o run -s rubric=ruled.yaml", "rules_version of judge must be"),
    ("verify nowhere.py:judge --text x", "nowhere.py, which is not there"),
    ("score exact no.jsonl -o out.jsonl", "source cannot be opened: no.jsonl: No such file"),
    ("score exact bad.jsonl -o out.jsonl", "bad.jsonl, line 1: no column 'completion'"),
    ("score exact row.jsonl -o out.jsonl --completion complet", "no column 'complet'"),
    ("score exact row.jsonl -o out.jsonl --group nope", "row.jsonl, line 1: no column 'nope'"),
    ("score exact row.jsonl -o .", ". is not a file"),
    ("score exact row.jsonl -o /dev/null", "/dev/null is not a file"),
    ("score exact row.jsonl -o row.jsonl/out", "--out cannot be opened"),
    ("score no.yaml row.jsonl -o out.jsonl", "the rubric cannot be opened"),
    ("audit exact --problems no.jsonl", "--problems cannot be opened"),
    ("audit exact --problems bad.jsonl", "bad.jsonl, line 2"),
    ("audit exact --problems latin.jsonl", "latin.jsonl, line 2: not JSON"),
    ("audit exact --problems list.jsonl", "list.jsonl, line 1: a row must be a JSON object, got int"),
    ("audit exact --problems row.jsonl --at-least nan", "--at-least must be a finite number, got nan"),
    ("verify exact --text x --at-least inf", "--at-least must be a finite number, got inf"),
    ("score exact row.jsonl -o out.jsonl --fail-under nan", "--fail-under must be a finite number, got nan"),
    ("score exact latin.jsonl -o out.jsonl", "latin.jsonl, line 1: no column"),
    ("score exact list.jsonl -o out.jsonl", "list.jsonl, line 1: a row must be a JSON object, got int"),
    ("audit exact --problems row.jsonl", "at least two different references"),
    ("lint no.jsonl", "source cannot be opened: no.jsonl"),
    ("lint .", "is a folder, and none that datasets saved: name a file in it"),
    ("report no.jsonl", "source cannot be opened: no.jsonl"),
    ("report scored.jsonl", "scored.jsonl, line 1: not a scored completion"),
    ("report .", "holds no step of a training run"),
    ("sandbox build", "the action must be build-image"),
    ("serve no.yaml", "the rubric cannot be opened"),
    ("serve exact --on-abstention zero", "--on-abstention must be raise or a finite number, got 'zero'"),
    ("serve exact --on-abstention nan", "--on-abstention must be raise or a finite number"),
    ("serve exact --deadline-s 0", "--deadline-s must be above 0"),
    ("serve exact --timeout-s inf", "--timeout-s must be above 0 and finite"),
    ("serve exact --concurrency 0", "--concurrency must be at least 1, got 0"),
    ("serve exact --max-items 0", "--max-items must be at least 1, got 0"),
    ("serve exact --max-body-bytes -1", "--max-body-bytes must be at least 1, got -1"),
    ("serve exact --workers 0", "--workers must be at least 1, got 0"),
    ("serve exact --host 256.1.1.1", "--host and --port must be free"),
    ("serve exact --port 99999", "--port must be from 0 to 65535"),
    ("train no.yaml -o run", "recipe cannot be opened: no.yaml"),
    ("train notyaml.yaml -o run", "notyaml.yaml: not YAML"),
    ("train rubric.yaml -o run", "the recipe has no key 'parts'"),
    ("train recipe.yaml -o run -s options.group_size=3", "batch_size must be a multiple of group_size 3"),
    ("train recipe.yaml -o run -s warm_start.steps=-1", "warm_start: steps must be at least 0, got -1"),
    (
        "train recipe.yaml -o run -s warm_start.learning_rate=.nan",
        "warm_start.learning_rate must be a finite",
    ),
    (
        "train recipe.yaml -o run -s options.learning_rate=nan",
        "options.learning_rate must be a finite number",
    ),
    ("train recipe.yaml -o run -s options.group_size=0", "options: group_size must be at least 1, got 0"),
    ("train recipe.yaml -o run -s options.learning_rate=-1", "options: learning_rate must be at least 0"),
    ("train recipe.yaml -o run -s training.beta1=1", "training: beta1 must be at least 0 and below 1"),
    ("train recipe.yaml -o run -s training.top_p=0", "training: top_p must be above 0"),
    ("train recipe.yaml -o run -s options.loss=no", "options.loss must be one of"),
    ("train recipe.yaml -o run -s policy.dtype=bf16", "policy.dtype must be one of float32"),
    ("train recipe.yaml -o run --policy ./no-such-model", "policy.name: './no-such-model' cannot be loaded"),
    ("train recipe.yaml -o run --policy no.gguf", "policy.name: 'no.gguf' cannot be loaded"),
    ("train recipe.yaml -o run -s policy.tiny.width=15", "policy.tiny: width must be a multiple"),
    ("train recipe.yaml -o run -s trackers=[nobody]", "trackers must be of"),
    ("train recipe.yaml -o run -s rubric=no.yaml", "rubric: no.yaml: No such file"),
    ("train recipe.yaml -o run -s heldout.count=-1", "heldout.count must be at least 0"),
    ("train recipe.yaml -o run -s 'training={'", "training must have a YAML value"),
    ("train recipe.yaml -o row.jsonl/run", "--out cannot be opened"),
    ("train file.yaml -o run -s problems.file=bad.jsonl", "problems.file: bad.jsonl: line 2 of bad.jsonl"),
    ("train file.yaml -o run -s problems.file=foo.jsonl", "row must have the columns of one of"),
    ("train file.yaml -o run -s problems.file=no.jsonl", "problems.file: no.jsonl: no.jsonl: No such file"),
    ("train file.yaml -o run -s problems.file=row.jsonl -s heldout.file=no.jsonl", "heldout.file: no.jsonl"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # to which the folder is added
    return tmp_path


@pytest.mark.parametrize(("command", "said"), MISTAKES, ids=[command for command, _ in MISTAKES])
def test_it_is_one_line_that_names_it_and_leaves_nothing(
    command: str, said: str, folder: Path, capsys: Captured
) -> None:
    assert main(shlex.split(command)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.strip().splitlines()) == 1, err
    assert {p.name for p in folder.iterdir()} - {"__pycache__"} == set(FILES)


def test_a_fault_of_ours_keeps_its_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object, **__: object) -> None:
        raise ValueError("a slip in the library")

    monkeypatch.setattr("referee.commands.score.score_file", fault)
    with pytest.raises(ValueError, match="a slip in the library"):
        main(["score", "exact", "row.jsonl", "-o", "out.jsonl", "-q"])


HIDDEN = [
    ("torch", "train recipe.yaml -o run", "referee train needs torch: pip install 'referee[train]'"),
    (
        "accelerate",
        "train recipe.yaml -o run",
        "referee train needs accelerate: pip install 'referee[train]'",
    ),
    ("pydantic", "serve rubric.yaml", "pydantic: pip install 'referee[serve]'"),
    ("fastapi", "serve rubric.yaml", "fastapi: pip install 'referee[serve]'"),
    ("uvicorn", "serve rubric.yaml", "referee serve needs uvicorn: pip install 'referee[serve]'"),
    ("docker", "sandbox build-image", "referee sandbox needs docker: pip install 'referee[docker]'"),
    (
        "wandb",
        "train recipe.yaml -o run -s trackers=[wandb]",
        "trackers: [wandb] needs wandb: pip install 'referee[track]'",
    ),
]


def hiding(module: str, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process that does not have a module."""
    hide = f"import sys; sys.modules[{module!r}] = None; sys.path.insert(0, {str(ROOT)!r})\n"
    command = [sys.executable, "-P", "-c", hide + textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.parametrize(("module", "command", "said"), HIDDEN, ids=[f"{m}: {c}" for m, c, _ in HIDDEN])
def test_a_missing_package_is_one_line_with_the_pip_line(
    module: str, command: str, said: str, folder: Path
) -> None:
    done = hiding(module, f"from referee.cli import main; sys.exit(main({shlex.split(command)!r}))", folder)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert {p.name for p in folder.iterdir()} - {"__pycache__"} == set(FILES)


@pytest.mark.parametrize("module", ["torch", "fastapi", "pydantic", "docker"])
def test_the_help_of_every_verb_needs_no_extra(module: str, tmp_path: Path) -> None:
    code = f"from referee.cli import main; sys.exit(sum(main([v, '--help']) for v in {list(COMMANDS)!r}))"
    done = hiding(module, code, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("module", "imported", "said"),
    [
        ("torch", "GroupTrainer", "GroupTrainer needs torch: pip install 'referee[train]'"),
        ("pydantic", "to_service", "to_service needs pydantic: pip install 'referee[serve]'"),
        ("fastapi", "to_service", "to_service needs fastapi: pip install 'referee[serve]'"),
    ],
)
def test_a_name_whose_package_is_missing_says_the_pip_line(
    module: str, imported: str, said: str, tmp_path: Path
) -> None:
    done = hiding(module, f"from referee.trainers import {imported}", tmp_path)
    assert done.stderr.strip().splitlines()[-1].endswith(f"MissingExtra: {said}")


def test_no_verb_has_a_flag_that_empties_a_list(capsys: Captured) -> None:
    for verb in COMMANDS:
        assert main([verb, "--help"]) == 0
        assert "--empty-" not in capsys.readouterr().out, verb


def test_no_example_names_a_file_that_the_wheel_does_not_hold() -> None:
    for verb, command in COMMANDS.items():
        assert "examples/" not in command.example, verb


def test_the_corrected_command_is_not_refused(folder: Path, capsys: Captured) -> None:
    command = ["score", "exact", "row.jsonl", "-o", "out.jsonl", "-q"]
    assert main([*command, "--completion", "complet"]) == 2
    assert main(command) == 0
    capsys.readouterr()
    assert main([*command, "--answer", "prompt"]) == 2
    said = capsys.readouterr().err
    assert "another column setting, answer 'answer' (now 'prompt')" in said
    assert "--overwrite" in said
    assert main([*command, "--answer", "prompt", "--overwrite"]) == 0


def test_an_output_that_was_deleted_is_forgotten(folder: Path) -> None:
    assert main(["score", "exact", "row.jsonl", "-o", "out.jsonl", "-q"]) == 0
    (folder / "out.jsonl").unlink()
    assert main(["score", "numeric", "row.jsonl", "-o", "out.jsonl", "-q"]) == 0
    assert list(json.loads((folder / "out.jsonl").read_text())["reward"]["parts"]) == ["numeric"]
    assert len((folder / "out.jsonl.timings.jsonl").read_text().splitlines()) == 1


def test_train_begins_where_a_failed_command_did_not(folder: Path) -> None:
    command = ["train", "recipe.yaml", "-o", "run", "-q", "--no-report"]
    assert main([*command, "-s", "options.group_size=3"]) == 2
    assert main(command) == 0
    assert main([*command, "--algorithm", "rloo"]) == 2
    assert main([*command, "--algorithm", "rloo", "--overwrite"]) == 0
