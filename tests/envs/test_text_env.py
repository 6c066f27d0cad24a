"""The gymnasium side: both check_envs, registration, vectors with text, and the five-tuple."""

from __future__ import annotations

import math
import warnings
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from referee.envs.episode import EpisodeLimits
from referee.envs.families import FAMILIES, family
from referee.envs.text_env import Text, TextEnv, make_env, make_vec
from referee.verifiers.records import Reason, Verdict
from referee.verifiers.rubric import Rubric

SUMS = family("arithmetic")


@pytest.mark.parametrize("name", FAMILIES)
def test_gymnasiums_own_check_passes_without_a_warning(name: str) -> None:
    env = gymnasium.make(f"referee/{name}-v0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


@pytest.mark.parametrize("text", ["", "3+4", "é 数", "a" * 100])
def test_the_space_holds_any_text_that_is_not_too_long(text: str) -> None:
    assert Text(100).contains(text)
    assert not Text(100).contains("a" * 101)
    assert not Text(100).contains(3)


def test_an_answer_ends_the_episode_and_is_paid() -> None:
    env = make_env("arithmetic")
    prompt, info = env.reset(seed=7)
    problem = SUMS.problem(7, 0)
    assert (prompt, info["problem"]) == (problem.prompt, problem.id)
    observation, reward, terminated, truncated, info = env.step(SUMS.gold(problem))
    assert (observation, reward, terminated, truncated) == ("", 1.0, True, False)
    assert info["reasons"] == {"arithmetic": "correct"}


def test_resets_without_a_seed_walk_the_stream_and_options_name_a_problem() -> None:
    env = make_env("arithmetic", level=2)
    ids = [env.reset(seed=3)[1]["problem"], env.reset()[1]["problem"]]
    assert ids == ["arithmetic/2/3/0", "arithmetic/2/3/1"]
    assert env.reset(options={"index": 9, "level": 4})[1]["problem"] == "arithmetic/4/3/9"


def test_a_step_before_the_first_reset_and_after_the_end_is_refused() -> None:
    env = make_env("arithmetic")
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step("1")
    env.reset(seed=0)
    env.step("1")
    with pytest.raises(RuntimeError, match="the episode has ended"):
        env.step("1")


def abstains(completion: Any, problem: Any) -> Verdict:
    """A verifier whose machine is down."""
    return Verdict(score=None, reason=Reason.UNAVAILABLE)


def test_where_no_verdict_could_be_had_the_reward_is_no_number_and_the_episode_is_cut_off() -> None:
    env = TextEnv(SUMS, rubric=Rubric({"down": abstains}))
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step("1")
    assert math.isnan(reward)
    assert (terminated, truncated, info["abstained"]) == (False, True, True)
    assert info["reasons"] == {"down": "unavailable"}


def test_a_user_may_state_what_an_abstention_is_worth() -> None:
    env = TextEnv(SUMS, rubric=Rubric({"down": abstains}), on_abstention=-1.0)
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step("1")
    assert (reward, terminated, truncated, info["abstained"]) == (-1.0, False, True, True)


def test_an_environment_that_fails_is_no_wrong_answer_either() -> None:
    class Down(type(family("guess_number"))):  # type: ignore[misc]
        def move(self, problem: Any, state: Any, text: str) -> Any:
            raise OSError("down")

    env = TextEnv(Down())
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step("1")
    assert math.isnan(reward)
    assert (terminated, truncated, info["stop"], info["abstained"]) == (False, True, "failed", True)


def test_gymnasium_itself_warns_of_an_abstention() -> None:
    """Its own checker, which ``gymnasium.make`` wraps around, names a reward that is no number."""
    from gymnasium.wrappers import PassiveEnvChecker

    env = PassiveEnvChecker(TextEnv(SUMS, rubric=Rubric({"down": abstains})))
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="NaN"):
        env.step("1")


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_no_action_is_dropped_by_autoreset(mode: Any) -> None:
    vector = make_vec("arithmetic", 2, mode=mode)
    prompts, _ = vector.reset(seed=11)
    for index in range(3):
        golds = tuple(SUMS.gold(SUMS.problem(11 + i, index)) for i in range(2))
        assert prompts == tuple(SUMS.problem(11 + i, index).prompt for i in range(2))
        prompts, rewards, terminated, _, _ = vector.step(golds)
        assert rewards.tolist() == [1.0, 1.0]
        assert terminated.all()
    vector.close()


def transcript(name: str, mode: Any) -> list[Any]:
    """Play four rounds with fixed actions, and keep all that was seen."""
    vector = make_vec(name, 3, mode=mode)
    seen: list[Any] = [vector.reset(seed=5)[0]]
    for action in ("5", "", "é", "[1, 2]"):
        observation, reward, terminated, truncated, info = vector.step((action,) * 3)
        seen.append((observation, reward.tolist(), terminated.tolist(), truncated.tolist(), sorted(info)))
    vector.close()
    return seen


@pytest.mark.parametrize("name", sorted({"arithmetic", "guess_number"} & set(FAMILIES)))
def test_sync_and_async_vectors_see_the_same(name: str) -> None:
    assert transcript(name, "sync") == transcript(name, "async")


def test_a_limit_truncates_and_does_not_terminate() -> None:
    env = TextEnv(family("countdown"), limits=EpisodeLimits(seconds=1e-9))
    env.reset(seed=0)
    *_, terminated, truncated, info = env.step("no")
    assert (terminated, truncated, info["stop"]) == (True, False, "terminated")  # it ended before the limit
