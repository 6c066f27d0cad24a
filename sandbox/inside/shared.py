"""Containers that both processes hold a copy of: what one changes is written back before the other goes on.

Only what crosses as a whole is shared (an argument, a result, an attribute); what lies within it is
written back in its place. Numbers are even on one side and odd on the other.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

from referee.sandbox.inside.wire import Malformed, Tree, Unplain

CONTAINERS = (list, dict, set, bytearray, deque, OrderedDict, Counter, defaultdict)
_UNHELD = 3  # references: the entry's, the local name's, and the call's


class SharedContainers:
    """The containers that one side shares with the other."""

    def __init__(self, first: int, encode: Callable[[Any], Tree], decode: Callable[[Tree], Any]) -> None:
        self._next = first
        self._encode = encode
        self._decode = decode
        self._entries: dict[int, list[Any]] = {}  # number -> container, and its content as the other knows it
        self._numbers: dict[int, int] = {}
        self.changed = False

    def send(self, value: Any) -> Tree:
        """Return a value that crosses as a whole; a container is named, where the other side has it."""
        if type(value) not in CONTAINERS:
            return self._encode(value)
        number = self._numbers.get(id(value))
        if number is not None:
            return {"t": "shared", "v": [number, None]}
        content = self._encode(value)
        number, self._next = self._next, self._next + 2
        self._entries[number], self._numbers[id(value)] = [value, content], number
        return {"t": "shared", "v": [number, content]}

    def receive(self, tree: Tree) -> Any:
        """Return the value that such a tree stands for."""
        if not (isinstance(tree, dict) and tree.get("t") == "shared"):
            return self._decode(tree)
        parts: Any = tree["v"]
        number, content = parts
        if content is None:
            return self._entries[number][0]
        if type(number) is not int or number in self._entries or number % 2 == self._next % 2:
            raise Malformed("there is such a container already")
        value = self._decode(content)
        if type(value) not in CONTAINERS:
            raise Malformed("no container")
        self._entries[number], self._numbers[id(value)] = [value, content], number
        return value

    def writes(self) -> list[Tree]:
        """Return the containers that were changed here since, with their content."""
        out: list[Tree] = []
        for number, entry in self._entries.items():
            try:
                content = self._encode(entry[0])
            except (Unplain, TypeError, ValueError, RuntimeError, RecursionError):
                continue  # it now holds what cannot cross: the other side keeps what it had
            if content != entry[1]:
                entry[1] = content
                out.append([number, content])
        return out

    def apply(self, writes: Iterable[Any]) -> None:
        """Give containers the content that the other side's copies have, in place."""
        for number, content in writes:
            entry = self._entries[number]
            change(entry[0], self._decode(content))
            entry[1] = content
            self.changed = True

    def forget(self) -> list[Tree]:
        """Give up the containers that nothing else here refers to; return their numbers."""
        out: list[Tree] = []
        for number, entry in list(self._entries.items()):
            if sys.getrefcount(entry[0]) < _UNHELD:
                del self._numbers[id(entry[0])]
                del self._entries[number]
                out.append(number)
        return out

    def drop(self, numbers: Iterable[Any]) -> None:
        """Give up the containers that the other side gave up."""
        for number in numbers:
            entry = self._entries.pop(number, None)
            if entry is not None:
                self._numbers.pop(id(entry[0]), None)


def change(mine: Any, after: Any) -> None:
    """Give a container the content of another of its type, in place."""
    if type(mine) is not type(after):
        return
    if isinstance(mine, list):
        mine[:] = _merged(mine, after)
    elif isinstance(mine, dict):
        kept = {k: mine.get(k) for k in after}
        mine.clear()
        mine.update({k: _inner(kept[k], v) for k, v in after.items()})
    elif isinstance(mine, set):
        mine.clear()
        mine.update(after)
    elif isinstance(mine, bytearray):
        mine[:] = after
    elif isinstance(mine, deque):
        merged = _merged(list(mine), list(after))
        mine.clear()
        mine.extend(merged)
    elif isinstance(mine, tuple):
        _merged(mine, after)


def _merged(mine: Any, after: Any) -> list[Any]:
    if len(mine) != len(after):
        return list(after)
    return [_inner(m, a) for m, a in zip(mine, after, strict=True)]


def _inner(mine: Any, after: Any) -> Any:
    """Keep the inner container that was there, changed, so that other names for it see the change."""
    if type(mine) in CONTAINERS and type(mine) is type(after):
        change(mine, after)
        return mine
    if type(mine) is tuple and type(after) is tuple and any(type(m) in CONTAINERS for m in mine):
        merged = _merged(mine, after)
        return mine if all(m is a for m, a in zip(mine, merged, strict=False)) else tuple(merged)
    return after
