"""OpenEnv 0.10: a server of its own, played by our rollouts as a client."""

from __future__ import annotations

import threading
import time

import pytest
import uvicorn
from openenv.core.env_server import create_fastapi_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State

from referee.envs import Group, OpenEnv, Stop, roll_out
from referee.verifiers.records import Completion


class Guess(Action):
    guess: str


class Told(Observation):
    text: str = ""


class Higher(Environment):
    """Guess a number from 1 to 7 that the seed names; pays 0.1 a turn and 1 at the end. 'none' ends unpaid."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self):
        super().__init__()
        self._state = State(episode_id="e", step_count=0)
        self.secret = 0

    def reset(self, seed=None, episode_id=None, high=7, **kwargs):
        self.secret = 1 + (seed or 0) % high
        return Told(text=f"a number from 1 to {high}", done=False, reward=None)

    def step(self, action, timeout_s=None, **kwargs):
        if action.guess == "crash":
            raise RuntimeError("the environment broke")
        if action.guess == "none":
            return Told(text="as you like", done=True, reward=None)
        if not action.guess.isdigit():
            return Told(text="no number", done=False, reward=0.0)
        guess = int(action.guess)
        if guess == self.secret:
            return Told(text="yes", done=True, reward=1.0)
        return Told(text="higher" if guess < self.secret else "lower", done=False, reward=0.1)

    @property
    def state(self):
        return self._state


@pytest.fixture(scope="module")
def url():
    app = create_fastapi_app(Higher, Guess, Told, max_concurrent_envs=16)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


class Letters:
    def prompt(self, messages, tools=()):
        return [ord(c) for m in messages for c in m.content]

    def observation(self, messages, *, ended):
        return [ord(c) for m in messages for c in m.content]

    def decode(self, ids):
        return "".join(map(chr, ids))

    def ended(self, ids):
        return True


def played(env, seeds, say):
    def draw(prefixes, _):
        texts = [say("".join(map(chr, p))) for p in prefixes]
        return [Completion(text=t, token_ids=tuple(map(ord, t)), logprobs=(0.0,) * len(t)) for t in texts]

    return roll_out([env.episode(s) for s in seeds], draw, Letters(), seeds=seeds)


def halving(text):
    low, high, guess = 1, 7, 4
    for answer in text.replace("higher", "h").replace("lower", "l"):
        if answer == "h":
            low = guess + 1
        elif answer == "l" and "7" in text:
            high = guess - 1
        guess = (low + high) // 2
    return str(guess)


def test_rollouts_play_a_server_and_are_paid_what_it_pays(url):
    env = OpenEnv(url=url, action="guess", observation="text")
    rollouts = played(env, list(range(7)), halving)
    assert [r.reward.total for r in rollouts] == [1.0] * 7
    assert all(t.reward == 0.1 for r in rollouts for t in r.turns[:-1])
    assert {len(r.turns) for r in rollouts} == {1, 2, 3}
    assert rollouts[0].problem.prompt == "a number from 1 to 7"


def test_episodes_of_one_seed_are_siblings_and_the_text_is_found(url):
    env = OpenEnv(url=url, action=lambda c: {"guess": c.text}, reset={"high": 7})
    rollouts = played(env, [3, 3], halving)
    assert Group(problem=rollouts[0].problem, rollouts=tuple(rollouts)).totals == (1.0, 1.0)


def test_an_end_without_a_reward_and_a_server_that_fails_abstain(url):
    env = OpenEnv(url=url, action="guess", observation="text")
    assert played(env, [1], lambda text: "none")[0].reward.total is None
    (failed,) = played(env, [1], lambda text: "crash")
    assert (failed.reward.total, failed.stop) == (None, Stop.FAILED)


def test_a_server_that_is_not_there_and_a_field_that_is_not_there_are_named(url):
    with pytest.raises(OSError):
        OpenEnv(url="http://127.0.0.1:9", action="guess").episode(0)
    with pytest.raises(ValueError, match=r"observation must name one of .*text.*, got 'message'"):
        OpenEnv(url=url, action="guess", observation="message").episode(0)
