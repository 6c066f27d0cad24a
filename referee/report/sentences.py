"""A verdict or a reward in words."""

from __future__ import annotations

import re

from referee.verifiers.evidence import evidence as evidence
from referee.verifiers.records import Json, Problem, Reason, Reward, Verdict

_OPENING = {
    Reason.CORRECT: "correct",
    Reason.INCORRECT: "incorrect",
    Reason.UNDECIDED: "neither shown right nor shown wrong",
    Reason.PARTIAL: "partly right",
    Reason.NO_ANSWER: "no answer was found",
    Reason.TIMEOUT: "out of time, which is the completion's own doing",
    Reason.RESOURCE_LIMIT: "beyond a limit, which is the completion's own doing",
    Reason.SCORED: "scored by a model",
    Reason.BAD_REFERENCE: "no verdict, because the reference cannot be used",
    Reason.UNAVAILABLE: "no verdict, because what judges was not available",
    Reason.ERROR: "no verdict, because the verifier failed",
}

_WORD = re.compile(r"(?:a|[a-z]{2,}(?:[-'][a-z]+)?)(?=,? [\w'\"(]|$)")


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
        sentence += f" {_begun(why)}."
    if verdict.abstains:
        sentence += " This is not the completion's fault: a trainer leaves it out."
    return sentence


def explain_reward(reward: Reward, problem: Problem) -> list[str]:
    """Say what a reward is: one line for the total, and one for each part."""
    total = "no total" if reward.total is None else f"total {reward.total:.4g}"
    cut = ", since the completion was cut off by the token limit" if reward.truncated else ""
    return [total + cut, *(explain(name, v, problem) for name, v in reward.parts.items())]


def _begun(text: str) -> str:
    """Begin a sentence with a capital, unless with code, a name or an address."""
    return text[0].upper() + text[1:] if _WORD.match(text) else text


def _short(value: Json, length: int = 80) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= length else text[: length - 1] + "…"
