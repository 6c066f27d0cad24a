"""verl 0.9.1: its own loader, reward manager and data protocol, with a real tokenizer."""

from __future__ import annotations

import asyncio
import inspect

import numpy as np
import pytest
import torch
from conformance import RUBRIC, bits, cases, expected, filled
from omegaconf import OmegaConf
from tensordict import TensorDict
from transformers import ByT5Tokenizer
from verl import DataProto
from verl.trainer.ppo.reward import get_custom_reward_fn, load_reward_manager

from referee.trainers import Abstained, from_verl
from referee.verifiers.records import Completion, Problem
from referee.verifiers.rubric import Rubric

CASES, EXPECTED = cases(), expected()
TOKENIZER = ByT5Tokenizer()


def config(name):
    return OmegaConf.create(
        {
            "reward": {
                "custom_reward_function": {"path": "pkg://verl_rewards", "name": name, "reward_kwargs": {}},
                "reward_manager": {"source": "register", "name": "naive"},
                "sandbox_fusion": None,
            }
        }
    )


def data(case):
    """A sample as verl's rollout makes it: left-padded prompt, right-padded response."""
    ids = torch.tensor([TOKENIZER(case.completion, add_special_tokens=False)["input_ids"] + [1, 0, 0]])
    mask = torch.tensor([[1] * 4 + [1] * (ids.shape[1] - 2) + [0, 0]])
    prompt = torch.zeros((1, 4), dtype=torch.long)
    tensors = TensorDict({"prompts": prompt, "responses": ids, "attention_mask": mask}, batch_size=1)
    texts = {
        "data_source": "sums",
        "reward_model": {"style": "rule", "ground_truth": case.answer},
        "extra_info": {"index": case.id, "split": "train"},
    }
    arrays = {k: np.array([v], dtype=object) for k, v in texts.items()}
    return DataProto(batch=tensors, non_tensor_batch=arrays)


async def run(name, some):
    manager = load_reward_manager(config(name), TOKENIZER)
    return [await manager.run_single(data(c)) for c in some]


@pytest.mark.parametrize("name", ["compute_score", "acompute_score"])
def test_the_reward_manager_gets_every_score_bit_for_bit_and_equal_after_its_cast(name):
    assert inspect.iscoroutinefunction(get_custom_reward_fn(config("acompute_score")))
    count = len(CASES) if name == "compute_score" else 100
    results = asyncio.run(run(name, CASES[:count]))
    scores = [r["reward_score"] for r in results]
    wanted = filled(EXPECTED, -7.0)[:count]
    assert bits(scores) == bits(wanted)
    assert torch.equal(torch.tensor(scores), torch.tensor(wanted))
    keys = {tuple(r["reward_extra_info"]) for r in results}
    assert len(keys) == 1, "verl reads the keys of the first sample from all"
    assert [r["reward_extra_info"]["abstained"] == 1.0 for r in results] == [e.abstains for e in EXPECTED][
        :count
    ]


def test_an_abstention_that_raises_reaches_verl():
    case = next(c for c, e in zip(CASES, EXPECTED, strict=True) if e.abstains)
    with pytest.raises(Abstained):
        asyncio.run(run("strict_score", [case]))


def test_a_reward_function_of_verls_own_becomes_a_verifier():
    from verl.utils.reward_score import gsm8k

    def score(data_source, solution_str, ground_truth, extra_info):
        return gsm8k.compute_score(solution_str, ground_truth)

    rubric = Rubric({"gsm8k": from_verl(score, range=(0.0, 1.0))})
    problem = Problem(prompt="2+2", answer="4")
    assert rubric(Completion(text="so\n#### 4"), problem).total == 1.0
    assert rubric(Completion(text="so\n#### 5"), problem).total == 0.0


def test_the_rubric_is_the_same_object():
    import verl_rewards

    assert verl_rewards.compute_score.scorer.rubric is RUBRIC
