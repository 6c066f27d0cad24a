"""Atropos 0.4: its RewardFunction base, alone and in its combined reward."""

from __future__ import annotations

import pytest
from atroposlib.envs.reward_fns.combined_reward import CombinedReward
from atroposlib.envs.reward_fns.registry import registry
from atroposlib.envs.reward_fns.reward_function import RewardFunction
from conformance import RUBRIC, bits, cases, expected, filled

from referee.trainers import Scorer, atropos_scores, to_atropos

CASES, EXPECTED = cases(), expected()


def test_a_reward_function_gives_every_score_bit_for_bit():
    function = to_atropos(RUBRIC, on_abstention=-7.0)
    assert isinstance(function, RewardFunction)
    arguments = {"solution": [c.answer for c in CASES], "prompts": [c.prompt for c in CASES]}
    for completions in (
        [c.completion for c in CASES],
        [[{"role": "assistant", "content": c.completion}] for c in CASES],
        [{"message": {"role": "assistant", "content": c.completion}} for c in CASES],
    ):
        assert bits(function(completions, **arguments)) == bits(filled(EXPECTED, -7.0))


def test_one_solution_serves_all_completions():
    function = to_atropos(RUBRIC, on_abstention=-7.0, weight=2.0)
    rewards = function(["<answer>4</answer>", "<answer>5</answer>"], solution="4")
    assert rewards[0] > rewards[1] + 1.0


def test_it_combines_with_theirs():
    registry.register(type(to_atropos(RUBRIC, on_abstention=-7.0)), name="referee")
    combined = CombinedReward(rewards=["referee"], normalization="none")
    assert bits(
        combined([c.completion for c in CASES[:50]], solution=[c.answer for c in CASES[:50]])
    ) == bits(filled(EXPECTED[:50], -7.0))


def test_raising_would_be_zeros_for_all_there_so_it_is_refused():
    class Broken(RewardFunction):
        def compute(self, completions, **kwargs):
            raise OSError("down")

    assert Broken()(["a", "b"]) == [0.0, 0.0]  # what the library makes of it
    with pytest.raises(ValueError, match="on_abstention must be a number for Atropos"):
        to_atropos(RUBRIC, on_abstention="raise")


def test_a_scored_group_leaves_out_what_has_no_reward():
    scorer = Scorer(rubric=RUBRIC)
    assert atropos_scores(scorer, ["4", "5"], prompt="2+2", answer="unreachable") == ([], [])
    kept, scores = atropos_scores(scorer, ["4", "5"], prompt="2+2", answer="4")
    assert kept == [0, 1]
    assert scores[0] > scores[1]
