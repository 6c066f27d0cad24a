"""TRL's experimental OnlineDPOTrainer, training a tiny model with a rubric."""

from __future__ import annotations

import pytest
import torch
from conformance import RUBRIC
from datasets import Dataset
from paying_games import Doors
from tool_caller import call, tool_caller
from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

from referee.trainers import Abstained, to_trl, to_trl_episodes

GAME = to_trl_episodes(Doors())


@pytest.fixture(scope="module")
def player():
    torch.manual_seed(0)
    return tool_caller(GAME.rows(2), [GAME().move], [call("move", move=m) for m in "123"])


def online_dpo(tmp_path, player, function, answers):
    model, tokenizer = player
    config = OnlineDPOConfig(
        output_dir=str(tmp_path), per_device_train_batch_size=4, max_new_tokens=24, max_steps=2,
        learning_rate=1e-3, logging_steps=1, report_to=[], save_strategy="no", use_cpu=True, bf16=False,
    )  # fmt: skip
    rows = [{"prompt": [{"role": "user", "content": "Open door 1."}], "answer": a} for a in answers]
    trainer = OnlineDPOTrainer(
        model=model, processing_class=tokenizer, reward_funcs=function, args=config,
        train_dataset=Dataset.from_list(rows),
    )  # fmt: skip
    trainer.train()
    return trainer


def test_online_dpo_trains_with_a_rubric(tmp_path, player):
    before = [p.clone() for p in player[0].parameters()]
    trainer = online_dpo(tmp_path, player, to_trl(RUBRIC, on_abstention="raise"), ["1"] * 8)
    logs = [e for e in trainer.state.log_history if "objective/scores" in e or "rewards/referee" in str(e)]
    assert logs
    assert any(not torch.equal(a, b) for a, b in zip(before, player[0].parameters(), strict=True))


def test_online_dpo_would_sum_none_as_zero_so_an_abstention_can_raise_there(tmp_path, player):
    with pytest.raises(Abstained, match="digest: error"):
        online_dpo(tmp_path, player, to_trl(RUBRIC, on_abstention="raise"), ["unreachable"] * 8)


def test_without_a_choice_an_abstention_stops_online_dpo_and_says_what_to_give(tmp_path, player):
    with pytest.raises(
        ValueError, match=r"would sum None as 0: a number or .raise.; the rubric abstained: digest"
    ):
        online_dpo(tmp_path, player, to_trl(RUBRIC), ["unreachable"] * 8)
