"""Runs the tests that are functions, methods of plain classes, and unittest cases."""

from __future__ import annotations

import inspect
import types
import unittest
from collections.abc import Callable, Iterator
from typing import Any

from referee.sandbox.inside.checks import HOOKS, Tests, takes_candidate
from referee.sandbox.inside.tally import CheckTally


def run_functions(run: CheckTally, tests: Tests, namespace: dict[str, Any], candidate: Any) -> None:
    """Run every test function that has not been run, once for each of its parameters."""
    hooks = {name: namespace[name] for name in HOOKS if callable(namespace.get(name))}
    with run.check(counts=False):
        _hook(hooks, "setup_module", "setUpModule")
    for name in tests.functions:
        function = namespace.get(name)
        if name in run.entered or not callable(function):
            continue
        for arguments in _runs(function, ()):
            before = run.total
            with run.check(name, counts=name != "check"):
                _hook(hooks, "setup_function", "setup", function=function)
                finish(_with_candidate(function, name, arguments, candidate))
                _was_run(run, tests, name)
                _hook(hooks, "teardown_function", "teardown", function=function)
            if name == "check" and run.total == before:
                run.add(passed=True)
            if run.stopped:
                return
    with run.check(counts=False):
        _hook(hooks, "teardown_module", "tearDownModule")


def run_classes(run: CheckTally, tests: Tests, namespace: dict[str, Any], candidate: Any) -> None:
    """Run every test method of the plain classes of a module, in pytest's style."""
    for owner in own_classes(namespace):
        if not issubclass(owner, unittest.TestCase):
            _run_class(run, tests, owner, owner.__name__)


def own_classes(namespace: dict[str, Any]) -> list[type]:
    """Return the classes that a module defined, each once."""
    found = [v for v in namespace.values() if isinstance(v, type) and v.__module__ == "__main__"]
    return list(dict.fromkeys(found))


def _was_run(run: CheckTally, tests: Tests, name: str) -> None:
    if name in tests.decorated and name not in run.entered:
        raise AssertionError("its decorator kept the test from running")


def _run_class(run: CheckTally, tests: Tests, owner: type, path: str) -> None:
    names = [n for n in dir(owner) if n.startswith("test") and callable(getattr(owner, n))]
    new = [n for n in names if f"{path}.{n}" not in run.entered]
    if new:
        with run.check(path, counts=False):
            _hook_of(owner, "setup_class")
        for name in new:
            for arguments in _runs(getattr(owner, name), getattr(owner, "pytestmark", ())):
                with run.check(f"{path}.{name}"):
                    instance = owner()
                    method = getattr(instance, name)
                    _hook_of(instance, "setup_method", "setup", function=method)
                    try:
                        finish(method(**arguments))
                        _was_run(run, tests, f"{path}.{name}")
                    finally:
                        _hook_of(instance, "teardown_method", "teardown", function=method)
                if run.stopped:
                    return
        with run.check(path, counts=False):
            _hook_of(owner, "teardown_class")
    for name, inner in list(vars(owner).items()):
        if isinstance(inner, type) and inner.__module__ == "__main__" and not run.stopped:
            _run_class(run, tests, inner, f"{path}.{name}")


def finish(result: Any) -> None:
    """Carry a test's coroutine or generator to its end; what a generator yields to be called is called."""
    if inspect.iscoroutine(result):
        import asyncio  # large, and seldom needed

        asyncio.run(result)
    elif inspect.isasyncgen(result):
        import asyncio

        async def exhaust() -> None:
            async for _ in result:
                pass

        asyncio.run(exhaust())
    elif isinstance(result, types.GeneratorType):
        for item in result:
            if isinstance(item, tuple) and item and callable(item[0]):
                finish(item[0](*item[1:]))
            elif callable(item):
                finish(item())


def _hook(hooks: dict[str, Any], *names: str, function: Any = None) -> None:
    for name in names:
        if name in hooks:
            _call_hook(hooks[name], function)


def _hook_of(owner: Any, *names: str, function: Any = None) -> None:
    for name in names:
        if callable(hook := getattr(owner, name, None)):
            _call_hook(hook, function)


def _call_hook(hook: Callable[..., Any], function: Any) -> None:
    finish(hook(function) if inspect.signature(hook).parameters else hook())


def _with_candidate(function: Any, name: str, arguments: dict[str, Any], candidate: Any) -> Any:
    if not arguments and candidate is not None:
        required = _required(function)
        entry_point = getattr(candidate, "__name__", "")
        if len(required) == 1 and takes_candidate(name, required[0], entry_point):
            return function(candidate)
    return function(**arguments)


