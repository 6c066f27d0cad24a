"""What a solution's child does: it loads the code, then runs it as a program or answers calls.

Everything it sends is only ever an answer. The solution shares this process with these few lines and
may do to them what it likes: there is nothing here to learn and nothing to forge.
"""

from __future__ import annotations

import _socket
import _symtable  # type: ignore[import-not-found]  # typeshed has no stub
import contextlib
import os
import sys
import textwrap
import types
import typing
from collections.abc import Callable
from typing import Any

from referee.sandbox.inside.serving import JudgeProxy
from referee.sandbox.inside.wire import Connection, Tree, Unplain, decode, encode, frame

REQUEST_LIMIT = 256 << 20
# what the graders of functions put ahead of them; not what is made by calling, such as a Counter
ANNOTATIONS = frozenset(typing.__all__) - {"ChainMap", "Counter", "NamedTuple", "OrderedDict", "TypedDict"}


def main(fd: int) -> None:
    """Read the request, and carry it out."""
    os._exit(carry_out(Connection(fd)))


def carry_out(connection: Connection) -> int:
    """Carry out one request and return the exit status."""
    request: Any = connection.receive(limit=REQUEST_LIMIT)
    try:
        code = load(request["sources"], request["entry_point"])
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as e:
        connection.send({"loaded": False, "syntax": True, "error": _one_line(e)})
        return 0
    if request["mode"] == "program":
        return _program(connection, code)
    module = _module("solution")
    if request["mode"] == "serve":  # while nothing of the solution's has run, and the judge may believe it
        connection.send({"folder": os.getcwd()})
    names = names_in(code)
    module.__dict__.update({n: getattr(typing, n) for n in ANNOTATIONS & names})
    try:
        exec(code, module.__dict__)  # noqa: S102  # running it is what this process is for
    except BaseException as e:  # noqa: BLE001  # SystemExit and all
        _print_traceback()
        connection.send({"loaded": False, "syntax": False, **_raised(e)})
        return 0
    flush()
    connection.send({"loaded": True})
    if request["mode"] == "calls":
        for arguments, named in request["calls"]:
            connection.send(called(connection, module, request["entry_point"], arguments, named))
    else:
        JudgeProxy(connection, module, find, flush).serve_all(REQUEST_LIMIT)
    return 0


def rehearse() -> None:
    """Take a request of each kind through, in the fork server: children then share what that made warm."""
    sources: list[Tree] = [{"code": "def twice(x):\n    return [x, x]\n", "before": ""}]
    calls: list[Tree] = [[1], [[1.5, "a", {"t": "tuple", "v": [None]}]]]
    for mode in ("calls", "serve"):
        pairs: list[Tree] = [[arguments, {}] for arguments in calls]
        requests: list[Tree] = [{"mode": mode, "sources": sources, "entry_point": "twice", "calls": pairs}]
        if mode == "serve":
            requests += [{"name": "twice", "args": arguments, "kwargs": {}} for arguments in calls]
        mine, theirs = _socket.socketpair()
        mine.send(b"".join(frame(r) for r in requests))
        mine.shutdown(_socket.SHUT_WR)
        carry_out(Connection(theirs.fileno()))
        mine.close()
        theirs.close()
    del sys.modules["solution"]


def load(sources: list[dict[str, str]], entry_point: str) -> types.CodeType:
    """Compile the first of the sources that reads as Python and defines the entry point.

    Each source is ``{"code": ..., "before": ...}``: ``before`` is the problem's own preamble, used
    where the whole still compiles. A source that does not define the entry point by itself may be the
    body that goes on where ``before`` stops.
    """
    name = entry_point.partition(".")[0].partition("(")[0]
    failure: BaseException | None = None
    spare: types.CodeType | None = None
    for source in sources:
        code, before = source["code"], source["before"]
        alone, error = _compiled(code)
        failure = failure or error
        defined = alone is not None and (f"\ndef {name}(" in f"\n{code}" or defines(code, name))
        if alone is not None and (defined or not before):
            found = (_compiled(before + "\n\n" + code)[0] if before else None) or alone
            if defined or not name:
                return found
            spare = spare or found
        elif before:
            for text in (before + code, before + textwrap.indent(textwrap.dedent(code), "    ")):
                if (whole := _compiled(text)[0]) is not None:
                    return whole
    if spare is not None:
        return spare
    raise failure or SyntaxError("there is no code")


def defines(code: str, name: str) -> bool:
    """Tell whether a module's own statements bind ``name``, or its class ``Solution`` does."""
    top = _symtable.symtable(code, "<solution>", "exec")
    scopes = [top, *(c for c in top.children if c.name == "Solution")]
    return any(scope.symbols.get(name, 0) & _symtable.DEF_BOUND for scope in scopes)


