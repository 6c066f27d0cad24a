"""Reading what a judge answered: a JSON object, however it is dressed, or nothing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from referee.verifiers.thinking import answer_part

_OPENING = re.compile(r"\{")
_MOST_OBJECTS = 64


class Nonsense(ValueError):
    """An answer that is not what the judge was asked for."""


def last_object(text: str) -> dict[str, Any]:
    """Return the last JSON object that stands in ``text`` after its thinking, fenced as code or not.

    The last one, because a judge that quotes what it read does so before it decides.

    Raises:
        Nonsense: where there is none.

    >>> last_object('It says {"score": 10}. My verdict: {"score": 2}')
    {'score': 2}
    """
    text = answer_part(text)
    decoder, found, end = json.JSONDecoder(), None, 0
    for count, match in enumerate(_OPENING.finditer(text)):
        if count == _MOST_OBJECTS:
            break
        if match.start() < end:
            continue
        try:
            value, end = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        found = value if isinstance(value, dict) else found
    if found is None:
        raise Nonsense(f"the judge answered no JSON object: {text[:200]!r}")
    return found


def number(value: object, low: float, high: float) -> float:
    """Return a score within its scale; a number written as a text counts.

    Raises:
        Nonsense: where it is no number, or outside.
    """
    if isinstance(value, str):
        try:
            return number(float(value), low, high)
        except ValueError as e:
            raise Nonsense(f"the judge's score is no number from {low:g} to {high:g}: {value[:40]!r}") from e
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Nonsense(f"the judge's score is no number: {str(value)[:40]!r}")
    if not low <= value <= high:
        raise Nonsense(f"the judge's score must be from {low:g} to {high:g}, got {value:g}")
    return float(value)


def scores_of(reply: str, names: Sequence[str], low: float, high: float) -> tuple[dict[str, float], str]:
    """Return a score for each of ``names`` from ``{"scores": {name: n}, "why": "..."}``, and the why.

    Raises:
        Nonsense: where one is missing or out of its scale.
    """
    answer = last_object(reply)
    scores = answer.get("scores", answer)
    if not isinstance(scores, Mapping):
        raise Nonsense("the judge's scores must be a JSON object")
    if missing := [n for n in names if n not in scores]:
        raise Nonsense(f"the judge gave no score for {missing[0]}")
    why = answer.get("why")
    return {n: number(scores[n], low, high) for n in names}, why[:2000] if isinstance(why, str) else ""


def winner_of(reply: str) -> str:
    """Return A, B or tie from ``{"winner": ...}``.

    Raises:
        Nonsense: for anything else.
    """
    winner = str(last_object(reply).get("winner", "")).strip().upper()
    if winner not in ("A", "B", "TIE"):
        raise Nonsense(f"the judge's winner must be A, B or tie, got {winner[:40]!r}")
    return winner if winner != "TIE" else "tie"
