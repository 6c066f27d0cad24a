"""OpenEnv 0.10: its own environment and HTTP server, paid by a rubric of ours."""

from __future__ import annotations

import threading
import time

import httpx
import pytest
import uvicorn
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, totals
from openenv.core.env_server import create_fastapi_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State
from openenv.core.rubrics import Rubric as OpenEnvRubric

from referee.trainers import to_openenv

CASES, EXPECTED = cases(), expected()


class Say(Action):
    message: str
    index: int = 0


class Sums(Environment):
    def __init__(self):
        super().__init__(rubric=to_openenv(RUBRIC))
        self._state = State(episode_id="e", step_count=0)

    def reset(self, seed=None, episode_id=None, **kwargs):
        return Observation(done=False, reward=None)

    def step(self, action, timeout_s=None, **kwargs):
        case = CASES[action.index]
        observation = Observation(done=True, metadata={"prompt": case.prompt, "answer": case.answer})
        observation.reward = self._apply_rubric(action, observation)
        return observation

    @property
    def state(self):
        return self._state


def test_an_environment_gives_every_score_bit_for_bit_and_none_for_an_abstention():
    env = Sums()
    assert isinstance(env.rubric, OpenEnvRubric)
    held = [env.step(Say(message=c.completion, index=i)).reward for i, c in enumerate(CASES)]
    assert bits(held) == bits(totals(EXPECTED))
    env.step(Say(message="4", index=0))
    assert set(env.rubric.last_parts) == {"exact", "format", "digest"}


@pytest.fixture(scope="module")
def url():
    server = uvicorn.Server(
        uvicorn.Config(create_fastapi_app(Sums, Say, Observation), port=0, log_level="warning")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_its_server_says_null_for_an_abstention(url):
    with httpx.Client(base_url=url) as client:
        held = [
            client.post("/step", json={"action": {"message": c.completion, "index": i}}).json()["reward"]
            for i, c in enumerate(CASES[:100])
        ]
    assert bits(held) == bits(totals(EXPECTED[:100]))


def test_a_group_verifier_is_refused_at_construction():
    with pytest.raises(ValueError, match="one completion a call"):
        to_openenv(GROUP_RUBRIC)
