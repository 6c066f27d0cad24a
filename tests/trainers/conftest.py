"""What the trainers' tests share: a very small policy on sums of two digits."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from referee.trainers.loop.grpo import GroupTrainer
from referee.trainers.loop.run_options import Training
from referee.trainers.objective.presets import preset
from referee.trainers.policy.policy import Tiny, tiny_policy
from referee.verifiers.records import Problem
from referee.verifiers.rubric import Rubric

TINY = Tiny(alphabet="0123456789+=", layers=2, width=32, heads=2)
PROBLEMS = [Problem(prompt=f"{a}+{b}=", answer=str(a + b)) for a in range(10) for b in range(10)]


def exact(completion, problem):
    return completion.text == problem.answer


def digits(completion, problem):
    """A smooth reward, so that an untrained policy has something to learn from."""
    return sum(c in "12345" for c in completion.text) / 5


def trainer(name="grpo_trl", *, training=None, run=None, rubric=None, seed=3, dtype="float32", **options):
    """Return a trainer of a fresh tiny policy."""
    chosen = replace(
        preset(name),
        **{"batch_size": 16, "group_size": 4, "learning_rate": 1e-3, "max_new_tokens": 5, **options},
    )
    return GroupTrainer(
        tiny_policy(TINY, seed=seed, dtype=dtype),
        PROBLEMS,
        rubric or Rubric({"digits": digits}, truncation="score"),
        preset=chosen,
        training=training or Training(steps=4, eval_every=2, save_every=2, reference="frozen"),
        run=run,
        heldout=PROBLEMS[::7],
    )


@pytest.fixture(scope="session")
def tiny():
    """The names above."""
    return SimpleNamespace(options=TINY, problems=PROBLEMS, exact=exact, digits=digits, trainer=trainer)
