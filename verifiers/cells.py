"""Reading the cells of other people's rows, at every door: completions, info, arrays.

What a model wrote is data, and reading it never raises. A reference, a prompt or an info that cannot
be read raises ``ValueError`` or ``TypeError`` here; the door makes it an abstention of that row.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from referee.verifiers.jsonl import from_dict
from referee.verifiers.records import MAX_DEPTH, Completion, FinishReason, Json, read_content, read_message

UNREADABLE = (ValueError, TypeError, RecursionError)
_THEIR_OWN = frozenset({"row", "data", "entry"})  # whole rows of others, which their own scorers read


def completion_of(
    value: Any, *, token_ids: Sequence[int] | None = None, truncated: bool = False
) -> Completion:
    """Return a text, chat messages (dictionaries or objects) or one message as a completion.

    Whatever the value, there is a completion: null has the empty text, a number the text that is it.

    >>> completion_of([{"role": "assistant", "content": None, "tool_calls": 5}]).tool_calls[0].malformed
    '5'
    """
    ids = None if token_ids is None else tuple(token_ids)
    finish = FinishReason.LENGTH if truncated else None
    if isinstance(value, Completion):
        return value
    if not isinstance(value, str):
        value = jsonable(value)
    if isinstance(value, Mapping) or hasattr(value, "role") or hasattr(value, "model_dump"):
        value = [value]
    if isinstance(value, list):
        messages = tuple(read_message(message_of(m)) for m in value)
        return Completion(messages=messages, token_ids=ids, finish_reason=finish)
    return Completion(text=read_content(value), token_ids=ids, finish_reason=finish)


def read_record(value: Mapping[str, Any]) -> Completion:
    """Return a completion record, ``{"text": ..., "finish_reason": ...}``; its messages may be anybody's.

    Raises:
        ValueError: where a key is unknown, or a value is not what its field holds.
        TypeError: likewise.
    """
    fields = {name: cell for name, cell in value.items() if name != "messages"}
    if "text" in fields:
        fields["text"] = read_content(fields["text"])
    record = from_dict(Completion, fields)
    chat = value.get("messages")
    return replace(record, messages=completion_of(chat).messages) if chat else record


def message_of(message: Any) -> Any:
    """Return a chat message as a dictionary: others' are dictionaries, pydantic models or objects."""
    if hasattr(message, "model_dump"):
        return message.model_dump()
    if not isinstance(message, Mapping) and hasattr(message, "role"):
        return {"role": str(message.role), "content": getattr(message, "content", "")}
    return message


def read_info(value: Any, name: str = "info") -> dict[str, Any]:
    """Return an info cell as a dictionary: an object, the JSON text of one, or nothing.

    A columnar store (Arrow, a data frame) gives every row the keys of all rows, with None for those that
    a row lacks. So a key that holds None is absent, in objects and in lists of objects alike, but for
    the values of a call (``args`` and ``expected`` in ``calls``), where None is a value of Python; a
    schema's ``const``, unless its ``type`` leaves no room for null; and the rows of others that stand
    in ``row``, ``data`` or ``entry``.

    Raises:
        ValueError: for a text that is no JSON object, and for any other value; ``name`` says of what.

    >>> read_info({"language": None, "calls": [{"args": [None], "expected": None, "weight": None}]})
    {'calls': [{'args': [None], 'expected': None}]}
    """
    wanted = f"{name} must hold an object or the JSON text of one"
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as e:
            raise ValueError(f"{wanted}, got {value!r:.60}: {e}") from None
        if not isinstance(value, Mapping):
            raise ValueError(f"{wanted}, got the text of {value!r:.60}")
    if is_missing(value):
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{wanted}, got {type(value).__name__}: {str(value)[:60]}")
    return {k: v if k in _THEIR_OWN else _filled(k, v) for k, v in value.items() if v is not None}


def is_missing(value: Any) -> bool:
    """Tell whether a cell is empty: None, NaN (which is what a data frame has for it) or a blank text."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def present(value: Any, default: Any = None) -> Any:
    """Return a cell's value, or what stands for a cell that is empty; a blank text is a value."""
    return default if not isinstance(value, str) and is_missing(value) else value


def _filled(key: str, value: Any) -> Any:
    """Drop what only a store put there, at any depth."""
    if isinstance(value, list):
        return [_call(v) if key == "calls" else _filled("", v) for v in value]
    if not isinstance(value, Mapping):
        return value
    return {k: _filled(k, v) for k, v in value.items() if v is not None or _is_null_schema(k, value)}


def _call(call: Any) -> Any:
    if not isinstance(call, Mapping):
        return call
    return {k: v for k, v in call.items() if v is not None or k in ("args", "expected")}


def _is_null_schema(key: str, schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return key == "const" and (kind is None or "null" in kind)


def jsonable(value: Any, depth: int = 0) -> Any:
    """Return arrays (numpy, torch, Arrow) and what holds them as lists; the rest as it is.

    So is what is nested deeper than a record may be, which its reader refuses.
    """
    if value is None or type(value) in (str, int, float, bool) or depth > 2 * MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        return {k: jsonable(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v, depth + 1) for v in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    to_list = getattr(value, "tolist", None)
    return jsonable(to_list(), depth + 1) if to_list is not None else value


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
