"""Why a verdict is what it is, as a short text: the one place that knows where verdicts keep that."""

from __future__ import annotations

from referee.verifiers.jsonl import from_dict
from referee.verifiers.records import Verdict


def evidence(verdict: Verdict) -> str:
    """Return what in a verdict's detail says why, as a short text; empty where nothing does."""
    for key in ("error", "problem", "fault", "why"):
        if isinstance(text := verdict.detail.get(key), str) and text:
            return text.rstrip(".")
    faults = verdict.detail.get("faults")
    if isinstance(faults, dict) and faults:
        return "; ".join(f"{name}: {fault}" for name, fault in faults.items())
    if isinstance(gate := verdict.detail.get("gate"), dict):
        return f"its condition was {gate['reason']}"
    parts = verdict.detail.get("parts")
    for name, part in parts.items() if isinstance(parts, dict) else ():  # what a combinator heard
        inner = from_dict(Verdict, part)
        if inner.reason is verdict.reason and (why := evidence(inner)):
            return f"{name}: {why}"
    return ""
