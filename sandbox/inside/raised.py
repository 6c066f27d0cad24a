"""Exceptions as they cross: class, arguments and text, where the class is not a program's own.

A class of the standard library or of a package is found by its name among what is loaded here; an
unknown one becomes the nearest that is known. Nothing that would steer the tests, had they raised it
themselves (a skip, the end of an iteration), is ever made.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from referee.sandbox.inside.library_values import find_error
from referee.sandbox.inside.wire import Tree, Unplain

MOST_TEXT = 1 << 16
_STEERING = (StopIteration, StopAsyncIteration, GeneratorExit)
_BARE = (Exception, BaseException)


class SolutionRaised(Exception):
    """The solution raised something that has no counterpart here, or none that may cross."""


class SteeredByIt(BaseException):
    """Marks an exception that would steer the tests, had they raised it themselves."""


class _Exit(SystemExit, SteeredByIt):
    pass


class _Interrupt(KeyboardInterrupt, SteeredByIt):
    pass


_STEERED: dict[type[BaseException], type[BaseException]] = {SystemExit: _Exit, KeyboardInterrupt: _Interrupt}
for _kind in _STEERED.values():
    _kind.__name__ = _kind.__qualname__ = _kind.__bases__[0].__name__


def describe(error: BaseException, encode: Callable[[Any], Tree]) -> dict[str, Tree]:
    """Return what crosses of an exception, apart from its object."""
    kind = type(error)
    arguments: Tree
    try:
        arguments = [encode(a) for a in error.args]
    except (Unplain, TypeError, ValueError, RecursionError):
        arguments = None
    own: list[Tree] = [[c.__module__, c.__qualname__] for c in kind.__mro__[:16]]
    extra: dict[str, Tree] = {}
    for name, value in list(getattr(error, "__dict__", {}).items())[:32]:
        try:
            extra[str(name)] = encode(value)
        except (Unplain, TypeError, ValueError, RecursionError):
            continue
    return {"classes": own, "args": arguments, "text": text_of(error), "attributes": extra}


def text_of(error: BaseException) -> str:
    """Return an exception's text, where its own code gives one."""
    try:
        return str(error)[:MOST_TEXT]
    except BaseException:  # noqa: BLE001  # its own __str__ may do anything
        return ""


def nearest(classes: Any, *, stops: bool = False) -> tuple[type[BaseException] | None, bool]:
    """Return the first class of a description that is known here, and whether it is the very class."""
    for i, (module, name) in enumerate(classes):
        kind = find_error(module, name)
        if kind is None and module == "builtins" and isinstance(getattr(builtins, name, None), type):
            kind = getattr(builtins, name)
        if kind is None or not issubclass(kind, BaseException) or (kind in _BARE and i):
            continue
        if stops and kind is StopIteration:
            return kind, i == 0
        if issubclass(kind, _STEERING) or (kind in _BARE and kind is BaseException):
            return None, False
        if not issubclass(kind, Exception) and kind not in _STEERED:
            return None, False
        return _STEERED.get(kind, kind), i == 0
    return None, False


def rebuild(
    described: dict[str, Any], decode: Callable[[Tree], Any], *, stops: bool = False
) -> BaseException:
    """Return an exception of the nearest class that is known here; StopIteration only with ``stops``."""
    kind, exact = nearest(described["classes"], stops=stops)
    text = str(described["text"])[:MOST_TEXT]
    arguments = None if described["args"] is None else tuple(decode(a) for a in described["args"])
    if kind is None:
        name = str(described["classes"][0][1])[:80]
        return SolutionRaised(f"{name}: {text}" if text else name)
    error = _made(kind, arguments if exact and arguments is not None else (text,) if text else ())
    if error is None:
        error = _made(_simple(kind), (text,))
        assert error is not None
    for name, tree in described["attributes"].items() if exact else ():
        if not name.startswith("__"):
            try:
                setattr(error, name, decode(tree))
            except (AttributeError, TypeError):
                continue
    return error


def _simple(kind: type[BaseException]) -> type[BaseException]:
    for base in kind.__mro__:
        if base in (ValueError, TypeError, OSError, LookupError, ArithmeticError, RuntimeError, Exception):
            return base
    return SolutionRaised


def _made(kind: type[BaseException], arguments: tuple[Any, ...]) -> BaseException | None:
    try:
        if kind.__module__ == "builtins" or kind in _STEERED.values():
            return kind(*arguments)
        error = kind.__new__(kind, *arguments)
        error.args = arguments
        return error
    except (TypeError, ValueError, AttributeError):
        return None
