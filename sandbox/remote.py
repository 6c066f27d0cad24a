"""A cluster that speaks SandboxFusion's HTTP interface (``POST /run_code``), used as a sandbox.

Programs and calls are judged here, outside: what the cluster returns is only ever an answer. Tests that
need asserts run in the solution's own process over there, since one request is all there is: the report
then says ``best effort``, and such a verdict can be forged by the code that it judges.
"""

from __future__ import annotations

import http.client
import json
import secrets
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from referee.sandbox.endings import check_outcome
from referee.sandbox.inside import wire
from referee.sandbox.lane import encoded_calls
from referee.sandbox.pool import TRIES
from referee.sandbox.records import (
    Calls,
    Check,
    Execution,
    Job,
    Limits,
    OnValue,
    Outcome,
    Source,
    Trial,
)

_LANGUAGES = {"python": "python", "bash": "bash", "javascript": "nodejs", "cpp": "cpp"}
NETWORK_S = 10.0

_SENT = ("wire", "library_values", "raised", "handles", "shared", "peer", "serving", "solution")  # in order
_PRELUDE = """
import json, os, sys, types
for name, source in json.loads({sources!r}).items():
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, name, "exec"), module.__dict__)
solution = sys.modules["referee.sandbox.inside.solution"]
answers = os.dup(1)
os.dup2(2, 1)
def say(message):
    os.write(answers, json.dumps(message).encode() + b"\\n")
request = json.loads(sys.stdin.read())
"""
_CALLS = """
try:
    code = solution.load(request["sources"], request["entry_point"])
except BaseException as e:
    say({"syntax": True, "error": f"{type(e).__name__}: {e}"[:500]})
    os._exit(0)
module = types.ModuleType("solution")
sys.modules["solution"] = module
try:
    exec(code, module.__dict__)
except BaseException as e:
    say({"raised": [type(e).__name__], "error": f"{type(e).__name__}: {e}"[:500]})
    os._exit(0)
for arguments, named in request["calls"]:
    say(solution.called(None, module, request["entry_point"], arguments, named))
os._exit(0)
"""
_TRIAL = """
namespace = {"__name__": "solution"}
exec(solution.load(request["sources"], request["entry_point"]), namespace)
exec(compile(request["tests"], "<tests>", "exec"), namespace)
name = request["entry_point"].split(".")[-1]
if "check" in namespace and "check(" + name + ")" not in request["tests"]:
    namespace["check"](namespace[name])
say(request["nonce"])
"""
_CHECK = """
namespace = {"__name__": "checker"}
exec(compile(request["checker"], "<checker>", "exec"), namespace)
say(float(namespace["check"](request["stdin"], request["stdout"], request["expected"]) or 0.0))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Run code on a SandboxFusion-compatible service.

    ``url`` is its address (``http://host:8080``); ``workers`` requests are made at a time. ``headers`` are
    sent along (a token). What the limits on processes, files and output are is the service's to say.
    """

    url: str
    workers: int = 16
    headers: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url must begin with http:// or https://, got {self.url!r}")
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")

    def execute(
        self, job: Job, *, limits: Limits | None = None, on_value: OnValue | None = None
    ) -> Execution:
        """Run one job with one request; a service that does not answer is asked once more."""
        bound = limits or Limits()
        if isinstance(job, Calls):
            return self._calls(job, bound, on_value)
        if isinstance(job, Trial):
            return self._trial(job, bound)
        if isinstance(job, Check):
            return self._check(job, bound)
        if job.language not in _LANGUAGES:
            return Execution(outcome=Outcome.SANDBOX_UNAVAILABLE, error=f"{job.language} cannot be run there")
        return self._run(job.sources[0].code, job.stdin, job.language, bound)

    def close(self) -> None:
        """Nothing is kept running here."""

    def _calls(self, job: Calls, limits: Limits, on_value: OnValue | None) -> Execution:
        request = {
            "sources": _plain(job.sources),
            "entry_point": job.entry_point,
            "calls": encoded_calls(job),
        }
        run = self._run(_driver(_CALLS), json.dumps(request), "python", limits)
        if run.outcome not in (Outcome.OK, Outcome.RAISED):
            return run
        values: list[Any] = []
        outcome, error = Outcome.KILLED, "its process ended before it answered"
        raised, i = "", -1
        for line in run.stdout.splitlines():
            if len(line) > job.answer_bytes:
                outcome, error = Outcome.OUTPUT, f"an answer must be at most {job.answer_bytes} bytes"
                break
            message = _parsed(line)
            if not isinstance(message, dict):
                continue
            i += 1
            wanted = True
            if "value" in message:
                values.append(message["value"])
                wanted = on_value is None or on_value(i, message["value"])
            else:
                raised = raised or str(message.get("error"))[:500]
                if message.get("syntax") or job.stop_early:
                    outcome = Outcome.SYNTAX_ERROR if message.get("syntax") else Outcome.RAISED
                    error = raised
                    break
            if not wanted or i + 1 == len(job.arguments):
                outcome, error = (Outcome.RAISED, raised) if raised else (Outcome.OK, "")
                break
        return replace(run, outcome=outcome, error=error, values=tuple(values), stdout="")

    def _trial(self, job: Trial, limits: Limits) -> Execution:
        nonce = secrets.token_hex(16)
        request = {
            "sources": _plain(job.sources),
            "entry_point": job.entry_point,
            "tests": job.tests,
            "nonce": nonce,
        }
        run = self._run(_driver(_TRIAL), json.dumps(request), "python", limits)
        good = run.outcome is Outcome.OK and [_parsed(x) for x in run.stdout.splitlines()][-1:] == [nonce]
        outcome = run.outcome if not (run.outcome is Outcome.OK and not good) else Outcome.KILLED
        if (
            run.outcome is Outcome.RAISED
            and run.stderr.rstrip().splitlines()[-1:]
            and "AssertionError" in run.stderr
        ):
            outcome = Outcome.WRONG
        report = {"passed": int(good), "total": 1, "failures": [], "guarantee": "best effort"}
        return replace(run, outcome=outcome, stdout="", report=report)

    def _check(self, job: Check, limits: Limits) -> Execution:
        request = {"checker": job.checker, "stdin": job.stdin, "stdout": job.stdout, "expected": job.expected}
        run = self._run(_driver(_CHECK), json.dumps(request), "python", limits)
        score = _parsed(run.stdout.strip()) if run.outcome is Outcome.OK else None
        if run.outcome is Outcome.SANDBOX_UNAVAILABLE:
            return run
        good = isinstance(score, int | float) and 0 <= score <= 1
        judged = check_outcome({"score": score if good else 0.0}, "")
        return replace(run, outcome=judged.outcome, stdout="", report=judged.report)

    def _run(self, code: str, stdin: str, language: str, limits: Limits) -> Execution:
        body = {
            "code": code,
            "stdin": stdin,
            "language": _LANGUAGES[language],
            "run_timeout": limits.wall_s,
            "compile_timeout": limits.compile_s,
            "memory_limit_MB": max(1, limits.memory_bytes >> 20),
        }
        start, failure = time.monotonic(), ""
        for _ in range(TRIES):
            try:
                answer = self._post(body, limits.wall_s + limits.compile_s + NETWORK_S)
                return replace(_execution(answer, limits), wall_s=time.monotonic() - start)
            except (OSError, ValueError, TypeError, KeyError, http.client.HTTPException) as e:
                failure = f"{self.url} does not serve: {type(e).__name__}: {e}"
        return Execution(outcome=Outcome.SANDBOX_UNAVAILABLE, error=failure[:1000])

    def _post(self, body: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", **dict(self.headers)}
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.url.rstrip("/") + "/run_code", data, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:  # noqa: S310  # http(s), by __post_init__
            answer = json.loads(reply.read())
        if not isinstance(answer, dict) or answer.get("status") == "SandboxError":
            raise ValueError(f"the service reports {str(answer)[:300]}")
        return answer


def _execution(answer: dict[str, Any], limits: Limits) -> Execution:
    """Read the service's answer."""
    compiled, run = answer.get("compile_result"), answer.get("run_result")
    if compiled and (compiled.get("return_code") or compiled.get("status") == "TimeLimitExceeded"):
        return Execution(outcome=Outcome.SYNTAX_ERROR, error=str(compiled.get("stderr") or "")[:2000])
    if not isinstance(run, dict):
        raise ValueError("the answer has no run_result")
    stdout, stderr = str(run.get("stdout") or ""), str(run.get("stderr") or "")
    code = run.get("return_code")
    outcome, error = Outcome.OK, ""
    if run.get("status") == "TimeLimitExceeded":
        outcome, error = Outcome.TIMEOUT, "it was still running when the time was up"
    elif code:
        outcome = Outcome.KILLED if code < 0 else Outcome.RAISED
        error = (stderr.strip().splitlines() or [f"it ended with exit status {code}"])[-1][:500]
        if "SyntaxError" in error or "IndentationError" in error:
            outcome = Outcome.SYNTAX_ERROR
        if error.startswith("MemoryError"):
            outcome = Outcome.MEMORY
    if len(stdout) > limits.output_bytes:
        outcome, error = Outcome.OUTPUT, f"it wrote more than {limits.output_bytes} bytes"
    cut = limits.output_bytes
    return Execution(outcome=outcome, error=error, exit_code=code, stdout=stdout[:cut], stderr=stderr[:cut])


def _driver(body: str) -> str:
    """Return a program that loads our own reading and encoding of code, and then runs ``body``."""
    here = Path(__file__).parent / "inside"
    names = ("referee", "referee.sandbox", "referee.sandbox.inside")
    sources = dict.fromkeys(names, "")
    sources |= {f"referee.sandbox.inside.{n}": (here / f"{n}.py").read_text() for n in _SENT}
    return _PRELUDE.format(sources=json.dumps(sources)) + body


def _plain(sources: tuple[Source, ...]) -> list[dict[str, str]]:
    return [{"code": s.code, "before": s.before} for s in sources]


def _parsed(line: str) -> Any:
    try:
        return wire.parse(line.encode("utf-8", "replace"))
    except wire.Malformed:
        return None
