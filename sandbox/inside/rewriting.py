"""Test sources rewritten so that nothing which they check goes by unseen.

A function that holds checks says when it was entered and whether it failed, even where the tests
swallow its failure. ``print(f(2) == 4)`` is an assertion. Where checks are counted, each statement of
the module and of ``check`` goes on where the one before it failed, and what that one should have bound
is unbound, so that a solution that raises early loses every check that it did not pass.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

WATCH, BEGIN, PASSED, FAILED, DONE, BROKE, ERRORS = (
    f"__referee_{name}__" for name in ("watch", "begin", "passed", "failed", "done", "broke", "errors")
)
_CHECKING = re.compile(r"(?:assert|verify|check|expect|ensure|raises|fail|test)", re.IGNORECASE)
_LEAVING = frozenset({"exit", "quit", "_exit"})
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda)
_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.If)


def own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of some statements, without those of the functions and classes defined there."""
    pending = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, _SCOPES):
            continue
        yield node
        pending.extend(ast.iter_child_nodes(node))


def asserts(body: Iterable[ast.AST]) -> bool:
    """Tell whether some statements check anything themselves: an assert, or a call by such a name."""
    return any(_is_check(node) for node in own_nodes(body))


def _is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert | ast.Raise):
        return True
    if isinstance(node, ast.Expr) and printed_checks(node):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = called(node)
    return bool(_CHECKING.match(name)) or name in _LEAVING


def called(node: ast.Call) -> str:
    """Return the last part of the name that a call calls."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def printed_checks(node: ast.stmt) -> list[ast.expr]:
    """Return the comparisons of calls whose outcome a statement prints."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return []
    function = node.value.func
    if not (isinstance(function, ast.Name) and function.id == "print"):
        return []
    return [c for argument in node.value.args for c in _shown(argument)]


def _shown(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.JoinedStr):
        return [c for part in node.values if isinstance(part, ast.FormattedValue) for c in _shown(part.value)]
    if isinstance(node, ast.IfExp):
        return _shown(node.test)
    if isinstance(node, ast.BoolOp):
        return [node] if any(_shown(v) for v in node.values) else []
    equal = isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.Is)
    return [node] if equal and any(isinstance(n, ast.Call) for n in ast.walk(node)) else []


def rewrite(tree: ast.Module, *, watched: set[str], count: bool) -> ast.Module:
    """Return the tests with the functions named ``watched`` watched, and checks counted one by one."""
    head, body = [], list(tree.body)
    while body and (
        (isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant))
        or (isinstance(body[0], ast.ImportFrom) and body[0].module == "__future__")
    ):
        head.append(body.pop(0))
    body = [_Watching(watched, count=count).visit(_Printing().visit(node)) for node in body]
    return ast.fix_missing_locations(ast.Module([*head, *(_counted(body) if count else body)], []))


class _Printing(ast.NodeTransformer):
    """Puts an assertion of what a statement prints in the statement's place."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        found = printed_checks(node)
        if not found:
            return node
        test = found[0] if len(found) == 1 else ast.BoolOp(ast.And(), found)
        return ast.copy_location(ast.Assert(test, None), node)


class _Watching(ast.NodeTransformer):
    """Puts the body of each function watched into ``with watch(name):``."""

    def __init__(self, watched: set[str], *, count: bool) -> None:
        self.watched = watched
        self.count = count
        self.outer = ""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        before, self.outer = self.outer, f"{self.outer}{node.name}."
        node.body = [self.visit(n) for n in node.body]
        self.outer = before
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        name = self.outer + node.name
        if name not in self.watched:
            return node
        body = _counted(node.body) if self.count and name == "check" else node.body
        call = ast.Call(ast.Name(WATCH, ast.Load()), [ast.Constant(name)], [])
        watch = ast.With(items=[ast.withitem(call, None)], body=body)
        node.body = [ast.copy_location(watch, node.body[0])]
        return node

    visit_AsyncFunctionDef = visit_FunctionDef


def _counted(body: list[ast.stmt]) -> list[ast.stmt]:
    out: list[ast.stmt] = []
    for node in body:
        out += _statement(node)
    return out


def _statement(node: ast.stmt) -> list[ast.stmt]:
    """Return one statement such that its failure is recorded, and what follows is still run."""
    if isinstance(node, ast.Assert):
        return [_tried(node, PASSED)]
    if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
        return [_at(node, _call(BEGIN)), _tried(node, DONE)]
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [n.id for t in targets for n in ast.walk(t) if _stored(n)]  # type: ignore[attr-defined]
        unbound = [s for name in names for s in ast.parse(f"{name} = None\ndel {name}").body]
        return [_tried(node, "", [_call(BROKE, node.lineno), *unbound])]
    if isinstance(node, _LOOPS):
        raises = isinstance(node, ast.If) and any(isinstance(n, ast.Raise) for n in own_nodes([node]))
        node.body, node.orelse = _counted(node.body), _counted(node.orelse)
        return [_tried(node, PASSED if raises else "")]
    if isinstance(node, ast.With | ast.AsyncWith | ast.Try):
        return [_tried(node, PASSED if asserts([node]) else "")]
    return [node]


def _stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _tried(node: ast.stmt, after: str, instead: list[ast.stmt] | None = None) -> ast.stmt:
    handler = ast.ExceptHandler(ast.Name(ERRORS, ast.Load()), None, instead or [_call(FAILED, node.lineno)])
    done: list[ast.stmt] = [_call(after, node.lineno)] if after else []
    return _at(node, ast.Try(body=[node], handlers=[handler], orelse=done, finalbody=[]))


def _call(name: str, *arguments: int) -> ast.stmt:
    values: list[ast.expr] = [ast.Constant(a) for a in arguments]
    return ast.Expr(ast.Call(ast.Name(name, ast.Load()), values, []))


def _at(place: ast.stmt, node: ast.stmt) -> ast.stmt:
    for inner in ast.walk(node):
        if isinstance(inner, ast.stmt | ast.expr | ast.excepthandler) and not hasattr(inner, "lineno"):
            ast.copy_location(inner, place)
    return node
