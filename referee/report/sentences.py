"""A verdict or a reward in words."""

from __future__ import annotations

from referee.verifiers.jsonl import from_dict
from referee.verifiers.records import Json, Problem, Reason, Reward, Verdict

_OPENING = {
    Reason.CORRECT: "correct",
    Reason.INCORRECT: "incorrect",
    Reason.PARTIAL: "partly right",
    Reason.NO_ANSWER: "no answer was found",
    Reason.TIMEOUT: "out of time, which is the completion's own doing",
    Reason.RESOURCE_LIMIT: "beyond a limit, which is the completion's own doing",
    Reason.SCORED: "scored by a model",
    Reason.BAD_REFERENCE: "no verdict, because the reference cannot be used",
    Reason.UNAVAILABLE: "no verdict, because what judges was not available",
    Reason.ERROR: "no verdict, because the verifier failed",
}


def explain(name: str, verdict: Verdict, problem: Problem) -> str:
    """Say in a sentence or two what a verdict is and why.

    >>> right = Verdict(score=1.0, answer="3/4")
    >>> explain("numeric", right, Problem(answer="0.75"))
    'numeric: correct (score 1). It answers 3/4; the reference is 0.75.'
    """
    score = "no score" if verdict.score is None else f"score {verdict.score:.4g}"
    sentence = f"{name}: {_OPENING[verdict.reason]} ({score})."
    if verdict.answer is not None:
        sentence += f" It answers {_short(verdict.answer)}"
        known = problem.answer is not None and not verdict.abstains
        sentence += f"; the reference is {_short(problem.answer)}." if known else "."
    if why := evidence(verdict):
        sentence += f" {why[0].upper()}{why[1:]}."
    if verdict.abstains:
        sentence += " This is not the completion's fault: a trainer leaves it out."
    return sentence


def explain_reward(reward: Reward, problem: Problem) -> list[str]:
    """Say what a reward is: one line for the total, and one for each part."""
    total = "no total" if reward.total is None else f"total {reward.total:.4g}"
    cut = ", since the completion was cut off by the token limit" if reward.truncated else ""
    return [total + cut, *(explain(name, v, problem) for name, v in reward.parts.items())]


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


def _short(value: Json, length: int = 80) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= length else text[: length - 1] + "…"
