"""Which tests a source holds, by its syntax: what is found is run, or the source is refused.

Found are assertions of the module, ``check(candidate)``, functions ``test*``, functions without
parameters that assert, classes with ``test*`` methods, and ``unittest`` cases.
"""

from __future__ import annotations

import _symtable  # type: ignore[import-not-found]  # typeshed has no stub
import ast
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from referee.sandbox.inside import rewriting
from referee.sandbox.inside.needs import uses_objects
from referee.sandbox.inside.refusals import refusal, uses_files
from referee.sandbox.inside.rewriting import FUNCTIONS

SOLUTION_MODULES = frozenset({"solution", "candidate", "main", "your_module", "answer", "submission"})
CANDIDATES = frozenset({"candidate", "func", "fn", "f", "function", "solution"})  # a check's parameter
HOOKS = frozenset(
    f"{when}_{what}" for when in ("setup", "teardown") for what in ("module", "function", "class", "method")
) | {"setUpModule", "tearDownModule", "setup", "teardown", "setUp", "tearDown"}


@dataclass(frozen=True, eq=False)
class Tests:
    """A test source: its code, the global names that it reads and binds, and what there is to run.

    ``may_import`` is true where it may import the solution as a module; ``modules`` are those it names.
    ``only_called`` are those names that nothing else is done with. ``functions`` are the tests that are
    functions, ``decorated`` those that a decorator may keep from running; ``own_checks`` is whether the
    module itself checks anything, ``fixtures`` whether only pytest can run it, ``objects`` whether it uses
    objects that the solution makes, ``files`` whether it uses files, and ``refused`` why nobody can run it.
    """

    source: str
    tree: ast.Module
    code: types.CodeType
    used: set[str]
    only_called: set[str]
    bound: set[str]
    may_import: bool
    modules: set[str]
    functions: tuple[str, ...]
    watched: frozenset[str]
    decorated: frozenset[str]
    own_checks: bool
    fixtures: bool
    objects: bool
    files: bool
    refused: str

    @cached_property
    def counted(self) -> types.CodeType:
        """Return the code with every assert of the module and of ``check`` counted."""
        whole = rewriting.rewrite(ast.parse(self.source), watched=set(self.watched), count=True)
        return compile(whole, "<tests>", "exec", dont_inherit=True)


@lru_cache(maxsize=2)
def read(source: str, entry_point: str = "", setup: str = "") -> Tests:
    """Compile a test source and find its names as the compiler sees them; raises what compile raises."""
    code = compile(source, "<tests>", "exec", dont_inherit=True)
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    used, bound = _names(source)
    tops = list(_definitions(tree.body))
    functions = {n.name: n for n in tops if isinstance(n, FUNCTIONS)}
    classes = [n for n in tops if isinstance(n, ast.ClassDef)]
    tests = [n for n in functions.values() if _is_test(n, used, entry_point)]
    methods = [(name, m) for c in classes for name, m in _methods(c, "")]
    helpers = [n.name for n in functions.values() if n not in tests and rewriting.asserts(n.body)]
    watched = frozenset([*(n.name for n in tests), *(name for name, _ in methods), *helpers])
    module = [n for n in tree.body if not isinstance(n, (*FUNCTIONS, ast.ClassDef))]
    calls = any(isinstance(n, ast.Call) for n in rewriting.own_nodes(module))
    named = [(n.name, n) for n in tests] + methods
    decorated = frozenset(name for name, n in named if any(not _is_mark(d) for d in n.decorator_list))
    if (calls and watched & used) or "print" in used or decorated:
        whole = rewriting.rewrite(ast.parse(source), watched=set(watched), count=False)
        code = compile(whole, "<tests>", "exec", dont_inherit=True)
    fixtures = "fixture" in source and any(
        isinstance(n, ast.Attribute | ast.Name)
        and (n.attr if isinstance(n, ast.Attribute) else n.id) in ("fixture", "usefixtures")
        for n in nodes
    )
    fixtures = fixtures or any(
        _uncovered(m, c, entry_point) for c, m in [(None, n) for n in tests] + _plain_methods(classes)
    )
    checks = rewriting.asserts(module) or any(
        isinstance(n, ast.Call) and rewriting.called(n) in watched for n in rewriting.own_nodes(module)
    )
    needs_name = (
        not entry_point and "check" in functions and "check" not in used and _required(functions["check"])
    )
    why = "" if not needs_name else "check(candidate) needs the entry point's name"
    there = bool(tests or methods or checks or any(_is_case(c) for c in classes))
    may_import = "import" in source and any(module in source for module in SOLUTION_MODULES)
    modules = {name for name in _attributes(code) if name in sys.modules}
    return Tests(
        source=source,
        tree=tree,
        code=code,
        used=used,
        only_called=_only_called(nodes),
        bound=bound,
        may_import=may_import,
        modules=modules,
        functions=tuple(n.name for n in tests),
        watched=watched,
        decorated=decorated,
        own_checks=checks,
        fixtures=fixtures,
        objects=uses_objects([nodes, *_setup_nodes(setup)], used - bound, entry_point),
        files=uses_files(nodes, used),
        refused=refusal(nodes, used, bound, setup) or why or ("" if there else "the tests check nothing"),
    )


