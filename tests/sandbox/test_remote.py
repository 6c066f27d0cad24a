"""The remote sandbox, against a local stand-in of the service: a real cluster cannot run here.

The stand-in speaks the same HTTP and runs what it is sent in the embedded sandbox.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from referee.sandbox import Embedded, Limits, Outcome, Program, Remote, Source
from referee.verifiers import Problem, Reason, UnitTests

RIGHT = "def add(a, b): return a + b"
TESTS = Problem(
    info={"tests": "def check(candidate):\n    assert candidate(3, 4) == 7\n", "entry_point": "add"}
)


@pytest.fixture(scope="module")
def service():
    box = Embedded(workers=1, preload=("json",))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "SANDBOX_ERROR" in body["code"]:
                answer = {"status": "SandboxError", "message": "no room"}
            else:
                source = (Source(code=body["code"]),)
                limits = Limits(wall_s=body["run_timeout"], memory_bytes=body["memory_limit_MB"] << 20)
                run = box.execute(Program(sources=source, stdin=body["stdin"] or ""), limits=limits)
                late = run.outcome is Outcome.TIMEOUT
                code = 1 if run.outcome is Outcome.SYNTAX_ERROR else run.exit_code
                result = {
                    "status": "TimeLimitExceeded" if late else "Finished",
                    "return_code": None if late else code,
                    "stdout": run.stdout,
                    "stderr": run.stderr or run.error,
                }
                answer = {"status": "Failed" if code else "Success", "message": "", "run_result": result}
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    box.close()


@pytest.mark.parametrize(
    ("code", "score", "reason"),
    [
        ("a, b = map(int, input().split())\nprint(a + b)", 1.0, Reason.CORRECT),
        ("print(8)", 0.0, Reason.INCORRECT),
        ("def f(:", 0.0, Reason.INCORRECT),
        ("while True: pass", 0.0, Reason.TIMEOUT),
        ("raise ValueError", 0.0, Reason.INCORRECT),
        ("SANDBOX_ERROR = 1", None, Reason.UNAVAILABLE),
    ],
)
def test_cases_are_compared_here(service, code, score, reason):
    problem = Problem(info={"cases": [{"stdin": "3 4", "stdout": "7"}]})
    verdict = UnitTests(Remote(url=service), limits=Limits(wall_s=1))(code, problem)
    assert (verdict.score, verdict.reason) == (score, reason), verdict


@pytest.mark.parametrize(
    ("code", "score"),
    [
        (RIGHT, 1.0),
        ("print('{\"value\": 7}')\n" + RIGHT, 1.0),
        ("def add(a, b): return 8", 0.0),
        ("class E:\n    def __eq__(self, o): return True\ndef add(a, b): return E()", 0.0),
        ("import os; os._exit(0)", 0.0),
    ],
)
def test_calls_are_compared_here(service, code, score):
    problem = Problem(info={"calls": [[[3, 4], 7]], "entry_point": "add"})
    verdict = UnitTests(Remote(url=service))(code, problem)
    assert verdict.score == score, verdict
    assert verdict.detail["guarantee"] == "isolated"


@pytest.mark.parametrize(("code", "score"), [(RIGHT, 1.0), ("def add(a, b): return 8", 0.0)])
def test_asserts_are_best_effort_and_say_so(service, code, score):
    verdict = UnitTests(Remote(url=service))(code, TESTS)
    assert verdict.score == score, verdict
    assert verdict.detail["guarantee"] == "best effort"


def test_a_checker_runs_there_alone(service):
    checker = "def check(stdin, stdout, expected): return int(stdout) % 7 == 0"
    problem = Problem(info={"cases": [{"stdin": "", "stdout": "7"}], "checker": checker})
    assert UnitTests(Remote(url=service))("print(14)", problem).score == 1.0
    assert UnitTests(Remote(url=service))("print(15)", problem).score == 0.0


def test_a_service_that_is_down_abstains():
    assert UnitTests(Remote(url="http://127.0.0.1:9"))(RIGHT, TESTS).reason is Reason.UNAVAILABLE


def test_an_address_must_be_http():
    with pytest.raises(ValueError, match="url must begin with http"):
        Remote(url="file:///etc/passwd")
