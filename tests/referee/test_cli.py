"""The command line: help at once, an example that works for each verb, and no traceback for bad input."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from referee.cli import COMMANDS, main
from referee.report.sentences import explain
from referee.verifiers import Problem, Verdict

ROOT = Path(__file__).resolve().parents[2]

Captured = pytest.CaptureFixture[str]


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_the_help_of_each_verb_ends_in_its_example(verb: str, capsys: Captured) -> None:
    assert main([verb, "--help"]) == 0
    words = capsys.readouterr().out.split()
    example = COMMANDS[verb].example.split()
    assert words[-len(example) :] == example


def test_the_help_imports_no_verb_and_nothing_heavy() -> None:
    code = (
        "import sys; from referee.cli import main; main(['--help']);"
        "bad = [m for m in sys.modules if m.startswith('referee.commands') or m in"
        " ('torch', 'sympy', 'numpy', 'matplotlib')]; sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("verify numeric --text 'so x = 3/4' --answer 0.75", 0, "numeric: correct (score 1). It answers 3/4"),
        ("verify numeric --text 'so x = 1/4' --answer 0.75", 1, "the reference is 0.75"),
        ("verify numeric --text 'so x = 1/4'", 1, "not the completion's fault"),
        ("verify exact --text b --answer a --answer b", 0, "correct"),
        ("verify exact --text B --answer b -O ignore_case=true", 0, "correct"),
        ("verify exact --text b --answer b --truncated", 1, "cut off"),
    ],
)
def test_a_verdict_is_explained_in_a_sentence(arguments: str, code: int, said: str, capsys: Captured) -> None:
    assert main(["verify", *shlex.split(arguments)[1:]]) == code
    assert said in capsys.readouterr().out


def test_a_verdict_can_be_had_as_a_record(capsys: Captured) -> None:
    assert main(shlex.split("verify numeric --text 4 --answer 4 --json")) == 0
    assert json.loads(capsys.readouterr().out) == {"score": 1.0, "reason": "correct", "answer": "4"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("verfy", "no verb is 'verfy'"),
        ("verify", "requires an argument"),
        ("verify numeric --txt x", "--txt"),
        ("verify numric --text x", "did you mean numeric"),
        ("verify numeric --text x -O nonsense", "--option must be name=value"),
        ("verify numeric --text x -O zzz=1", "has no option 'zzz'"),
        ("verify numeric --text x --info 3", "--info must be a JSON object"),
        ("verify numeric --text x --info {", "--info must be JSON"),
        ("verify numeric --text x --deadline-s 0", "--deadline-s must be above 0"),
        ("verify no.yaml --text x", "no.yaml"),
        ("score numeric no.jsonl -o {tmp}/out.jsonl", "no.jsonl"),
        ("score numeric {tmp}/bad.jsonl -o {tmp}/out.jsonl", "bad.jsonl, line 2: not JSON"),
        ("score numeric {tmp}/row.jsonl -o {tmp}/out.jsonl --completion text", "no column 'text'"),
        ("score numeric {tmp}/row.jsonl -o {tmp}/row.jsonl", "--out must be another file"),
        ("score numeric {tmp}/row.jsonl -o {tmp}/out.jsonl --answer-pattern (", "answer_pattern must be"),
        ("score numeric {tmp}/row.jsonl -o {tmp}/out.jsonl --workers x", "--workers"),
        ("score numeric {tmp}/row.jsonl -o {tmp}/out.jsonl --workers -1", "--workers must be"),
        ("score numeric {tmp}/row.jsonl -o {tmp}/bad.jsonl", "not the output of a run"),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_exit_code_2(
    arguments: str, said: str, tmp_path: Path, capsys: Captured
) -> None:
    row = {"completion": "4", "answer": "4"}
    write(tmp_path / "row.jsonl", row)
    (tmp_path / "bad.jsonl").write_text(json.dumps(row) + "\n{oops\n")
    assert main(shlex.split(arguments.replace("{tmp}", str(tmp_path)))) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.strip().splitlines()) == 1, err


def test_what_was_scored_before_a_bad_line_is_kept(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"completion": "4", "answer": "4"}\n{oops\n')
    assert main(["score", "numeric", str(source), "-o", str(tmp_path / "out.jsonl"), "-q"]) == 2
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1


def test_a_file_is_scored_and_the_summary_goes_to_stderr(tmp_path: Path, capsys: Captured) -> None:
    source = write(
        tmp_path / "in.jsonl",
        {"q": "2+2", "gold": {"text": "so it is #### 4"}, "a": "it is 4", "b": ["it is 5", "4"]},
    )
    out = tmp_path / "out.jsonl"
    columns = "--prompt q --answer gold.text --answer-pattern '#### (.*)' --completion a --completion b"
    assert main(["score", "numeric", str(source), "-o", str(out), *shlex.split(columns)]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["reward"]["total"] for row in rows] == [1.0, 0.0, 1.0]
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert "3 completions" in stderr


def test_a_mean_below_the_bar_exits_with_1(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", {"completion": ["4", "5"], "answer": "4"})
    command = ["score", "numeric", str(source), "-o", str(tmp_path / "out.jsonl"), "-q", "--fail-under"]
    assert main([*command, "0.6"]) == 1
    assert main([*command, "0.5"]) == 0


def test_a_mean_of_nothing_passes_no_bar(tmp_path: Path, capsys: Captured) -> None:
    source = write(tmp_path / "in.jsonl")
    command = ["score", "numeric", str(source), "-o", str(tmp_path / "out.jsonl"), "-q"]
    assert main(command) == 0
    assert "0 completions were read from" in capsys.readouterr().err
    assert main([*command, "--fail-under", "0"]) == 1


@pytest.mark.parametrize("completion", ["5", "nothing", ""])
def test_score_exits_0_whatever_the_verdicts_are(completion: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", {"completion": completion, "answer": "4"})
    assert main(["score", "numeric", str(source), "-o", str(tmp_path / "out.jsonl"), "-q"]) == 0


@pytest.mark.parametrize("source", ["-", "/dev/stdin", "<(cat in.jsonl)"])
def test_a_pipe_is_read_once_and_scored(source: str, tmp_path: Path) -> None:
    write(
        tmp_path / "in.jsonl", {"completion": ["4", "5"], "answer": "4"}, {"completion": "4", "answer": "4"}
    )
    command = f"cat in.jsonl | '{sys.executable}' -m referee score numeric {source} -o out.jsonl --workers 0"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "3 completions" in done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3


BUG = "def judge(completion, problem):\n    return problem.answr in completion.text\n"


def test_the_first_error_of_each_part_is_said_once_with_its_share(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "misspelt.py").write_text(BUG)
    rubric = tmp_path / "rubric.yaml"
    rubric.write_text(f"parts: {{right: exact, mine: '{tmp_path}/misspelt.py:judge'}}\n")
    source = write(tmp_path / "in.jsonl", *({"completion": str(n), "answer": "4"} for n in range(7)))
    assert main(["score", str(rubric), str(source), "-o", str(tmp_path / "out.jsonl"), "-q"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "referee: mine: error in 7 of 7 (100.0%), the first: "
        "AttributeError: 'Problem' object has no attribute 'answr'"
    ]


def test_the_example_of_each_verb_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "completions.jsonl", {"prompt": "Twice 5?", "completion": "10", "answer": "10"})
    write(
        tmp_path / "problems.jsonl", *({"prompt": f"Twice {n}?", "answer": f"{2 * n}"} for n in range(5, 9))
    )
    monkeypatch.chdir(tmp_path)
    finite = set(COMMANDS) - {"sandbox", "serve", "train"}  # tested with the engine, the service, the trainer
    order = sorted(finite, key=lambda verb: verb != "score")  # the report reads what was scored
    for verb in order:
        program, *arguments = shlex.split(COMMANDS[verb].example)
        assert program == "referee"
        assert main(arguments) == 0, COMMANDS[verb].example


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("the reference is empty", "The reference is empty."),
        ("a box is not closed", "A box is not closed."),
        ("unreadable", "Unreadable."),
        ("https://judge.example/v1 is away", "https://judge.example/v1 is away."),
        ("rules_version must be whole", "rules_version must be whole."),
        ("json.loads failed", "json.loads failed."),
        ("print(x) was not there", "print(x) was not there."),
        ("x = 3 is no set", "x = 3 is no set."),
        ("ValueError: no", "ValueError: no."),
    ],
)
def test_a_sentence_begins_with_a_capital_unless_with_code_or_an_address(why: str, said: str) -> None:
    verdict = Verdict(score=0.0, detail={"problem": why})
    assert explain("it", verdict, Problem()).endswith(f" {said}")
