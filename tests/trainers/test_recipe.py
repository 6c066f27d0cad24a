"""Recipes: what a file says is what runs, and what it gets wrong is named by its key."""

from __future__ import annotations

import pytest

from referee.trainers.policy.policy import LoRA
from referee.trainers.recipes.recipe import (
    RecipeError,
    change,
    dump_recipe,
    load_recipe,
    recipe_from,
    run_of,
)
from referee.trainers.recipes.recipe_problems import problems_of, rollouts_of, rubric_of
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


def test_a_folder_takes_one_recipe_from_its_first_checkpoint_on(tmp_path):
    run_of(recipe_from({**SUMS, "algorithm": "rloo"}), tmp_path, rules={})
    run = run_of(recipe_from(SUMS), tmp_path, rules={})  # nothing was done yet that could be lost
    with run.checkpoint(0):
        pass
    run_of(recipe_from({**SUMS, "training": {"steps": 900, "save_every": 7}}), tmp_path, rules={})
    with pytest.raises(RecipeError, match=r"holds a run of another recipe \(algorithm.*--overwrite"):
        run_of(recipe_from({**SUMS, "algorithm": "rloo"}), tmp_path, rules={})
    run_of(recipe_from({**SUMS, "algorithm": "rloo"}), tmp_path, rules={}, overwrite=True)
    assert run.checkpoints() == []


def test_a_run_is_not_gone_on_with_under_rules_that_may_judge_otherwise(tmp_path):
    run = run_of(recipe_from(SUMS), tmp_path, rules={"right": {"numeric": 1}})
    with run.checkpoint(0):
        pass
    run_of(recipe_from(SUMS), tmp_path, rules={"right": {"numeric": 1}})
    with pytest.raises(RecipeError, match=r"right: numeric was 1, is now 2.*--overwrite"):
        run_of(recipe_from(SUMS), tmp_path, rules={"right": {"numeric": 2}})
    (tmp_path / "rules.json").unlink()  # a run of before the rules had versions
    with pytest.raises(RecipeError, match="right: numeric was unrecorded, is now 1"):
        run_of(recipe_from(SUMS), tmp_path, rules={"right": {"numeric": 1}})


def test_levels_are_checked():
    with pytest.raises(RecipeError, match=r"problems\.level must be from 0 to"):
        problems_of(recipe_from({"problems": {"family": "arithmetic", "level": 99}}))


MIXED = {
    "problems": {
        "mixture": [
            {"family": "comparison", "level": 0},
            {"family": "arithmetic", "level": 1, "weight": 3.0},
            {"family": "guess_number"},
        ],
        "terse": True,
    },
    "heldout": {"count": 9},
}


def test_a_mixture_draws_by_weight_and_holds_out_some_of_each():
    recipe = recipe_from(MIXED)
    problems, heldout = problems_of(recipe)
    names = [p.info["family"] for p in heldout]
    assert [names.count(f) for f in ("comparison", "arithmetic", "guess_number")] == [3, 3, 3]
    drawn = [problems(i) for i in range(500)]
    assert 240 < sum(p.info["family"] == "arithmetic" for p in drawn) < 360
    single = {p.prompt for p in heldout if p.info["family"] != "guess_number"}
    assert not single & {p.prompt for p in drawn}
    assert not {p.id for p in heldout} & {p.id for p in drawn}
    rubric = rubric_of(recipe)
    assert rubric(Completion(text=str(drawn[0].answer)), drawn[0]).total is not None


def test_games_and_tools_are_played_in_episodes():
    assert rollouts_of(recipe_from(SUMS)) is None
    assert len(rollouts_of(recipe_from(MIXED)).families) == 3
    assert rollouts_of(recipe_from({"problems": {"family": "python_tool"}})) is not None
    asked = {**SUMS, "episode": {"turns": 3, "seconds": 5.0, "tools": ["calculator"]}}
    episodes = rollouts_of(recipe_from(asked))
    assert (episodes.limits.turns, episodes.limits.seconds) == (3, 5.0)
    assert [tool.name for tool in episodes.tools] == ["calculator"]


