"""The solution as the judge sees it: functions whose calls cross a socket as plain data.

A result is rebuilt from base types, an exception from the built-in ones, and a container that the
call changed in place is changed here too. So nothing the solution made is ever alive in this process.
Exceptions that would steer the tests themselves (SystemExit, StopIteration, SkipTest) arrive as
:class:`SolutionRaised`.
"""

from __future__ import annotations

import builtins
import reprlib
from collections.abc import Callable, Coroutine
from typing import Any

from referee.sandbox.inside.wire import Connection, Malformed, Tree, Unplain, decode, encode

RESULT_LIMIT = 64 << 20
_STEERING = (StopIteration, StopAsyncIteration)


class SolutionRaised(Exception):
    """The solution raised something that has no built-in counterpart, or none that may cross."""


class SolutionGone(Exception):
    """The solution's process ended, or what it sent is no answer."""


class SteeredByIt(BaseException):
    """Marks an exception that would steer the tests, had they raised it themselves."""


class SolutionProxy:
    """The connection to a solution that answers calls."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.calls = 0
        self.changed = False  # an argument, in place
        self.out_of_memory = False
        self.gone = ""
        self.last = ""
        self.callbacks: list[Callable[..., Any]] = []
        self.on_first_call: Callable[[], None] = lambda: None

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function that calls ``name`` in the solution."""

        def proxy(*args: Any, **kwargs: Any) -> Any:
            return self.call(name, args, kwargs)

        proxy.__name__ = proxy.__qualname__ = name.rsplit(".", 1)[-1]
        return proxy

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make one call; raises what the solution raised."""
        if self.gone:
            raise SolutionGone(self.gone)
        sent: Any = [encode(a, 0, self._function) for a in args]
        named: Any = {k: encode(a, 0, self._function) for k, a in kwargs.items()}
        if not self.calls:
            self.on_first_call()
        self.calls += 1
        shown = ", ".join([*(_short(a) for a in args), *(f"{k}={_short(a)}" for k, a in kwargs.items())])
        self.last = f"{name}({shown})"
        try:
            self.connection.send({"name": name, "args": sent, "kwargs": named})
            answer = self._answer()
            value = None if "raised" in answer else decode(answer["value"])
            for argument, after in zip(args, answer.get("args") or (), strict=False):
                if after is not None:
                    self.changed = True
                    change(argument, decode(after))
        except (EOFError, OSError) as e:
            self.gone = f"the solution's process ended during {self.last}"
            raise SolutionGone(self.gone) from e
        except (Malformed, KeyError, TypeError, AttributeError, RecursionError, MemoryError) as e:
            self.gone = f"{self.last} sent what is no answer"
            raise SolutionGone(self.gone) from e
        if "raised" in answer:
            message = str(answer.get("error"))[:500]
            self.last += f" raised {message}"
            error = exception(answer["raised"], message)
            self.out_of_memory = self.out_of_memory or isinstance(error, MemoryError)
            raise error
        self.last += f" returned {_short(value)}"
        return _awaitable(value) if answer.get("awaited") else value

    def _answer(self) -> dict[str, Any]:
        """Return the answer, serving the callbacks that come before it."""
        while True:
            answer = self.connection.receive(limit=RESULT_LIMIT)
            if not isinstance(answer, dict):
                raise Malformed("an answer must be an object")
            if "callback" not in answer:
                return answer
            self.connection.send(self._call_back(answer))

    def _call_back(self, request: dict[str, Any]) -> dict[str, Tree]:
        key = request["callback"]
        if type(key) is not int or not 0 <= key < len(self.callbacks):
            raise Malformed("there is no such callback")
        function = self.callbacks[key]
        arguments = [decode(a) for a in request["args"]]
        try:
            return {"value": encode(function(*arguments))}
        except Unplain as e:
            raise Malformed(str(e)) from None
        except Exception as e:  # noqa: BLE001  # the test's own function raised: the solution is told
            return {"error": f"{type(e).__name__}: {e}"[:500]}

    def _function(self, function: Callable[..., Any]) -> Tree:
        self.callbacks.append(function)
        return {"t": "function", "v": len(self.callbacks) - 1}


def exception(names: Any, message: str) -> Exception:
    """Return the nearest built-in exception to the class names given, nearest first."""
    text = message.split(": ", 1)[-1]
    for name in names if isinstance(names, list) else ():
        kind = getattr(builtins, name, None) if isinstance(name, str) else None
        if not isinstance(kind, type) or not issubclass(kind, Exception) or kind in (Exception, *_STEERING):
            continue
        if issubclass(kind, UnicodeError):
            kind = ValueError  # its own constructor takes five arguments
        if issubclass(kind, BaseExceptionGroup):
            break
        return kind(text)
    return SolutionRaised(message)


def change(mine: Any, after: Any) -> None:
    """Give a container the content that the solution's copy had after the call, in place."""
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
    elif isinstance(mine, tuple):
        _merged(mine, after)


def _merged(mine: Any, after: Any) -> list[Any]:
    if len(mine) != len(after):
        return list(after)
    return [_inner(m, a) for m, a in zip(mine, after, strict=True)]


def _inner(mine: Any, after: Any) -> Any:
    """Keep the inner container that was there, changed, so that other names for it see the change."""
    if isinstance(mine, list | dict | set | bytearray | tuple) and type(mine) is type(after):
        if isinstance(mine, tuple):
            return after if mine != after else mine
        change(mine, after)
        return mine
    return after


def _awaitable(value: Any) -> Coroutine[Any, Any, Any]:
    async def awaited() -> Any:
        return value

    return awaited()


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 120


def _short(value: Any) -> str:
    try:
        return _repr.repr(value)
    except ValueError:  # a whole number with too many digits to print
        return f"<{type(value).__name__}>"
