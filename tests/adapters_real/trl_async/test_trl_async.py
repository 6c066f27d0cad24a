"""TRL's AsyncGRPO: its own rollout worker scores and plays in the process that it spawns.

Real in part: the step that trains needs a kernel for GPUs, so the samples that it would train on are read
where the trainer reads them; vLLM's server is a stand-in that samples from the real model over HTTP.
"""

from __future__ import annotations

import contextlib
import json
import math
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from accelerate import PartialState
from conformance import RUBRIC
from datasets import Dataset
from paying_games import Doors
from tool_caller import call, tool_caller
from trl.experimental.async_grpo import async_rollout_worker

from referee.trainers import to_trl, to_trl_episodes
from referee.verifiers.records import Completion, Problem

GAME = to_trl_episodes(Doors())


@pytest.fixture(scope="module")
def player():
    torch.manual_seed(0)
    return tool_caller(GAME.rows(2), [GAME().move], [call("move", move=m) for m in "123"])


class VLLM(BaseHTTPRequestHandler):
    """A stand-in for the endpoint of vLLM that the rollout worker posts to; the model behind it is real."""

    model, tokenizer, lock = None, None, threading.Lock()

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        ids = torch.tensor([asked["prompt"]])
        with self.lock, torch.no_grad():
            out = self.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=True,
                max_new_tokens=asked["max_tokens"], output_scores=True, return_dict_in_generate=True,
            )  # fmt: skip
            scores = self.model.compute_transition_scores(out.sequences, out.scores, normalize_logits=True)
        drawn = out.sequences[0, ids.shape[1] :].tolist()
        choice = {
            "token_ids": drawn,
            "logprobs": {"token_logprobs": scores[0].tolist(), "tokens": [str(t) for t in drawn]},
            "text": self.tokenizer.decode(drawn),
            "finish_reason": "stop",
        }
        body = json.dumps({"choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint(player, monkeypatch):
    monkeypatch.setattr(async_rollout_worker, "is_vllm_available", lambda: True)
    VLLM.model, VLLM.tokenizer = player
    server = ThreadingHTTPServer(("127.0.0.1", 0), VLLM)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def samples(player, endpoint, rows, count, **options):
    """Return the first samples that the worker has for its trainer."""
    _, tokenizer = player
    worker = async_rollout_worker.AsyncRolloutWorker(
        model_name="tiny", dataset=Dataset.from_list(rows), processing_class=tokenizer,
        eos_token_ids=[tokenizer.eos_token_id], num_generations=4, max_inflight_tasks=8, max_tokens=24,
        vllm_server_url=endpoint, **{"reward_funcs": [], **options},
    )  # fmt: skip
    PartialState()  # as the trainer has made it
    worker.start()
    try:
        got = []
        while len(got) < count:
            worker.check_health(120.0)
            with contextlib.suppress(queue.Empty):
                got.append(worker.rollout_buffer.get(timeout=1.0))
        return got
    finally:
        worker.stop()


@pytest.mark.parametrize("options", [{}, {"deadline_s": 30.0}, {"asynchronous": True}])
def test_a_rubric_scores_every_completion_and_an_abstention_has_no_advantage(player, endpoint, options):
    answers = ["1", "unreachable", "2", ""]
    rows = [{**row, "answer": a} for row, a in zip(GAME.rows(4), answers, strict=True)]
    got = samples(player, endpoint, rows, 16, reward_funcs=[to_trl(RUBRIC, **options)])
    for sample in got:
        answer = answers[sample.group_id % 4]
        said = Completion(messages=tuple(sample.completion))
        wanted = RUBRIC(said, Problem(prompt=rows[0]["prompt"], answer=answer)).total
        held = sample.metrics["rewards/referee"]
        assert math.isnan(held) if wanted is None else held == wanted
        if wanted is None:
            assert sample.advantage == 0.0
    assert {math.isnan(s.metrics["reward"]) for s in got} == {True, False}


def test_a_game_is_played_to_its_end_and_pays_its_turns_too(player, endpoint):
    got = samples(player, endpoint, GAME.rows(4), 16, environment_factory=GAME)
    rewards = [s.metrics["rewards/doors"] for s in got]
    assert set(rewards) <= {0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5}
    assert max(rewards) > 0.0
    for sample in got:
        calls = sum(len(m.get("tool_calls") or ()) for m in sample.completion)
        answered = [m for m in sample.completion if m["role"] == "tool"]
        assert len(answered) == calls
        assert (sample.metrics["reward"] > 0.0) == (calls > 0)
