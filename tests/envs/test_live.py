"""Episodes of someone else's environments: live, in threads, closed at their end."""

from __future__ import annotations

import threading
import time

from referee.envs import EpisodeLimits, LiveEpisode, Stop, roll_out
from referee.envs.episode import Step
from referee.verifiers.records import Completion, Message, Problem, Reason, Verdict
from referee.verifiers.rubric import Rubric


class Counting:
    """A session that asks three times, pays 0.25 a turn, and is told to be slow or to fail."""

    name, schemas = "counting", ()

    def __init__(self, pause_s=0.0, fail_at=None):
        self.problem = Problem(prompt="count", id="counting/0")
        self.said, self.closed, self.threads = [], 0, set()
        self.pause_s, self.fail_at = pause_s, fail_at

    def step(self, completion):
        self.threads.add(threading.current_thread().name)
        time.sleep(self.pause_s)
        self.said.append(completion.text)
        if len(self.said) == self.fail_at:
            raise ConnectionError("the server went away")
        if len(self.said) == 3:
            return Step(stop=Stop.TERMINATED)
        return Step(observation=(Message(role="user", content="next"),), reward=0.25)

    def verdict(self):
        return Verdict(score=2.0)

    def close(self):
        self.closed += 1


class Letters:
    def prompt(self, messages, tools=()):
        return [ord(c) for m in messages for c in m.content]

    def observation(self, messages, *, ended):
        return [ord(c) for m in messages for c in m.content]

    def decode(self, ids):
        return "".join(map(chr, ids))

    def ended(self, ids):
        return True


def one(prefixes, seeds):
    return [Completion(text="1", token_ids=(49,), logprobs=(0.0,)) for _ in prefixes]


def play(*sessions, **options):
    episodes = [LiveEpisode(s, **options) for s in sessions]
    return roll_out(episodes, one, Letters(), seeds=range(len(episodes)))


def test_an_episode_is_played_to_its_end_and_its_session_closed():
    session = Counting()
    (rollout,) = play(session)
    assert rollout.reward.total == 2.0
    assert [t.reward for t in rollout.turns] == [0.25, 0.25, None]
    assert (rollout.stop, session.said) == (Stop.TERMINATED, ["1", "1", "1"])
    assert session.closed >= 1


def test_sessions_answer_in_threads_so_that_a_slow_one_holds_no_other_back():
    sessions = [Counting(pause_s=0.2) for _ in range(5)]
    started = time.monotonic()
    rollouts = play(*sessions)
    assert time.monotonic() - started < 5 * 3 * 0.2 / 2
    assert all(r.reward.total == 2.0 for r in rollouts)
    assert threading.main_thread().name not in set.union(*(s.threads for s in sessions))


def test_a_session_that_fails_abstains_and_one_that_is_cut_off_scores_zero():
    failed, cut = play(Counting(fail_at=2))[0], play(Counting(), limits=EpisodeLimits(turns=2))[0]
    assert failed.reward.total is None
    assert "ConnectionError: the server went away" in failed.reward.parts["environment"].detail["error"]
    assert (cut.reward.total, cut.stop) == (0.0, Stop.TURNS)


def test_a_rubric_of_ours_may_judge_instead():
    rubric = Rubric({"short": lambda completion, problem: len(completion.text) == 1})
    (rollout,) = play(Counting(), rubric=rubric)
    assert rollout.reward.parts["short"].reason is Reason.CORRECT
