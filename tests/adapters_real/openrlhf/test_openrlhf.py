"""OpenRLHF 0.11.2: its own SingleTurnAgentExecutor, with a function file and over HTTP.

Real in part: the package needs flash-attn, deepspeed and vLLM, which do not install on a CPU, so its
agent module is loaded without the package's __init__ and the engine and tokenizer are stand-ins.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import sys
import threading
import time
import types
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import uvicorn
from conformance import RUBRIC, bits, cases, expected, filled

from referee.trainers import to_service

HERE = Path(__file__).parent
CASES, EXPECTED = cases(), expected()


def agent():
    root = Path(importlib.metadata.distribution("openrlhf").locate_file("openrlhf"))
    for name, path in (("openrlhf", root), ("openrlhf.utils", root / "utils")):
        package = types.ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules.setdefault(name, package)
    return importlib.import_module("openrlhf.utils.agent")


class Tokenizer:
    """A stand-in: one token for each character."""

    def __call__(self, text, **_):
        return {"input_ids": torch.tensor([[ord(c) for c in text]])}

    def decode(self, ids, skip_special_tokens=False):
        return "".join(map(chr, ids))


class Engine:
    """A stand-in for vLLM: says what the case says, and its end-of-sequence token."""

    def __init__(self, text):
        self.text = text

    async def generate(self, ids, params, multi_modal_data=None):
        text = self.text + "</s>"
        said = SimpleNamespace(
            token_ids=[ord(c) for c in text], text=text, finish_reason="stop", logprobs=None
        )
        return SimpleNamespace(outputs=[said])


async def run(executor, case):
    params = SimpleNamespace(max_tokens=1000, logprobs=None)
    return await executor.execute(
        case.prompt, case.answer, params, 4000, Tokenizer(), Engine(case.completion)
    )


async def run_all(executor, some):
    return [await run(executor, c) for c in some]


def test_the_function_file_gives_every_score_bit_for_bit_and_equal_after_the_cast():
    executor = agent().SingleTurnAgentExecutor(str(HERE / "reward_file.py"))
    outputs = asyncio.run(run_all(executor, CASES))
    assert bits(o["reward"][0] for o in outputs) == bits(filled(EXPECTED, -7.0))
    assert [o["extra_logs"]["abstained"] == [1.0] for o in outputs] == [e.abstains for e in EXPECTED]
    cast = torch.cat([torch.tensor([o["reward"]]) for o in outputs]).reshape(
        -1
    )  # as its samples generator does
    assert torch.equal(cast, torch.tensor(filled(EXPECTED, -7.0)))


def test_an_abstention_that_raises_is_the_reward_none_to_openrlhf():
    executor = agent().SingleTurnAgentExecutor(str(HERE / "strict_reward_file.py"))
    for case, reward in list(zip(CASES, EXPECTED, strict=True))[:100]:
        output = asyncio.run(run(executor, case))
        assert (output["reward"] is None) == reward.abstains


@pytest.fixture(scope="module")
def url():
    app = to_service(RUBRIC, on_abstention=-7.0, special_tokens=("</s>",))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/get_reward"
    server.should_exit = True
    thread.join()


def test_the_service_gives_openrlhf_every_score_over_http(url):
    executor = agent().SingleTurnAgentExecutor(url)
    outputs = asyncio.run(run_all(executor, CASES[:200]))
    assert bits(o["reward"][0] for o in outputs) == bits(filled(EXPECTED, -7.0)[:200])
    assert {tuple(o["extra_logs"])[-2:] for o in outputs} == {("abstained", "truncated")}
    assert all("part/digest/abstained" in o["extra_logs"] for o in outputs)
