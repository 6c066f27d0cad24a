"""tinker-cookbook 0.6.1: its types of environments and groups, asked as its rollouts ask.

Real in part: the package's renderers need tml-renderers, which does not install here; a renderer of
characters stands in for them.
"""

from __future__ import annotations

import asyncio

import pytest
import tinker
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, filled

from referee.trainers import Abstained, to_tinker
from referee.verifiers.records import Problem

CASES, EXPECTED = cases(), expected()


class Renderer:
    """A stand-in: one token for each character, ended by token 0."""

    def build_generation_prompt(self, messages):
        return tinker.ModelInput.from_ints([ord(c) for m in messages for c in m["content"]])

    def get_stop_sequences(self):
        return [0]

    def parse_response(self, tokens):
        ended = tokens[-1:] == [0]
        return {"role": "assistant", "content": "".join(map(chr, tokens[: -1 if ended else None]))}, ended


async def rewards(rubric, problem, texts, on_abstention=-7.0, end=(0,)):
    from tinker_cookbook.rl.types import Env, EnvGroupBuilder

    group = to_tinker(
        rubric, problem, renderer=Renderer(), group_size=len(texts), on_abstention=on_abstention
    )
    assert isinstance(group, EnvGroupBuilder)
    envs = await group.make_envs()
    assert all(isinstance(e, Env) for e in envs)
    for env, text in zip(envs, texts, strict=True):
        await env.initial_observation()
        step = await env.step([*map(ord, text), *end])
        assert step.episode_done
        assert step.reward == 0.0
    return await group.compute_group_rewards([None] * len(texts), envs)


def test_a_group_gets_every_score_bit_for_bit_with_a_flag_for_an_abstention():
    async def all_of_them():
        return [
            (await rewards(RUBRIC, Problem(prompt=c.prompt, answer=c.answer), [c.completion]))[0]
            for c in CASES
        ]

    held = asyncio.run(all_of_them())
    assert bits(r for r, _ in held) == bits(filled(EXPECTED, -7.0))
    assert [m["abstained"] == 1.0 for _, m in held] == [e.abstains for e in EXPECTED]


def test_a_group_verifier_sees_its_siblings():
    held = asyncio.run(rewards(GROUP_RUBRIC, Problem(answer="4"), ["4", "4", "5", "6"]))
    assert [r for r, _ in held] == [1.25, 1.25, 0.375, 0.375]


def test_a_response_without_its_end_scores_zero_and_raise_raises():
    held = asyncio.run(rewards(GROUP_RUBRIC, Problem(answer="4"), ["4"], end=()))
    assert held[0][0] == 0.0
    with pytest.raises(Abstained):
        asyncio.run(rewards(RUBRIC, Problem(answer=""), ["4"], on_abstention="raise"))
