"""Sources of problems: the order, the curriculum's closed loop, and its place in a checkpoint."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from referee.envs.curriculum import Cell, Curriculum
from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.loop.ppo import PPOTrainer
from referee.trainers.loop.problem_source import CurriculumSource, InOrder, source_of
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.shuffling import shuffled
from referee.trainers.objective.presets import preset
from referee.trainers.policy.policy import Tiny, tiny_policy
from referee.trainers.policy.sampling import seed_of
from referee.trainers.record.run_record import Run
from referee.verifiers.records import Problem
from referee.verifiers.rubric import Rubric

EASY, FAIR, HARD = (Cell("f", level) for level in range(3))
CELLS = {
    c: (lambda i, c=c: Problem(prompt=f"{c.level}={i % 10}:", info={"level": c.level}))
    for c in (EASY, FAIR, HARD)
}


def by_level(completion, problem):
    """Nothing fails at level 0, nothing passes at level 2, and at level 1 it depends on the completion."""
    level = problem.info["level"]
    return level == 0 or (level == 1 and sum(c in "12345" for c in completion.text) >= 2)


def curriculum(rule="thompson"):
    return CurriculumSource(Curriculum(cells=tuple(CELLS), rule=rule, seed=1), CELLS)


def trainer(source, *, cls=GroupTrainer, name="grpo_trl", steps=6, run=None, seed=3, **options):
    numbers = {"batch_size": 32, "group_size": 4, "learning_rate": 1e-3, "max_new_tokens": 4}
    return cls(
        tiny_policy(Tiny(alphabet="0123456789=:", layers=1, width=32, heads=2), seed=seed),
        source,
        Rubric({"by_level": by_level}, truncation="score"),
        preset=replace(preset(name), **{**numbers, **options}),
        training=Training(steps=steps, eval_every=2, save_every=2),
        run=run,
    )


def test_groups_go_where_some_pass_and_some_fail():
    source = curriculum()
    t = trainer(source)
    shares = [t.take_step()[0] for _ in range(12)][-4:]
    assert sum(f["curriculum/share/f-1"] for f in shares) / 4 > 0.7
    assert shares[-1]["curriculum/rate/f-0"] > 0.9
    assert shares[-1]["curriculum/rate/f-2"] < 0.1
    assert all(sum(v for k, v in f.items() if "/share/" in k) == pytest.approx(1.0) for f in shares)
    assert sum(source.known.taken.values()) == 12 * 8


def test_a_cell_goes_through_its_problems_one_after_the_other():
    source = CurriculumSource(Curriculum(cells=(FAIR,)), {FAIR: lambda i: Problem(prompt=str(i))})
    t = trainer(source)
    seen = []
    for step in range(2):
        groups = t.rollout(range(8 * step, 8 * step + 8))
        seen += [g.problem.prompt for g in groups]
    assert seen == [str(i) for i in range(16)]


def records(folder):
    return {n: (folder / f"{n}.jsonl").read_bytes() for n in ("metrics", "samples")}


@pytest.mark.parametrize("died_at", [1, 2, 5])
@pytest.mark.parametrize("refill", [False, True])
def test_a_run_with_a_curriculum_that_died_goes_on_as_if_it_had_not(tmp_path, died_at, refill):
    options = {"refill_groups": refill}
    trainer(curriculum(), run=Run(tmp_path / "whole"), **options).train()

    def die(figures):
        if figures["step"] == died_at:
            raise KeyboardInterrupt

    dying = trainer(curriculum(), run=Run(tmp_path / "cut"), **options)
    dying.on_step = die
    with pytest.raises(KeyboardInterrupt):
        dying.train()
    trainer(curriculum(), run=Run(tmp_path / "cut"), seed=99, **options).train()
    assert records(tmp_path / "cut") == records(tmp_path / "whole")
    _, folder = Run(tmp_path / "cut").checkpoints()[-1]
    state = json.loads((folder / "state.json").read_text())["problems"]
    assert sum(cell["taken"] for cell in state["cells"]) >= 48


def test_a_trainer_with_a_critic_follows_a_curriculum_too():
    t = trainer(curriculum(), cls=PPOTrainer, name="ppo", group_size=4, mini_batch_size=16)
    figures = [t.take_step()[0] for _ in range(4)]
    assert "curriculum/share/f-1" in figures[-1]


def test_abstentions_are_no_failures():
    source = curriculum()
    t = trainer(source)
    t.rubric = Rubric({"down": lambda c, p: None}, truncation="score")
    t.take_step()
    assert not source.known.rates()


def test_a_sequence_comes_in_a_new_order_each_round_and_each_place_is_found_alone():
    source = InOrder(of=[Problem(prompt=str(i)) for i in range(10)], seed=4)
    rounds = [[p.prompt for p in source.problems(range(r * 10, r * 10 + 10))] for r in range(2)]
    assert sorted(rounds[0]) == sorted(rounds[1])
    assert rounds[0] != rounds[1]
    assert source.problems([13])[0].prompt == rounds[1][3]


def test_what_is_a_source_stays_one():
    source = curriculum()
    assert source_of(source, seed=0) is source
    assert source_of([Problem(prompt="1")], seed=0).problems([0]) == [Problem(prompt="1")]
    assert source_of(lambda i: Problem(prompt=str(i)), seed=0).problems([7]) == [Problem(prompt="7")]


def test_a_curriculum_without_problems_for_a_cell_is_refused():
    with pytest.raises(ValueError, match="cells must hold every cell of the curriculum, got none for"):
        CurriculumSource(Curriculum(cells=(EASY, FAIR)), {EASY: CELLS[EASY]})


def test_the_order_of_a_seed_is_the_one_that_runs_so_far_were_made_with() -> None:
    source = InOrder(of=[Problem(prompt=str(i)) for i in range(10)], seed=3)
    for round_ in (0, 1):
        generator = torch.Generator().manual_seed(seed_of(3, "order", round_))
        wanted = torch.randperm(10, generator=generator).tolist()
        assert [int(p.prompt) for p in source.problems(range(10 * round_, 10 * round_ + 10))] == wanted
        assert shuffled(10, seed=3, round=round_) == wanted


def test_a_round_is_shuffled_once_however_many_problems_are_drawn_from_it(monkeypatch) -> None:
    calls = []
    real = torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda *a, **k: calls.append(a) or real(*a, **k))
    source = InOrder(of=range(100_003), seed=11)
    assert len({*source.problems(range(5000)), *source.problems(range(5000, 10_000))}) == 10_000
    assert calls == [(100_003,)]
