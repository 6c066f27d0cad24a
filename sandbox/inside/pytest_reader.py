"""What tests use of pytest, where pytest itself is not preloaded: marks, ``raises``, ``approx``, ``skip``.

Fixtures need pytest itself.
"""

from __future__ import annotations

import contextlib
import math
import re
import sys
import types
import unittest
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


def install() -> None:
    """Make ``import pytest`` find this where pytest is not there."""
    if "pytest" in sys.modules:
        return
    module = types.ModuleType("pytest")
    module.mark = _Marks()  # type: ignore[attr-defined]
    for name, value in _NAMES.items():
        setattr(module, name, value)
    sys.modules["pytest"] = module


def is_whole() -> bool:
    """Tell whether pytest itself is there, preloaded."""
    return hasattr(sys.modules.get("pytest"), "Module")


@dataclass(frozen=True)
class Mark:
    """One mark of a test."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Mark a test, or take the mark's arguments."""
        if len(args) == 1 and not kwargs and callable(args[0]) and self.name != "skipif":
            before = args[0].__dict__.get("pytestmark", [])
            args[0].pytestmark = [*before, self]
            return args[0]
        return Mark(self.name, args, kwargs)


class _Marks:
    def __getattr__(self, name: str) -> Mark:
        if name.startswith("_"):
            raise AttributeError(name)
        return Mark(name)


@dataclass(frozen=True)
class ParameterSet:
    """One row of parameters, as ``pytest.param`` makes it."""

    values: tuple[Any, ...]


class _Raises:
    """``with raises(kind, match=...) as info``: ``info.value`` is what was raised."""

    def __init__(self, kind: Any, match: str | None = None) -> None:
        self.kind = kind
        self.match_text = match
        self.value: Any = None
        self.type: Any = None

    def __enter__(self) -> _Raises:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if error is None:
            raise AssertionError(f"DID NOT RAISE {self.kind}")
        if not isinstance(error, self.kind):
            return False
        self.value, self.type = error, kind
        if self.match_text is not None:
            self.match(self.match_text)
        return True

    def match(self, pattern: str) -> bool:
        """Assert that the error's text matches."""
        if not re.search(pattern, str(self.value)):
            raise AssertionError(f"{pattern!r} does not match {str(self.value)!r}")
        return True


def _raises(kind: Any, *args: Any, match: str | None = None, **kwargs: Any) -> Any:
    context = _Raises(kind, match)
    if not args:
        return context
    function: Callable[..., Any] = args[0]
    with context:
        function(*args[1:], **kwargs)
    return context


class _Approx:
    """Equal within ``rel`` (1e-6 of the expected value) or ``abs`` (1e-12), whichever is more."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, expected: Any, rel: float | None = None, abs: float | None = None, nan_ok: bool = False
    ) -> None:
        self.expected = expected
        self.options: dict[str, Any] = {"rel": rel, "abs": abs, "nan_ok": nan_ok}

    def __eq__(self, other: Any) -> bool:
        expected = self.expected
        if isinstance(expected, dict):
            return (
                isinstance(other, dict)
                and expected.keys() == other.keys()
                and all(self._same(v, other[k]) for k, v in expected.items())
            )
        if isinstance(expected, list | tuple):
            return (
                isinstance(other, list | tuple)
                and len(expected) == len(other)
                and all(self._same(e, o) for e, o in zip(expected, other, strict=True))
            )
        rel, absolute = self.options["rel"], self.options["abs"]
        if (
            isinstance(expected, bool)
            or not isinstance(expected, int | float)
            or not isinstance(other, int | float)
        ):
            return bool(expected == other)
        if math.isnan(expected):
            return bool(self.options["nan_ok"]) and math.isnan(other)
        if math.isinf(expected) or expected == other:
            return bool(expected == other)
        within = max(1e-12 if absolute is None else absolute, 0.0)
        if rel is not None or absolute is None:
            within = max(within, (1e-6 if rel is None else rel) * abs(expected))
        return bool(abs(expected - other) <= within)

    def _same(self, expected: Any, other: Any) -> bool:
        return bool(_Approx(expected, **self.options) == other)

    def __repr__(self) -> str:
        return f"approx({self.expected!r})"


def _skip(reason: str = "", **_: Any) -> None:
    raise unittest.SkipTest(reason)


def _fail(reason: str = "", **_: Any) -> None:
    raise AssertionError(reason)


@contextlib.contextmanager
def _warns(kind: Any = Warning, match: str | None = None) -> Iterator[list[Any]]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield found
    hits = [w for w in found if issubclass(w.category, kind) and re.search(match or "", str(w.message))]
    if not hits:
        raise AssertionError(f"DID NOT WARN {kind}")


_NAMES: dict[str, Any] = {
    "raises": _raises,
    "approx": _Approx,
    "param": lambda *values, **_: ParameterSet(values),
    "skip": _skip,
    "fail": _fail,
    "warns": _warns,
    "main": lambda *_, **__: 0,
}
