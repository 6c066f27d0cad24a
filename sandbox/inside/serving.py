"""The solution's end of the connection: it answers calls, and keeps the objects that have handles.

The solution shares this process with it and may do to it what it likes: there is nothing here to learn
and nothing to forge.
"""

from __future__ import annotations

import os
import types
from collections.abc import Iterator
from typing import Any

from referee.sandbox.inside.peer import Peer
from referee.sandbox.inside.wire import Connection, Tree

_PLAIN_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)


class JudgeProxy(Peer):
    """Does what the judge asks with the module of a solution."""

    first = 1
    stops = True

    def __init__(self, connection: Connection, module: types.ModuleType, find: Any, flush: Any) -> None:
        super().__init__(connection)
        self.module = module
        self._find = find
        self._flush = flush
        self._loop: Any = None

    def serve_all(self, limit: int) -> None:
        """Answer until the judge has no more to ask."""
        while True:
            try:
                request: Any = self.connection.receive(limit=limit)
            except (EOFError, OSError):
                return
            self.connection.send(self.serve(request))

    def serve(self, request: dict[str, Any]) -> dict[str, Tree]:
        """Do what the judge asks, and return the answer, with what was written meanwhile where it asks."""
        self.plain = request.get("plain") is True
        echo = request.get("echo") is True
        before = [os.fstat(fd).st_size for fd in (1, 2)] if echo else []
        answer = super().serve(request)
        self._flush()
        if echo:
            written = [
                os.pread(fd, os.fstat(fd).st_size - n, n) for fd, n in zip((1, 2), before, strict=True)
            ]
            answer["echoed"] = [text.decode("utf-8", "replace") for text in written]
        return answer

    def perform(self, do: str, number: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Do one thing; without a number, with what the module calls by the name."""
        if number is not None:
            return super().perform(do, number, name, args, kwargs)
        if do == "look":
            return [entry for n in args[0] if (entry := self._seen(n)) is not None]
        found = self._find(self.module, name)
        return found if do == "find" else found(*args, **kwargs)

    def _seen(self, name: str) -> list[Any] | None:
        try:
            value = self._find(self.module, name)
        except (NameError, AttributeError):
            return None
        if isinstance(value, types.ModuleType):
            return [name, "module", value.__name__]
        return [name, "function", None] if isinstance(value, _PLAIN_FUNCTIONS) else [name, "value", value]

    def exports(self, value: Any) -> bool:
        """Tell whether an object is to stay here, rather than to be no answer."""
        return not self.plain or (isinstance(value, Iterator) and not self.is_own(type(value)))

    def _rebuilt(self, tag: str, inner: Any) -> Any:
        return self._find(self.module, inner) if tag == "named" else super()._rebuilt(tag, inner)

    def is_own(self, kind: type) -> bool:
        """Tell whether the solution defines a class."""
        return kind.__module__ == "solution"

    def namesake(self, module: str, name: str) -> type | None:
        """Return the solution's class that one of the tests answers to: it may define the same."""
        own = getattr(self.module, name, None) if module in ("__main__", "__tests__") else None
        return own if isinstance(own, type) else super().namesake(module, name)

    def awaited(self, value: Any) -> tuple[Any, bool]:
        """Run a coroutine to its end, always in the same loop."""
        import asyncio  # large, and seldom needed: every fork would pay for its pages

        if self._loop is None:
            self._loop = asyncio.new_event_loop()

        async def wait() -> tuple[Any, bool]:
            try:
                return await value, False
            except StopAsyncIteration:
                return None, True

        return self._loop.run_until_complete(wait())  # type: ignore[no-any-return]
