"""Scored completions by problem, wherever their lines stand in the file."""

from __future__ import annotations

from collections.abc import Iterable

from referee.verifiers.jsonl import dumps
from referee.verifiers.rubric import passes
from referee.verifiers.scoring.store import Scored


def by_problem(scored: Iterable[Scored]) -> list[list[Scored]]:
    """Return the completions of each problem, problems in the order in which they first came.

    Problems are the same where all of them is: prompt, reference, id and info.
    """
    groups: dict[str, list[Scored]] = {}
    for one in scored:
        groups.setdefault(dumps(one.problem), []).append(one)
    return list(groups.values())


def score_of(one: Scored, part: str = "") -> float | None:
    """Return a completion's total, or the score of a part; None where it abstained.

    Raises:
        ValueError: where the rubric had no such part.
    """
    if not part:
        return one.reward.total
    if part not in one.reward.parts:
        known = ", ".join(sorted(one.reward.parts))
        raise ValueError(f"part must be one of {known}, got {part!r} (line {one.line})")
    if one.reward.truncated and one.reward.total == 0.0:
        return 0.0
    return one.reward.parts[part].score


def right(one: Scored, *, at_least: float = 1.0, part: str = "") -> bool | None:
    """Tell whether a completion passes; None where it abstained."""
    score = score_of(one, part)
    return None if score is None else passes(score, at_least)


def text_key(one: Scored) -> str:
    """Return what makes two completions the same text: all but the blanks around it."""
    return one.completion.text.strip()
