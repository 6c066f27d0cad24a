"""What a judge's child does: it runs the tests against a proxy of the solution, or a checker.

The tests and expected values are here and nowhere else. The verdict goes to the host over a socket
that the solution never held.
"""

from __future__ import annotations

import _socket
import ast
import builtins
import contextlib
import copy
import gc
import importlib
import io
import os
import sys
import types
import unittest
from collections.abc import Callable
from typing import Any

from referee.sandbox.inside import checks, pytest_reader, pytest_runner
from referee.sandbox.inside.proxy import SolutionProxy
from referee.sandbox.inside.runners import run_cases, run_classes, run_functions
from referee.sandbox.inside.scratch import go_to
from referee.sandbox.inside.solution import REQUEST_LIMIT, flush
from referee.sandbox.inside.tally import CheckTally
from referee.sandbox.inside.wire import Connection, Malformed, Tree, frame

STATUS = 0  # the standard input is a slate that the host reads where a judge never answered
MOST_KEPT = 1 << 20  # bytes of answers that a judge may have read, and judge again
_OWN_FAULTS = ("ImportError", "ModuleNotFoundError", "OSError", "FileNotFoundError", "PermissionError")
LOADED, CALLED = b"L", b"C"


def main(fd: int) -> None:
    """Answer requests until the host has no more that this process may go on to."""
    gc.enable()
    while carry_out(fd):
        pass
    os._exit(0)


def carry_out(fd: int) -> bool:
    """Carry out one request, which comes with the connection to the solution; False at the end of them."""
    host = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
    data, ancillary, _, _ = host.recvmsg(1 << 16, _socket.CMSG_SPACE(4))
    host.detach()
    if not data:
        return False
    connection = Connection(int.from_bytes(ancillary[0][2][:4], sys.byteorder))
    stream = Connection(fd, data)
    request: Any = stream.receive(limit=REQUEST_LIMIT)
    stream.send(_check(request) if request["mode"] == "check" else _judge(request, connection))
    os.close(connection.fd)
    return True