def test_a_curriculum_is_of_a_mixture_or_of_a_familys_levels(tmp_path):
    recipe = recipe_from({**MIXED, "curriculum": {"rule": "ucb", "target": 0.4}})
    source, _ = problems_of(recipe)
    assert (source.curriculum.rule, len(source.curriculum.cells)) == ("ucb", 3)
    levels, heldout = problems_of(recipe_from({**SUMS, "curriculum": {}}))
    assert [c.level for c in levels.curriculum.cells] == [0, 1, 2, 3, 4, 5]
    assert {p.info["level"] for p in heldout} == {0, 1, 2, 3, 4, 5}
    (tmp_path / "r.yaml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "r.yaml") == recipe


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"problems": {"mixture": [{"family": "gcd", "levle": 1}]}},
            r"problems.mixture\[0\] has no key 'levle'",
        ),
        (
            {"problems": {"mixture": [{"family": "gcd", "level": 9}]}},
            r"problems.mixture\[0\].level must be from 0",
        ),
        ({"problems": {"mixture": [{"family": "gdc"}]}}, "problems: family must be one of"),
        ({"problems": {"mixture": [{"family": "gcd"}] * 2}}, "must name each family at each level once"),
        (
            {"problems": {"mixture": [{"family": "gcd"}, {"family": "maze", "weight": 0}]}},
            "weight must be above 0",
        ),
        ({"problems": {"file": "x"}, "curriculum": {}}, "curriculum needs problems of a family or a mixture"),
        ({**SUMS, "curriculum": {"rule": "best"}}, "curriculum.rule must be one of thompson, ucb, uniform"),
        ({**SUMS, "curriculum": {"target": 2.0}}, "curriculum: target must be from 0.0 to 1.0"),
        ({**SUMS, "episode": {"turns": 0}}, "episode: turns must be above 0"),
        (
            {**SUMS, "episode": {"tools": ["shell"]}},
            "episode.tools must be of calculator, python, got 'shell'",
        ),
    ],
    ids=lambda x: "" if isinstance(x, dict) else x[:30],
)
def test_what_is_wrong_in_a_mixture_is_named_by_its_key(data, message):
    def read():
        recipe = recipe_from(data)
        return problems_of(recipe), rollouts_of(recipe)

    with pytest.raises(RecipeError, match=message):
        read()


def test_a_mixture_with_a_curriculum_and_a_game_is_carried_out_resumed_and_reported(tmp_path):
    from referee.report.training import training_report
    from referee.trainers.recipes.recipe_run import carry_out

    recipe = recipe_from(
        {
            **MIXED,
            "policy": {"tiny": {"layers": 1, "width": 32, "heads": 2}},
            "curriculum": {},
            "warm_start": {"steps": 2, "batch_size": 6},
            "algorithm": "grpo_trl",
            "options": {"batch_size": 12, "group_size": 3, "max_new_tokens": 4},
            "training": {"steps": 2, "eval_every": 1, "save_every": 1},
        }
    )
    run = carry_out(recipe, tmp_path / "whole")
    line = run.read("metrics")[-1]
    assert line["turns"] >= 1.0
    assert {k for k in line if k.startswith("curriculum/share/")} == {
        "curriculum/share/comparison-0",
        "curriculum/share/arithmetic-1",
        "curriculum/share/guess_number-0",
    }
    first = load_recipe(tmp_path / "whole" / "recipe.yaml", ["training.steps=1"])
    carry_out(first, tmp_path / "cut")
    again = carry_out(recipe, tmp_path / "cut")
    assert again.read("metrics") == run.read("metrics")
    page = training_report(tmp_path / "whole")
    assert "Problems asked" in page
    assert "guess number, level 0" in page
