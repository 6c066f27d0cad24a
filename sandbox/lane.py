"""One worker: a fork server for solutions and one for judges, and a job taken through them.

Both keep spare children, forked and confined ahead of time, so that a job waits for no fork.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from referee.sandbox.channel import Channel, Child, Exit
from referee.sandbox.inside import wire
from referee.sandbox.inside.wire import Connection, Malformed
from referee.sandbox.records import (
    Calls,
    Check,
    Execution,
    Job,
    Limits,
    OnValue,
    Outcome,
    Program,
    Source,
    Trial,
)

COMPILE_S = 25.0
GRACE_S = 0.25
SPARES = 2  # the fewest that wait for work
MOST_TRIALS, MOST_BUSY_S = 64, 1.0  # of one judge
AT_ONCE = 4  # forks: what the server's memory costs to share again is paid once for all
_NOTHING = (Source(code="pass"),)


@dataclass(slots=True, eq=False)
class _Kept:
    """A judge that has the tests of the last trial, and may judge the same ones again."""

    key: Hashable
    child: Child
    trials: int = 0
    busy_s: float = 0.0


class Lane:
    """Takes one job at a time. ``launch(role)`` starts a fork server, ``shut`` ends what held them."""

    def __init__(self, launch: Callable[[str], Channel], shut: Callable[[], None]) -> None:
        self._launch = launch
        self._shut = shut
        self._channels: dict[str, Channel] = {}
        self._spares: dict[str, deque[Child]] = {}
        self._kept: _Kept | None = None

    def channel(self, role: str) -> Channel:
        """Return the fork server for a role, starting it where it does not run."""
        if role not in self._channels:
            self._channels[role] = self._launch(role)
        return self._channels[role]

    def run(self, job: Job, limits: Limits, on_value: OnValue | None) -> Execution:
        """Run one job; ServerDown where a fork server failed."""
        if isinstance(job, Trial):
            return self._trial(job, limits)
        if isinstance(job, Check):
            return self._check(job, limits)
        if isinstance(job, Calls):
            return self._calls(job, limits, on_value)
        return self._program(job, limits)

    def close(self) -> None:
        """End the fork servers."""
        for channel in self._channels.values():
            channel.close()
        for child in [c for spares in self._spares.values() for c in spares]:
            child.release()
        if self._kept is not None:
            self._kept.child.release()
            self._kept = None
        self._channels.clear()
        self._spares.clear()
        self._shut()

    def _take(self, role: str, limits: Limits) -> Child:
        """Return a spare child, or a new one where the spares have other limits."""
        channel, spares = self.channel(role), self._spares.setdefault(role, deque())
        channel.drain()
        while spares:
            child = spares.popleft()
            if child.limits == limits and child.exit is None:
                return child
            channel.end(child)
            child.release()
        [child] = channel.spawn(limits)
        return child

    def _finish(self, role: str, child: Child) -> None:
        """End a child, close its files, and have others made in its stead."""
        channel, spares = self.channel(role), self._spares[role]
        if role == "program" or len(spares) >= SPARES:  # a program has the folder /tmp to itself
            channel.end(child)
        else:
            spares.extend(channel.spawn(child.limits, count=AT_ONCE, ending=child))
        child.release()

    def _take_judge(self, key: Hashable, limits: Limits) -> _Kept:
        """Return the judge that was kept for the same tests, or a fresh one."""
        kept, self._kept = self._kept, None
        if kept is not None and kept.key == key and kept.child.exit is None:
            os.pwrite(kept.child.stdin, b" ", 0)  # the slate is wiped
            return kept
        if kept is not None:
            self._finish("judge", kept.child)
        return _Kept(key, self._take("judge", _judge_limits(limits)))

    def _keep_or_finish(self, kept: _Kept, wall: float, *, clean: bool) -> None:
        """Keep a judge for the next trial of the same tests, where nothing of this one is left in it."""
        kept.trials += 1
        kept.busy_s += wall
        if clean and kept.trials < MOST_TRIALS and kept.busy_s < MOST_BUSY_S:
            self._kept = kept
        else:
            self._finish("judge", kept.child)

    def _program(self, job: Program, limits: Limits) -> Execution:
        role = "solution" if job.language == "python" else "program"
        child = self._take(role, limits)
        os.pwrite(child.stdin, job.stdin.encode("utf-8", "surrogatepass"), 0)
        start = time.monotonic()
        request = {
            "mode": "program",
            "language": job.language,
            "sources": _sources(job.sources),
            "entry_point": "",
            "output_bytes": limits.output_bytes,
            "memory_bytes": limits.memory_bytes,
        }
        _hand_over(child, request)
        if role == "program":
            first, lost = _answer(child.stream, start + COMPILE_S)
            start = time.monotonic()
            if "compiled" not in first:
                self._finish(role, child)
                why = first.get("missing") or lost  # nothing of the sample's ran: the machine's failure
                return Execution(
                    outcome=Outcome.SANDBOX_UNAVAILABLE if why else Outcome.SYNTAX_ERROR,
                    error=str(why or first.get("error", "it did not compile")),
                )
        message, error = _answer(child.stream, start + limits.wall_s)
        wall = time.monotonic() - start
        ended = None if error == "timeout" else self.channel(role).wait(child, max(0.0, limits.wall_s - wall))
        late = ended is None
        # a program that starts others may seem to wait while they run: of it nothing can be told
        starved = late and role == "solution" and self._starved(limits, role)
        if late:
            self.channel(role).end(child)
            ended = self.channel(role).wait(child, GRACE_S)
        execution = _program_outcome(child, message, ended, late, time.monotonic() - start)
        if starved:
            execution = _unavailable(wall)
        self._finish(role, child)
        return execution

    def _calls(self, job: Calls, limits: Limits, on_value: OnValue | None) -> Execution:
        child = self._take("solution", limits)
        start = time.monotonic()
        deadline = start + limits.wall_s
        request = {
            "mode": "calls",
            "sources": _sources(job.sources),
            "entry_point": job.entry_point,
            "calls": [[wire.encode(a) for a in arguments] for arguments in job.arguments],
        }
        _hand_over(child, request)
        values: list[Any] = []
        done = False
        message, error = _answer(child.stream, deadline)
        if not error and message.get("loaded") is True:
            for i in range(len(job.arguments)):
                message, error = _answer(child.stream, deadline)
                if error or "value" not in message:
                    break
                values.append(message["value"])
                done = i + 1 == len(job.arguments)
                if on_value is not None and not on_value(i, message["value"]):
                    done = True
                    break
        wall = time.monotonic() - start
        outcome, why = (Outcome.OK, "") if done else _failed(message, error)
        ended = self._wait_if_lost(child, error)
        outcome, why = _explain(outcome, why, child, ended)
        execution = Execution(
            outcome=outcome,
            error=why,
            stdout=child.text(child.stdout),
            stderr=child.text(child.stderr),
            wall_s=wall,
            cpu_s=ended.cpu_s if ended else None,
            peak_bytes=ended.peak_bytes if ended else None,
            values=tuple(values),
        )
        if error == "timeout" and not done and self._starved(limits, "solution"):
            execution = _unavailable(wall)
        self._finish("solution", child)
        return execution

    def _trial(self, job: Trial, limits: Limits) -> Execution:
        child = self._take("solution", limits)
        kept = self._take_judge((job.tests, job.entry_point, job.setup, job.stop_early, limits), limits)
        judge, start = kept.child, time.monotonic()
        request = {"mode": "serve", "sources": _sources(job.sources), "entry_point": job.entry_point}
        _hand_over(child, request)
        tests = {
            "mode": "judge",
            "tests": job.tests,
            "entry_point": job.entry_point,
            "setup": job.setup,
            "stop_early": job.stop_early,
        }
        _hand_over(judge, tests, descriptor=child.connection.fileno())
        report, error = _answer(judge.stream, start + limits.wall_s)
        wall = time.monotonic() - start
        # what a judge waited for in the trials before this one counts for nothing
        starved = error == "timeout" and self._starved(
            limits, "solution", *([] if kept.trials else ["judge"])
        )
        if error:
            slate = os.pread(judge.stdin, 1, 0)
            report = {"gone": error, "slate": slate.decode("latin-1")}
        lost = error or report.get("gone") or ("ended" if report.get("unloaded", {}).get("ended") else "")
        ended = self._wait_if_lost(child, str(lost or ""))
        outcome, why = _trial_outcome(report, error)
        outcome, why = _explain(outcome, why, child, ended)
        if error == "timeout" and not starved and report["slate"] == "L" and job.sources != _NOTHING:
            # loaded late, or tests that never call? only tests that do not call nothing either are at fault
            again = self._trial(replace(job, sources=_NOTHING), limits)
            if again.outcome is Outcome.TIMEOUT and again.report["slate"] == "L":
                outcome, why = (
                    Outcome.BAD_REFERENCE,
                    "the tests took all the time before they called the solution",
                )
        execution = Execution(
            outcome=outcome,
            error=why,
            stdout=child.text(child.stdout),
            stderr=child.text(child.stderr),
            wall_s=wall,
            cpu_s=ended.cpu_s if ended else None,
            peak_bytes=ended.peak_bytes if ended else None,
            report=report,
        )
        self._keep_or_finish(kept, wall, clean=bool(report.pop("clean", False)))
        self._finish("solution", child)
        return _unavailable(wall) if starved else execution

    def _check(self, job: Check, limits: Limits) -> Execution:
        kept = self._take_judge((job.checker, limits), limits)
        judge, start = kept.child, time.monotonic()
        request = {
            "mode": "check",
            "checker": job.checker,
            "stdin": job.stdin,
            "stdout": job.stdout,
            "expected": job.expected,
        }
        _hand_over(judge, request, descriptor=judge.stdin)
        report, error = _answer(judge.stream, start + limits.wall_s)
        wall = time.monotonic() - start
        starved = error == "timeout" and not kept.trials and self._starved(limits, "judge")
        self._keep_or_finish(kept, wall, clean=bool(report.pop("clean", False)))
        if starved:
            return _unavailable(wall)
        if error:  # on what the solution wrote, the checker never came back
            return Execution(outcome=Outcome.WRONG, error=f"the checker did not answer: {error}", wall_s=wall)
        if "bad_reference" in report:
            return Execution(outcome=Outcome.BAD_REFERENCE, error=str(report["bad_reference"]), wall_s=wall)
        good = report.get("score", 0.0) > 0
        why = str(report.get("error", ""))
        return Execution(outcome=Outcome.OK if good else Outcome.WRONG, error=why, wall_s=wall, report=report)

    def _starved(self, limits: Limits, *roles: str) -> bool:
        """Tell whether what is late was hardly ever given a processor."""
        return any(self.channel(role).starved(limits.wall_s) for role in roles)

    def _wait_if_lost(self, child: Child, error: str) -> Exit | None:
        """Where the child stopped answering without being late, learn how it ended."""
        if "ended" not in error:
            return None
        return self.channel("solution").wait(child, GRACE_S)


def _unavailable(wall: float) -> Execution:
    why = "the machine was too busy to run it: it waited for a processor nearly all the time"
    return Execution(outcome=Outcome.SANDBOX_UNAVAILABLE, error=why, wall_s=wall)


def _sources(sources: tuple[Source, ...]) -> list[Any]:
    return [{"code": s.code, "before": s.before} for s in sources]


@lru_cache(maxsize=64)
def _judge_limits(limits: Limits) -> Limits:
    return Limits(
        wall_s=limits.wall_s,
        cpu_s=limits.cpu_seconds + int(MOST_BUSY_S) + 1,
        memory_bytes=max(limits.memory_bytes, 512 << 20),
        output_bytes=limits.output_bytes,
        processes=limits.processes,
        files=limits.files,
    )


def _hand_over(child: Child, message: dict[str, Any], *, descriptor: int | None = None) -> None:
    """Send the request. A child that dies meanwhile shows when its answer is awaited."""
    data = wire.frame(message)
    try:
        if descriptor is None:
            child.connection.sendall(data)
        else:
            sent = socket.send_fds(child.connection, [data], [descriptor])
            child.connection.sendall(data[sent:])
    except OSError:
        pass


def _answer(stream: Connection, deadline: float) -> tuple[dict[str, Any], str]:
    """Return one message, and why there is none: timeout, ended, or malformed."""
    try:
        message = stream.receive(deadline=deadline)
    except TimeoutError:
        return {}, "timeout"
    except (EOFError, OSError):
        return {}, "ended"
    except Malformed as e:
        return {}, f"malformed: {e}"
    return (message, "") if isinstance(message, dict) else ({}, "malformed: an answer must be an object")


def _how_it_went(message: dict[str, Any], error: str) -> tuple[Outcome, str]:
    """Return the outcome that a solution's last message speaks of."""
    if error == "timeout":
        return Outcome.TIMEOUT, "it was still running when the time was up"
    if error == "ended":
        return Outcome.KILLED, "its process ended before it answered"
    if error:
        return Outcome.OUTPUT, error
    why = str(message.get("error", ""))[:500]
    if message.get("syntax"):
        return Outcome.SYNTAX_ERROR, why
    names = message.get("raised")
    if isinstance(names, list):
        return (Outcome.MEMORY if "MemoryError" in names else Outcome.RAISED), why
    return Outcome.OK, ""