def _is_mark(decorator: ast.expr) -> bool:
    return ".mark." in ast.unparse(decorator)


def _names(source: str) -> tuple[set[str], set[str]]:
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
    return used, bound


def _setup_nodes(setup: str) -> list[list[ast.AST]]:
    for text in (setup, setup + "\n    pass\n") if setup else ():
        try:
            return [list(ast.walk(ast.parse(text)))]
        except (SyntaxError, ValueError):
            continue
    return []


def _only_called(nodes: list[ast.AST]) -> set[str]:
    """Return the names, not those of classes, that are called wherever they stand."""
    calls = {id(n.func) for n in nodes if isinstance(n, ast.Call)}
    names = [n for n in nodes if isinstance(n, ast.Name)]
    return {n.id for n in names if not n.id[:1].isupper()} - {n.id for n in names if id(n) not in calls}


def _attributes(code: types.CodeType) -> set[str]:
    """Return every name that code reads or sets other than its own variables."""
    inner = [_attributes(c) for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*inner)


def _definitions(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the functions and classes of a module, those under its conditions too."""
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node
        else:
            for name in ("body", "orelse", "finalbody", "handlers"):
                inner = getattr(node, name, [])
                for n in inner if isinstance(inner, list) else []:
                    yield from _definitions(n.body if isinstance(n, ast.ExceptHandler) else [n])


def _is_test(node: ast.FunctionDef | ast.AsyncFunctionDef, used: set[str], entry_point: str) -> bool:
    if node.name == "check":
        return True
    if node.name in HOOKS or any("fixture" in ast.unparse(d) for d in node.decorator_list):
        return False
    if node.name.startswith("test"):  # one with parameters that others call is their helper
        return not (_uncovered(node, None, entry_point) and node.name in used)
    required = _required(node)
    own = any(isinstance(n, ast.Assert) for n in rewriting.own_nodes(node.body))
    yields = any(isinstance(n, ast.Yield | ast.YieldFrom) for n in rewriting.own_nodes(node.body))
    return own and not required and not node.decorator_list and not yields


def _methods(node: ast.ClassDef, outer: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for inner in node.body:
        if isinstance(inner, ast.ClassDef):
            yield from _methods(inner, f"{outer}{node.name}.")
        elif isinstance(inner, FUNCTIONS) and inner.name.startswith("test"):
            yield f"{outer}{node.name}.{inner.name}", inner


def _plain_methods(
    classes: Iterable[ast.ClassDef],
) -> list[tuple[ast.ClassDef | None, ast.FunctionDef | ast.AsyncFunctionDef]]:
    out: list[tuple[ast.ClassDef | None, ast.FunctionDef | ast.AsyncFunctionDef]] = []
    for node in classes:
        if not _is_case(node):
            out += [(node, n) for n in node.body if isinstance(n, FUNCTIONS) and n.name.startswith("test")]
            out += _plain_methods(n for n in node.body if isinstance(n, ast.ClassDef))
    return out


def _is_case(node: ast.ClassDef) -> bool:
    return any("TestCase" in ast.unparse(b) for b in node.bases)


def _required(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    a = node.args
    positional = [*a.posonlyargs, *a.args]
    needed = positional[: len(positional) - len(a.defaults)]
    needed += [k for k, default in zip(a.kwonlyargs, a.kw_defaults, strict=True) if default is None]
    return [n.arg for n in needed]


def _uncovered(
    node: ast.FunctionDef | ast.AsyncFunctionDef, owner: ast.ClassDef | None, entry_point: str
) -> list[str]:
    """Return the parameters that only a fixture could give."""
    names = _required(node)
    static = any(ast.unparse(d) == "staticmethod" for d in node.decorator_list)
    if owner is not None and not static:
        names = names[1:]
    for decorator in [*node.decorator_list, *(owner.decorator_list if owner else [])]:
        text = ast.unparse(decorator)
        if ".parametrize" in text and isinstance(decorator, ast.Call) and decorator.args:
            given = decorator.args[0]
            try:
                found = ast.literal_eval(given)
            except ValueError:
                return []
            keys = found.split(",") if isinstance(found, str) else list(found)
            names = [n for n in names if n not in {k.strip() for k in keys}]
        elif "mark." not in text and not static:
            return []  # it may give any of them
    if owner is None and len(names) == 1 and takes_candidate(node.name, names[0], entry_point):
        return []
    return names


def takes_candidate(name: str, parameter: str, entry_point: str) -> bool:
    """Tell whether a test's one parameter is the solution's function."""
    return name == "check" or parameter in CANDIDATES or parameter == entry_point.split(".")[-1]