def rehearse() -> None:
    """Judge two solutions in the fork server: children then share what that made warm."""
    tests = "def check(candidate):\n    assert candidate([1], 'a') == [1, 1]\n    assert candidate(2) == 4\n"
    own = sys.modules["__main__"]
    for right in (True, False):
        host, judge = _socket.socketpair()
        connection, solution = _socket.socketpair()
        request: Tree = {
            "mode": "judge", "tests": tests, "entry_point": "f", "setup": "", "stop_early": right,
        }  # fmt: skip
        rights = connection.fileno().to_bytes(4, sys.byteorder)
        host.sendmsg([frame(request)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        answers: list[Tree] = [{"loaded": True}, {"value": [1, 1]}, {"value": 4 if right else None}]
        solution.send(b"".join(frame(a) for a in answers))
        carry_out(judge.fileno())
        for end in (host, judge, connection, solution):
            end.close()
    sys.modules["__main__"] = own
    del sys.modules["__tests__"]


def _check(request: dict[str, Any]) -> dict[str, Tree]:
    """Run a special checker: ``check(stdin, stdout, expected)``: whether it is right, or a share up to 1."""
    namespace: dict[str, Any] = {"__name__": "__checker__"}
    try:
        exec(compile(request["checker"], "<checker>", "exec"), namespace)  # noqa: S102  # the problem's own
        check = namespace["check"]
    except Exception as e:  # noqa: BLE001  # a checker that cannot be loaded is the problem's fault
        return {"bad_reference": f"the checker cannot be loaded: {type(e).__name__}: {e}"[:500]}
    stdin, expected, error = request["stdin"], request["expected"], ""
    try:
        said = check(stdin, request["stdout"], expected)
        score = float(said or 0.0)
        if not 0 <= score <= 1:
            return {
                "bad_reference": f"a checker must return True, False or a share up to 1, got {said!r:.80}"
            }
        if said is not None:
            return {"score": score}
    except Exception as e:  # noqa: BLE001  # a checker may well choke on what is wrong; on what is right, never
        error = f"{type(e).__name__}: {e}"[:500]
    try:
        if check(stdin, expected, expected) is None:
            return {"bad_reference": "the checker returns None for the expected output itself"}
    except Exception:  # noqa: BLE001
        return {"bad_reference": f"the checker raises on the expected output itself: {error}"}
    return {"score": 0.0, "error": error}


def _judge(request: dict[str, Any], connection: Connection) -> dict[str, Tree]:
    try:
        tests = checks.read(request["tests"], request["entry_point"], request["setup"])
    except (SyntaxError, ValueError, MemoryError, RecursionError) as e:
        return {"bad_reference": f"the tests cannot be read: {type(e).__name__}: {e}"[:500]}
    pytest_reader.install()
    sys.modules["pytest"].__dict__["main"] = _no_main
    if tests.fixtures and not pytest_reader.is_whole():
        return {"bad_reference": "the tests use pytest's fixtures: name pytest in preload"}
    if tests.refused:
        return {"bad_reference": tests.refused}
    try:
        loaded = connection.receive()
        if isinstance(loaded, dict) and "folder" in loaded:
            go_to(str(loaded["folder"]))
            loaded = connection.receive()
    except (EOFError, OSError, Malformed):
        loaded = {"error": "the solution's process ended while its code was loading", "ended": True}
    if not isinstance(loaded, dict) or loaded.get("loaded") is not True:
        unloaded: Tree = loaded if isinstance(loaded, dict) else {"error": "no answer"}
        return {"unloaded": unloaded, "clean": connection.received <= MOST_KEPT}
    os.pwrite(STATUS, LOADED, 0)
    before = {name: dict(vars(sys.modules[name])) for name in tests.modules}
    remote = SolutionProxy(connection)
    remote.on_first_call = _called
    remote.plain = not tests.objects
    if tests.files and (os.getcwd() == "/" or not os.access(".", os.W_OK)):
        return {"bad_reference": "the tests use files, and there is no folder for them here"}
    remote.stops = "StopIteration" in tests.used
    run = CheckTally(remote, tests.source, stop_early=request["stop_early"])
    _run(tests, request, remote, run)
    report: dict[str, Tree] = {
        "passed": run.passed,
        "total": run.total,
        "failures": [*run.failures],
        "calls": remote.calls,
        "gone": remote.gone,
        "out_of_memory": remote.out_of_memory,
    }
    if run.error:
        report["error"] = run.error
    if not remote.calls and (not remote.looked or run.error.startswith(_OWN_FAULTS)):
        report["bad_reference"] = run.error or "the tests never called the solution"
    elif not run.total:
        report["bad_reference"] = "every test is skipped"
    if run.refused or remote.refused:
        report["bad_reference"] = run.refused or remote.refused
    if remote.best_effort:
        report["guarantee"] = "best effort"
    report["clean"] = _clean(remote, tests) and all(vars(sys.modules[n]) == was for n, was in before.items())
    return report


def _no_main(*_: Any, **__: Any) -> int:
    """Stand in for ``unittest.main`` and ``pytest.main``: all tests are run here, whoever asks."""
    return 0


unittest.main = _no_main  # type: ignore[assignment]


def _clean(remote: SolutionProxy, tests: checks.Tests) -> bool:
    """Tell whether this process may judge the same tests again: nothing of this solution is left in it.

    Results lived in names that are gone. Not so what a call changed in place, what ran meanwhile, what was
    written, and modules that stand for the solution.
    """
    threading = sys.modules.get("threading")
    flush()
    return not (
        remote.touched
        or remote.connection.received > MOST_KEPT
        or tests.may_import
        or tests.files
        or (threading is not None and threading.active_count() > 1)
        or os.fstat(1).st_size
        or os.fstat(2).st_size
    )


def _called() -> None:
    os.pwrite(STATUS, CALLED, 0)


def _run(tests: checks.Tests, request: dict[str, Any], remote: SolutionProxy, run: CheckTally) -> None:
    """Run the tests, filling ``run``."""
    module = types.ModuleType("__tests__")
    sys.modules["__tests__"] = sys.modules["__main__"] = module
    namespace = module.__dict__
    if request["setup"]:
        _trusted_setup(request["setup"], namespace)
    candidate = None
    with run.check(counts=False):
        candidate = _bind(tests, request["entry_point"], namespace, remote)
    if run.total:
        return
    namespace.update(run.names(), __name__="__main__", __file__="tests.py")
    counted = not run.stop_early
    sys.argv[:] = ["tests"]
    with run.check(counts=tests.own_checks and not counted):
        exec(tests.counted if counted else tests.code, namespace)  # noqa: S102  # the problem's own tests
    run.swallowed(set(tests.functions))
    if not run.stopped and tests.fixtures:
        pytest_runner.run_module(run, module)
    elif not run.stopped:
        for part in (run_functions, run_classes, run_cases):
            if not run.stopped:
                part(run, tests, namespace, candidate)
    if run.error and run.total and run.passed == run.total:
        run.add(passed=False)


def _bind(tests: checks.Tests, entry_point: str, namespace: dict[str, Any], remote: SolutionProxy) -> Any:
    """Bind the names that are the solution's; return its entry point, where there is one."""
    entry = entry_point.split(".")[-1]
    remote.classes = {
        k: v for k, v in namespace.items() if isinstance(v, type) and v.__module__ == "__tests__"
    }
    for name in [entry, entry_point.split(".")[0].removesuffix("()"), *_stubs(remote.classes)]:
        if isinstance(namespace.get(name), type):  # the starter's, which the solution fills in
            del namespace[name], remote.classes[name]
    wanted = []
    for name in sorted(tests.used):
        if isinstance(namespace.get(name), types.FunctionType) and name != entry_point:
            namespace[name] = _helper(name, namespace[name], remote)
        elif name not in namespace and name not in tests.bound and not hasattr(builtins, name):
            wanted.append(name)
    seen = remote.look([name for name in wanted if name != "candidate" and name not in tests.only_called])
    for name in wanted:
        kind, value = seen.get(name, ("function", None))
        if kind == "module":
            value = _module(value)
        if value is not None or kind == "value":
            namespace[name] = value
        elif kind == "function":
            namespace[name] = remote.function(entry_point if name == "candidate" and entry_point else name)
    if tests.may_import:
        _importable(tests.tree, remote)
    if not entry_point:
        return None
    if entry not in wanted:
        namespace[entry] = remote.function(entry_point)
    namespace.setdefault("candidate", namespace[entry])
    return namespace["candidate"]


def _module(name: Any) -> Any:
    """Return the judge's own module of a name, where there is one; never what the solution calls so."""
    if not isinstance(name, str) or name.split(".")[0] in ("referee", "antigravity", "this"):
        return None
    if name in sys.modules or name.split(".")[0] in sys.stdlib_module_names:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None


def _stubs(classes: dict[str, type]) -> list[str]:
    """Return the classes whose methods do nothing: those of a starter."""
    empty = [name for name, kind in classes.items() if (found := _bodies(kind)) and not any(found)]
    return empty


def _bodies(kind: type) -> list[bool]:
    """Tell of each function of a class whether it does anything."""
    functions = [v for v in vars(kind).values() if isinstance(v, types.FunctionType)]
    return [bool(f.__code__.co_names or f.__code__.co_varnames[f.__code__.co_argcount :]) for f in functions]


def _trusted_setup(setup: str, namespace: dict[str, Any]) -> None:
    """Define what the prompt defines: the problem's own helpers, never the solution's."""
    for text in (setup, setup + "\n    pass\n"):
        try:
            code = compile(text, "<prompt>", "exec")
        except (SyntaxError, ValueError):
            continue
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            exec(code, namespace)  # noqa: S102  # the problem's own prompt
        return


def _helper(name: str, trusted: Callable[..., Any], remote: SolutionProxy) -> Callable[..., Any]:
    """Return the problem's own helper, which the solution's copy of it must agree with.

    What the tests go on with is the problem's; a solution that has changed the helper fails, as it would
    where its own were used.
    """
    theirs = remote.function(name)

    def helper(*args: Any, **kwargs: Any) -> Any:
        again = copy.deepcopy((args, kwargs))
        result = trusted(*args, **kwargs)
        try:
            same = theirs(*again[0], **again[1]) == result
        except NameError:  # a solution need not bring the helper along
            return result
        if not same and result == result:  # not a number is no disagreement
            raise AssertionError(f"the solution's {name} is not the problem's")
        return result

    return helper


def _importable(tree: ast.Module, remote: SolutionProxy) -> None:
    """Let the tests import the solution from whatever module they call it, where no such module is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in checks.SOLUTION_MODULES:
            module = sys.modules.setdefault(node.module, types.ModuleType(node.module))
            for alias in node.names:
                setattr(module, alias.name, getattr(_Solution(module.__name__, remote), alias.name))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in checks.SOLUTION_MODULES:
                    sys.modules[alias.name] = _Solution(alias.name, remote)


class _Solution(types.ModuleType):
    def __init__(self, name: str, remote: SolutionProxy) -> None:
        super().__init__(name)
        self._remote = remote

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._remote.function(name)