def _failed(message: dict[str, Any], error: str) -> tuple[Outcome, str]:
    """Return the outcome of a solution that did not answer: never OK, whatever it says."""
    outcome, why = _how_it_went(message, error)
    return (Outcome.KILLED, "it sent what is no answer") if outcome is Outcome.OK else (outcome, why)


def _trial_outcome(report: dict[str, Any], error: str) -> tuple[Outcome, str]:
    if error == "timeout":
        return Outcome.TIMEOUT, "it was still running when the time was up"
    if error:
        return Outcome.WRONG, f"the judge did not answer: {error}"
    if "unloaded" in report:
        unloaded = report["unloaded"]
        return _failed(unloaded, "ended" if unloaded.get("ended") else "")
    if "bad_reference" in report:
        return Outcome.BAD_REFERENCE, str(report["bad_reference"])
    if report["gone"]:
        return Outcome.KILLED, str(report["gone"])
    if report["total"] > 0 and report["passed"] == report["total"] and not report.get("error"):
        return Outcome.OK, ""
    failures = report.get("failures") or [{}]
    why = str(failures[0].get("error") or report.get("error") or "")
    return (Outcome.MEMORY if report["out_of_memory"] else Outcome.WRONG), why


def _program_outcome(
    child: Child, message: dict[str, Any], ended: Exit | None, late: bool, wall: float
) -> Execution:
    code = ended.code if ended else None
    outcome, why = _how_it_went(message, "timeout" if late else "")
    if not late and outcome is Outcome.OK and code:
        outcome, why = Outcome.RAISED, f"it ended with exit status {code}"
    outcome, why = _explain(outcome, why, child, ended if not late else None)
    return Execution(
        outcome=outcome,
        error=why,
        exit_code=code,
        stdout=child.text(child.stdout),
        stderr=child.text(child.stderr),
        wall_s=wall,
        cpu_s=ended.cpu_s if ended else None,
        peak_bytes=ended.peak_bytes if ended else None,
    )


def _explain(outcome: Outcome, why: str, child: Child, ended: Exit | None) -> tuple[Outcome, str]:
    """Say more exactly what ended a run: its output, its processor time, or a signal."""
    if outcome in (Outcome.OK, Outcome.BAD_REFERENCE, Outcome.SYNTAX_ERROR):
        return outcome, why
    if outcome is not Outcome.WRONG and child.flooded:
        return Outcome.OUTPUT, f"it wrote more than {child.limits.output_bytes} bytes"
    if ended is not None and ended.signal == signal.SIGXCPU:
        return Outcome.TIMEOUT, f"it used more than {child.limits.cpu_seconds} s of processor time"
    if ended is not None and ended.signal:
        name = signal.Signals(ended.signal).name
        return Outcome.KILLED, f"its process was ended by {name}"
    return outcome, why
