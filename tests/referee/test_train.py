"""``referee train``: a recipe in, a run with its report out; carried on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from referee.cli import main
from referee.report.training import training_report, write_training_report
from referee.trainers.record.run_record import Run, alone

Captured = pytest.CaptureFixture[str]

RECIPE = """
policy: {name: tiny, tiny: {alphabet: "0123456789+=", layers: 1, width: 16, heads: 2}}
problems: {family: arithmetic, level: 0, terse: true}
heldout: {count: 10}
warm_start: {steps: 2, batch_size: 8}
algorithm: ALGORITHM
options: {batch_size: 16, group_size: 4, learning_rate: 1e-3, max_new_tokens: 4}
training: {steps: 4, eval_every: 2, save_every: 2, eval_samples: 2, track_kl: true}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.replace("ALGORITHM", "grpo_trl"))
    return path


def test_a_recipe_becomes_a_run_and_a_report(recipe: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "run"
    assert main(["train", str(recipe), "-o", str(out)]) == 0
    said = capsys.readouterr().err
    assert "held-out pass@1" in said
    assert "pass@2" in said
    assert [line["step"] for line in Run(out).read("metrics")] == [1, 2, 3, 4]
    assert [line["step"] for line in Run(out).read("heldout")] == [0, 2, 4]
    page = (out / "report.html").read_text()
    for heading in ("Reward", "Held-out pass@1", "KL to the reference", "Entropy", "Completion length"):
        assert heading in page
    assert page.count("<svg") > 8
    before = page
    assert main(["report", str(out), "-o", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text() == before


def test_the_same_command_goes_on_and_other_recipes_are_refused(
    recipe: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = str(tmp_path / "run")
    assert main(["train", str(recipe), "-o", out, "-q", "--no-report", "--steps", "2"]) == 0
    assert main(["train", str(recipe), "-o", out, "-q", "--no-report"]) == 0
    assert len(Run(out).read("metrics")) == 4
    whole = tmp_path / "whole"
    assert main(["train", str(recipe), "-o", str(whole), "-q", "--no-report"]) == 0
    assert (whole / "metrics.jsonl").read_bytes() == (tmp_path / "run" / "metrics.jsonl").read_bytes()
    capsys.readouterr()
    assert main(["train", str(recipe), "-o", out, "--algorithm", "rloo"]) == 2
    assert "holds a run of another recipe (algorithm)" in capsys.readouterr().err


def test_a_run_of_no_step_has_no_report(recipe: Path, tmp_path: Path, capsys: Captured) -> None:
    assert main(["train", str(recipe), "-o", str(tmp_path / "run"), "--steps", "0"]) == 0
    assert "no report: no step was taken" in capsys.readouterr().err


def test_two_runs_never_write_to_one_folder(recipe: Path, tmp_path: Path, capsys: Captured) -> None:
    with alone(tmp_path / "run"):
        for more in ([], ["--overwrite"]):
            assert main(["train", str(recipe), "-o", str(tmp_path / "run"), "-q", *more]) == 2
            assert "another run is writing to" in capsys.readouterr().err
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("algorithm", ["dapo", "rloo", "ppo"])
def test_every_kind_of_algorithm_runs_from_a_recipe(algorithm: str, recipe: Path, tmp_path: Path) -> None:
    arguments = ["--algorithm", algorithm, "-s", "training.save_every=4", "-q", "--no-report"]
    if algorithm == "ppo":
        arguments += ["-s", "options.group_size=1", "-s", "options.mini_batch_size=8"]
    assert main(["train", str(recipe), "-o", str(tmp_path / "run"), *arguments]) == 0
    assert "kl" in Run(tmp_path / "run").read("metrics")[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "training.stepz=3"], "training has no key 'stepz'"),
        (["--set", "steps"], "a change must be key.path=value, got 'steps'"),
        (["--algorithm", "gropo"], "algorithm: preset must be one of"),
        (["--set", "problems.level=77"], "problems.level must be from 0 to"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, recipe: Path, capsys: Captured) -> None:
    assert main(["train", str(recipe), "-o", str(recipe.parent / "run"), *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_a_run_whose_verifier_was_down_says_so_and_has_no_reward(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "down.py").write_text("def down(completion, problem):\n    return None\n")
    down = f'rubric: {{parts: {{right: {{verifier: "{tmp_path}/down.py:down"}}}}, truncation: score}}\n'
    recipe.write_text(recipe.read_text() + down)
    out = tmp_path / "run"
    assert main(["train", str(recipe), "-o", str(out)]) == 0
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["abstained"] for line in lines] == [1.0] * 4
    assert not any("reward" in line for line in lines)
    assert "<dd>–</dd>" in (out / "report.html").read_text()


BUG = "def judge(completion, problem):\n    return problem.answr in completion.text\n"


def test_a_run_whose_verifier_always_raises_stops_and_goes_on_when_it_is_mended(
    recipe: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "always_raises.py").write_text(BUG)
    part = f'{{verifier: "{tmp_path}/always_raises.py:judge"}}'
    recipe.write_text(recipe.read_text() + f"rubric: {{parts: {{mine: {part}, form: think_format}}}}\n")
    out = tmp_path / "run"
    command = ["train", str(recipe), "-o", str(out), "-q"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "stopped in step 2: every verdict of mine was an error in 2 steps running, the first: Attr" in said
    assert "training.stop_after_errors" in said
    assert len(said.strip().splitlines()) == 1
    lines = Run(out).read("metrics")
    assert [line["errors"] for line in lines] == [1.0, 1.0]  # cut off or not
    assert "A verifier failed on 100% of the completions" in (out / "report.html").read_text()
    assert main([*command, "--set", "training.stop_after_errors=0"]) == 0
    assert len(Run(out).read("metrics")) == 4


def test_a_part_that_is_not_paid_may_fail(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "raises_unpaid.py").write_text(BUG)
    part = f'{{verifier: "{tmp_path}/raises_unpaid.py:judge", weight: 0}}'
    recipe.write_text(recipe.read_text() + f"rubric: {{parts: {{form: think_format, mine: {part}}}}}\n")
    assert main(["train", str(recipe), "-o", str(tmp_path / "run"), "-q", "--no-report"]) == 0


def test_the_headline_is_a_mean_of_twenty_steps(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    main(["train", str(recipe), "-o", str(out), "-q", "--no-report"])
    [line, *_] = Run(out).read("metrics")

    def page(steps: int) -> str:
        lines = [{**line, "step": n, "reward": n / 100} for n in range(1, steps + 1)]
        (out / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
        return " ".join(training_report(out).split())

    assert '<dd>0.505</dd> <dd class="note">mean of the last 20 steps; 0.105 in the first</dd>' in page(60)
    assert (
        '<dd>0.035</dd> <dd class="note">mean of the last 2 steps; 0.015 in the first (4 steps in all)'
        in page(4)
    )


def test_what_a_policy_wrote_stays_text_in_the_report(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    main(["train", str(recipe), "-o", str(out), "-q", "--no-report"])
    hostile = "</script><script>alert(1)</script>"
    lines = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    for line in lines:
        line["completion"] = line["prompt"] = line["answer"] = hostile
    (out / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = write_training_report(out).read_text()
    assert hostile not in page
    assert "\\u003c/script\\u003e" in page


def test_a_folder_without_a_run_has_no_report(tmp_path: Path, capsys: Captured) -> None:
    with pytest.raises(ValueError, match="holds no step of a training run"):
        training_report(tmp_path)
    assert main(["report", str(tmp_path)]) == 2
    assert "holds no step of a training run" in capsys.readouterr().err
