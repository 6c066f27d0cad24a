"""Rejection sampling: of what was sampled and scored, the completions that are good enough to learn from.

Llama 2 (Touvron et al. 2023, section 3.2.2) and DeepSeek-R1 (2025, section 2.3.3) fine-tune on such samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from referee.verifiers.jsonl import to_dict
from referee.verifiers.scored.siblings import by_problem, right, text_key
from referee.verifiers.scoring.store import Scored

Preference = Literal["first", "shortest", "diverse"]


def accepted(
    scored: Iterable[Scored],
    *,
    at_least: float = 1.0,
    part: str = "",
    cap: int = 4,
    prefer: Preference = "first",
) -> list[Scored]:
    """Return what is paid ``at_least`` so much: ``cap`` a problem, each text once, the problems as they came.

    ``part`` names the part whose score counts; without it the total does. What abstained or was cut off
    is never among them. ``prefer`` says which the cap keeps: the first, the shortest, or the shortest and
    then each time the one that shares the fewest words with those kept (the least of its Jaccard distances
    1 - |A & B| / |A | B| is the greatest).

    Raises:
        ValueError: where a completion has no such part.
    """
    kept: list[Scored] = []
    for siblings in by_problem(scored):
        texts: dict[str, Scored] = {}
        for one in siblings:
            if not one.reward.truncated and right(one, at_least=at_least, part=part):
                texts.setdefault(text_key(one), one)
        kept += _preferred(list(texts.values()), cap, prefer)
    return kept


def tuning_row(one: Scored) -> dict[str, Any]:
    """Return a row of supervised fine-tuning, as TRL reads it: text to text, or chat messages to messages."""
    return {"prompt": prompt_of(one), "completion": completion_of(one)}


def prompt_of(one: Scored) -> Any:
    """Return a problem's prompt as TRL takes it: a text, or messages."""
    prompt = one.problem.prompt
    return prompt if isinstance(prompt, str) else [to_dict(message) for message in prompt]


def completion_of(one: Scored) -> Any:
    """Return a completion as TRL takes it beside such a prompt."""
    if isinstance(one.problem.prompt, str):
        return one.completion.text
    said = [to_dict(m) for m in one.completion.messages]
    return said or [{"role": "assistant", "content": one.completion.text}]


def _preferred(siblings: list[Scored], cap: int, prefer: Preference) -> Sequence[Scored]:
    if prefer == "first":
        return siblings[:cap]
    by_length = sorted(siblings, key=lambda one: len(one.completion.text))
    return by_length[:cap] if prefer == "shortest" else _spread(by_length, cap)


def _spread(siblings: list[Scored], cap: int) -> list[Scored]:
    words = [frozenset(one.completion.text.split()) for one in siblings]
    nearest = [1.0] * len(siblings)
    left = list(range(len(siblings)))
    kept: list[Scored] = []
    while left and len(kept) < cap:
        best = max(left, key=lambda i: nearest[i])
        left.remove(best)
        kept.append(siblings[best])
        for i in left:
            either = words[i] | words[best]
            shared = len(words[i] & words[best]) / len(either) if either else 1.0
            nearest[i] = min(nearest[i], 1.0 - shared)
    return kept
