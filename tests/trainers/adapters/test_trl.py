"""TRL itself, training a tiny model in memory with a rubric of ours."""

from __future__ import annotations

import logging
import math
import pickle

import pytest
import torch
from conformance import GROUP_RUBRIC, RUBRIC, cases, expected, totals
from datasets import Dataset
from transformers.utils import get_json_schema
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from referee.trainers import Abstained, to_trl, to_trl_environment
from referee.trainers.policy.policy import Tiny, tiny_policy
from referee.verifiers.protocol import verifier
from referee.verifiers.rubric import Rubric, Schedule
from referee.verifiers.scoring import Columns

SUMS = [{"prompt": f"{a}+{b}=", "solution": str(a + b)} for a in range(4) for b in range(4)]
COLUMNS = Columns(answer="solution")


@verifier()
def digits(completion, problem):
    """The share of digits in the text: a tiny model can earn it from its first step."""
    return sum(c.isdigit() for c in completion.text) / max(1, len(completion.text))


@verifier()
def down_for_zero(completion, problem):
    if problem.answer == "0":
        raise ConnectionError("the judge cannot be reached")
    return 1.0 if problem.answer in completion.text else 0.0


async def awaited(completion, problem):
    return 0.5


DIGITS = Rubric({"digits": digits, "right": (down_for_zero, 0.5), "told": (awaited, 0.0)})


def trainer(tmp_path, function, kind="grpo", rows=SUMS, rollout_func=None):
    trainer_class, config_class = {"grpo": (GRPOTrainer, GRPOConfig), "rloo": (RLOOTrainer, RLOOConfig)}[kind]
    policy = tiny_policy(Tiny(alphabet="0123456789+= ", layers=1, width=32, heads=2), seed=0)
    config = config_class(
        output_dir=str(tmp_path),
        per_device_train_batch_size=8,
        num_generations=4,
        max_completion_length=6,
        max_steps=3,
        learning_rate=1e-2,
        beta=0.0,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        seed=1,
    )
    more = {"rollout_func": rollout_func} if rollout_func else {}
    return trainer_class(
        model=policy.model,
        processing_class=policy.tokenizer,
        reward_funcs=function,
        args=config,
        train_dataset=Dataset.from_list(rows),
        **more,
    )


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_trl_trains_with_a_rubric_and_logs_every_part(tmp_path, kind, asynchronous):
    function = to_trl(DIGITS, columns=COLUMNS, asynchronous=asynchronous)
    t = trainer(tmp_path, function, kind)
    before = [p.clone() for p in t.model.parameters()]
    t.train()
    logs = [entry for entry in t.state.log_history if "reward" in entry]
    assert len(logs) == 3
    for entry in logs:
        assert math.isfinite(entry["reward"])
        assert 0.0 <= entry["referee/digits"] <= 1.0
        assert entry["referee/told"] == 0.5
        assert "rewards/referee/mean" in entry
        assert "referee/abstained" in entry
    assert any(not torch.equal(a, b) for a, b in zip(before, t.model.parameters(), strict=True))
    assert all(torch.isfinite(p).all() for p in t.model.parameters())


def test_an_abstention_is_nan_to_trl_and_gives_no_gradient(tmp_path, caplog):
    rows = [{"prompt": "0+0=", "solution": "0"}] * 8
    function = to_trl(DIGITS, columns=COLUMNS)
    t = trainer(tmp_path, function, rows=rows)
    before = [p.clone() for p in t.model.parameters()]
    with caplog.at_level(logging.WARNING, "referee.trainers.adapters"):
        t.train()
    assert all(torch.equal(a, b) for a, b in zip(before, t.model.parameters(), strict=True))
    assert "8 of 8 completions got no reward (8 x right: error)" in caplog.text
    assert "ConnectionError: the judge cannot be reached" in caplog.text
    assert t.state.log_history[0]["referee/abstained"] == 1.0


