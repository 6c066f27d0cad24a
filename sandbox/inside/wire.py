"""What crosses a sandbox's edge: length-prefixed JSON frames, and plain data as tagged JSON.

Never pickle, marshal or eval. None, booleans, strings, finite floats, small whole numbers and lists
are themselves; everything else is ``{"t": tag, "v": ...}``. Subclasses go as their base type, so
whatever a solution's object claims about itself (``__eq__``, ``__class__``) stays behind. Who reads
frames caps their size and the depth of what they hold.

Only the standard library's base types are rebuilt: tuple, dict, set, frozenset, bytes, bytearray,
complex, range, Decimal, Fraction, big integers, NaN and infinities, and iterators as lists.
"""

from __future__ import annotations

import json
import math
import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

Tree: TypeAlias = "bool | int | float | str | list[Tree] | dict[str, Tree] | None"

MAX_FRAME = 4 << 20
MAX_DEPTH = 200
MAX_ITEMS = 100_000
_SMALL = 1 << 62
_FUNCTIONS: tuple[Any, ...] = (
    abs, all, any, bin, bool, bytearray, bytes, chr, complex, dict, divmod, enumerate, filter, float,
    frozenset, hash, hex, int, len, list, map, max, min, object, oct, ord, pow, range, repr, reversed,
    round, set, sorted, str, sum, tuple, type, zip, Exception, AssertionError, IndexError, KeyError,
    RuntimeError, TypeError, ValueError, ZeroDivisionError,
)  # fmt: skip
_BUILTINS: Mapping[str, Any] = {f.__name__: f for f in _FUNCTIONS}
_NAMES = {id(v): k for k, v in _BUILTINS.items()}
_SERIAL: tuple[type[Any], ...] = (deque, Iterator, type({}.keys()), type({}.values()), type({}.items()))


class Malformed(ValueError):
    """What came is not a frame, or not plain data."""


class Unplain(TypeError):
    """The value has no form as plain data."""


class TooDeep(Unplain):
    """The value is nested too deep."""


