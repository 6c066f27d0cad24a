"""Why a verdict is what it is, in a few words."""

from __future__ import annotations

from referee.verifiers.jsonl import from_dict
from referee.verifiers.records import Verdict


def evidence(verdict: Verdict) -> str:
    """Return what in a verdict's detail says why, as a short text; empty where nothing does.

    >>> evidence(Verdict(score=0.0, detail={"problem": "the reference is empty."}))
    'the reference is empty'
    """
    for key in ("error", "problem", "fault", "why"):
        if isinstance(text := verdict.detail.get(key), str) and text:
            return text.rstrip(".")
    faults = verdict.detail.get("faults")
    if isinstance(faults, dict) and faults:
        return "; ".join(f"{name}: {fault}" for name, fault in faults.items())
    if isinstance(gate := verdict.detail.get("gate"), dict) and "reason" in gate:
        return f"its condition was {gate['reason']}"
    parts = verdict.detail.get("parts")
    for name, part in parts.items() if isinstance(parts, dict) else ():  # what a combinator heard
        try:
            inner = from_dict(Verdict, part)
        except (ValueError, TypeError):  # a verifier of the user's, which means something else by it
            continue
        if inner.reason is verdict.reason and (why := evidence(inner)):
            return f"{name}: {why}"
    return ""
