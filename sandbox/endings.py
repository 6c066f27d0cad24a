"""What a run's last message, its exit and its streams say of how it ended."""

from __future__ import annotations

import signal
from typing import Any

from referee.sandbox.channel import Child, Exit
from referee.sandbox.records import Execution, Outcome


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


def failed(message: dict[str, Any], error: str) -> tuple[Outcome, str]:
    """Return the outcome of a solution that did not answer: never OK, whatever it says."""
    outcome, why = _how_it_went(message, error)
    return (Outcome.KILLED, "it sent what is no answer") if outcome is Outcome.OK else (outcome, why)


def trial_outcome(report: dict[str, Any], error: str) -> tuple[Outcome, str]:
    """Return the outcome of tests that a judge ran, by its report or by why there is none."""
    if error == "timeout":
        return Outcome.TIMEOUT, "it was still running when the time was up"
    if error:
        return Outcome.WRONG, f"the judge did not answer: {error}"
    if "unloaded" in report:
        unloaded = report["unloaded"]
        return failed(unloaded, "ended" if unloaded.get("ended") else "")
    if "bad_reference" in report:
        return Outcome.BAD_REFERENCE, str(report["bad_reference"])
    if report["gone"]:
        return Outcome.KILLED, str(report["gone"])
    if report["total"] > 0 and report["passed"] == report["total"] and not report.get("error"):
        return Outcome.OK, ""
    failures = report.get("failures") or [{}]
    why = str(failures[0].get("error") or report.get("error") or "")
    return (Outcome.MEMORY if report["out_of_memory"] else Outcome.WRONG), why


def check_outcome(report: dict[str, Any], error: str) -> Execution:
    """Return what came of a checker: its number is the share of the case that is paid."""
    if error:  # on what the solution wrote, the checker never came back
        return Execution(outcome=Outcome.WRONG, error=f"the checker did not answer: {error}")
    if "bad_reference" in report:
        return Execution(outcome=Outcome.BAD_REFERENCE, error=str(report["bad_reference"]))
    outcome = Outcome.OK if report.get("score") == 1.0 else Outcome.WRONG
    return Execution(outcome=outcome, error=str(report.get("error", "")), report=report)


def program_outcome(
    child: Child, message: dict[str, Any], ended: Exit | None, late: bool, wall: float
) -> Execution:
    """Return what came of a program, by its last message, its exit and its streams."""
    code = ended.code if ended else None
    outcome, why = _how_it_went(message, "timeout" if late else "")
    if not late and outcome is Outcome.OK and code:
        outcome, why = Outcome.RAISED, f"it ended with exit status {code}"
    outcome, why = explain(outcome, why, child, ended if not late else None)
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


def explain(outcome: Outcome, why: str, child: Child, ended: Exit | None) -> tuple[Outcome, str]:
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
