"""SkyRL-gym 0.4: registered, made and stepped as its generator does."""

from __future__ import annotations

import pickle

import pytest
import skyrl_gym
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, filled

from referee.trainers import Abstained, to_skyrl_gym

CASES, EXPECTED = cases(), expected()


def play(name, case):
    extras = {
        "reward_spec": {"method": "rule", "ground_truth": case.answer},
        "extra_info": {"i": 1},
        "max_turns": 1,
    }
    env = skyrl_gym.make(name, env_config={}, extras=extras)
    env.init([{"role": "user", "content": case.prompt}])
    step = env.step(case.completion)
    assert step["done"]
    metrics = env.get_metrics()
    env.close()
    return step, metrics


def test_an_episode_pays_every_score_bit_for_bit():
    skyrl_gym.register(id="referee", entry_point=to_skyrl_gym(RUBRIC, on_abstention=-7.0))
    played = [play("referee", c) for c in CASES]
    assert bits(step["reward"] for step, _ in played) == bits(filled(EXPECTED, -7.0))
    assert [m["abstained"] == 1.0 for _, m in played] == [e.abstains for e in EXPECTED]
    assert all(
        bool(step["metadata"]["why"]) == e.abstains for (step, _), e in zip(played, EXPECTED, strict=True)
    )


def test_an_abstention_raises_where_the_user_says_so():
    skyrl_gym.register(id="referee-strict", entry_point=to_skyrl_gym(RUBRIC, on_abstention="raise"))
    case = next(c for c, e in zip(CASES, EXPECTED, strict=True) if e.abstains)
    with pytest.raises(Abstained):
        play("referee-strict", case)


def test_the_entry_point_is_picklable_and_refuses_group_verifiers():
    entry = to_skyrl_gym(RUBRIC, on_abstention=0.0)
    assert pickle.loads(pickle.dumps(entry)) == entry
    with pytest.raises(ValueError, match="one completion a call"):
        to_skyrl_gym(GROUP_RUBRIC, on_abstention=0.0)
