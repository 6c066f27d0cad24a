"""The same 1,000 rows through each adapter, called exactly as its side calls it: the rubric's own rewards.

A table: what a side hands over and where, and how it says "no reward". The libraries themselves make these
calls in tests/adapters_real; here the shapes are held where none of them is installed.
"""

from __future__ import annotations

import asyncio
import math
import pickle
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conformance import RUBRIC, bits, cases, expected, totals

import referee.trainers as adapters
from referee.trainers.adapters.abstention import Abstained
from referee.verifiers.scoring import Columns

CASES, EXPECTED = cases(), expected()
STAND_IN = -7.0


def trl(reward):
    """GRPO and RLOO: everything by keyword, the dataset's other columns and the live objects beside it."""
    logged: dict[str, Any] = {}
    call = reward(
        prompts=[c.prompt for c in CASES],
        completions=[c.completion for c in CASES],
        completion_ids=[[1, 2] for _ in CASES],
        answer=[c.answer for c in CASES],
        trainer_state=SimpleNamespace(global_step=3),
        log_extra=logged.__setitem__,
        log_metric=logged.__setitem__,
        environments=[object() for _ in CASES],
    )
    held = asyncio.run(call) if asyncio.iscoroutine(call) else call
    assert logged["referee/abstained"] == sum(e.abstains for e in EXPECTED) / len(EXPECTED)
    assert len(logged["referee/reason"]) == len(CASES)
    return held


def trl_online_dpo(reward):
    """No loggers, and None would be 0."""
    held = reward(
        prompts=[c.prompt for c in CASES],
        completions=[c.completion for c in CASES],
        completion_ids=[[1] for _ in CASES],
        trainer_state=SimpleNamespace(global_step=0),
        answer=[c.answer for c in CASES],
    )
    return [None if score == STAND_IN else score for score in held]


def trl_async_grpo(reward):
    """Neither loggers nor a state; None is left out."""
    some = {"completions": [c.completion for c in CASES], "completion_ids": [[1] for _ in CASES]}
    return reward(prompts=[c.prompt for c in CASES], **some, answer=[c.answer for c in CASES])


def trl_environment(factory):
    """An environment for each rollout: the row by keyword, a tool call, the reward."""
    held = []
    for case in CASES:
        environment = factory()
        assert (
            environment.reset(prompt=[{"role": "user", "content": case.prompt}], answer=case.answer) is None
        )
        environment.submit(answer=case.completion)
        held.append(environment.get_reward())
    return held


def verl(compute_score):
    """One sample a call, by keyword, with what a reward model's router would add."""
    held = [
        compute_score(
            data_source="sums",
            solution_str=c.completion,
            ground_truth=c.answer,
            extra_info={"split": "train", "index": i, "num_turns": 2, "rollout_reward_scores": {}},
            reward_router_address=None,
            reward_model_tokenizer=None,
        )
        for i, c in enumerate(CASES)
    ]
    assert len({tuple(sample) for sample in held}) == 1, "the first sample's keys are read from all"
    return [unflagged(s["score"], s["abstained"] == 1.0) for s in held]


def openrlhf(reward_func):
    """Three lists of one, by position; the query begins with the prompt and ends with its token."""
    held = [reward_func([c.prompt + c.completion + "<|end|>"], [c.prompt], [c.answer]) for c in CASES]
    assert all(set(h) == {"rewards", "scores", "extra_logs"} for h in held)
    return [unflagged(float(h["rewards"][0]), h["extra_logs"]["abstained"] == [1.0]) for h in held]


def verifiers_v1(reward):
    """A coroutine of the task's data and the trace; raising is "no reward"."""

    async def one(case):
        task = SimpleNamespace(prompt=case.prompt, answer=case.answer, id=case.id)
        metrics: dict[str, float] = {}
        trace = SimpleNamespace(last_reply=case.completion, is_truncated=False, record_metrics=metrics.update)
        try:
            return await reward(task=task, trace=trace)
        except Abstained:
            assert metrics["referee/abstained"] == 1.0
            return None

    async def all_of_them():
        return await asyncio.gather(*map(one, CASES))

    return asyncio.run(all_of_them())


def ms_swift(orm):
    """Made with its arguments first; then completions by position, columns by keyword, no prompts."""
    function = orm(args=SimpleNamespace())
    columns = {"answer": [c.answer for c in CASES], "is_truncated": [False] * len(CASES)}
    held = function([c.completion for c in CASES], trainer_state=object(), **columns)
    return [None if score == STAND_IN else score for score in held]


def lm_eval(process_results):
    """A document and its responses; a metric that is missing is left out of the mean."""
    held = [process_results(c.__dict__, [c.completion]) for c in CASES]
    assert [h["abstained"] for h in held] == [float(e.abstains) for e in EXPECTED]
    return [h.get("reward") for h in held]


def ray_data(function):
    """A batch of columns as arrays."""
    batch = {k: np.array([c.__dict__[k] for c in CASES], dtype=object) for k in CASES[0].__dict__}
    out = function(batch)
    assert all(isinstance(column, np.ndarray) and len(column) == len(CASES) for column in out.values())
    assert [math.isnan(r) for r in out["reward"]] == out["abstained"].tolist()
    return [None if math.isnan(r) else r for r in out["reward"]]


def atropos(scorer):
    """A group of messages; what has no reward is left out."""
    held: list[float | None] = []
    for case in CASES:
        said = [{"role": "assistant", "content": case.completion}]
        kept, scores = adapters.atropos_scores(scorer, [said], prompt=case.prompt, answer=case.answer)
        held.append(scores[0] if kept else None)
    return held


def unflagged(score, abstained):
    """Return the score, None where the flag says that it stands in for none."""
    assert not abstained or score == STAND_IN
    return None if abstained else score


@dataclass(frozen=True)
class Side:
    call: Any
    adapter: str
    options: dict[str, Any] = field(default_factory=dict)


SIDES = {
    "TRL": Side(trl, "to_trl"),
    "TRL, awaited": Side(trl, "to_trl", {"asynchronous": True}),
    "TRL, tokens that end": Side(trl, "to_trl", {"eos_token_ids": 2}),
    "TRL, online DPO": Side(trl_online_dpo, "to_trl", {"on_abstention": STAND_IN}),
    "TRL, AsyncGRPO": Side(trl_async_grpo, "to_trl"),
    "TRL, an environment": Side(trl_environment, "to_trl_environment"),
    "verl": Side(verl, "to_verl", {"on_abstention": STAND_IN}),
    "OpenRLHF": Side(openrlhf, "to_openrlhf", {"on_abstention": STAND_IN, "special_tokens": ("<|end|>",)}),
    "verifiers v1": Side(verifiers_v1, "to_verifiers"),
    "ms-swift": Side(
        ms_swift, "to_ms_swift", {"on_abstention": STAND_IN, "columns": Columns(answer="answer")}
    ),
    "lm-evaluation-harness": Side(lm_eval, "to_lm_eval"),
    "Ray Data": Side(ray_data, "to_ray_data"),
    "Atropos": Side(atropos, "Scorer"),
}


@pytest.mark.parametrize("name", SIDES)
def test_the_rewards_are_the_rubrics_own_bit_for_bit_also_after_pickling(name):
    side = SIDES[name]
    make = getattr(adapters, side.adapter)
    function = (
        make(rubric=RUBRIC, **side.options) if make is adapters.Scorer else make(RUBRIC, **side.options)
    )
    copy = pickle.loads(pickle.dumps(function))
    assert bits(side.call(copy)) == bits(totals(EXPECTED))