def _compiled(text: str) -> tuple[types.CodeType | None, BaseException | None]:
    try:
        return compile(text, "<solution>", "exec", dont_inherit=True), None
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as e:
        return None, e


def names_in(code: types.CodeType) -> set[str]:
    """Return every name that code reads or sets other than its own variables."""
    inner = [names_in(c) for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*inner)


def _module(name: str) -> types.ModuleType:
    module = sys.modules[name] = types.ModuleType(name)
    module.__file__ = "solution.py"
    return module


def _program(connection: Connection, code: types.CodeType) -> int:
    """Run the code as a program and return its exit status, as the interpreter would."""
    error: dict[str, Tree] = {}
    status = 0
    try:
        exec(code, _module("__main__").__dict__)  # noqa: S102  # running it is what this process is for
    except SystemExit as e:
        if e.code is not None and not isinstance(e.code, int):
            print(e.code, file=sys.stderr)  # noqa: T201  # as the interpreter does
        status = e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException as e:  # noqa: BLE001  # whatever ends it is what is reported
        _print_traceback()
        error, status = _raised(e), 1
    _end(finalise="__del__" in names_in(code))
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as e:
        error = error or _raised(e)
    connection.send({"loaded": True, "status": status & 0xFF, **error})
    return status & 0xFF


def _end(*, finalise: bool) -> None:
    """Do what the interpreter does at its end: wait for threads, then exit handlers, then finalisers."""
    try:
        if threading := sys.modules.get("threading"):
            threading._shutdown()
        if atexit := sys.modules.get("atexit"):
            atexit._run_exitfuncs()
        if finalise:
            import gc

            del sys.modules["__main__"]  # what it made is held by nothing else
            gc.collect()
    except BaseException:  # noqa: BLE001  # the interpreter reports it, and goes on ending
        _print_traceback()


def called(connection: Any, module: types.ModuleType, name: str, args: Any, kwargs: Any) -> Tree:
    """Make one call whose arguments nobody looks at afterwards."""
    answer: Any = _answer(connection, module, name, args, kwargs)
    answer.pop("args", None)
    return answer  # type: ignore[no-any-return]


def _answer(connection: Connection, module: types.ModuleType, name: str, args: Any, kwargs: Any) -> Tree:
    """Make one call, and return its result (and the arguments, where it changed them) as plain data."""
    try:
        arguments = [decode(a) for a in args]
        named = {k: decode(a) for k, a in kwargs.items()}
        result = find(module, name)(*arguments, **named)
        awaited = isinstance(result, types.CoroutineType)
        if awaited:
            import asyncio  # large, and seldom needed: every fork would pay for its pages

            result = asyncio.run(result)
        answer: dict[str, Tree] = {"value": encode(result), "awaited": awaited}
        after: list[Tree] = [_changed(a, before) for a, before in zip(arguments, args, strict=True)]
        if any(a is not None for a in after):
            answer["args"] = after
        flush()
        return answer
    except BaseException as e:  # noqa: BLE001  # whatever it raises is its answer
        return _raised(e)


def find(module: types.ModuleType, name: str) -> Callable[..., Any]:
    """Return what a name stands for: ``f``, ``A.f``, ``A().f``, or a method of a class ``Solution``."""
    value: Any = module
    solution: Any = getattr(module, "Solution", None)
    for part in name.split("."):
        bare = part.removesuffix("()")
        if value is module and not hasattr(module, bare) and hasattr(solution, bare):
            value = solution()
        if value is solution and _is_method(value, bare):
            value = value()
        if value is module and not hasattr(module, bare):
            raise NameError(f"name {bare!r} is not defined")
        value = getattr(value, bare)
        if part.endswith("()"):
            value = value()
    return value  # type: ignore[no-any-return]


def _is_method(owner: Any, name: str) -> bool:
    return isinstance(owner, type) and isinstance(vars(owner).get(name), types.FunctionType)


def _changed(argument: Any, before: Tree) -> Tree:
    """Return a container's content where the call changed it, and None where it did not."""
    try:
        if isinstance(argument, list | dict | set | bytearray | tuple):
            after = encode(argument)
            return None if after == before else after
    except Unplain:
        pass  # it now holds what cannot cross: the judge keeps what it had
    return None


def _raised(error: BaseException) -> dict[str, Tree]:
    names: list[Tree] = [c.__name__ for c in type(error).__mro__[:8]]
    return {"raised": names, "error": _one_line(error)}


def _one_line(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except BaseException:  # noqa: BLE001  # its own __str__ may do anything
        return type(error).__name__[:500]


def _print_traceback() -> None:
    try:
        sys.__excepthook__(*sys.exc_info())
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001, S110  # the report is a courtesy
        pass


def flush() -> None:
    """Write out what was printed, where there is still something to write it to."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # closed, or something else in its place
            stream.flush()
