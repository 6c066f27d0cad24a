"""Comparing what a program wrote, or a function returned, with what was expected.

Results come as tagged plain data and are compared as they came: no container of a solution's choosing
is ever built here, so that no crafted keys can make the comparison slow.
"""

from __future__ import annotations

import math
import re
from typing import Any

from referee.sandbox.inside.wire import Malformed, decode

MATCHES = ("exact", "whitespace", "float")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,5})?", re.ASCII)
_LONGEST_NUMBER = 400


def same_output(expected: str, got: str, *, match: str, tolerance: float) -> bool:
    r"""Compare two outputs: byte for byte, word by word, or word by word with numbers within tolerance.

    >>> same_output("1 2\n", "1  2", match="whitespace", tolerance=0.0)
    True
    >>> same_output("0.5", "0.50000001", match="float", tolerance=1e-6)
    True
    """
    if match == "exact":
        return expected == got
    a, b = expected.split(), got.split()
    if match == "whitespace" or a == b:
        return a == b
    return len(a) == len(b) and all(_same_word(x, y, tolerance) for x, y in zip(a, b, strict=True))


def same_value(expected: Any, got: Any, *, tolerance: float = 0.0) -> bool:
    """Compare plain data with a tagged result, as ``==`` would, but for three things.

    Tuples equal lists and keys equal their JSON text, since JSON can say neither; and numbers may differ
    by ``tolerance``, absolute or relative.

    >>> same_value([1, {"2": 0.5}], [1, {"t": "dict", "v": [[2, 0.5]]}])
    True
    """
    if isinstance(got, list):
        return _same_items(expected, got, tolerance)
    if isinstance(got, dict):
        tag, inner = got.get("t"), got.get("v")
        if tag == "tuple":
            return _same_items(expected, inner, tolerance)
        if tag == "dict":
            return _same_pairs(expected, inner, tolerance)
        if tag not in ("int", "float", "complex", "Decimal", "Fraction"):
            return False
        try:
            return _same_scalar(expected, decode(got), tolerance)
        except (Malformed, AttributeError, IndexError):
            return False
    return _same_scalar(expected, got, tolerance)


def _same_items(expected: Any, got: Any, tolerance: float) -> bool:
    if not isinstance(expected, list) or not isinstance(got, list) or len(expected) != len(got):
        return False
    return all(same_value(e, g, tolerance=tolerance) for e, g in zip(expected, got, strict=True))


def _same_pairs(expected: Any, got: Any, tolerance: float) -> bool:
    if not isinstance(expected, dict) or not isinstance(got, list) or len(expected) != len(got):
        return False
    seen: set[str] = set()
    for pair in got:
        if not isinstance(pair, list) or len(pair) != 2:
            return False
        key = _key(pair[0])
        if key is None or key in seen or key not in expected:
            return False
        if not same_value(expected[key], pair[1], tolerance=tolerance):
            return False
        seen.add(key)
    return True


def _key(key: Any) -> str | None:
    """Return the text that JSON would make of a key."""
    if isinstance(key, str):
        return key
    if key is None:
        return "null"
    if isinstance(key, bool):
        return "true" if key else "false"
    return repr(key) if isinstance(key, int | float) else None


def _same_scalar(expected: Any, got: Any, tolerance: float) -> bool:
    if isinstance(expected, str) or isinstance(got, str) or expected is None or got is None:
        return type(expected) is type(got) and bool(expected == got)
    if isinstance(expected, list | dict):
        return False
    if expected == got:
        return True
    if (
        not tolerance
        or isinstance(expected, bool)
        or not isinstance(got, int | float)
        or isinstance(got, bool)
    ):
        return False
    try:
        return math.isclose(expected, got, rel_tol=tolerance, abs_tol=tolerance)
    except OverflowError:
        return False


def _same_word(expected: str, got: str, tolerance: float) -> bool:
    if expected == got:
        return True
    if max(len(expected), len(got)) > _LONGEST_NUMBER:
        return False
    if not _NUMBER.fullmatch(expected) or not _NUMBER.fullmatch(got):
        return False
    return math.isclose(float(expected), float(got), rel_tol=tolerance, abs_tol=tolerance)
