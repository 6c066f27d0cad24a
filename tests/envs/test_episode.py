"""Episodes: used once, cut off with a reason, paid at the end; the machine's failure abstains."""

from __future__ import annotations

from typing import Any

import pytest

from referee.envs.episode import Episode, EpisodeLimits
from referee.envs.families import FAMILIES, family
from referee.envs.game import Game
from referee.envs.records import Stop
from referee.envs.tools import Tool
from referee.verifiers.records import Completion, FinishReason, Message, Problem, Reason

SUMS = family("arithmetic")
GAME = family("guess_number")
GAMES = [name for name in FAMILIES if isinstance(family(name), Game)]


def total(episode: Episode) -> float | None:
    reward = episode.rollout().reward
    assert reward is not None
    return reward.total


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("index", range(10))
def test_the_gold_player_wins_every_game_turn_by_turn(name: str, index: int) -> None:
    game = family(name)
    problem = game.problem(2, index, index % game.levels)
    episode = Episode(game, problem)
    for move in game.gold(problem).split("\n"):
        assert episode.stop is None
        episode.step(move)
    assert episode.stop is Stop.TERMINATED
    assert total(episode) == 1.0


@pytest.mark.parametrize("name", GAMES)
def test_moves_after_the_end_of_a_game_forfeit_it(name: str) -> None:
    game = family(name)
    problem = game.problem(2, 0, 0)
    gold = game.gold(problem)
    assert game(Completion(text=gold), problem).score == 1.0
    assert game(Completion(text=f"{gold}\n{gold}"), problem).score == 0.0


def test_listing_every_number_in_one_completion_does_not_win_the_game() -> None:
    problem = GAME.problem(0, 0, 4)
    everything = "\n".join(map(str, range(1, 1024)))
    assert GAME(Completion(text=everything), problem).score == 0.0
    episode = Episode(GAME, problem)
    episode.step(everything.replace("\n", " "))
    assert episode.stop is None


def test_the_hidden_state_is_not_in_the_prompt_or_the_observations() -> None:
    problem = GAME.problem(0, 3, 4)
    assert str(problem.info["secret"]) not in problem.prompt_text
    episode = Episode(GAME, problem)
    for _ in range(9):
        step = episode.step("0")
        assert [m.content for m in step.observation] == ["higher"]


def test_a_game_is_cut_off_after_its_own_turns_and_is_not_won() -> None:
    game = family("hangman")
    problem = game.problem(0, 0, 0)
    episode = Episode(game, problem, limits=EpisodeLimits(turns=2))
    for _ in range(2):
        step = episode.step(game.gold(problem).split("\n")[0])
    assert step.stop is Stop.TURNS
    assert total(episode) == 0.0


@pytest.mark.parametrize(
    ("limits", "completion", "stop"),
    [
        (EpisodeLimits(turns=1), Completion(text="0"), Stop.TURNS),
        (EpisodeLimits(tokens=3), Completion(text="0", token_ids=(1, 2, 3)), Stop.TOKENS),
        (EpisodeLimits(seconds=5.0), Completion(text="0"), Stop.SECONDS),
        (EpisodeLimits(), Completion(text="0", finish_reason=FinishReason.LENGTH), Stop.TOKENS),
    ],
)
def test_each_limit_truncates_with_its_reason(limits: EpisodeLimits, completion: Any, stop: Stop) -> None:
    now = iter(range(0, 1000, 10))
    episode = Episode(GAME, GAME.problem(0, 0, 4), limits=limits, clock=lambda: float(next(now)))
    assert episode.step(completion).stop is stop
    assert stop.truncated
    assert episode.rollout().truncated
    assert total(episode) == 0.0


@pytest.mark.parametrize("name", ["turns", "tokens", "seconds"])
def test_a_limit_must_be_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be above 0 or None, got 0"):
        EpisodeLimits(**{name: 0})


def test_a_failure_of_the_environment_abstains_and_says_what_happened() -> None:
    def broken() -> str:
        """Fail."""
        raise ConnectionError("the disk is gone")

    episode = Episode(SUMS, SUMS.problem(0, 0), tools=[Tool(broken)])
    assert episode.step('<tool_call>{"name": "broken"}</tool_call>').stop is Stop.FAILED
    reward = episode.rollout().reward
    assert reward is not None
    assert reward.total is None
    assert reward.parts["environment"].reason is Reason.ERROR
    assert "the disk is gone" in str(reward.parts["environment"].detail["error"])
    assert not episode.rollout().truncated


def test_nothing_is_carried_from_one_episode_to_the_next() -> None:
    problem = GAME.problem(0, 1, 2)
    first = Episode(GAME, problem)
    for move in ("8", "4", "2"):
        if first.stop is None:
            first.step(move)
    second = Episode(GAME, problem)
    assert second.transcript == ()
    assert second.prompt == (Message(role="user", content=str(problem.prompt)),)
    for move in GAME.gold(problem).split("\n"):
        second.step(move)
    assert total(second) == 1.0


def test_a_replay_of_the_transcript_gives_the_verdict_of_the_episode() -> None:
    for index in range(20):
        problem = GAME.problem(4, index, 2)
        episode = Episode(GAME, problem)
        for move in ("8", "12", "14", "15"):
            if episode.stop is None:
                episode.step(move)
        assert GAME(Completion(messages=episode.transcript), problem).score == total(episode)


def test_an_episode_that_has_ended_takes_no_step_and_one_that_has_not_gives_no_rollout() -> None:
    episode = Episode(SUMS, SUMS.problem(0, 0))
    with pytest.raises(RuntimeError, match="the episode has not ended"):
        episode.rollout()
    episode.step("1")
    with pytest.raises(RuntimeError, match="the episode has ended"):
        episode.step("1")
    with pytest.raises(ValueError, match="stop must be a limit"):
        episode.truncate(Stop.FAILED)


def test_a_problem_with_chat_messages_keeps_them_as_its_prompt() -> None:
    problem = Problem(
        prompt=(Message(role="system", content="Be short."), Message(role="user", content="1+1="))
    )
    assert [m.role for m in Episode(SUMS, problem).prompt] == ["system", "user"]
