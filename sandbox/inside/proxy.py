"""The solution as the judge sees it: functions whose calls cross a socket, and objects by handle.

A result is rebuilt from base types, an exception from known classes, and what is neither stays in the
solution's process and is asked there. So nothing the solution made is ever alive in this process, and
none of its code is ever asked about a value of the tests by a comparison.
"""

from __future__ import annotations

import functools
import io
import reprlib
import sys
import types
import unittest
from collections.abc import Callable, Iterator
from typing import Any

from referee.sandbox.inside import handles
from referee.sandbox.inside.peer import Peer, loaded_class
from referee.sandbox.inside.wire import Connection, Malformed, TooDeep, Tree, Unplain

_FUNCTIONS = (
    types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.MethodDescriptorType,
    functools.partial,
)  # fmt: skip
_BROKEN = (
    Malformed, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, MemoryError,
)  # fmt: skip


class SolutionGone(Exception):
    """The solution's process ended, or what it sent is no answer."""


class SolutionProxy(Peer):
    """The judge's end of the connection.

    ``best_effort`` is true once the solution was asked to compare objects of its own.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.calls = 0
        self.out_of_memory = False
        self.best_effort = False
        self.callbacks = False  # something of the tests was used from there
        self.refused = ""  # why the tests can't be judged: what they pass can't cross
        self.looked = False  # names that the tests use were looked up
        self.gone = ""
        self.last = ""
        self.on_first_call: Callable[[], None] = lambda: None
        self.classes: dict[str, type] = {}  # of the problem's own, by name
        self._streams = sys.stdout, sys.stderr

    @property
    def touched(self) -> bool:
        """True where something of the solution's may be left in this process."""
        return bool(self.gone or self.callbacks or self.shared.changed or self._proxies or self._classes)

    def function(self, name: str) -> RemoteFunction:
        """Return a function that calls ``name`` in the solution."""
        return RemoteFunction(self, name)

    def look(self, names: list[str]) -> dict[str, tuple[str, Any]]:
        """Return what names are bound to in the solution: ``function``, ``module`` or ``value``, and that."""
        if not names:
            return {}
        self.looked = True
        found = self.ask("look", None, "", (names,))
        return {name: (kind, value) for name, kind, value in found}

    def ask(self, do: str, number: int | None, name: str = "", args: Any = (), kwargs: Any = None) -> Any:
        """Have something done there; raises what it raised there, or SolutionGone."""
        if self.gone:
            raise SolutionGone(self.gone)
        if do in ("describe", "look"):
            try:
                return super().ask(do, number, name, args, kwargs)
            except BaseException:
                self.calls += 1  # no tests were at fault
                raise
        if not self.calls:
            self.on_first_call()
        self.calls += 1
        shown = ", ".join([_short(a) for a in args] + [f"{k}={_short(a)}" for k, a in (kwargs or {}).items()])
        self.last = f"{name or do}({shown})"
        try:
            value = super().ask(do, number, name, args, kwargs)
        except TooDeep:
            raise
        except Unplain as e:
            self.refused = self.refused or f"the tests pass what can't cross: {e}"
            raise
        self.last += f" returned {_short(value)}"
        return value

    def compare(self, mine: Any, other: Any, name: str) -> Any:
        """Have the solution compare two of its objects."""
        self.best_effort = True
        return super().compare(mine, other, name)

    def forget(self) -> list[Tree]:
        """Return the numbers of the containers that nothing in the tests refers to any more."""
        return self.shared.forget()

    def exchange(self, message: dict[str, Tree]) -> dict[str, Any]:
        """Send a message and return its answer; SolutionGone where there is none."""
        if (sys.stdout, sys.stderr) != self._streams:
            message["echo"] = True
        try:
            answer = super().exchange(message)
        except (EOFError, OSError) as e:
            self.gone = self.gone or f"the solution's process ended during {self.last or 'loading'}"
            raise SolutionGone(self.gone) from e
        except _BROKEN as e:
            raise self._lost() from e
        for stream, text in zip((sys.stdout, sys.stderr), answer.get("echoed") or (), strict=False):
            if isinstance(text, str):
                stream.write(text)
        return answer

    def read(self, answer: dict[str, Any], name: str) -> tuple[Any, BaseException | None]:
        """Return the value of an answer, or what it says was raised."""
        try:
            value, error = super().read(answer, name)
        except _BROKEN as e:
            raise self._lost() from e
        if error is not None:
            self.last += f" raised {type(error).__name__}"
            self.out_of_memory = self.out_of_memory or isinstance(error, MemoryError)
        return value, error

    def _lost(self) -> SolutionGone:
        self.gone = self.gone or f"{self.last} sent what is no answer"
        return SolutionGone(self.gone)

    def _special(self, value: Any) -> Tree:
        if type(value) is types.CoroutineType:
            raise TypeError("a coroutine was never awaited")
        if type(value) is RemoteFunction:
            return {"t": "named", "v": object.__getattribute__(value, "_referee_name")}
        return super()._special(value)

    def accepted(self, described: Any) -> dict[str, Any]:
        """Return what is believed of a description: among plain data there are only iterators."""
        if self.plain:
            nothing: dict[str, Any] = {
                "bases": [],
                "own": [],
                "methods": [],
                "plain": None,
                "unhashable": False,
            }
            return {"name": "iterator", "module": "", "specials": ["__iter__", "__next__"], **nothing}
        return super().accepted(described)

    def namesake(self, module: str, name: str) -> type | None:
        """Return the problem's own class of that name, or the standard library's."""
        if module == "solution":
            return self.classes.get(name)
        return loaded_class(module, name) or super().namesake(module, name)

    def is_own(self, kind: type) -> bool:
        """Tell whether the tests, or the problem, define a class."""
        return kind.__module__ in ("__main__", "__tests__")

    def exports(self, value: Any) -> bool:
        """Tell whether the solution may use an object of the tests: what they pass it, and not the tests."""
        kind = type(value)
        if isinstance(value, type):
            return self.is_own(value) and not issubclass(value, unittest.TestCase)
        if isinstance(value, unittest.TestCase):
            return False
        mock = sys.modules.get("unittest.mock")
        return (
            isinstance(value, (*_FUNCTIONS, io.IOBase, Iterator))
            or self.is_own(kind)
            or (mock is not None and isinstance(value, mock.NonCallableMock))
            or kind is types.SimpleNamespace
            or (callable(value) and kind.__module__ in ("functools", "operator"))
            or (kind.__module__ == "random" and kind.__name__ == "Random")
        )

    def perform(self, do: str, number: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Do what the solution asks: call, or use by a public name what it was passed."""
        self.callbacks = True
        target = self.object(number)
        if do == "describe":
            described = self.describe(target)
            described["methods"] = [m for m in described["methods"] if not m.startswith("_")]
            return described
        plain_call = do == "call" or (do == "special" and name == "__call__")
        if plain_call and (not name or do == "special"):
            if isinstance(target, type) and not self.exports(target):
                raise Malformed("that class may not be called")
            return target(*args, **kwargs)
        if isinstance(target, (*_FUNCTIONS, type)) or not isinstance(name, str):
            if do == "get" and name == "__dict__":  # functools.wraps asks for both
                return {}
            if do == "get" and name in ("__name__", "__qualname__"):
                return getattr(target, "__name__", "")
            raise AttributeError("of a function it may only ask its result")
        if do in ("get", "set", "del", "call") and (name.startswith("_") or not name.isidentifier()):
            raise AttributeError(name)
        if do not in ("get", "set", "del", "call", "special"):
            raise Malformed("nothing of the kind may be asked")
        if do == "special" and name not in handles.special_names(type(target))[0]:
            raise Malformed("there is no such method")
        return super().perform(do, number, name, args, kwargs)

    def failure(self, error: BaseException) -> dict[str, Tree]:
        """Return what the solution is told of an exception: its class and text, where it is built in."""
        if not isinstance(error, Exception):
            raise error
        described: dict[str, Any] = self.describe_error(error)
        described.update(attributes={}, text=described["text"][:500])
        return described


class RemoteFunction:
    """A name of the solution that the tests call; its attributes are asked there."""

    def __init__(self, remote: SolutionProxy, name: str) -> None:
        self._referee_remote = remote
        self._referee_name = name
        self.__name__ = self.__qualname__ = name.rpartition(".")[2]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        return self._referee_remote.ask("call", None, self._referee_name, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._referee_remote.ask("find", None, self._referee_name), name)


class _Repr(reprlib.Repr):
    """Shows a handle by its class, without asking for its text."""

    def repr1(self, x: Any, level: int) -> str:
        return f"<{type(x).__name__}>" if handles.is_handle(x) else super().repr1(x, level)


_repr = _Repr()
_repr.maxstring = _repr.maxother = 120


def _short(value: Any) -> str:
    if isinstance(value, handles.Handle | handles.HandleType):
        return f"<{getattr(type(value), '__name__', 'object')}>"
    try:
        return _repr.repr(value)
    except Exception:  # noqa: BLE001  # too many digits to print, or a repr that the tests' own class breaks
        return f"<{type(value).__name__}>"
