"""Which checks a test source makes, and how they are counted one by one.

Three styles: ``unittest`` (methods of TestCase classes), ``functions`` (``test_*`` functions), and
``asserts`` (statements at the top or in ``check(candidate)``, each one a check).
"""

from __future__ import annotations

import _symtable  # type: ignore[import-not-found]  # typeshed has no stub
import ast
import io
import sys
import types
import unittest
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from referee.sandbox.inside.proxy import SolutionProxy
from referee.sandbox.inside.wire import Tree

RECORD = "__referee_record__"
SOLUTION_MODULES = frozenset({"solution", "candidate", "main", "your_module", "answer", "submission"})


class CheckTally:
    """What the checks of one run came to."""

    def __init__(self, *, stop_early: bool) -> None:
        self.stop_early = stop_early
        self.passed = 0
        self.total = 0
        self.failures: list[Tree] = []
        self.error = ""
        self.source = ""

    def add(self, *, passed: bool, failure: dict[str, Tree] | None = None) -> None:
        """Count one check."""
        self.total += 1
        self.passed += passed
        if failure is not None and len(self.failures) < 20:
            self.failures.append(dict(failure))

    def record(self, line: int, check: Callable[[], Any]) -> None:
        """Run one assert statement and count it."""
        text = self.source.splitlines()
        shown = text[line - 1].strip()[:300] if 0 < line <= len(text) else ""
        try:
            check()
        except Exception as e:  # noqa: BLE001  # whatever the statement raises, it did not hold
            error = f"{type(e).__name__}: {e}".removesuffix(": ")[:500]
            self.add(passed=False, failure={"test": shown, "line": line, "error": error, "last_call": ""})
        else:
            self.add(passed=True)

    def cases(self, module: Any) -> None:
        """Run the TestCase classes of a module; each method is one check, skipped ones are none."""
        suite = unittest.defaultTestLoader.loadTestsFromModule(module)
        runner = unittest.TextTestRunner(stream=io.StringIO(), failfast=self.stop_early)
        result = runner.run(suite)
        for test, trace in [*result.failures, *result.errors]:
            last = trace.strip().splitlines()[-1][:500]
            self.add(passed=False, failure={"test": str(test), "line": 0, "error": last, "last_call": ""})
        for test in result.unexpectedSuccesses:
            self.add(passed=False, failure={"test": str(test), "line": 0, "error": "passed, and must not"})
        good = result.testsRun - len(result.failures) - len(result.errors)
        for _ in range(max(0, good - len(result.skipped) - len(result.unexpectedSuccesses))):
            self.add(passed=True)
        if result.failures or result.errors:
            self.error = self.error or "a test failed"

    def functions(
        self,
        namespace: dict[str, Any],
        guarded: Callable[..., AbstractContextManager[None]],
        remote: SolutionProxy,
    ) -> None:
        """Run every ``test_*`` function, once for each of its parameters; each run is one check."""
        for name, function in list(namespace.items()):
            if not name.startswith("test") or not callable(function):
                continue
            for arguments in _parameters(function):
                with guarded(self, remote, whole=False, name=name):
                    function(**arguments)
                if self.stop_early and self.passed < self.total:
                    return


def _parameters(function: Any) -> Iterable[dict[str, Any]]:
    """Return the keyword arguments of each run that pytest's parametrize marks ask for."""
    runs: list[dict[str, Any]] = [{}]
    for mark in getattr(function, "pytestmark", ()):
        if mark.name != "parametrize":
            continue
        names, rows = mark.args[0], mark.args[1]
        keys = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
        values = [dict(zip(keys, _row(row, len(keys)), strict=True)) for row in rows]
        runs = [{**a, **b} for a in runs for b in values]
    return runs


def _row(row: Any, width: int) -> tuple[Any, ...]:
    row = getattr(row, "values", row) if type(row).__name__ == "ParameterSet" else row
    return tuple(row) if width > 1 or isinstance(row, tuple) else (row,)


def style(tree: ast.Module) -> str:
    """Return which of the three styles a test source is written in."""
    if any(
        isinstance(n, ast.ClassDef) and any("TestCase" in ast.unparse(b) for b in n.bases) for n in tree.body
    ):
        return "unittest"
    functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    if "check" not in functions and any(n.startswith("test") for n in functions):
        return "functions"
    return "asserts"


@dataclass(frozen=True)
class Tests:
    """A test source: its code, the global names that it reads and binds, and its functions.

    ``may_import`` is true where it may import the solution as a module; ``modules`` are those it names.
    """

    source: str
    code: types.CodeType
    used: set[str]
    bound: set[str]
    functions: set[str]
    may_import: bool
    modules: set[str]


@lru_cache(maxsize=2)
def read(source: str) -> Tests:
    """Compile a test source and find its names as the compiler sees them; raises what compile raises."""
    code = compile(source, "<tests>", "exec", dont_inherit=True)
    top = _symtable.symtable(source, "<tests>", "exec")
    used: set[str] = set()
    bound: set[str] = set()
    pending = [top]
    while pending:
        scope = pending.pop()
        pending.extend(scope.children)
        for name, flags in scope.symbols.items():
            where = flags >> _symtable.SCOPE_OFF & _symtable.SCOPE_MASK
            if scope is top or where in (_symtable.GLOBAL_IMPLICIT, _symtable.GLOBAL_EXPLICIT):
                if flags & _symtable.USE:
                    used.add(name)
                if flags & _symtable.DEF_BOUND:
                    bound.add(name)
    functions = {scope.name for scope in top.children if scope.type == _symtable.TYPE_FUNCTION}
    may_import = "import" in source and any(module in source for module in SOLUTION_MODULES)
    modules = {name for name in _attributes(code) if name in sys.modules}
    return Tests(source, code, used, bound, functions, may_import, modules)


def _attributes(code: types.CodeType) -> set[str]:
    """Return every name that code reads or sets other than its own variables."""
    inner = [_attributes(c) for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*inner)


def has_cases(namespace: dict[str, Any]) -> bool:
    """Tell whether the tests that ran define a TestCase."""
    return any(isinstance(v, type) and issubclass(v, unittest.TestCase) for v in namespace.values())


def counted(source: str) -> types.CodeType | None:
    """Return the tests with every assert of the top and of ``check`` counted; None in another style."""
    tree = ast.parse(source)
    if style(tree) != "asserts":
        return None
    counting = _Counting()
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "check":
            node.body = [counting.visit(n) for n in node.body]
            body.append(node)
        else:
            body.append(counting.visit(node))
    whole = ast.fix_missing_locations(ast.Module(body=body, type_ignores=[]))
    return compile(whole, "<tests>", "exec", dont_inherit=True)


class _Counting(ast.NodeTransformer):
    """Turns ``assert x`` into ``record(line, check)`` around a function that makes the assertion."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        check = ast.Lambda(
            args=ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]),
            body=ast.Call(func=ast.Name(id=REQUIRE, ctx=ast.Load()), args=[node.test], keywords=[]),
        )
        arguments: list[ast.expr] = [ast.Constant(node.lineno), check]
        call = ast.Call(func=ast.Name(id=RECORD, ctx=ast.Load()), args=arguments, keywords=[])
        return ast.copy_location(ast.Expr(call), node)


REQUIRE = "__referee_require__"


def require(value: object) -> None:
    """Raise AssertionError where the value is false."""
    if not value:
        raise AssertionError
