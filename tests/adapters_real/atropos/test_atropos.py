"""Atropos 0.4: its RewardFunction base, alone and combined, and its way from an environment to a trainer."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from atroposlib.api.server import app
from atroposlib.envs.base import BaseEnv
from atroposlib.envs.reward_fns.combined_reward import CombinedReward
from atroposlib.envs.reward_fns.registry import registry
from atroposlib.envs.reward_fns.reward_function import RewardFunction
from conformance import RUBRIC, bits, cases, expected, filled
from fastapi.testclient import TestClient

from referee.trainers import Scorer, atropos_scores, to_atropos
from referee.verifiers.rubric import Rubric

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


def shy(completion, problem):
    return None if completion.text == "?" else 0.5


def sender(client, env_id, group_size):
    """What of an environment its own code for sending reads; the environment's server is asked by ``client``."""

    async def send(group):
        client.post("/scored_data", json={**group, "env_id": env_id}).raise_for_status()

    async def nothing(*_):
        pass

    config = SimpleNamespace(group_size=group_size, ensure_scores_are_not_same=False, include_messages=False)
    return SimpleNamespace(
        config=config, completion_lengths=[], max_token_len=100, jsonl_writer=None, items_sent_this_step=0,
        add_rollouts_for_wandb=nothing, _send_scored_data_to_api=send,
    )  # fmt: skip


def test_a_trainers_batches_hold_every_score_bit_for_bit_and_nothing_of_what_had_none():
    trainer = {"wandb_group": "g", "wandb_project": "p", "batch_size": 2, "max_token_len": 100, "num_steps": 999,
               "checkpoint_dir": "", "save_checkpoint_interval": 0, "starting_step": 0}  # fmt: skip
    env = {"max_token_length": 100, "desired_name": "sums", "weight": 1.0, "group_size": 2}
    scorer, wanted = Scorer(rubric=RUBRIC), {}
    with TestClient(app) as client:
        client.post("/register", json=trainer)
        assert client.get("/batch").json() == {"batch": None}
        mine = sender(client, client.post("/register-env", json=env).json()["env_id"], 2)
        for i in range(0, 400, 2):  # siblings: a case's own completion, and its neighbour's
            case, texts = CASES[i], [CASES[i].completion, CASES[i + 1].completion]
            kept, scores = atropos_scores(scorer, texts, prompt=case.prompt, answer=case.answer)
            wanted |= {i + k: score for k, score in zip(kept, scores, strict=True)}
            group = {"tokens": [[i + k] for k in kept], "masks": [[i + k] for k in kept], "scores": scores,
                     "group_overrides": {"group_size": len(kept)}}  # fmt: skip
            asyncio.run(BaseEnv.handle_send_to_api(mine, group if kept else None))
        for token in (1000, 1001):  # groups that lost a sibling go on together
            kept, scores = atropos_scores(Scorer(rubric=Rubric({"shy": shy})), ["?", "4"])
            assert (kept, scores) == ([1], [0.5])
            wanted[token] = 0.5
            group = {
                "tokens": [[token]],
                "masks": [[token]],
                "scores": scores,
                "group_overrides": {"group_size": 1},
            }
            asyncio.run(BaseEnv.handle_send_to_api(mine, group))
        held = {}
        while batch := client.get("/batch").json()["batch"]:
            held |= {t[0]: score for g in batch for t, score in zip(g["tokens"], g["scores"], strict=True)}
        waiting = app.state.queue
    left = {t[0] for g in waiting for t in g["tokens"]}
    assert 300 < len(wanted) < 402
    assert set(held) | left == set(wanted)
    assert len(left) < 2
    assert {1000, 1001} & set(held)
    assert all(bits([held[k]]) == bits([wanted[k]]) for k in held)


def test_a_group_that_does_not_say_its_size_is_dropped_by_the_library():
    with TestClient(app) as client:
        mine = sender(client, 0, 2)
        asyncio.run(BaseEnv.handle_send_to_api(mine, {"tokens": [[1]], "masks": [[1]], "scores": [1.0]}))
    assert mine.items_sent_this_step == 0
