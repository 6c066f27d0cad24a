"""Reading other people's rows and messages as our records.

A column that is not there is the user's mistake and raises; a cell that cannot be read is the
reference's fault and becomes an abstention.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from referee.verifiers.protocol import failure
from referee.verifiers.records import Completion, FinishReason, Json, Problem, Reason, Verdict
from referee.verifiers.scoring.rows import Columns, MissingColumn, read_problem


def problem_of(row: Mapping[str, Any], columns: Columns) -> Problem | Verdict:
    """Return the row's problem, or the abstention that says why it cannot be read.

    Raises:
        MissingColumn: where a column that the user named is not in the row.
    """
    named = (columns.prompt, columns.answer, columns.id, columns.info, *columns.info_columns)
    wanted = {*named, *(path.partition(".")[0] for path in named)}
    data = {name: jsonable(value) if name in wanted else None for name, value in row.items()}
    try:
        return read_problem(data, columns)
    except MissingColumn:
        raise
    except (ValueError, TypeError) as e:
        return failure(e, Reason.BAD_REFERENCE)


def problem_from(prompt: Any, answer: Any, info: Any = None, id: Any = "") -> Problem | Verdict:
    """Return a problem made of the other side's values, or the abstention that says why not."""
    try:
        return Problem(
            prompt=prompt if isinstance(prompt, str) else [message_of(m) for m in prompt or ()],  # type: ignore[arg-type]
            answer=jsonable(answer),
            info=kept(info or {}),
            id=str(id) if id is not None else "",
        )
    except (ValueError, TypeError) as e:
        return failure(e, Reason.BAD_REFERENCE)


def completion_of(
    value: Any, *, token_ids: Sequence[int] | None = None, truncated: bool = False
) -> Completion:
    """Return a text, chat messages (dictionaries or objects) or one message as a completion."""
    ids = None if token_ids is None else tuple(token_ids)
    finish = FinishReason.LENGTH if truncated else None
    if value is None:
        value = ""
    if isinstance(value, str):
        return Completion(text=value, token_ids=ids, finish_reason=finish)
    if isinstance(value, Completion):
        return value
    messages = [value] if isinstance(value, Mapping) or hasattr(value, "role") else value
    return Completion(
        messages=tuple(message_of(m) for m in messages),  # type: ignore[misc]  # made records there
        token_ids=ids,
        finish_reason=finish,
    )


def message_of(message: Any) -> Mapping[str, Any]:
    """Return a chat message as a dictionary: others' are dictionaries, pydantic models or objects."""
    if isinstance(message, Mapping):
        return message
    if hasattr(message, "model_dump"):
        return message.model_dump()  # type: ignore[no-any-return]
    if hasattr(message, "role"):
        return {"role": str(message.role), "content": getattr(message, "content", "")}
    raise TypeError(
        f"a message must have a role and a content, got {type(message).__name__}: {str(message)[:80]}"
    )


def jsonable(value: Any) -> Any:
    """Return arrays (numpy, torch, Arrow) and what holds them as lists; the rest as it is."""
    if isinstance(value, Mapping):
        return {k: jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    to_list = getattr(value, "tolist", None)
    return jsonable(to_list()) if to_list is not None else value


def kept(info: Mapping[str, Any]) -> dict[str, Json]:
    """Return what JSON can hold of ``info``; sides put live objects beside the data."""
    out: dict[str, Json] = {}
    for name, value in info.items():
        value = jsonable(value)
        if _is_json(value):
            out[str(name)] = value
    return out


def _is_json(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if value is None or isinstance(value, bool | int | str):
        return True
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _is_json(v) for k, v in value.items())
    return isinstance(value, list) and all(map(_is_json, value))
