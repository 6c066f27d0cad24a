"""Comparing what a program wrote, or a function returned, with what was expected.

Results come as tagged plain data and are compared as they came: nothing of a solution's choosing is
built or computed with here. A number is read only where one is expected, and only up to a length; what
could make a comparison slow, raise or recurse is unequal.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any, TypeAlias

MATCHES = ("exact", "whitespace", "float")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,5})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d+)?(?:E[+-]?\d{1,6})?", re.ASCII)
_HEX = re.compile(r"-?0x[0-9a-f]+", re.ASCII)
_LONGEST_NUMBER = 400  # digits, beyond those that are expected
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_Quantity: TypeAlias = "int | float | Decimal | tuple[int, int]"


def same_output(expected: str, got: str, *, match: str, tolerance: float) -> bool:
    r"""Compare two outputs: byte for byte, word by word, or word by word with numbers within tolerance.

    A number that is expected as a whole one is compared exactly.

    >>> same_output("1 2\n", "1  2", match="whitespace", tolerance=0.0)
    True
    >>> same_output("0.5", "0.50000001", match="float", tolerance=1e-6)
    True
    >>> same_output("1000000", "1000001", match="float", tolerance=1e-6)
    False
    """
    if match == "exact":
        return expected == got
    a, b = expected.split(), got.split()
    if match == "whitespace" or a == b:
        return a == b
    return len(a) == len(b) and all(_same_word(x, y, tolerance) for x, y in zip(a, b, strict=True))


def same_value(expected: Any, got: Any, *, tolerance: float = 0.0) -> bool:
    """Compare plain data with a tagged result, as ``==`` would, but for four things.

    Tuples equal lists and keys equal their JSON text, since JSON can say neither; NaN equals NaN; and
    numbers may differ by ``tolerance``, absolute or relative, unless a whole number is expected and a whole
    one came.

    >>> same_value([1, {"2": 0.5}], [1, {"t": "dict", "v": [[2, 0.5]]}])
    True
    """
    try:
        return _same(expected, got, tolerance)
    except Exception:  # noqa: BLE001  # what was sent is the solution's choice: so is all that goes wrong with it
        return False


def _same(expected: Any, got: Any, tolerance: float) -> bool:
    if isinstance(expected, list):
        items = got["v"] if isinstance(got, dict) and got.get("t") == "tuple" else got
        if not isinstance(items, list) or len(expected) != len(items):
            return False
        return all(_same(e, g, tolerance) for e, g in zip(expected, items, strict=True))
    if isinstance(expected, dict):
        return isinstance(got, dict) and got.get("t") == "dict" and _same_pairs(expected, got["v"], tolerance)
    if isinstance(expected, int | float):  # a bool is a number, as for ==
        return _same_number(expected, _number(got, _digits(expected)), tolerance)
    return type(expected) is type(got) and bool(expected == got)


def _same_pairs(expected: dict[str, Any], got: Any, tolerance: float) -> bool:
    if not isinstance(got, list) or len(expected) != len(got):
        return False
    seen: set[str] = set()
    for pair in got:
        if not isinstance(pair, list) or len(pair) != 2:
            return False
        key = _key(pair[0])
        if key is None or key in seen or key not in expected:
            return False
        if not _same(expected[key], pair[1], tolerance):
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


def _digits(expected: float) -> int:
    """Return how many digits a number may have that could equal the expected one."""
    return _LONGEST_NUMBER + (expected.bit_length() // 3 if isinstance(expected, int) else 0)


def _number(got: Any, digits: int) -> _Quantity | None:
    """Read a number of at most so many digits, a fraction as a pair of whole ones; None where it is none."""
    if isinstance(got, int | float):
        return got
    if not isinstance(got, dict):
        return None
    tag, inner = got.get("t"), got.get("v")
    if tag == "int":
        return _whole(got, digits)
    if tag == "float":
        return _NOT_FINITE.get(inner) if isinstance(inner, str) else None
    if tag == "Decimal" and isinstance(inner, str) and len(inner) <= digits:
        if _DECIMAL.fullmatch(inner):
            return Decimal(inner)
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(inner)
    if not isinstance(inner, list) or len(inner) != 2:
        return None
    if tag == "Fraction":
        above, below = (_whole(part, digits) for part in inner)
        return None if above is None or not below else (above, below)
    real, imaginary = (_number(p, 0) for p in inner) if tag == "complex" else (None, None)
    return real if imaginary == 0 and isinstance(real, int | float) else None


def _whole(got: Any, digits: int) -> int | None:
    if type(got) is int:
        return got
    inner = got.get("v") if isinstance(got, dict) and got.get("t") == "int" else None
    good = isinstance(inner, str) and len(inner) <= digits and _HEX.fullmatch(inner)
    return int(inner, 16) if good and inner is not None else None


def _same_number(expected: float, got: _Quantity | None, tolerance: float) -> bool:
    if got is None:
        return False
    if isinstance(expected, float) and not math.isfinite(expected):
        return not isinstance(got, tuple) and (got == expected or (got != got and expected != expected))
    if isinstance(got, tuple):
        above, below = expected.as_integer_ratio()
        if above * got[1] == below * got[0]:
            return True
    elif expected == got:
        return True
    if not tolerance or isinstance(expected, bool) or isinstance(got, bool):
        return False
    if isinstance(expected, int) and _is_whole(got):
        return False
    value = got[0] / got[1] if isinstance(got, tuple) else float(got)
    return math.isclose(expected, value, rel_tol=tolerance, abs_tol=tolerance)


def _is_whole(got: _Quantity) -> bool:
    if isinstance(got, tuple):
        return got[0] % got[1] == 0
    if isinstance(got, Decimal):
        return got == got.to_integral_value()
    return got == math.floor(got) if math.isfinite(got) else False


def _same_word(expected: str, got: str, tolerance: float) -> bool:
    if expected == got:
        return True
    if max(len(expected), len(got)) > _LONGEST_NUMBER:
        return False
    if not _NUMBER.fullmatch(expected) or not _NUMBER.fullmatch(got):
        return False
    if _WHOLE.fullmatch(expected):
        value = Decimal(got)
        if value == value.to_integral_value():
            return value == Decimal(expected)
    return math.isclose(float(expected), float(got), rel_tol=tolerance, abs_tol=tolerance)
