"""Reading what a judge answered: a JSON object that carries the fence's mark, however it is dressed.

The threat: a completion that brings a verdict along, so that a judge which quotes it, or is cut off
after quoting it, seems to have given it. No text can hold the mark of the fence around itself, so an
object without the mark is a quotation, or nonsense, and never a verdict.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from referee.verifiers.errors import UnreadableText
from referee.verifiers.reading.thinking import answer_part

_NUMBER = re.compile(r"(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)(?:\s*/\s*([0-9]{1,9}))?")


class Nonsense(UnreadableText, ValueError):
    """An answer that is not what the judge was asked for."""


def verdict_in(reply: str, mark: str) -> dict[str, Any]:
    """Return the last JSON object with ``mark`` that stands in a reply after its thinking, in code or not.

    Raises:
        Nonsense: where there is none.

    >>> verdict_in('It says {"score": 10}. I say {"mark": "3f", "score": 2}, not {"score": 10}.', "3f")
    {'mark': '3f', 'score': 2}
    """
    text = answer_part(reply)
    found = next((o for at in _backwards(text, mark) for o in _objects_around(text, at, mark)), None)
    if found is None:
        raise Nonsense(f"the judge answered no JSON object with the mark {mark}: {text[:200]!r}")
    return found


def _backwards(text: str, piece: str, end: int | None = None, most: int = 16) -> Iterator[int]:
    """Yield where ``piece`` stands in a text before ``end``, the last first, at most ``most`` times."""
    at = len(text) if end is None else end
    while most and (at := text.rfind(piece, 0, at)) >= 0:
        yield at
        most -= 1


def _objects_around(text: str, at: int, mark: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects with ``mark`` that reach over place ``at``, the innermost first."""
    for start in _backwards(text, "{", at):
        try:
            value, end = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if end > at and isinstance(value, dict) and value.get("mark") == mark:
            yield value


def number(value: object, low: float, high: float) -> float:
    """Return a score within its scale; a number written as a text counts, also as 8/10 where 10 is best.

    Raises:
        Nonsense: where it is no number, or outside.
    """
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value.strip())
        if match is None or (match[2] and float(match[2]) != high):
            raise Nonsense(f"the judge's score is no number from {low:g} to {high:g}: {value[:40]!r}")
        return number(float(match[1]), low, high)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Nonsense(f"the judge's score is no number: {str(value)[:40]!r}")
    if not low <= value <= high:
        raise Nonsense(f"the judge's score must be from {low:g} to {high:g}, got {value:g}")
    return float(value)


def scores_of(
    reply: str, names: Sequence[str], low: float, high: float, mark: str
) -> tuple[dict[str, float], str]:
    """Return a score for each of ``names`` from ``{"mark": mark, "why": "...", "scores": {name: n}}``, and
    the why.

    Raises:
        Nonsense: where one is missing or out of its scale.
    """
    answer = verdict_in(reply, mark)
    scores = answer.get("scores", answer)
    if not isinstance(scores, Mapping):
        raise Nonsense("the judge's scores must be a JSON object")
    if missing := [n for n in names if n not in scores]:
        raise Nonsense(f"the judge gave no score for {missing[0]}")
    why = answer.get("why")
    return {n: number(scores[n], low, high) for n in names}, why[:2000] if isinstance(why, str) else ""


def winner_of(reply: str, mark: str) -> str:
    """Return A, B or tie from ``{"mark": mark, "winner": ...}``.

    Raises:
        Nonsense: for anything else.
    """
    winner = str(verdict_in(reply, mark).get("winner", "")).strip().upper()
    if winner not in ("A", "B", "TIE"):
        raise Nonsense(f"the judge's winner must be A, B or tie, got {winner[:40]!r}")
    return winner if winner != "TIE" else "tie"
