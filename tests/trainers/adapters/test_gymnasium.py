"""gymnasium itself, with rows and a rubric as an environment."""

from __future__ import annotations

import os
import subprocess
import sys

import gymnasium
import pytest
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, filled
from gymnasium.utils.env_checker import check_env

from referee.trainers import Abstained, to_gymnasium

CASES, EXPECTED = cases(), expected()
ROWS = [{"prompt": c.prompt, "answer": c.answer, "id": c.id} for c in CASES]


def play(env, index, text):
    prompt, info = env.reset(options={"index": index})
    assert (prompt, info["index"]) == (CASES[index].prompt, index)
    _, reward, terminated, truncated, info = env.step(text)
    assert (terminated, truncated) == (not info["abstained"], info["abstained"])
    return reward, info


def test_an_episode_pays_every_score_bit_for_bit_with_a_flag_for_an_abstention():
    env = to_gymnasium(RUBRIC, ROWS, on_abstention=-7.0)
    played = [play(env, i, c.completion) for i, c in enumerate(CASES)]
    assert bits(reward for reward, _ in played) == bits(filled(EXPECTED, -7.0))
    assert [info["abstained"] for _, info in played] == [e.abstains for e in EXPECTED]
    assert all(bool(info["why"]) == info["abstained"] for _, info in played)


@pytest.mark.filterwarnings("ignore")
def test_gymnasiums_own_checker_is_content():
    decided = [row for row, reward in zip(ROWS[:50], EXPECTED, strict=False) if not reward.abstains]
    check_env(to_gymnasium(RUBRIC, decided, on_abstention="raise"), skip_render_check=True)


def test_seeds_draw_equal_rows_and_a_step_needs_a_reset():
    a, b = (to_gymnasium(RUBRIC, ROWS, on_abstention=0.0) for _ in range(2))
    assert [a.reset(seed=s)[0] for s in range(9)] == [b.reset(seed=s)[0] for s in range(9)]
    a.step("x")
    with pytest.raises(gymnasium.error.ResetNeeded):
        a.step("x")


def test_an_abstention_raises_where_the_user_says_so():
    env = to_gymnasium(RUBRIC, ROWS, on_abstention="raise")
    with pytest.raises(Abstained):
        play(env, next(i for i, e in enumerate(EXPECTED) if e.abstains), "x")


def test_group_verifiers_and_no_rows_are_refused_at_construction():
    with pytest.raises(ValueError, match="one completion a call"):
        to_gymnasium(GROUP_RUBRIC, ROWS, on_abstention=0.0)
    with pytest.raises(ValueError, match="rows must hold at least one row"):
        to_gymnasium(RUBRIC, [], on_abstention=0.0)


def test_a_family_is_made_by_name_without_importing_referee_and_gymnasium_alone_imports_none_of_it():
    program = (
        "import sys, gymnasium\n"
        "assert not any(name.startswith('referee') for name in sys.modules)\n"
        "env = gymnasium.make('referee.envs.text_env:referee/arithmetic-v0', level=1)\n"
        "env.reset(seed=0)\n"
        "print(env.spec.id, len(env.step('no')))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout == "referee/arithmetic-v0 5\n", done.stderr