def test_the_conformance_scores_are_what_trl_holds_after_its_own_cast(tmp_path):
    some = cases()
    t = trainer(tmp_path, to_trl(RUBRIC))
    rows = [{"prompt": c.prompt, "answer": c.answer, "id": c.id} for c in some]
    held = t._calculate_rewards(
        rows, [c.prompt for c in some], [c.completion for c in some], [[1]] * len(some)
    )
    wanted = torch.tensor([math.nan if x is None else x for x in totals(expected())], dtype=torch.float32)
    assert torch.equal(held[:, 0].nan_to_num(-99.0), wanted.nan_to_num(-99.0))
    table = t._pending_extra_logs
    assert len(table["referee/exact"]) == len(table["referee/reason"]) == len(some)


def test_a_completion_without_its_end_is_truncated_and_scores_zero():
    function = to_trl(DIGITS, columns=COLUMNS, eos_token_ids=1)
    ids = [[5, 1], [5, 5], []]
    assert function(["p"] * 3, ["3", "3", "3"], ids, solution=["3"] * 3) == [1.5, 0.0, 0.0]


def test_scheduled_weights_follow_the_step_of_the_trainer(tmp_path):
    class State:
        global_step = 5

    rubric = Rubric({"digits": (digits, Schedule(1.0, 0.0, steps=10))})
    function = to_trl(rubric)
    assert function(["p"], ["3"], trainer_state=State()) == [0.5]
    assert function(["p"], ["3"]) == [1.0]


def test_what_an_abstention_becomes_can_be_stated_for_trainers_that_sum_none_as_zero():
    rows = {"prompts": ["p"], "completions": ["0"], "solution": ["0"]}
    assert to_trl(DIGITS, columns=COLUMNS)(**rows) == [None]
    assert to_trl(DIGITS, columns=COLUMNS, on_abstention=-1.0)(**rows) == [-1.0]
    with pytest.raises(Abstained, match="right: error"):
        to_trl(DIGITS, columns=COLUMNS, on_abstention="raise")(**rows)


def test_a_column_that_was_named_and_is_not_there_is_the_users_mistake():
    with pytest.raises(ValueError, match=r"no column 'solution'; the row has prompt, answer"):
        to_trl(DIGITS, columns=COLUMNS)(["p"], ["3"], answer=["3"])


def test_a_cell_that_cannot_be_read_is_an_abstention():
    function = to_trl(DIGITS, columns=COLUMNS)
    assert function(["p", "p"], ["3", "3"], solution=[{1: 2}, "3"]) == [None, 1.5]


def test_columns_that_a_rollout_function_makes_reach_the_rubric(tmp_path):
    def rollout(prompts, trainer):
        encode = trainer.processing_class
        completions = ["3", "33", "+", "3="] * (len(prompts) // 4)
        return {
            "prompt_ids": [encode(p)["input_ids"] for p in prompts],
            "completion_ids": [encode(c)["input_ids"] for c in completions],
            "logprobs": [[-1.0] * len(c) for c in completions],
            "found": completions,
        }

    told = []

    def found(completion, problem):
        told.append((completion.text, problem.info["found"]))
        return len(completion.text) / 10

    function = to_trl(Rubric({"found": found}), columns=Columns(answer="solution", info_columns=("found",)))
    t = trainer(tmp_path, function, rollout_func=rollout)
    t.train()
    assert told
    assert all(text.startswith(made) for text, made in told)


def test_an_environment_pays_the_last_answer_that_was_submitted_by_its_tool(tmp_path):
    factory = pickle.loads(pickle.dumps(to_trl_environment(DIGITS, columns=COLUMNS)))
    environment = factory()
    assert environment.reset(prompt="1+2=", solution="3") is None
    assert environment.get_reward() == 0.0
    environment.submit("4")
    assert environment.submit("3") == "The answer was received."
    assert environment.get_reward() == 1.5
    environment.reset(prompt="0+0=", solution="0")
    environment.submit("0")
    assert environment.get_reward() is None
    tools = [n for n in dir(environment) if not n.startswith("_") and n not in ("reset", "get_reward")]
    assert tools == ["submit"]
    schema = get_json_schema(environment.submit)["function"]
    assert schema["parameters"]["properties"]["answer"]["type"] == "string"


def test_an_environment_refuses_a_group_verifier_at_construction():
    with pytest.raises(ValueError, match="one completion a call"):
        to_trl_environment(GROUP_RUBRIC)
