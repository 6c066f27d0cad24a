"""What a solution's child does: it loads the code, then runs it as a program or answers calls.

Everything it sends is only ever an answer. The solution shares this process with these few lines and
may do to them what it likes: there is nothing here to learn and nothing to forge.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import os
import re
import socket
import sys
import textwrap
import threading
import traceback
import types
from collections.abc import Callable
from typing import Any

from referee.sandbox.inside.wire import Tree, Unplain, decode, encode, receive, send

REQUEST_LIMIT = 256 << 20


def main(connection: socket.socket) -> None:
    """Read the request, and carry it out."""
    request: Any = receive(connection, limit=REQUEST_LIMIT)
    module = types.ModuleType("__main__" if request["mode"] == "program" else "solution")
    sys.modules[module.__name__] = module
    try:
        code = load(request["sources"], request["entry_point"])
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as e:
        send(connection, {"loaded": False, "syntax": True, "error": _one_line(e)})
        os._exit(0)
    if request["mode"] == "program":
        os._exit(_program(connection, code, module))
    try:
        exec(code, module.__dict__)  # noqa: S102  # running it is what this process is for
    except BaseException as e:  # noqa: BLE001  # SystemExit and all
        _print_traceback()
        send(connection, {"loaded": False, "syntax": False, **_raised(e)})
        os._exit(0)
    _flush()
    send(connection, {"loaded": True})
    if request["mode"] == "calls":
        for arguments in request["calls"]:
            send(connection, _answer(connection, module, request["entry_point"], arguments, {}))
    else:
        _serve(connection, module)
    os._exit(0)


def load(sources: list[dict[str, str]], entry_point: str) -> types.CodeType:
    """Compile the first of the sources that reads as Python and defines the entry point.

    Each source is ``{"code": ..., "before": ...}``: ``before`` is the problem's own preamble, used
    where the whole still compiles. A source that does not define the entry point by itself may be the
    body that goes on where ``before`` stops.
    """
    name = re.split(r"\W", entry_point)[0]
    failure: BaseException | None = None
    spare: types.CodeType | None = None
    for source in sources:
        code, before = source["code"], source["before"]
        try:
            alone = ast.parse(code)
        except (SyntaxError, ValueError, MemoryError, RecursionError) as e:
            failure, alone = failure or e, None
        if alone is not None and (not name or defines(alone, name) or not before):
            found = _compiled(before + "\n\n" + code) if before else None
            if found is not None or (found := _compiled(code)) is not None:
                if not name or defines(alone, name):
                    return found
                spare = spare or found
            continue
        if before:
            for text in (before + code, before + textwrap.indent(textwrap.dedent(code), "    ")):
                if (found := _compiled(text)) is not None:
                    return found
    if spare is not None:
        return spare
    raise failure or SyntaxError("there is no code")


def defines(tree: ast.Module, name: str) -> bool:
    """Tell whether a module's own statements bind ``name``, at the top or within if, try and with."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name == name or (isinstance(node, ast.ClassDef) and _has_method(node, name)):
                return True
        elif isinstance(node, ast.alias):
            if (node.asname or node.name.split(".")[0]) in (name, "*"):
                return True
        elif isinstance(node, ast.Name):
            if node.id == name and isinstance(node.ctx, ast.Store):
                return True
        else:
            pending.extend(ast.iter_child_nodes(node))
    return False


def _has_method(node: ast.ClassDef, name: str) -> bool:
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return node.name == "Solution" and any(isinstance(n, functions) and n.name == name for n in node.body)


def _compiled(text: str) -> types.CodeType | None:
    try:
        return compile(text, "<solution>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
        return None


def _program(connection: socket.socket, code: types.CodeType, module: types.ModuleType) -> int:
    """Run the code as a program and return its exit status, as the interpreter would."""
    error: dict[str, Tree] = {}
    status = 0
    try:
        exec(code, module.__dict__)  # noqa: S102  # running it is what this process is for
        threading._shutdown()  # type: ignore[attr-defined]  # waits for its threads
    except SystemExit as e:
        if e.code is not None and not isinstance(e.code, int):
            print(e.code, file=sys.stderr)  # noqa: T201  # as the interpreter does
        status = e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException as e:  # noqa: BLE001  # whatever ends it is what is reported
        _print_traceback()
        error, status = _raised(e), 1
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as e:
        error = error or _raised(e)
    send(connection, {"loaded": True, "status": status & 0xFF, **error})
    return status & 0xFF


def _serve(connection: socket.socket, module: types.ModuleType) -> None:
    while True:
        try:
            call: Any = receive(connection, limit=REQUEST_LIMIT)
        except (EOFError, OSError):
            return
        send(connection, _answer(connection, module, call["name"], call["args"], call["kwargs"]))


def _answer(connection: socket.socket, module: types.ModuleType, name: str, args: Any, kwargs: Any) -> Tree:
    """Make one call, and return its result (and the arguments, where it changed them) as plain data."""
    try:
        arguments = [decode(a, 0, lambda key: _callback(connection, key)) for a in args]
        named = {k: decode(a, 0, lambda key: _callback(connection, key)) for k, a in kwargs.items()}
        result = find(module, name)(*arguments, **named)
        awaited = inspect.iscoroutine(result)
        if awaited:
            import asyncio  # large, and seldom needed: every fork would pay for its pages

            result = asyncio.run(result)
        answer: dict[str, Tree] = {"value": encode(result), "awaited": awaited}
        after: list[Tree] = [_changed(a, before) for a, before in zip(arguments, args, strict=True)]
        if any(a is not None for a in after):
            answer["args"] = after
        _flush()
        return answer
    except BaseException as e:  # noqa: BLE001  # whatever it raises is its answer
        return _raised(e)


def find(module: types.ModuleType, name: str) -> Callable[..., Any]:
    """Return what a name stands for: ``f``, ``A.f``, ``A().f``, or ``f`` of a class ``Solution``."""
    value: Any = module
    for part in name.split("."):
        bare = part.removesuffix("()")
        if value is module and not hasattr(module, bare) and hasattr(getattr(module, "Solution", None), bare):
            value = module.Solution()
        if value is module and not hasattr(module, bare):
            raise NameError(f"name {bare!r} is not defined")
        value = getattr(value, bare)
        if part.endswith("()"):
            value = value()
    return value  # type: ignore[no-any-return]


def _changed(argument: Any, before: Tree) -> Tree:
    """Return a container's content where the call changed it, and None where it did not."""
    try:
        if isinstance(argument, list | dict | set | bytearray | tuple):
            after = encode(argument)
            return None if after == before else after
    except Unplain:
        pass  # it now holds what cannot cross: the judge keeps what it had
    return None


def _callback(connection: socket.socket, key: Tree) -> Callable[..., Any]:
    def callback(*args: Any) -> Any:
        send(connection, {"callback": key, "args": [encode(a) for a in args]})
        reply: Any = receive(connection, limit=REQUEST_LIMIT)
        if "value" not in reply:
            raise RuntimeError(str(reply.get("error")))
        return decode(reply["value"])

    return callback


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
        traceback.print_exc(limit=20)
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001, S110  # the report is a courtesy
        pass


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # closed, or something else in its place
            stream.flush()
