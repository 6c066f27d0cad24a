"""Right calls of a row of BFCL, and what is wrong with them by one change: 22 kinds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Call = dict[str, Any]


def right_calls(row: dict[str, Any]) -> list[Call]:
    """Return the calls with each argument's first accepted value, where it has one and the tool knows it."""
    out, known = [], {t["name"]: t["parameters"].get("properties", {}) for t in row["tools"]}
    for item in row["calls"]:
        ((name, accepted),) = item.items()
        out.append(
            {
                "name": name,
                "arguments": {k: _first(v) for k, v in accepted.items() if _stated(v) and k in known[name]},
            }
        )
    return out


def _stated(accepted: Any) -> bool:
    return not isinstance(accepted, list) or any(a != "" for a in accepted)


def _first(accepted: list[Any]) -> Any:
    return _plain(next(a for a in accepted if a != ""))


def _plain(value: Any) -> Any:
    """Return a value whose nested dictionaries hold one accepted value each."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if _stated(v)}
        return {k: _first(v) if isinstance(v, list) else _plain(v) for k, v in kept.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def mutations(row: dict[str, Any]) -> Iterator[tuple[str, list[Call]]]:
    """Yield wrong calls, each with the kind of its one fault."""
    right = right_calls(row)
    names = [f["name"] for f in row["tools"]]
    yield "a call is left out", right[:-1]
    yield "a call is made twice", [*right, right[-1]]
    other = next((n for n in names if n != right[0]["name"]), right[0]["name"] + "_v2")
    yield "another function", [{**right[0], "name": other}, *right[1:]]
    yield "one more function is called", [*right, {"name": other, "arguments": {}}]
    yield "an argument is added", _with(right, 0, {**right[0]["arguments"], "verbose_x": True})
    for place, call in enumerate(right):
        arguments = call["arguments"]
        accepted = next(iter(row["calls"][place].values()))
        tool = next((t for t in row["tools"] if t["name"] == call["name"]), {"parameters": {}})
        required = tool["parameters"].get("required", [])
        for name, value in arguments.items():
            if name in required:
                rest = {k: v for k, v in arguments.items() if k != name}
                yield "a required argument is left out", _with(right, place, rest)
                yield "an argument is renamed", _with(right, place, {**rest, name + "_x": value})
                break
        for kind, change in _CHANGES:
            if kind == "a number is a text" and row["language"] != "python":
                continue  # "3" is source code of Java, which may stand there
            for name, value in arguments.items():
                changed = change(copy.deepcopy(value))
                if changed is not None and not any(_alike(changed, a) for a in accepted[name]):
                    yield kind, _with(right, place, {**arguments, name: changed[0]})
                    break
        yield from _swapped(right, place, accepted)
        yield from _without_key(right, place, accepted)


def _with(calls: list[Call], place: int, arguments: dict[str, Any]) -> list[Call]:
    return [*calls[:place], {**calls[place], "arguments": arguments}, *calls[place + 1 :]]


def _alike(changed: tuple[Any], accepted: Any) -> bool:
    """Tell whether a changed value may be accepted after all."""
    (value,) = changed
    if isinstance(value, str) and isinstance(accepted, str):
        return value.casefold().split() == accepted.casefold().split()
    return bool(value == _plain(accepted)) and type(value) is type(_plain(accepted))


def _swapped(right: list[Call], place: int, accepted: dict[str, Any]) -> Iterator[tuple[str, list[Call]]]:
    arguments = right[place]["arguments"]
    for a, b in zip(arguments, list(arguments)[1:], strict=False):
        x, y = arguments[a], arguments[b]
        if type(x) is type(y) and not any(_alike((y,), v) for v in accepted[a]):
            yield "two arguments are swapped", _with(right, place, {**arguments, a: y, b: x})
            return


def _without_key(right: list[Call], place: int, accepted: dict[str, Any]) -> Iterator[tuple[str, list[Call]]]:
    arguments = right[place]["arguments"]
    for name, value in arguments.items():
        whole = next(a for a in accepted[name] if a != "")
        needed = [k for k, v in whole.items() if v != "" and "" not in v] if isinstance(whole, dict) else []
        if needed and len(accepted[name]) == 1:
            rest = {k: v for k, v in value.items() if k != needed[0]}
            yield "a dictionary lacks a key", _with(right, place, {**arguments, name: rest})
            return


def _number(change: Callable[[Any], Any]) -> Callable[[Any], tuple[Any] | None]:
    return lambda v: (change(v),) if isinstance(v, int | float) and not isinstance(v, bool) else None


def _text(change: Callable[[str], str | None]) -> Callable[[Any], tuple[Any] | None]:
    def changed(value: Any) -> tuple[Any] | None:
        found = change(value) if isinstance(value, str) and value else None
        return None if found is None else (found,)

    return changed


def _list(change: Callable[[list[Any]], Any]) -> Callable[[Any], tuple[Any] | None]:
    return lambda v: (change(v),) if isinstance(v, list) and v else None


def _digit(text: str) -> str | None:
    place = next((i for i, c in enumerate(text) if c in "0123456789"), None)
    return None if place is None else text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]


_CHANGES: tuple[tuple[str, Callable[[Any], tuple[Any] | None]], ...] = (
    ("a number is one more", _number(lambda v: v + 1)),
    ("a number is negative", _number(lambda v: -v if v else -1)),
    ("a number is ten times as large", _number(lambda v: v * 10 if v else 10)),
    ("a number is a text", _number(str)),
    ("a number has a fraction", _number(lambda v: v + 0.5)),
    ("a truth value is the other", lambda v: (not v,) if isinstance(v, bool) else None),
    ("a truth value is a number", lambda v: (int(v),) if isinstance(v, bool) else None),
    ("a text has another word", _text(lambda v: v + " zebra")),
    ("a text has another digit", _text(_digit)),
    ("a text is turned round", _text(lambda v: v[::-1])),
    ("a text is in a list", _text(lambda v: [v])),  # type: ignore[arg-type, return-value]
    ("a value is null", lambda v: (None,)),
    ("a list lacks its last item", _list(lambda v: v[:-1])),
    ("a list has an item twice", _list(lambda v: [*v, v[-1]])),
    ("a list is turned round", _list(lambda v: v[::-1])),
)
