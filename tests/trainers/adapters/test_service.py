"""The HTTP service: a real uvicorn on loopback, asked by a real client."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import uvicorn
from conformance import GROUP_RUBRIC, RUBRIC, Case, bits, cases, expected, filled, totals
from endless import ENDLESS, POLITE

from referee.trainers import ServiceLimits, to_service
from referee.verifiers.mathematics import Math
from referee.verifiers.rubric import Rubric

CASES, EXPECTED = cases(), expected()


@contextlib.contextmanager
def serving(app):
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def client():
    limits = ServiceLimits(body_bytes=1_000_000, items=1000)
    with serving(to_service(RUBRIC, limits=limits, special_tokens=("<|end|>",))) as c:
        yield c


def items(some=CASES):
    return [{"completion": c.completion, "prompt": c.prompt, "answer": c.answer, "id": c.id} for c in some]


def test_a_batch_of_1000_is_scored_bit_for_bit_with_null_for_an_abstention(client):
    answer = client.post("/score", json={"items": items()})
    assert answer.status_code == 200
    rewards = answer.json()["rewards"]
    assert bits(r["reward"] for r in rewards) == bits(totals(EXPECTED))
    assert [r["abstained"] for r in rewards] == [e.abstains for e in EXPECTED]
    for said, reward in zip(rewards, EXPECTED, strict=True):
        assert bits(p["score"] for p in said["parts"].values()) == bits(
            v.score for v in reward.parts.values()
        )
        assert [p["reason"] for p in said["parts"].values()] == [v.reason for v in reward.parts.values()]


def test_an_abstention_says_why(client):
    case = next(c for c in CASES if c.answer == "unreachable")
    (said,) = client.post("/score", json={"items": items([case])}).json()["rewards"]
    assert said["reward"] is None
    assert said["why"] == "digest: error (ConnectionError: the judge cannot be reached)"


def test_a_truncated_completion_scores_zero(client):
    body = {"items": [{"completion": "4", "answer": "4", "truncated": True}]}
    (said,) = client.post("/score", json=body).json()["rewards"]
    assert (said["reward"], said["truncated"]) == (0.0, True)


def test_chat_messages_are_judged_by_the_last_of_the_assistant(client):
    chat = [
        {"role": "assistant", "content": "5"},
        {"role": "tool", "content": "no"},
        {"role": "assistant", "content": "4"},
    ]
    body = {"items": [{"completion": chat, "answer": "4", "prompt": [{"role": "user", "content": "2+2"}]}]}
    (said,) = client.post("/score", json=body).json()["rewards"]
    assert said["parts"]["exact"]["score"] == 1.0


def test_openrlhf_posts_its_shape_and_an_abstention_is_a_503_that_it_tries_again(client):
    scored = [(c, e) for c, e in zip(CASES, EXPECTED, strict=True) if not e.abstains][:20]
    body = {
        "query": [c.prompt + c.completion + "<|end|>" for c, _ in scored],
        "prompts": [c.prompt for c, _ in scored],
        "labels": [c.answer for c, _ in scored],
    }
    said = client.post("/get_reward", json=body).json()
    assert bits(said["rewards"]) == bits(said["scores"]) == bits(e.total for _, e in scored)
    logs = said["extra_logs"]
    assert (logs["abstained"], logs["truncated"]) == ([0.0] * 20, [0.0] * 20)
    assert logs["part/exact"] == [e.parts["exact"].score for _, e in scored]
    assert logs["part/digest/abstained"] == [float(e.parts["digest"].abstains) for _, e in scored]
    refused = client.post("/get_reward", json={"query": ["4"], "prompts": [""], "labels": [""]})
    assert refused.status_code == 503
    assert "bad_reference" in refused.json()["detail"]
    assert client.post("/get_reward", json={"query": ["4", "5"], "labels": ["4"]}).status_code == 422


def test_openrlhf_gets_the_number_that_the_user_chose_with_a_flag():
    with serving(to_service(RUBRIC, on_abstention=-7.0)) as c:
        body = {"query": [x.completion for x in CASES], "labels": [x.answer for x in CASES]}
        said = c.post("/get_reward", json=body).json()
    assert bits(said["rewards"]) == bits(filled(EXPECTED, -7.0))
    assert [x == 1.0 for x in said["extra_logs"]["abstained"]] == [e.abstains for e in EXPECTED]


def test_llama_factory_posts_whole_texts_and_gets_scores():
    with serving(to_service(POLITE)) as c:
        said = c.post("/v1/reward", json={"model": "model", "messages": ["yes please", "no"]}).json()
    assert said == {"scores": [1.0, 0.0]}


def test_the_service_tells_that_it_lives_and_describes_itself(client):
    assert client.get("/health").json() == {"status": "ok", "parts": ["exact", "format", "digest"]}
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/score", "/get_reward", "/v1/reward", "/health"} <= set(paths)
    assert {"200", "401", "413", "415", "422", "503", "504"} <= set(paths["/score"]["post"]["responses"])
    assert client.head("/health").status_code == 200


def test_too_many_items_are_refused(client):
    answer = client.post("/score", json={"items": items() + items(CASES[:1])})
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        "a request must hold at most 1000 items, got 1001",
    )


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_also_where_its_length_is_not_stated(client, chunked):
    blob = b"x" * 600_000
    content = iter([blob, blob]) if chunked else blob + blob
    answer = client.post("/score", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (413, "the body must be at most 1000000 bytes")


def test_a_body_that_never_ends_is_given_up():
    app = to_service(RUBRIC, limits=ServiceLimits(timeout_s=0.3))
    with serving(app) as c, socket.create_connection(("127.0.0.1", c.base_url.port)) as s:
        s.sendall(
            b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
        assert s.recv(1000).startswith(b"HTTP/1.1 408")


def test_a_client_that_leaves_before_its_body_is_whole_is_forgotten(client, caplog):
    address = ("127.0.0.1", client.base_url.port)
    head = (
        b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    )
    for _ in range(3):
        with socket.create_connection(address) as s:
            s.sendall(head)
    assert client.post("/score", json={"items": items(CASES[:1])}).status_code == 200
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


@pytest.mark.parametrize(
    "body", ["{", '{"items": [{}]}', '{"items": [{"completion": "4", "x": 3}]}', '{"rows": []}', "[[[["]
)
def test_what_is_no_request_is_a_422(client, body):
    assert client.post("/score", content=body, headers=JSON).status_code == 422


JSON = {"content-type": "application/json"}


def test_a_mistake_in_a_request_is_named_in_a_sentence_that_echoes_nothing(client):
    body = {"items": [{"completion": "x", "truncated": "secret"}, {"completion": 3, "answr": "4"}]}
    said = client.post("/score", json=body)
    assert said.status_code == 422
    assert "items[1].answr is not known" in said.json()["detail"]
    assert "items[0].truncated: input should be a valid boolean" in said.json()["detail"]
    assert "secret" not in said.text
    broken = client.post("/score", content="{", headers=JSON).json()["detail"]
    assert broken.startswith("the body is no JSON: ")
    assert broken.endswith(" at character 1")


def test_no_text_costs_its_neighbours_their_rewards(client):
    texts = [
        "\ud800",
        "<answer>\udfff4</answer>",
        "\u0000",
        "\ufeff4",
        "{" * 5000,
        "4",
        "4\ud83d",
        "\U0001f600",
    ]
    body = json.dumps({"items": [{"completion": t, "answer": "4"} for t in texts]})
    said = client.post("/score", content=body, headers=JSON)
    assert said.status_code == 200
    own = expected(some=[Case("", "", t, "4") for t in texts])
    assert bits(r["reward"] for r in said.json()["rewards"]) == bits(totals(own))
    assert said.json()["rewards"][1]["parts"]["exact"]["answer"] == "\ufffd4"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 200_000, 400),
        (b'{"items": [{"completion": "\xff"}]}', 400),
        (b'{"items": [{"completion": "4", "answer": ' + b"9" * 5000 + b"}]}", 400),
    ],
    ids=["deep", "not UTF-8", "a number of 5000 digits"],
)
def test_a_body_that_no_parser_takes_is_refused_in_few_words(client, body, status):
    said = client.post("/score", content=body, headers=JSON)
    assert said.status_code == status
    assert len(said.json()["detail"]) < 400


DEEP = b"[" * 900 + b"]" * 900


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b'{"completion": "4", "answer": ' + DEEP + b"}", "bad_reference"),
        (b'{"completion": "4", "info": {"a": ' + DEEP + b"}}", "bad_reference"),
        (b'{"completion": "4", "info": "[1]"}', "bad_reference"),
        (b'{"completion": "4", "answer": NaN}', "bad_reference"),
        (b'{"completion": "4", "prompt": [{"role": 3, "content": "2+2"}], "answer": "4"}', "bad_reference"),
        (b'{"completion": "4", "info": 3, "answer": "4"}', "bad_reference"),
        (b'{"completion": "4", "prompt": 3, "answer": "4"}', "bad_reference"),
        (b'{"completion": ["4"], "answer": "4"}', "bad_reference"),
        (b'{"completion": {"txt": "4"}, "answer": "4"}', "bad_reference"),
        (b'{"completion": {"text": "4"}, "answer": "4"}', "correct"),
        (b'{"completion": 4, "answer": "4"}', "correct"),
        (b'{"completion": null, "answer": "4"}', "no_answer"),
        (b'{"completion": [{"role": 5, "content": "4"}], "answer": "4"}', "no_answer"),
        (
            b'{"completion": [{"role": "assistant", "content": {"a": ' + DEEP + b'}}], "answer": "4"}',
            "no_answer",
        ),
        (
            b'{"completion": [{"role": "assistant", "content": "4", "tool_calls": [{"function": {"name": [], '
            b'"arguments": ' + DEEP + b'}}, NaN, true]}], "answer": "4"}',
            "correct",
        ),
    ],
)
def test_one_malformed_item_among_good_ones_is_that_items(client, item, reason):
    good = b'{"completion": "4", "answer": "4"}'
    said = client.post("/score", content=b'{"items": [' + b",".join([good, item, good]) + b"]}", headers=JSON)
    assert said.status_code == 200
    parts = [r["parts"]["exact"] for r in said.json()["rewards"]]
    assert [p["reason"] for p in parts] == ["correct", reason, "correct"]


def test_a_failed_generation_in_openrlhfs_shape_is_the_empty_text(client):
    body = {"query": [None, "4"], "prompts": [None, ""], "labels": ["4", "4"]}
    said = client.post("/get_reward", json=body).json()
    assert said["extra_logs"]["part/exact"] == [0.0, 1.0]


def test_a_body_of_another_kind_is_refused_by_name(client):
    said = client.post("/score", data={"a": "b"})
    assert (said.status_code, said.json()["detail"]) == (
        415,
        "content-type must be application/json, got application/x-www-form-urlencoded",
    )


def test_eight_clients_at_once_lose_nothing_and_get_their_own_answers(client):
    def one(number):
        with httpx.Client(base_url=client.base_url, timeout=60) as session:
            for i in range(25):
                some = [CASES[(number * 131 + i * 7 + j) % len(CASES)] for j in range(4)]
                wanted = [EXPECTED[CASES.index(c)].total for c in some]
                said = session.post("/score", json={"items": items(some)}).json()["rewards"]
                assert bits(r["reward"] for r in said) == bits(wanted)
            return i + 1

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(8))) == 200


def test_a_rule_that_hangs_beside_mathematics_is_ended_too():
    rubric = Rubric({"math": Math(), "endless": ENDLESS.parts["endless"].verifier})
    with serving(to_service(rubric, limits=ServiceLimits(deadline_s=0.5))) as c:
        texts = ["hang", "4"]
        body = {"items": [{"completion": t, "answer": "4"} for t in texts]}
        said = c.post("/score", json=body).json()["rewards"]
    assert [r["reward"] for r in said] == [0.0, 2.0]


def test_verifiers_that_cannot_be_loaded_are_the_services_failure_and_no_reward(tmp_path, monkeypatch):
    module = tmp_path / "gone_rule.py"
    module.write_text("def rule(completion, problem):\n    return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    rule = importlib.import_module("gone_rule").rule
    module.unlink()
    with serving(to_service(Rubric({"gone": rule}))) as c:
        for _ in range(2):
            (said,) = c.post("/score", json={"items": [{"completion": "x"}]}).json()["rewards"]
            assert said["reward"] is None
            assert "gone: error (a worker process could not load the verifiers: ModuleNotFound" in said["why"]
            assert c.post("/get_reward", json={"query": ["x"]}).status_code == 503
        assert c.get("/health").status_code == 200


def test_a_text_that_hangs_its_verifier_scores_zero_and_the_service_goes_on():
    app = to_service(ENDLESS, limits=ServiceLimits(deadline_s=0.5))
    with serving(app) as c:
        texts = ["fine", "hang", "fine"]
        said = c.post("/score", json={"items": [{"completion": t} for t in texts]}).json()["rewards"]
        assert [r["reward"] for r in said] == [1.0, 0.0, 1.0]
        assert said[1]["parts"]["endless"]["reason"] == "timeout"
        assert c.get("/health").status_code == 200


def test_a_request_that_takes_too_long_gets_504_and_the_service_goes_on():
    limits = ServiceLimits(deadline_s=10.0, timeout_s=2.0)
    fine = {"items": [{"completion": "fine"}]}
    with serving(to_service(ENDLESS, limits=limits, workers=2)) as c:
        for text in ("fine", "hang", "fine"):
            if text == "hang":
                assert c.post("/score", json={"items": [{"completion": "hang"}]}).status_code == 504
                continue
            for _ in range(30):  # a worker process may take longer to start than a request may take
                answer = c.post("/score", json=fine)
                if answer.status_code == 200:
                    break
            assert answer.json()["rewards"][0]["reward"] == 1.0


def test_with_a_token_strangers_see_only_that_it_lives():
    with serving(to_service(RUBRIC, token="secret")) as c:
        assert c.get("/health").status_code == 200
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "secret"},
            {"authorization": "é"},
        ):
            raw = {k: v.encode("latin-1") for k, v in headers.items()}
            assert c.post("/score", json={"items": []}, headers=raw).status_code == 401
            assert c.get("/openapi.json", headers=raw).status_code == 401
        assert c.post("/score", json={"items": []}).headers["www-authenticate"] == "Bearer"
        good = {"authorization": "Bearer secret"}
        described = c.get("/openapi.json", headers=good).json()
        assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
        assert c.post("/score", json={"items": []}, headers=good).json() == {"rewards": []}


def test_siblings_of_a_request_are_judged_together():
    with serving(to_service(GROUP_RUBRIC)) as c:
        body = {"items": [{"completion": t, "answer": "4", "prompt": p} for p, t in ("a4", "b4", "a5", "b4")]}
        said = c.post("/score", json=body).json()["rewards"]
    assert [r["reward"] for r in said] == [1.25, 1.0, 0.25, 1.0]


def test_a_rubric_that_workers_cannot_load_is_refused_at_construction():
    with pytest.raises(TypeError, match="rubric must be picklable"):
        to_service(Rubric({"lambda": lambda completion, problem: 1.0}))


def test_limits_and_tokens_are_checked():
    with pytest.raises(ValueError, match="items must be above 0, got 0"):
        ServiceLimits(items=0)
    with pytest.raises(ValueError, match="token must be a text that is not empty"):
        to_service(RUBRIC, token="")


def test_the_command_serves_a_rubric_file_on_loopback(tmp_path):
    (tmp_path / "rubric.yaml").write_text("parts:\n  right: {verifier: exact}\n")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from referee.cli import main; main()",
                "serve",
                "rubric.yaml",
                "--port",
                str(port),
            ],
            cwd=tmp_path,
            stdout=out,
            stderr=out,
            env={**os.environ, "REFEREE_TOKEN": "t", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": "Bearer t"}) as c:
            for _ in range(300):
                with contextlib.suppress(httpx.TransportError):
                    c.get("/health")
                    break
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
            said = c.post("/score", json={"items": [{"completion": "4", "answer": "4"}]}, timeout=60).json()
        assert said["rewards"][0]["reward"] == 1.0
    finally:
        process.terminate()
        assert process.wait(20) is not None
