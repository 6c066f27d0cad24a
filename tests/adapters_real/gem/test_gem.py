"""GEM 0.1: registered, made alone and as a vector, and stepped."""

from __future__ import annotations

import gem
from conformance import RUBRIC, bits, cases, expected, filled

from referee.trainers import to_gem

CASES, EXPECTED = cases(), expected()
ROWS = [{"prompt": c.prompt, "answer": c.answer, "id": c.id} for c in CASES]


def test_an_episode_pays_every_score_bit_for_bit():
    gem.register("referee:sums", entry_point=to_gem(RUBRIC, ROWS, on_abstention=-7.0))
    env = gem.make("referee:sums")
    wanted = filled(EXPECTED, -7.0)
    seen = {}
    seed = 0
    while len(seen) < len(CASES) and seed < 20000:
        prompt, info = env.reset(seed=seed)
        seed += 1
        i = info["index"]
        if i in seen:
            continue
        assert prompt == CASES[i].prompt
        _, reward, terminated, truncated, info = env.step(CASES[i].completion)
        abstains = EXPECTED[i].abstains
        assert (terminated, truncated, info["abstained"]) == (not abstains, abstains, abstains)
        seen[i] = reward
    assert len(seen) == len(CASES)
    assert bits(seen[i] for i in range(len(CASES))) == bits(wanted)


def test_a_vector_of_environments_draws_different_rows():
    gem.register("referee:vector", entry_point=to_gem(RUBRIC, ROWS, on_abstention=-7.0))
    envs = gem.make_vec(["referee:vector"] * 4, seed=1)
    prompts, _ = envs.reset()
    assert len(prompts) == 4
    _, rewards, terminated, truncated, _ = envs.step(["x"] * 4)
    assert len(rewards) == 4
    assert all(t or u for t, u in zip(terminated, truncated, strict=True))
