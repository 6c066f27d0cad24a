"""``MathVerify``: the math-verify library's own verdicts, in a process that is ended at its deadline.

The library's timeouts are signals, which work on the main thread only; here they are switched off
and the whole worker is ended instead. One worker serves a process (each forked child starts its
own), one request at a time; it exits when its input closes.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
from dataclasses import dataclass

from referee.verifiers.combine import Composable
from referee.verifiers.extras import missing
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of
from referee.verifiers.references import judged

_START_S = 60.0  # importing the library, on a busy machine

_PROGRAM = r"""
import json, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
out = sys.stdout
sys.stdout = sys.stderr
import logging
logging.disable(logging.CRITICAL)
from math_verify import parse, verify
out.write("ready\n"); out.flush()
for line in sys.stdin:
    text, gold = json.loads(line)
    try:
        delimited = "$" in gold or "boxed" in gold or "\\(" in gold or "\\[" in gold
        reference = parse(gold if delimited else "$" + gold + "$", parsing_timeout=None)
        if not reference:
            reply = ["bad_reference", ""]
        else:
            found = parse(text, parsing_timeout=None)
            if not found:
                reply = ["no_answer", ""]
            else:
                equal = verify(reference, found, timeout_seconds=None)
                reply = ["correct" if equal else "incorrect", str(found[-1])[:400]]
    except MemoryError:
        reply = ["resource_limit", "memory"]
    except Exception as e:
        reply = ["error", (type(e).__name__ + ": " + str(e))[:400]]
    out.write(json.dumps(reply) + "\n"); out.flush()
"""


class _Worker:
    """One child process that holds the library, and the lock that serialises its use."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, text: str, gold: str, timeout_s: float, memory_bytes: int) -> tuple[str, str]:
        """Return the status and a note for one pair."""
        with self.lock:
            try:
                process = self._started(memory_bytes)
                assert process.stdin is not None
                process.stdin.write(json.dumps([text, gold]).encode() + b"\n")
                process.stdin.flush()
                line = self._line(process, timeout_s)
            except TimeoutError:
                self.end()
                return "timeout", f"no decision after {timeout_s:g} s"
            except OSError as e:
                self.end()
                return "unavailable", f"the worker failed: {e}"
            if not line:
                self.end()
                return "resource_limit", "the worker ended itself"
            status, note = json.loads(line)
            return status, note

    def _started(self, memory_bytes: int) -> subprocess.Popen[bytes]:
        if self.process is not None and self.process.poll() is None:
            return self.process
        self.end()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"},
        )
        try:
            ready = self._line(self.process, _START_S)
        except TimeoutError:
            raise OSError("it did not start in time") from None
        if ready.strip() != b"ready":
            raise OSError("it did not start")
        return self.process

    def _line(self, process: subprocess.Popen[bytes], timeout_s: float) -> bytes:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout_s):
                raise TimeoutError
        return process.stdout.readline()

    def end(self) -> None:
        """End the child and wait for it."""
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not yet written has no reader any more
                    continue


_worker = _Worker()


def _after_fork() -> None:
    """A forked child must not share its parent's worker: drop it without ending it."""
    global _worker
    inherited = _worker.process
    _worker = _Worker()
    if inherited is not None:
        inherited.returncode = 0  # the parent waits for it; the child must not
        for pipe in (inherited.stdin, inherited.stdout):
            if pipe is not None:
                try:
                    os.close(pipe.fileno())
                except OSError:
                    continue


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _end_worker() -> None:
    _worker.end()


@dataclass(frozen=True, kw_only=True)
class MathVerify(Composable):
    r"""What the math-verify library says of a completion, for second opinions and comparisons.

    Args:
        timeout_s: the deadline of one decision. The worker is ended there, and the verdict is 0
            with reason ``timeout``.
        memory_bytes: the bound on the worker's address space.

    Accepts:
        - whatever ``math_verify.verify(parse(answer), parse(text))`` accepts: ``\boxed{0.5}`` for ``\frac12``

    Rejects:
        - what it rejects, what it cannot decide inside ``timeout_s``, and text inside the thinking
    """

    timeout_s: float = 5.0
    memory_bytes: int = 2**32

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {self.timeout_s}")
        if self.memory_bytes < 2**28:
            raise ValueError(f"memory_bytes must be at least {2**28}, got {self.memory_bytes}")
        from importlib.util import find_spec

        if find_spec("math_verify") is None:
            raise missing("MathVerify", "math_verify", install="math-verify")

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the library's verdict; of a list of references any may match."""
        text = answer_of(completion, problem)
        return judged(problem.answer, lambda reference: self._against(text, reference))

    def _against(self, text: str, answer: Json) -> Verdict:
        if isinstance(answer, bool) or not isinstance(answer, str | int | float) or not str(answer).strip():
            return _abstention(
                answer, f"the reference must be a text or a number, got {type(answer).__name__}"
            )
        if not text.strip():
            return Verdict(score=0.0, reason=Reason.NO_ANSWER, detail={"why": "nothing follows the thinking"})
        status, note = _worker.ask(text, str(answer), self.timeout_s, self.memory_bytes)
        if status == "bad_reference":
            return _abstention(answer, "math-verify cannot read the reference")
        reason = Reason(status)
        detail: dict[str, Json] = {"decided_by": "math-verify"}
        if reason in (Reason.CORRECT, Reason.INCORRECT):
            return Verdict(score=float(reason is Reason.CORRECT), reason=reason, answer=note, detail=detail)
        detail["why"] = note
        return Verdict(score=None if reason.abstains else 0.0, reason=reason, detail=detail)


def _abstention(answer: Json, problem: str) -> Verdict:
    return Verdict(
        score=None, reason=Reason.BAD_REFERENCE, detail={"problem": problem, "reference": str(answer)[:400]}
    )
