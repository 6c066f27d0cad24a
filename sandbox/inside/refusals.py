"""Which tests can't be judged from another process than the solution's, told by the tests alone."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from referee.sandbox.inside.rewriting import called

_FILE_MODULES = frozenset({"open", "tempfile", "sqlite3", "shutil", "zipfile", "tarfile", "glob"})
_OF_OS = frozenset([
    "remove", "unlink", "mkdir", "makedirs", "rmdir", "exists", "isfile", "isdir", "listdir", "scandir",
    "walk", "rename", "replace", "stat",
])  # fmt: skip
_OF_PATHS = frozenset(["write_text", "read_text", "write_bytes", "read_bytes", "iterdir"])
_FIXTURES = frozenset(["tmp_path", "tmpdir", "tmp_path_factory"])
_RUNNING = frozenset({"pickle", "shelve", "dill", "joblib", "marshal", "runpy", "importlib", "subprocess"})
_STREAMS = frozenset({"sys.stdout", "sys.stderr"})
_OWN = frozenset(
    {"builtins.input", "builtins.open", "builtins.print", "sys.stdin", "time.time", "time.sleep"}
)
_PATCHES = frozenset({"patch", "dict", "multiple"})
_OF_MONKEYPATCH = frozenset({"setattr", "delattr", "setitem", "delitem", "setenv", "delenv", "chdir"})
_OF_SOURCE = frozenset({"getsource", "getsourcelines", "getmodule", "getsourcefile"})


def refusal(nodes: list[ast.AST], used: set[str], bound: set[str], setup: str) -> str:
    """Return why a test source can't be judged; an empty text where it can be."""
    modules = {a.asname or a.name.split(".")[0] for a in _imports(nodes)}
    if uses_files(nodes, used) and (running := sorted((modules & _RUNNING) | (used & {"exec", "eval"}))):
        return f"the tests use files, and {running[0]}, which may run what the solution wrote"
    for node in nodes:
        if isinstance(node, ast.Call) and (why := _call(node, modules)):
            return f"{why} (line {node.lineno})"
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _name(node) in _OWN:
            return f"the tests replace {_name(node)}, which the solution has its own of (line {node.lineno})"
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                name = _name(base)
                there = name in bound or hasattr(builtins, name) or f"class {name}" in setup
                if name and "." not in name and name in used and not there and f" {name}" not in setup:
                    return f"the tests derive {node.name} from {name}, a class of the solution"
    return ""


def uses_files(nodes: list[ast.AST], used: set[str]) -> bool:
    """Tell whether a test source makes, removes or looks for files."""
    if used & _FILE_MODULES:
        return True
    return any(
        n.attr in _OF_PATHS or (n.attr in _OF_OS and _name(n).startswith("os."))
        if isinstance(n, ast.Attribute)
        else isinstance(n, ast.arg) and n.arg in _FIXTURES
        for n in nodes
    )


def _imports(nodes: list[ast.AST]) -> Iterator[ast.alias]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from node.names


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        inner = _name(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return node.id if isinstance(node, ast.Name) else ""


def _call(node: ast.Call, modules: set[str]) -> str:
    name, whole = called(node), _name(node.func)
    first = node.args[0] if node.args else None
    if name in _PATCHES and whole.split(".")[-1 if name == "patch" else -2 :][0] == "patch":
        target = first.value if isinstance(first, ast.Constant) else None
        if target in _STREAMS:
            return ""
        return f"the tests patch {target or 'what'!s}, which the solution has its own of"
    if name == "object" and whole.endswith("patch.object") and first is not None:
        target = _name(first)
        if target.split(".")[0] in modules and not (
            target == "sys" and len(node.args) > 1 and ast.unparse(node.args[1]) in ("'stdout'", "'stderr'")
        ):
            return f"the tests patch {target}, which the solution has its own of"
    if whole.startswith("monkeypatch.") and name in _OF_MONKEYPATCH:
        target = str(first.value) if isinstance(first, ast.Constant) else _name(first) if first else ""
        if (
            name in ("setenv", "delenv", "chdir")
            or isinstance(first, ast.Constant)
            or (target.split(".")[0] in {*modules, "builtins"})
        ):
            return f"the tests patch {target}, which the solution has its own of"
    if whole.split(".")[0] == "inspect" and name in _OF_SOURCE:
        return f"the tests read the solution's source by {whole}"
    return ""
