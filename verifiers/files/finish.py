"""Why a completion ended, found beside its text: one that was cut off must not be paid for what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from referee.verifiers.records import FinishReason

USUAL_NAMES = ("finish_reason", "finish_reasons", "stop_reason", "finishReason", "truncated", "is_truncated")
_USUAL = frozenset(USUAL_NAMES)
_CUT = frozenset({"length", "max_tokens", "max_length", "model_length", "max_output_tokens", "truncated"})
_ENDED = frozenset({"stop", "eos", "end_turn", "stop_sequence", "eos_token", "end_of_text", "completed"})


def read_finish(value: Any) -> FinishReason | None:
    """Return the reason that a cell names in anybody's words; None where it names none that is known.

    >>> read_finish("MAX_TOKENS"), read_finish(True), read_finish("content_filter")
    (<FinishReason.LENGTH: 'length'>, <FinishReason.LENGTH: 'length'>, None)
    """
    if isinstance(value, bool):
        return FinishReason.LENGTH if value else None
    if not isinstance(value, str):
        return None
    word = value.strip().lower().rpartition(".")[2]  # FinishReason.LENGTH is how an enum prints
    if word in _CUT:
        return FinishReason.LENGTH
    if word in _ENDED:
        return FinishReason.STOP
    return FinishReason(word) if word in set(FinishReason) else None


def usual_finish(row: Any, path: str) -> Any:
    """Return what stands in one of the usual places beside ``path``: by its side, or further out.

    ``choices.0.message.content`` has it in ``choices.0``. An inner place is believed before an outer one.
    """
    levels: list[Any] = [row]
    if "." in path:
        for part in path.split(".")[:-1]:
            levels.append(_step(levels[-1], part))
    for level in reversed(levels):
        if isinstance(level, Mapping) and not _USUAL.isdisjoint(level):
            for name in USUAL_NAMES:
                if level.get(name) is not None:
                    return level[name]
    return None


def one_of(cell: Any, index: int, count: int) -> Any:
    """Return what a cell says of one of ``count`` completions: a list has one value for each."""
    if not isinstance(cell, list):
        return cell
    while len(cell) == 1 and isinstance(cell[0], list):
        cell = cell[0]
    return cell[index] if len(cell) == count else None


def _step(level: Any, part: str) -> Any:
    if isinstance(level, Mapping):
        return level.get(part)
    if isinstance(level, list) and part.isdecimal() and int(part) < len(level):
        return level[int(part)]
    return None
