"""One worker: a fork server for solutions and one for judges, and a job taken through them.

Both keep spare children, forked and confined ahead of time, so that a job waits for no fork.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from referee.sandbox.channel import Channel, Child, Exit
from referee.sandbox.endings import check_outcome, explain, failed, program_outcome, trial_outcome
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
from referee.sandbox.starvation import Account, TimeLimit, doubtful, waited_for_others

COMPILER_ENDS_S = 5.0  # after its time, at the latest
GRACE_S = 0.25
SENT_AT_ONCE, HAND_OVER_S = 1 << 15, 10.0
SPARES = 2  # the fewest that wait for work
MOST_TRIALS, MOST_BUSY_S = 64, 1.0  # of one judge
AT_ONCE = 4  # forks: what the server's memory costs to share again is paid once for all
_MESSAGE_BYTES = 1 << 16  # of a solution that says how it went, and nothing else
_NOTHING = (Source(code="pass"),)


@dataclass(slots=True, eq=False)
class _Kept:
    """A judge that has the tests of the last trial, and may judge the same ones again."""

    key: Hashable
    child: Child
    trials: int = 0
    busy_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Watched:
    """A process that a job waits for, and how long it may have waited before this job."""

    role: str
    child: Child
    before_s: float = 0.0


class Lane:
    """Takes one job at a time. ``launch(role, world)`` starts a fork server, ``shut`` ends what held them."""

    def __init__(self, launch: Callable[[str, Sequence[int]], Channel], shut: Callable[[], None]) -> None:
        self._launch = launch
        self._shut = shut
        self._channels: dict[str, Channel] = {}
        self._spares: dict[str, deque[Child]] = {}
        self._kept: _Kept | None = None

    def channel(self, role: str) -> Channel:
        """Return the fork server for a role, starting it where it does not run."""
        if role not in self._channels:
            world = self.channel("solution").world if role == "judge" else ()
            self._channels[role] = self._launch(role, world)
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
        # a program that starts others may seem to wait while they run: of it nothing can be told
        watched = [_Watched("solution", child)] if role == "solution" else []
        clock = self._clock(limits, watched)
        request = {
            "mode": "program",
            "language": job.language,
            "sources": _sources(job.sources),
            "entry_point": "",
            "output_bytes": limits.output_bytes,
            "memory_bytes": limits.memory_bytes,
            "compile_s": limits.compile_s,
        }
        _hand_over(child, request)
        if role == "program":
            first, lost = _answer(
                child.stream, self._clock(replace(limits, wall_s=limits.compile_s + COMPILER_ENDS_S), [])
            )
            clock = self._clock(limits, watched)
            if "compiled" not in first:
                self._finish(role, child)
                why = first.get("missing") or lost  # nothing of the sample's ran: the machine's failure
                return Execution(
                    outcome=Outcome.SANDBOX_UNAVAILABLE if why else Outcome.SYNTAX_ERROR,
                    error=str(why or first.get("error", "it did not compile")),
                )
        message, error = _answer(child.stream, clock, _MESSAGE_BYTES)
        ended = None
        while error != "timeout" and ended is None:
            ended = self.channel(role).wait(child, clock.left_s)
            if ended is None and not clock.extend():
                break
        late, wall = ended is None, clock.wall_s
        waited = clock.final_wait() if late else 0.0
        if late:
            self.channel(role).end(child)
            ended = self.channel(role).wait(child, GRACE_S)
        execution = program_outcome(child, message, ended, late, wall)
        self._finish(role, child)
        return replace(execution, waited_s=waited)

    def _calls(self, job: Calls, limits: Limits, on_value: OnValue | None) -> Execution:
        child = self._take("solution", limits)
        clock = self._clock(limits, [_Watched("solution", child)])
        request = {
            "mode": "calls",
            "sources": _sources(job.sources),
            "entry_point": job.entry_point,
            "calls": encoded_calls(job),
        }
        _hand_over(child, request)
        values: list[Any] = []
        done, raised = False, None
        message, error = _answer(child.stream, clock, _MESSAGE_BYTES)
        if not error and message.get("loaded") is True:
            for i in range(len(job.arguments)):
                message, error = _answer(child.stream, clock, job.answer_bytes)
                if "raised" in message and not job.stop_early:
                    raised = raised or message
                    continue
                if error or "value" not in message:
                    break
                values.append(message["value"])
                done = i + 1 == len(job.arguments)
                if on_value is not None and not on_value(i, message["value"]):
                    done = True
                    break
        wall = clock.wall_s
        waited = clock.final_wait() if error == "timeout" and not done else 0.0
        if raised is not None and not error:
            message, done = raised, False
        outcome, why = (Outcome.OK, "") if done else failed(message, error)
        ended = self._wait_if_lost(child, error)
        outcome, why = explain(outcome, why, child, ended)
        execution = Execution(
            outcome=outcome,
            error=why,
            stdout=child.text(child.stdout),
            stderr=child.text(child.stderr),
            wall_s=wall,
            cpu_s=ended.cpu_s if ended else None,
            peak_bytes=ended.peak_bytes if ended else None,
            waited_s=waited,
            values=tuple(values),
        )
        self._finish("solution", child)
        return execution

    def _trial(self, job: Trial, limits: Limits) -> Execution:
        child = self._take("solution", limits)
        kept = self._take_judge((job.tests, job.entry_point, job.setup, job.stop_early, limits), limits)
        judge = kept.child
        # a judge may have waited in the trials before this one, but no longer than they took
        clock = self._clock(limits, [_Watched("solution", child), _Watched("judge", judge, kept.busy_s)])
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
        report, error = _answer(judge.stream, clock)
        wall = clock.wall_s
        waited = clock.final_wait() if error == "timeout" else 0.0
        if error:
            slate = os.pread(judge.stdin, 1, 0)
            report = {"gone": error, "slate": slate.decode("latin-1")}
        lost = error or report.get("gone") or ("ended" if report.get("unloaded", {}).get("ended") else "")
        ended = self._wait_if_lost(child, str(lost or ""))
        outcome, why = trial_outcome(report, error)
        outcome, why = explain(outcome, why, child, ended)
        execution = Execution(
            outcome=outcome,
            error=why,
            stdout=child.text(child.stdout),
            stderr=child.text(child.stderr),
            wall_s=wall,
            cpu_s=ended.cpu_s if ended else None,
            peak_bytes=ended.peak_bytes if ended else None,
            waited_s=waited,
            report=report,
        )
        self._keep_or_finish(kept, wall, clean=bool(report.pop("clean", False)))
        in_doubt = job.sources != _NOTHING and not doubtful(waited, wall) and _uncalled(execution)
        if in_doubt:  # its folder must be gone before the next one's is used
            self.channel("solution").end(child)
            self.channel("solution").wait(child, GRACE_S)
        self._finish("solution", child)
        return self._blamed(execution, job, limits) if in_doubt else execution

    def _blamed(self, first: Execution, job: Trial, limits: Limits) -> Execution:
        """Decide about tests that never called: at fault only where they are so with no solution at all."""
        again = self._trial(replace(job, sources=_NOTHING), limits)
        if first.outcome is Outcome.TIMEOUT and _uncalled(again) and again.outcome is Outcome.TIMEOUT:
            why = "the tests took all the time before they called the solution"
            return replace(first, outcome=Outcome.BAD_REFERENCE, error=why)
        if first.outcome is Outcome.BAD_REFERENCE and again.outcome is not Outcome.BAD_REFERENCE:
            return replace(
                first, outcome=Outcome.WRONG, error=f"the tests fail, and only beside it: {first.error}"
            )
        return first

    def _check(self, job: Check, limits: Limits) -> Execution:
        kept = self._take_judge((job.checker, limits), limits)
        judge = kept.child
        clock = self._clock(limits, [_Watched("judge", judge, kept.busy_s)])
        request = {
            "mode": "check",
            "checker": job.checker,
            "stdin": job.stdin,
            "stdout": job.stdout,
            "expected": job.expected,
        }
        _hand_over(judge, request, descriptor=judge.stdin)
        report, error = _answer(judge.stream, clock)
        wall = clock.wall_s
        waited = clock.final_wait() if error == "timeout" else 0.0
        self._keep_or_finish(kept, wall, clean=bool(report.pop("clean", False)))
        return replace(check_outcome(report, error), wall_s=wall, waited_s=waited)

    def _clock(self, limits: Limits, watched: list[_Watched]) -> TimeLimit:
        """Return the clock of a job, which knows how long the processes that it watches had to wait."""

        def waited(final: bool) -> float:
            accounts = [(w, self.channel(w.role).account(w.child, final=final)) for w in watched]
            return waited_for_others([Account(a.ran_s, a.waited_s - w.before_s) for w, a in accounts])

        return TimeLimit(limits.wall_s, waited)

    def _wait_if_lost(self, child: Child, error: str) -> Exit | None:
        """Where the child stopped answering without being late, learn how it ended."""
        if "ended" not in error:
            return None
        return self.channel("solution").wait(child, GRACE_S)


def _uncalled(run: Execution) -> bool:
    """Tell whether tests that had the solution loaded ended, or were late, before they called it."""
    if run.outcome is Outcome.TIMEOUT:
        return run.report.get("slate") == "L"
    return run.outcome is Outcome.BAD_REFERENCE and run.report.get("calls") == 0


def encoded_calls(job: Calls) -> list[Any]:
    """Return the arguments of each call, positional and by keyword, as plain data."""
    keywords = job.keywords or ({},) * len(job.arguments)
    return [
        [[wire.encode(a) for a in arguments], {k: wire.encode(a) for k, a in named.items()}]
        for arguments, named in zip(job.arguments, keywords, strict=True)
    ]


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
    if len(data) > SENT_AT_ONCE:  # one that is stopped reads nothing
        child.connection.settimeout(HAND_OVER_S)
    try:
        if descriptor is None:
            child.connection.sendall(data)
        else:
            sent = socket.send_fds(child.connection, [data], [descriptor])
            child.connection.sendall(data[sent:])
    except OSError:
        pass
    finally:
        child.connection.settimeout(None)


def _answer(
    stream: Connection, clock: TimeLimit, most_bytes: int = wire.MAX_FRAME
) -> tuple[dict[str, Any], str]:
    """Return one message, and why there is none: timeout, ended, or malformed."""
    try:
        message = stream.receive(deadline=clock.deadline, limit=most_bytes)
    except TimeoutError:
        return _answer(stream, clock, most_bytes) if clock.extend() else ({}, "timeout")
    except (EOFError, OSError):
        return {}, "ended"
    except Malformed as e:
        return {}, f"malformed: {e}"
    return (message, "") if isinstance(message, dict) else ({}, "malformed: an answer must be an object")
