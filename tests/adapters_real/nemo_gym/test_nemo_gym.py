"""NeMo-Gym 0.4: a resources server's own web application, asked over its /verify."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest
from conformance import GROUP_RUBRIC, RUBRIC, bits, cases, expected, filled
from fastapi.testclient import TestClient
from nemo_gym.base_resources_server import BaseResourcesServerConfig
from nemo_gym.server_utils import ServerClient

from referee.trainers import to_nemo_gym

CASES, EXPECTED = cases(), expected()


def client(on_abstention):
    config = BaseResourcesServerConfig(host="127.0.0.1", port=0, entrypoint="", name="referee")
    server = to_nemo_gym(RUBRIC, on_abstention=on_abstention)
    return TestClient(server(config=config, server_client=MagicMock(spec=ServerClient)).setup_webserver())


def body(case, incomplete=None):
    text = {"type": "output_text", "text": case.completion, "annotations": []}
    message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    response = {
        "id": "r", "created_at": 0, "model": "m", "object": "response", "output": [message],
        "parallel_tool_calls": False, "tool_choice": "auto", "tools": [], "incomplete_details": incomplete,
    }  # fmt: skip
    asked = {"input": [{"role": "user", "content": case.prompt}]}
    return {"responses_create_params": asked, "response": response, "answer": case.answer, "split": "train"}


def test_verify_gives_every_score_bit_for_bit_with_a_flag_for_an_abstention():
    with client(-7.0) as c:
        answers = [c.post("/verify", json=body(case)) for case in CASES]
    assert {a.status_code for a in answers} == {200}
    held = [a.json() for a in answers]
    assert bits(h["reward"] for h in held) == bits(filled(EXPECTED, -7.0))
    assert [h["abstained"] for h in held] == [e.abstains for e in EXPECTED]
    assert held[0]["split"] == "train", "the row's columns come back"
    assert set(held[0]["parts"]) == {"exact", "format", "digest"}


def test_an_abstention_is_503_where_the_user_says_raise_and_a_bad_body_422():
    silent = next(c for c, e in zip(CASES, EXPECTED, strict=True) if e.abstains)
    with client("raise") as c:
        assert c.post("/verify", json=body(silent)).status_code == 503
        assert c.post("/verify", json={}).status_code == 422


def test_a_response_that_ran_out_of_tokens_scores_zero():
    right = next(c for c, e in zip(CASES, EXPECTED, strict=True) if e.total and e.total > 1.0)
    with client("raise") as c:
        assert c.post("/verify", json=body(right, {"reason": "max_output_tokens"})).json()["reward"] == 0.0


def test_a_group_verifier_is_refused_at_construction():
    with pytest.raises(ValueError, match="one completion a call"):
        to_nemo_gym(GROUP_RUBRIC, on_abstention=0.0)
