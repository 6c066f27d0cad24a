"""Recipes: what a file says is what runs, and what it gets wrong is named by its key."""

from __future__ import annotations

import pytest

from referee.trainers.policy import LoRA
from referee.trainers.recipe import (
    RecipeError,
    change,
    dump_recipe,
    load_recipe,
    recipe_from,
    run_of,
)
from referee.trainers.recipe_problems import problems_of, rubric_of
from referee.verifiers.records import Completion

SUMS = {"problems": {"family": "arithmetic", "level": 2, "terse": True}, "heldout": {"count": 30}}


def test_a_recipe_survives_being_written_and_read(tmp_path):
    recipe = recipe_from(
        {
            **SUMS,
            "policy": {"name": "x", "lora": {"rank": 4, "targets": ["q_proj", "v_proj"]}},
            "algorithm": "dapo",
            "options": {"learning_rate": "1e-4", "clip_high": 0.3},
            "warm_start": {"steps": 3},
            "trackers": ["tensorboard"],
        }
    )
    (tmp_path / "r.yaml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "r.yaml") == recipe
    assert recipe.policy.lora == LoRA(rank=4, targets=("q_proj", "v_proj"))
    assert recipe.preset().learning_rate == 1e-4
    assert recipe.preset().refill_groups


def test_numbers_that_yaml_reads_as_texts_are_numbers(tmp_path):
    (tmp_path / "r.yaml").write_text("problems: {family: arithmetic}\noptions: {learning_rate: 1e-4}\n")
    assert load_recipe(tmp_path / "r.yaml").preset().learning_rate == 1e-4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "the recipe must be a mapping, got list"),
        ({}, "problems"),
        ({"problems": {}}, "problems must name exactly one of family, mixture, file and dataset"),
        ({"problems": {"family": "arithmetic", "file": "x"}}, "exactly one of"),
        ({**SUMS, "trainin": {}}, "the recipe has no key 'trainin'"),
        ({**SUMS, "training": {"stepz": 1}}, "training has no key 'stepz'; its keys are steps"),
        ({**SUMS, "training": {"steps": "many"}}, "training.steps must be a whole number, got 'many'"),
        ({**SUMS, "training": {"steps": -1}}, "training: steps must be at least 0, got -1"),
        (
            {**SUMS, "training": {"schedule": "wavy"}},
            "training.schedule must be one of constant, linear, cosine",
        ),
        (
            {**SUMS, "training": {"max_grad_norm": "big"}},
            "training.max_grad_norm must be a number, got 'big'",
        ),
        ({**SUMS, "algorithm": "grop"}, "algorithm: preset must be one of"),
        ({**SUMS, "options": {"clip": 1}}, "options has no key 'clip'"),
        ({**SUMS, "policy": {"lora": {"ranks": 1}}}, "policy.lora has no key 'ranks'"),
        ({**SUMS, "policy": {"tiny": {"width": 30}}}, "policy.tiny: width must be a multiple"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(data, message):
    with pytest.raises(RecipeError, match=message.replace("(", r"\(")):
        recipe_from(data)


def test_flags_override_the_file(tmp_path):
    (tmp_path / "r.yaml").write_text("problems: {family: arithmetic}\ntraining: {steps: 9, seed: 1}\n")
    recipe = load_recipe(
        tmp_path / "r.yaml", ["training.steps=2", "policy.name=x/y", "rubric={parts: {a: exact}}"]
    )
    assert (recipe.training.steps, recipe.training.seed, recipe.policy.name) == (2, 1, "x/y")
    assert recipe.rubric == {"parts": {"a": "exact"}}
    with pytest.raises(RecipeError, match=r"a change must be key.path=value, got 'steps'"):
        change({}, ["steps"])


def test_held_out_problems_are_not_trained_on():
    problems, heldout = problems_of(recipe_from(SUMS))
    assert len({p.prompt for p in heldout}) == 30
    drawn = [problems(i) for i in range(3000)]
    assert not {p.prompt for p in drawn} & {p.prompt for p in heldout}
    assert [problems(i) for i in range(5)] == drawn[:5]
    assert len({p.prompt for p in drawn}) > 2000


def test_held_out_problems_that_leave_nothing_are_refused():
    problems, _ = problems_of(recipe_from({"problems": {"family": "arithmetic"}, "heldout": {"count": 500}}))
    with pytest.raises(RecipeError, match="heldout leaves hardly a problem"):
        problems(0)


def test_a_file_of_problems_is_split(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text("".join(f'{{"prompt": "{i}+1=", "answer": "{i + 1}"}}\n' for i in range(50)))
    recipe = recipe_from(
        {
            "problems": {"file": str(path), "chat": True, "system": "Add."},
            "heldout": {"count": 10},
            "rubric": {"parts": {"right": "exact"}},
        }
    )
    problems, heldout = problems_of(recipe)
    assert (len(problems), len(heldout)) == (40, 10)
    assert [m.role for m in problems[0].prompt] == ["system", "user"]
    assert rubric_of(recipe)(Completion(text="1"), heldout[0]).total == 1.0


def test_a_family_judges_itself_and_files_need_a_rubric(tmp_path):
    rubric = rubric_of(recipe_from(SUMS))
    problems, _ = problems_of(recipe_from(SUMS))
    assert rubric(str(problems(0).answer), problems(0)).total == 1.0
    with pytest.raises(RecipeError, match="rubric must be given"):
        rubric_of(recipe_from({"problems": {"file": "x.jsonl"}}))
    with pytest.raises(RecipeError, match="rubric: "):
        rubric_of(recipe_from({**SUMS, "rubric": {"parts": {"a": "no_such_verifier"}}}))


def test_a_folder_takes_one_recipe(tmp_path):
    run_of(recipe_from(SUMS), tmp_path)
    run_of(recipe_from({**SUMS, "training": {"steps": 900, "save_every": 7}}), tmp_path)
    with pytest.raises(RecipeError, match=r"holds a run of another recipe \(algorithm"):
        run_of(recipe_from({**SUMS, "algorithm": "rloo"}), tmp_path)
    with pytest.raises(RecipeError, match=r"problems\.level must be from 0 to"):
        problems_of(recipe_from({"problems": {"family": "arithmetic", "level": 99}}))
