"""Records as JSON lines, without loss: ``loads(type(x), dumps(x)) == x`` for every record.

Fields that hold their default are left out. Text is written as it is (UTF-8), except where it
holds lone surrogates, which UTF-8 cannot carry: such a line is escaped instead.
"""

from __future__ import annotations

import json
import types
import typing
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any, TypeVar

from referee.verifiers.records import Json

T = TypeVar("T")


def to_dict(record: Any) -> dict[str, Json]:
    """Return a record as plain JSON data, leaving out fields that hold their default."""
    out: dict[str, Json] = {}
    for name, default in _defaults(type(record)):  # type: ignore[arg-type]
        value = getattr(record, name)
        if value != default or type(value) is not type(default):
            out[name] = _encode(value)
    return out


def from_dict(cls: type[T], data: object) -> T:
    """Rebuild a record of type ``cls`` from what :func:`to_dict` returned.

    Raises:
        ValueError: where a key is unknown or a required one is missing, by its name.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{cls.__name__} must be a JSON object, got {type(data).__name__}")
    known = _hints(cls)  # type: ignore[arg-type]
    if unknown := sorted(set(data) - set(known)):
        raise ValueError(f"{cls.__name__} has no field {unknown[0]!r}; its fields are {', '.join(known)}")
    required = [name for name, default in _defaults(cls) if default is MISSING and name not in data]  # type: ignore[arg-type]
    if required:
        raise ValueError(f"{cls.__name__} needs the field {required[0]!r}")
    return cls(**{name: _decode(known[name], value) for name, value in data.items()})


def dumps(record: Any) -> str:
    """Return a record as one JSON line, without its newline."""
    return write_json(to_dict(record))


def loads(cls: type[T], line: str | bytes) -> T:
    """Read one JSON line as a record of type ``cls``."""
    return from_dict(cls, json.loads(line))


def write_json(data: Json, *, sort_keys: bool = False) -> str:
    """Write plain JSON data on one line that UTF-8 can always carry."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, sort_keys=sort_keys)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(data, allow_nan=False, sort_keys=sort_keys)
    return text


def key(*records: Any) -> str:
    """Return the canonical JSON of records (keys sorted): equal records, equal keys."""
    return write_json([to_dict(r) for r in records], sort_keys=True)


@cache
def _defaults(cls: Any) -> tuple[tuple[str, Any], ...]:
    def default(f: Field[Any]) -> Any:
        return f.default_factory() if f.default_factory is not MISSING else f.default

    return tuple((f.name, default(f)) for f in fields(cls))


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return {f.name: typing.get_type_hints(cls)[f.name] for f in fields(cls)}


def _encode(value: Any) -> Json:
    if hasattr(value, "__dataclass_fields__"):
        return to_dict(value)
    if isinstance(value, dict):
        return {k: _encode(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(v) for v in value]
    return value  # type: ignore[no-any-return]


def _decode(hint: Any, value: Any) -> Any:
    """Rebuild nested records where the field's type names one; plain data passes through."""
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        return from_dict(hint, value)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and isinstance(value, list):
        return tuple(_decode(args[0], v) for v in value)
    if origin is dict and isinstance(value, dict):
        return {k: _decode(args[1], v) for k, v in value.items()}
    if origin in (typing.Union, types.UnionType) and value is not None:
        wanted = [a for a in args if a is not type(None) and _could_hold(a, value)]
        return _decode(wanted[0], value) if wanted else value
    return value


def _could_hold(hint: Any, value: Any) -> bool:
    if typing.get_origin(hint) is tuple:
        return isinstance(value, list)
    return isinstance(hint, type) and hasattr(hint, "__dataclass_fields__") and isinstance(value, dict)