def _required(function: Any) -> list[str]:
    """Return the names of the parameters that have no default."""
    if type(function) is types.FunctionType and not function.__kwdefaults__ and not function.__dict__:
        code = function.__code__  # much quicker than a signature
        return list(code.co_varnames[: code.co_argcount - len(function.__defaults__ or ())])
    return [n for n, p in inspect.signature(function).parameters.items() if p.default is p.empty]


def _runs(function: Any, outer: Any) -> Iterator[dict[str, Any]]:
    """Yield the keyword arguments of each run that pytest's marks ask for: none where it is skipped."""
    runs: list[dict[str, Any]] = [{}]
    if not isinstance(function, types.FunctionType | types.MethodType | type):
        function = None  # a decorator's, which may be the solution's
    marks = [*(outer if isinstance(outer, list | tuple) else [outer]), *getattr(function, "pytestmark", ())]
    for mark in marks:
        mark = getattr(mark, "mark", mark)
        if mark.name == "skip" or (mark.name == "skipif" and mark.args and mark.args[0]):
            return
        if mark.name != "parametrize":
            continue
        names, rows = (
            *mark.args,
            *(mark.kwargs.get(k) for k in ("argnames", "argvalues") if k in mark.kwargs),
        )[:2]
        keys = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
        single = isinstance(names, str) and "," not in names
        values = [dict(zip(keys, _row(row, single=single), strict=True)) for row in rows]
        runs = [{**a, **b} for a in runs for b in values]
    yield from runs


def _row(row: Any, *, single: bool) -> tuple[Any, ...]:
    if type(row).__name__ == "ParameterSet":
        return tuple(row.values)
    return (row,) if single else tuple(row)


def run_cases(run: CheckTally, tests: Tests, namespace: dict[str, Any], candidate: Any) -> None:
    """Run the TestCase classes of a module; each method is one check, skipped ones are none."""
    suite = unittest.TestSuite()
    for owner in own_classes(namespace):
        if issubclass(owner, unittest.TestCase):
            suite.addTest(unittest.defaultTestLoader.loadTestsFromTestCase(owner))
    wanted = suite.countTestCases()
    if not wanted:
        return
    result = _CaseResult(run)
    with run.check(counts=False):
        suite.run(result)
    for _ in range(wanted - result.finished):
        run.add(passed=False)  # never run: what comes before all of them failed


class _CaseResult(unittest.TestResult):
    def __init__(self, run: CheckTally) -> None:
        super().__init__()
        self.tally = run
        self.failfast = run.stop_early
        self.finished = 0
        self._calls = run.remote.calls
        self._counts = True
        self._failure: dict[str, Any] | None = None

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._calls = self.tally.remote.calls
        self._counts, self._failure = True, None

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        self.finished += 1
        if self._failure is not None or self._counts:
            self.tally.add(passed=self._failure is None, failure=self._failure)

    def addError(self, test: Any, err: Any) -> None:
        self._note(test, err)
        self.errors.append((test, ""))

    def addFailure(self, test: Any, err: Any) -> None:
        self._note(test, err)
        self.failures.append((test, ""))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.addFailure(subtest, err)

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._failure = {"test": str(test), "line": 0, "error": "passed, and must not"}

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        pass

    def addSkip(self, test: Any, reason: str) -> None:
        if self.tally.remote.calls != self._calls:  # it asked the solution first
            self._failure = {"test": str(test), "line": 0, "error": f"skipped: {reason}"[:500]}
        elif isinstance(test, unittest.TestCase):
            self._counts = False
        else:  # a class, before its first test
            owner = str(test).rpartition("(")[2].rstrip(")")
            self.finished += sum(
                unittest.defaultTestLoader.loadTestsFromTestCase(c).countTestCases()
                for c in own_classes(vars(__import__("sys").modules["__main__"]))
                if owner.endswith(c.__qualname__) and issubclass(c, unittest.TestCase)
            )

    def _note(self, test: Any, err: Any) -> None:
        self._failure = self._failure or self.tally.describe(err[1], str(test))
        self.tally.error = self.tally.error or f"{err[0].__name__}: {err[1]}"[:500]
        if not isinstance(test, unittest.TestCase) and not hasattr(test, "test_case"):
            if len(self.tally.failures) < 20:
                self.tally.failures.append(self._failure)
            self._failure = None
        if self.failfast:
            self.stop()
