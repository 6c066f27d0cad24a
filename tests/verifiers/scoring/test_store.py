"""An output's state: written with its first reward, and refusing what would mix two ways of judging."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from referee.verifiers import Completion, Exact, Problem, Rubric, any_of
from referee.verifiers.scoring import Columns, RowError, StoreError, score_file
from referee.verifiers.scoring.rows import Row
from referee.verifiers.scoring.store import Store

NOW = Exact.rules_version

ROW = {"prompt": "?", "completion": "a", "answer": "a"}
RUBRIC = Rubric({"right": Exact()})


def run(out: Path, rubric: Rubric = RUBRIC, rows: Any = (ROW,), **options: Any) -> None:
    score_file(rubric, rows, out, workers=0, **options)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_nothing_stands_on_the_disk_before_the_first_reward_does(tmp_path: Path) -> None:
    with pytest.raises(RowError):
        run(tmp_path / "out", rows=[{"text": "a"}])
    assert names(tmp_path) == set()
    run(tmp_path / "out", rows=[])
    assert names(tmp_path) == set()
    run(tmp_path / "out")
    assert names(tmp_path) == {"out", "out.state.json", "out.timings.jsonl"}


def test_the_state_names_the_rubric_the_columns_and_the_version_of_each_verifiers_rules(
    tmp_path: Path,
) -> None:
    run(tmp_path / "out", Rubric({"right": any_of(Exact(), Exact(ignore_case=True)), "form": Exact()}))
    state = json.loads((tmp_path / "out.state.json").read_text())
    assert sorted(state) == ["columns", "rubric", "rules"]
    assert state["rules"] == {"right": {"any_of": 1, "exact": NOW}, "form": {"exact": NOW}}


def test_going_on_across_a_change_of_the_rules_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "out")
    before = (tmp_path / "out").read_bytes()
    monkeypatch.setattr(Exact, "rules_version", NOW + 1, raising=False)
    with pytest.raises(
        StoreError, match=rf"other rules.*right: exact was {NOW}, is now {NOW + 1}.*--overwrite"
    ):
        run(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == before
    run(tmp_path / "out", overwrite=True)
    run(tmp_path / "out")


def test_a_file_of_before_the_rules_had_versions_is_refused_too(tmp_path: Path) -> None:
    run(tmp_path / "out")
    state = tmp_path / "out.state.json"
    state.write_text(json.dumps({k: v for k, v in json.loads(state.read_text()).items() if k != "rules"}))
    with pytest.raises(StoreError, match=f"right: exact was unrecorded, is now {NOW}"):
        run(tmp_path / "out")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (Columns(completion=("completion", "prompt")), "completion completion (now completion, prompt)"),
        (Columns(answer="prompt"), "answer 'answer' (now 'prompt')"),
        (Columns(group="prompt"), "group '' (now 'prompt')"),
    ],
)
def test_the_column_setting_that_differs_is_named_old_and_new(
    columns: Columns, said: str, tmp_path: Path
) -> None:
    run(tmp_path / "out")
    with pytest.raises(StoreError) as caught:
        run(tmp_path / "out", columns=columns)
    assert f"was begun with another column setting, {said}: choose another output" in str(caught.value)


def without_output(out: Path) -> None:
    out.unlink()


def emptied(out: Path) -> None:
    out.write_bytes(b"")


@pytest.mark.parametrize("lost", [without_output, emptied])
def test_a_state_whose_output_is_gone_is_no_run(lost: Callable[[Path], None], tmp_path: Path) -> None:
    run(tmp_path / "out")
    lost(tmp_path / "out")
    run(tmp_path / "out", Rubric({"other": Exact()}))
    assert list(json.loads((tmp_path / "out").read_text())["reward"]["parts"]) == ["other"]


def test_a_state_that_cannot_be_read_is_no_run_of_ours(tmp_path: Path) -> None:
    run(tmp_path / "out")
    for text in ("", "{", "[]"):
        (tmp_path / "out.state.json").write_text(text)
        with pytest.raises(StoreError, match="is not the output of a run"):
            run(tmp_path / "out")


def test_what_was_journaled_ahead_of_the_first_line_is_a_run(tmp_path: Path) -> None:
    store = Store(tmp_path / "out", RUBRIC, Columns())
    store.keep(1, RUBRIC("a", Problem(answer="a")))
    store.flush(journal_needed=True)
    store.close(complete=False)
    assert list(Store(tmp_path / "out", RUBRIC, Columns()).ahead) == [1]
    with pytest.raises(StoreError, match="another rubric"):
        Store(tmp_path / "out", Rubric({"other": Exact()}), Columns())


def test_a_share_of_a_batchs_time_is_marked(tmp_path: Path) -> None:
    store = Store(tmp_path / "out", RUBRIC, Columns())
    row = Row(3, "completion", 0, Problem(), Completion(text="a"))
    store.time(row, 0.25)
    store.time(row, 0.5, shared=True)
    store.close(complete=True)
    own, shared = (json.loads(line) for line in (tmp_path / "out.timings.jsonl").read_text().splitlines())
    assert own == {"line": 3, "column": "completion", "seconds": 0.25}
    assert shared == {"line": 3, "column": "completion", "seconds": 0.5, "shared": True}


def test_two_runs_never_write_one_output(tmp_path: Path) -> None:
    """Whether the first one has written by then or not, and it keeps what it wrote."""
    out = tmp_path / "out"
    row = Row(1, "completion", 0, Problem(answer="a"), Completion(text="a"))
    reward = RUBRIC("a", Problem(answer="a"))
    first, second = (Store(out, RUBRIC, Columns()) for _ in range(2))
    first.append([(row, reward)])
    written = out.read_bytes()
    with pytest.raises(StoreError, match="another run is writing"):
        second.append([(row, reward)])
    second.close(complete=True)
    first.keep(2, reward)
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="another run is writing"):
            Store(out, RUBRIC, Columns(), overwrite=overwrite)
    first.close(complete=False)
    assert out.read_bytes() == written
    assert names(tmp_path) == {"out", "out.journal", "out.state.json", "out.timings.jsonl"}
    assert list(Store(out, RUBRIC, Columns()).ahead) == [2]


def test_a_run_that_another_one_overtook_adds_nothing_to_its_output(tmp_path: Path) -> None:
    late = Store(tmp_path / "out", RUBRIC, Columns())
    run(tmp_path / "out")
    written = (tmp_path / "out").read_bytes()
    row = Row(1, "completion", 0, Problem(answer="a"), Completion(text="a"))
    with pytest.raises(StoreError, match="another run has written"):
        late.append([(row, RUBRIC("a", Problem(answer="a")))])
    late.close(complete=False)
    assert (tmp_path / "out").read_bytes() == written
