"""Do the tests use objects of the solution, or plain data alone? Told by the tests, never by what it returns.

Where they use plain data alone, a result that is an object is no answer, whatever it would say of itself.
"""

from __future__ import annotations

import ast
import builtins
import collections
import datetime
import decimal
import fractions
import sys
from collections.abc import Iterable

_DATA: tuple[type, ...] = (
    str, bytes, bytearray, list, tuple, dict, set, frozenset, int, float, complex, range, slice,
    collections.deque, collections.Counter, collections.OrderedDict, collections.defaultdict,
    decimal.Decimal, fractions.Fraction, datetime.datetime, datetime.timedelta, datetime.time, Exception,
)  # fmt: skip
_PLAIN = frozenset(name for kind in _DATA for name in dir(kind))
_OF_ARRAYS = frozenset([  # and of what else crosses as data, or is the tests' own
    "shape", "dtype", "tolist", "ndim", "all", "any", "size", "T", "iloc", "loc", "columns", "index",
    "values", "equals", "sum", "mean", "hex", "name", "exception", "errno", "strerror", "stdout",
    "stderr", "out", "err", "getvalue", "match", "parts", "suffix", "stem", "year",
])  # fmt: skip


def uses_objects(sources: Iterable[list[ast.AST]], foreign: set[str], entry_point: str) -> bool:
    """Tell whether tests use classes, attributes, methods or callables that the solution makes.

    ``sources`` are the nodes of the tests and of the problem's own code; ``foreign`` are the names that
    the tests use and do not define.
    """
    entry = entry_point.split(".")[-1]
    ours = {n for n in foreign if not hasattr(builtins, n) and n not in sys.stdlib_module_names}
    if entry[:1].isupper() or any(n[:1].isupper() for n in ours):
        return True
    return any(_among(nodes, ours | {entry, "candidate"}) for nodes in sources)


def _among(nodes: list[ast.AST], ours: set[str]) -> bool:
    imported = {
        (a.asname or a.name).split(".")[0]
        for n in nodes
        if isinstance(n, ast.Import | ast.ImportFrom)
        for a in n.names
    }
    modules = imported | set(sys.stdlib_module_names) | {"self", "cls", "np", "pd", "pytest", "unittest"}
    contexts = {
        n.optional_vars.id
        for n in nodes
        if isinstance(n, ast.withitem)
        and isinstance(n.optional_vars, ast.Name)
        and not _of(n.context_expr, ours)
    }
    made = {
        t.id
        for n in nodes
        if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)
        for t in n.targets
        if isinstance(t, ast.Name)
    }
    for node in nodes:
        if isinstance(node, ast.Attribute):
            root = _root(node)
            if isinstance(node.value, ast.Name) and node.value.id in ours - {"candidate"}:
                return True
            if node.attr not in _PLAIN | _OF_ARRAYS and root not in modules | contexts:
                return True
            inside_self = isinstance(node.value, ast.Attribute) and root in ("self", "cls")
            if inside_self and node.attr not in _PLAIN | _OF_ARRAYS:
                return True
        elif isinstance(node, ast.Call):
            called_result = isinstance(node.func, ast.Call | ast.Subscript)
            if called_result or (isinstance(node.func, ast.Name) and node.func.id in made):
                return True
            if isinstance(node.func, ast.Name) and node.func.id in (
                "callable",
                "vars",
                "getattr",
                "hasattr",
                "setattr",
            ):
                return True
        used = [node.context_expr] if isinstance(node, ast.withitem) else getattr(node, "decorator_list", ())
        if any(_of(n, ours) for n in used):
            return True
    return False


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _of(node: ast.expr, ours: set[str]) -> bool:
    return any(isinstance(n, ast.Name) and n.id in ours for n in ast.walk(node))