def encode(value: Any, depth: int = 0, special: Callable[[Any], Tree] | None = None) -> Tree:
    """Return a value as tagged JSON; ``special`` is asked first for what is more than a base type.

    Raises:
        Unplain: where the value, or something within it, is no plain data.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return value if -_SMALL < value < _SMALL else {"t": "int", "v": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"t": "float", "v": repr(value)}
    if depth > MAX_DEPTH:
        raise TooDeep(f"the value must be nested at most {MAX_DEPTH} deep")
    if kind is list:
        return [encode(v, depth + 1, special) for v in value]
    if kind is tuple:
        return {"t": "tuple", "v": [encode(v, depth + 1, special) for v in value]}
    if kind is dict:
        pairs: list[Tree] = [
            [encode(k, depth + 1, special), encode(v, depth + 1, special)] for k, v in value.items()
        ]
        return {"t": "dict", "v": pairs}
    return _encode_other(value, depth, special)


def _encode_other(value: Any, depth: int, special: Callable[[Any], Tree] | None) -> Tree:
    if special is not None and (tree := special(value)) is not None:
        return tree
    for base in (bool, int, float, str, list, tuple, dict):
        if isinstance(value, base):
            return encode(_as_base(value, base), depth, special)
    if isinstance(value, set | frozenset):
        tag = "set" if isinstance(value, set) else "frozenset"
        items = set.__iter__(value) if isinstance(value, set) else frozenset.__iter__(value)
        return {"t": tag, "v": [encode(v, depth + 1, special) for v in items]}
    if isinstance(value, bytes | bytearray):
        base_bytes = bytes if isinstance(value, bytes) else bytearray
        return {"t": base_bytes.__name__, "v": base_bytes.hex(value)}  # type: ignore[arg-type]
    if isinstance(value, complex):
        return {"t": "complex", "v": [encode(value.real), encode(value.imag)]}
    if isinstance(value, range):
        return {"t": "range", "v": [encode(value.start), encode(value.stop), encode(value.step)]}
    if (decimal := sys.modules.get("decimal")) is not None and isinstance(value, decimal.Decimal):
        return {"t": "Decimal", "v": decimal.Decimal.__str__(value)}
    if (fractions := sys.modules.get("fractions")) is not None and isinstance(value, fractions.Fraction):
        return {"t": "Fraction", "v": [encode(value.numerator), encode(value.denominator)]}
    if id(value) in _NAMES and _BUILTINS[_NAMES[id(value)]] is value:
        return {"t": "builtin", "v": _NAMES[id(value)]}
    if isinstance(value, _SERIAL):
        taken = list(islice(iter(value), MAX_ITEMS + 1))
        if len(taken) > MAX_ITEMS:
            raise Unplain(f"an iterator must end within {MAX_ITEMS} items")
        tag = "iterator" if isinstance(value, Iterator) else "deque" if isinstance(value, deque) else "list"
        return {"t": tag, "v": [encode(v, depth + 1, special) for v in taken]}
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic | numpy.ndarray):
        return encode(value.tolist(), depth, special)
    raise Unplain(f"a result must be plain data, got {type(value).__name__}")


def _as_base(value: Any, base: Any) -> Any:
    if base is list:
        return list(list.__iter__(value))
    if base is tuple:
        return tuple(tuple.__iter__(value))
    if base is dict:
        return dict(dict.items(value))
    return {bool: bool, int: int.__int__, float: float.__float__, str: str.__str__}[base](value)


def decode(tree: Tree, depth: int = 0, special: Callable[[str, Tree], Any] | None = None) -> Any:
    """Rebuild a value from tagged JSON; ``special`` is asked first, and says NotImplemented where it passes.

    Raises:
        Malformed: where a tag or its content is not known.
    """
    if depth > MAX_DEPTH:
        raise Malformed(f"nested deeper than {MAX_DEPTH}")
    if isinstance(tree, list):
        return [decode(v, depth + 1, special) for v in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) != 2 or "t" not in tree or "v" not in tree:
        raise Malformed("an object must have the keys t and v")
    tag, inner = tree["t"], tree["v"]
    if special is not None and (value := special(tag, inner)) is not NotImplemented:  # type: ignore[arg-type]
        return value
    try:
        return _DECODERS[tag](inner, depth, special)  # type: ignore[index]
    except (KeyError, TypeError, ValueError, ArithmeticError) as e:
        raise Malformed(f"a {str(tag)[:40]} that cannot be: {e}") from None


def _items(inner: Any, depth: int, special: Any) -> list[Any]:
    if not isinstance(inner, list):
        raise TypeError("its content must be a list")
    return [decode(v, depth + 1, special) for v in inner]


def _integer(inner: Any) -> int:
    if type(inner) is int:
        return inner
    return decode(inner)  # type: ignore[no-any-return]


_DECODERS: dict[str, Callable[[Any, int, Any], Any]] = {
    "int": lambda v, d, f: int(v, 16),
    "float": lambda v, d, f: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[v],
    "tuple": lambda v, d, f: tuple(_items(v, d, f)),
    "list": lambda v, d, f: _items(v, d, f),
    "deque": lambda v, d, f: deque(_items(v, d, f)),
    "dict": lambda v, d, f: {decode(k, d + 2, f): decode(x, d + 2, f) for k, x in v},
    "set": lambda v, d, f: set(_items(v, d, f)),
    "frozenset": lambda v, d, f: frozenset(_items(v, d, f)),
    "bytes": lambda v, d, f: bytes.fromhex(v),
    "bytearray": lambda v, d, f: bytearray.fromhex(v),
    "complex": lambda v, d, f: complex(decode(v[0]), decode(v[1])),
    "range": lambda v, d, f: range(*(_integer(x) for x in v)),
    "Decimal": lambda v, d, f: __import__("decimal").Decimal(v),
    "Fraction": lambda v, d, f: __import__("fractions").Fraction(_integer(v[0]), _integer(v[1])),
    "iterator": lambda v, d, f: iter(_items(v, d, f)),
    "builtin": lambda v, d, f: _BUILTINS[v],
}


# what json.loads and json.dumps come down to, made once
_scan: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_string = json.encoder.encode_basestring_ascii
_pieces: Any = json.encoder.c_make_encoder(None, None, _string, None, ":", ",", False, False, True)  # type: ignore[attr-defined]


def parse(data: bytes | bytearray) -> Tree:
    """Read a frame's JSON.

    Raises:
        Malformed: where it is no JSON, or nested too deep.
    """
    try:
        text = data.decode()
        tree, end = _scan(text, 0)
    except (ValueError, RecursionError, StopIteration) as e:
        raise Malformed(str(e)[:200]) from None
    if end != len(text):
        raise Malformed("a frame must be one JSON value")
    return tree  # type: ignore[no-any-return]


def frame(message: Tree) -> bytes:
    """Return a message as it crosses: its length, then its JSON."""
    data = "".join(_pieces(message, 0)).encode()
    return len(data).to_bytes(4, "big") + data


class Connection:
    """Frames over a connected socket, by its descriptor. What came too early is held."""

    __slots__ = ("_held", "_poll", "fd", "received")

    def __init__(self, fd: int, held: bytes = b"") -> None:
        self.fd = fd
        self.received = 0  # bytes, so far
        self._held = bytearray(held)
        self._poll: select.poll | None = None

    def send(self, message: Tree) -> None:
        """Send one frame."""
        data = memoryview(frame(message))
        while data:
            data = data[os.write(self.fd, data) :]

    def receive(self, *, deadline: float | None = None, limit: int = MAX_FRAME) -> Tree:
        """Wait for one frame, until ``deadline`` on the monotonic clock.

        Raises:
            Malformed: where it is larger than ``limit`` or no JSON.
            TimeoutError: where the deadline passed.
            EOFError: where the other side closed.
        """
        held = self._held
        while True:
            if len(held) >= 4:
                end = 4 + int.from_bytes(held[:4], "big")
                if end > 4 + limit:
                    raise Malformed(f"a message must be at most {limit} bytes, got {end - 4}")
                if len(held) >= end:
                    data = held[4:end]
                    del held[:end]
                    return parse(data)
            if deadline is not None:
                self._wait(deadline)
            chunk = os.read(self.fd, 1 << 16)
            if not chunk:
                raise EOFError("the other side closed the connection")
            held += chunk
            self.received += len(chunk)

    def _wait(self, deadline: float) -> None:
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.fd, select.POLLIN)
        left = deadline - time.monotonic()
        if left <= 0 or not self._poll.poll(left * 1000):
            raise TimeoutError("the deadline passed")
