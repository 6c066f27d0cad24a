"""Other people's problems: each layout is recognised, rows are checked, golds are linted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from referee.envs.code_rows import CODE_LAYOUTS
from referee.envs.families import family
from referee.envs.loaders import LAYOUTS, BadRow, gold, lint, load, load_rows, recognise
from referee.verifiers.records import Problem

ROWS: list[tuple[str, dict[str, Any], str, Any]] = [
    ("referee", {"prompt": "1+1=", "answer": "2", "id": "a", "extra": 3}, "1+1=", "2"),
    ("gsm8k", {"question": "Two and two?", "answer": "2+2=<<2+2=4>>4\n#### 4"}, "Two and two?", "4"),
    ("math", {"problem": "Half?", "solution": r"It is $\boxed{\frac{1}{2}}$."}, "Half?", r"\frac{1}{2}"),
    ("math", {"problem": "P", "solution": "s", "answer": "7", "unique_id": "u"}, "P", "7"),
    (
        "humaneval",
        {"task_id": "t", "prompt": "def f():\n", "test": "def check(f): ...", "entry_point": "f"},
        "def f():\n",
        None,
    ),
    (
        "mbpp",
        {"task_id": 2, "text": "Write f.", "code": "def f(x): return x", "test_list": ["assert f(1) == 1"]},
        "Write f.\nYour code should pass these tests:\nassert f(1) == 1",
        "def f(x): return x",
    ),
    (
        "verl",
        {
            "prompt": [{"role": "user", "content": "Q"}],
            "reward_model": {"style": "rule", "ground_truth": "4"},
        },
        "Q",
        "4",
    ),
    ("qa", {"question": "Capital of France?", "answer": "Paris"}, "Capital of France?", "Paris"),
]


@pytest.mark.parametrize(("layout", "row", "prompt", "answer"), ROWS, ids=[r[0] for r in ROWS])
def test_a_layout_is_recognised_and_read(layout: str, row: dict[str, Any], prompt: str, answer: Any) -> None:
    assert recognise(row) == layout
    (problem,) = load_rows([row])
    assert (problem.prompt_text, problem.answer) == (prompt, answer)
    assert problem.id


def test_a_game24_row_gets_a_proven_solution() -> None:
    (problem,) = load_rows([{"Rank": "1", "Puzzles": "1 1 4 6", "Solved rate": "99.20%"}])
    assert problem.id == "game24/1"
    assert family("countdown")(str(problem.answer), problem).score == 1.0


def test_the_same_rows_load_from_jsonl_json_csv_and_gzip(tmp_path: Path) -> None:
    rows = [{"question": "a?", "answer": "b"}, {"question": "c?", "answer": "d"}]
    lines = "\n".join(map(json.dumps, rows))
    (tmp_path / "a.jsonl").write_text(lines + "\n\n")
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.csv").write_text("question,answer\na?,b\nc?,d\n")
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as file:
        file.write(lines)
    loaded = [load(path) for path in sorted(tmp_path.iterdir())]
    assert len(loaded) == 4
    assert all(problems == load_rows(rows) for problems in loaded)


def test_a_datasets_object_loads_like_its_rows() -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"question": "a?", "answer": "x #### 1"}, {"question": "c?", "answer": "y #### 2"}]
    assert load_rows(datasets.Dataset.from_list(rows)) == load_rows(rows)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"a": 1}], "row must have the columns of one of"),
        (
            [{"question": "q", "answer": "#### 1"}, {"question": "q"}],
            "row 2 is no gsm8k row: has no 'answer'",
        ),
        ([{"question": "", "answer": "#### 1"}], "row 1 is no gsm8k row: question must be a text"),
        ([{"problem": "p", "solution": "none"}], "row 1 is no math row: solution must hold"),
        ([{"Puzzles": "1 1 1 1"}], "numbers must be able to make 24"),
        ([{"prompt": 3}], "row 1 is no referee row"),
        ([[1]], "row 1 must be a JSON object, got list"),
    ],
)
def test_a_bad_row_is_named_with_what_is_wrong(rows: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_rows(rows)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "x"}\n{oops\n')
    with pytest.raises(BadRow, match=r"line 2 of a\.jsonl is not JSON"):
        load(tmp_path / "a.jsonl")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="layout must be one of"):
        load_rows([{"prompt": "x"}], layout="nonsense")


def test_lint_names_what_is_wrong_with_a_reference() -> None:
    sums = family("arithmetic")
    good = sums.problem(0, 0)
    wrong = Problem(prompt="What is 1+1?", answer="3", id="w", info=dict(good.info) | {"gold": "2"})
    problems = [
        good,
        Problem(prompt=good.prompt, answer="99", id="b", info=good.info),
        Problem(prompt=" ", answer="", id="c", info=good.info),
        Problem(prompt="new", answer="1", id="c", info=good.info),
        wrong,
    ]
    issues = lint(problems, sums, gold=lambda p: str(p.info.get("gold", p.answer)))
    assert [(i.row, i.issue) for i in issues] == [
        (2, "the prompt is that of an earlier row, with another answer"),
        (3, "the prompt is blank"),
        (3, "there is no answer"),
        (3, "its own solution is no_answer"),
        (4, "the id is that of an earlier row"),
        (5, "its own solution is incorrect"),
    ]


@pytest.mark.parametrize(
    ("file", "layout", "count"),
    [
        ("gsm8k/test.jsonl", "gsm8k", 1319),
        ("gsm8k/train.jsonl.gz", "gsm8k", 7473),
        ("math500/test.jsonl", "math", 500),
        ("humaneval/HumanEval.jsonl.gz", "humaneval", 164),
        ("game24/24.csv", "game24", 1362),
    ],
)
def test_the_real_sets_load_whole_with_a_gold_for_every_row(
    shared: Path, file: str, layout: str, count: int
) -> None:
    problems = load(shared / file)
    assert len(problems) == count
    assert {p.info["format"] for p in problems} == {layout}
    assert lint(problems) == []
    assert all(gold(p) for p in problems)


def test_every_layout_has_a_test_row() -> None:
    assert {r[0] for r in ROWS} | {"game24"} | set(CODE_LAYOUTS) == set(LAYOUTS)


def test_info_is_read_at_the_same_door_as_everywhere() -> None:
    stored = {"prompt": "a", "answer": "1", "info": {"tests": "t", "language": None}, "source": None}
    written = {
        "prompt": "b",
        "answer": "1",
        "info": '{"tests": "t", "cases": [{"stdin": "1", "weight": null}]}',
    }
    verl = {"prompt": [{"role": "user", "content": "c"}], "reward_model": {"ground_truth": "1"},
            "extra_info": {"split": None, "index": 0}}  # fmt: skip
    first, second = load_rows([stored, written])
    assert first.info == {"tests": "t"}
    assert second.info == {"tests": "t", "cases": [{"stdin": "1"}]}
    assert load_rows([verl])[0].info == {"format": "verl", "extra_info": {"index": 0}}
    with pytest.raises(
        BadRow, match="row 1 is no referee row: info must hold an object or the JSON text of one"
    ):
        load_rows([{"prompt": "a", "info": "[1]"}])
