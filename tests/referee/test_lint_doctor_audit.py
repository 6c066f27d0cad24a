"""The verbs that look at data, machines and verifiers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from referee.cli import main

Captured = pytest.CaptureFixture[str]


def lines(path: Path, *rows: object) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{oops", "not JSON"),
        ("[1]", "a row must be a JSON object"),
        ({"prompt": " ", "answer": "4", "id": "b"}, "the prompt is empty"),
        ({"prompt": "q", "answer": "4", "id": "a"}, "the id 'a' is line 1's already"),
        ({"prompt": "2+2=", "answer": "5", "id": "b"}, "the prompt is line 1's, with another"),
        ({"prompt": "2+2=", "answer": "4", "id": "b"}, "warning: the prompt is line 1's, with the same"),
        ({"prompt": "q", "id": "b"}, "the reference is empty"),
        ({"prompt": "q", "answer": "  ", "id": "b"}, "the reference is empty"),
        ({"prompt": "q", "answer": "4", "info": 3}, "column 'info' must hold an object"),
        ({"prompt": 5, "answer": "4"}, "prompt must be a text or messages"),
        ('{"prompt": "a", "prompt": "b", "answer": "4"}', "the key 'prompt' stands twice"),
    ],
)
def test_lint_names_the_line_and_what_is_wrong(
    row: object, said: str, tmp_path: Path, capsys: Captured
) -> None:
    good = {"prompt": "2+2=", "answer": "4", "id": "a"}
    code = main(["lint", lines(tmp_path / "d.jsonl", good, row)])
    out = capsys.readouterr().out
    assert f"d.jsonl, line 2: {said}" in out
    assert code == (0 if "warning" in said else 1)


def test_lint_goes_on_after_a_bad_line(tmp_path: Path, capsys: Captured) -> None:
    assert main(["lint", lines(tmp_path / "d.jsonl", "{", "{", {"prompt": "q", "answer": "4"})]) == 1
    assert "2 errors" in capsys.readouterr().out


def test_lint_asks_the_verifier_whether_it_can_use_a_reference(tmp_path: Path, capsys: Captured) -> None:
    source = lines(tmp_path / "d.jsonl", {"prompt": "q", "answer": "4"}, {"prompt": "r", "answer": "four?"})
    assert main(["lint", source]) == 0
    assert main(["lint", source, "--verifier", "numeric"]) == 1
    assert "line 2: numeric: answer must be" in capsys.readouterr().out


def test_lint_checks_completions_where_they_are_named(tmp_path: Path, capsys: Captured) -> None:
    source = lines(tmp_path / "d.jsonl", {"prompt": "q", "answer": "4"})
    assert main(["lint", source]) == 0
    assert main(["lint", source, "--completion", "text"]) == 1
    assert "no column 'text'" in capsys.readouterr().out


DAMAGED = [
    {"prompt": "a", "answer": "\x0crac{1}{2}"},
    {"prompt": "b", "answer": "90^"},
    {"prompt": "c", "answer": "4"},
]


@pytest.mark.parametrize("options", [(), ("--verifier", "math")])
def test_lint_says_how_damaged_escapes_are_read_and_writes_them(
    tmp_path: Path, capsys: Captured, options: tuple[str, ...]
) -> None:
    source, target = lines(tmp_path / "d.jsonl", *DAMAGED), tmp_path / "fixed.jsonl"
    assert main(["lint", source, "--fix", str(target), *options]) == 0
    said = capsys.readouterr().out
    assert r"read as '\\frac{1}{2}'" in said
    assert "2 references repaired" in said
    answers = [json.loads(line)["answer"] for line in target.read_text().splitlines()]
    assert answers == [r"\frac{1}{2}", r"90^\circ", "4"]
    assert main(["lint", source, "--fix", str(target), *options]) == 2
    assert json.loads(Path(source).read_text().splitlines()[1])["answer"] == "90^"


SEVERAL = {"prompt": "a", "answer": [4, 5]}


@pytest.mark.parametrize(
    ("rows", "options", "warned"),
    [
        ([SEVERAL, {"prompt": "b", "answer": [2.5]}, {"prompt": "c", "answer": [1, 2]}], (), True),
        ([SEVERAL], ("--verifier", "math"), True),
        ([SEVERAL], ("--verifier", "math", "-O", "list_means=all"), False),
        ([SEVERAL], ("--verifier", "element_count"), False),  # whose reference is the list
        ([SEVERAL, {"prompt": "b", "answer": 4}], (), False),
        ([{"prompt": "a", "answer": [4]}], (), False),
        ([{"prompt": "a", "answer": ["Paris", "paris"]}], (), False),
    ],
)
def test_lint_warns_once_where_all_references_are_lists_of_numbers(
    tmp_path: Path, capsys: Captured, rows: list[object], options: tuple[str, ...], warned: bool
) -> None:
    assert main(["lint", lines(tmp_path / "in.jsonl", *rows), *options]) == 0
    assert capsys.readouterr().out.count("which means any of them") == warned


def test_lint_names_cells_that_cannot_be_read_and_empty_lists(tmp_path: Path, capsys: Captured) -> None:
    rows = [
        {"prompt": "a", "answer": 1, "info": "[]"},
        {"prompt": 5, "answer": 1},
        {"prompt": "c", "answer": []},
    ]
    assert main(["lint", lines(tmp_path / "in.jsonl", *rows)]) == 1
    said = capsys.readouterr().out
    assert "line 1: column 'info' must hold an object or the JSON text of one" in said
    assert "line 2: prompt must be a text or messages, got int" in said
    assert "line 3: the reference is empty" in said


def test_lint_runs_each_solution_and_a_program_that_does_nothing(tmp_path: Path, capsys: Captured) -> None:
    def row(id: int, expected: str) -> dict[str, object]:
        pairs = json.dumps({"inputs": ["2 3\n"], "outputs": [expected]})
        added = json.dumps(["print(sum(map(int, input().split())))"])
        return {"problem_id": id, "question": f"Add {id}.", "input_output": pairs, "solutions": added}

    file = lines(tmp_path / "apps.jsonl", row(1, "5\n"), row(2, "6\n"))
    assert main(["lint", file, "--run"]) == 1
    out = capsys.readouterr().out
    assert "line 2: its own solution is incorrect" in out
    assert "2 rows: 1 error, 0 warnings" in out
    two = tmp_path / "two.yaml"
    two.write_text("parts: {a: unit_tests, b: think_format}\n")
    assert main(["lint", file, "--run", "--verifier", str(two)]) == 2


def test_lint_of_nothing_is_bad_input(tmp_path: Path) -> None:
    assert main(["lint", lines(tmp_path / "d.jsonl")]) == 2


def test_doctor_tells_of_machine_isolation_and_packages(capsys: Captured) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for name in ("python", "cores", "memory", "torch", "seccomp", "landlock", "docker", "[train]"):
        assert name in out


def test_doctor_can_be_read_by_programs(capsys: Captured) -> None:
    assert main(["doctor", "--json"]) == 0
    facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"Machine", "Acceleration", "Isolation", "Packages"} == {fact["section"] for fact in facts}


@pytest.fixture
def problems(tmp_path: Path) -> str:
    rows = ({"prompt": f"Twice {n}?", "answer": str(2 * n)} for n in range(5, 15))
    return lines(tmp_path / "p.jsonl", *rows)


def test_audit_of_a_sound_verifier_exits_0(problems: str, capsys: Captured) -> None:
    assert main(["audit", "math", "--problems", problems]) == 0
    assert "0 of" in capsys.readouterr().out


def test_audit_shows_how_a_verifier_was_fooled(problems: str, tmp_path: Path, capsys: Captured) -> None:
    module = tmp_path / "holds_it.py"
    module.write_text("def judge(completion, problem):\n    return problem.answer in completion.text\n")
    assert main(["audit", f"{module}:judge", "--problems", problems, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["false_positives"][0] > 0
    assert found["false_negatives"][0] == 0


def test_audit_of_bad_input_is_one_line(tmp_path: Path, problems: str, capsys: Captured) -> None:
    assert main(["audit", "math", "--problems", lines(tmp_path / "x.jsonl", "{")]) == 2
    assert main(["audit", "math", "--problems", problems, "--template", "x"]) == 2
    assert main(["audit", "math", "--problems", problems, "--limit", "1"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "return problem.answr in completion.text",
            "completions (100.0%), the first: judge: error (AttributeError",
        ),
        ("return 7.0", "must score within its range 0.0 to 1.0, got 7.0"),
        ("return completion.text.index('a') >= 0", "ValueError: substring not found"),
    ],
)
def test_audit_of_a_verifier_that_fails_exits_1_and_says_the_error(
    body: str, said: str, problems: str, tmp_path: Path, capsys: Captured
) -> None:
    module = tmp_path / f"fails_{len(body)}.py"
    module.write_text(f"def judge(completion, problem):\n    {body}\n")
    assert main(["audit", f"{module}:judge", "--problems", problems]) == 1
    assert said in " ".join(capsys.readouterr().out.split())


def test_audit_that_decided_nothing_exits_1_and_says_why(
    problems: str, tmp_path: Path, capsys: Captured
) -> None:
    module = tmp_path / "never_decides.py"
    module.write_text("def judge(completion, problem):\n    return None\n")
    assert main(["audit", f"{module}:judge", "--problems", problems]) == 1
    assert "nothing was decided: judge: unavailable" in capsys.readouterr().out
