"""The error tree: every exception of ours hangs in it, is the standard library's too, and is drawn."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import tomllib
from pathlib import Path

import pytest

from referee.verifiers import errors
from referee.verifiers.extras import EXTRAS, missing, missing_in

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("verifiers", "envs", "trainers", "referee/commands", "referee/report", "sandbox")
# What runs beside a model's program inside a sandbox, where nothing else of ours is, speaks to its own host only.
APART = ("sandbox/inside",)
# Raised inside code that was given up, whose own `except Exception` must not stop it: a signal, and no error.
SIGNALS = {"Interrupted"}


def exceptions() -> list[tuple[str, str]]:
    """Each class of ours whose name or base says that it is raised: its module and its name."""
    found: dict[str, set[str]] = {}
    known = {n for n, c in vars(builtins).items() if isinstance(c, type) and issubclass(c, BaseException)}
    known |= {n for n, c in vars(errors).items() if isinstance(c, type)} | {"JudgeUnavailable"}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            where = path.relative_to(ROOT).as_posix()
            if where.startswith(APART):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                bases = node.bases if isinstance(node, ast.ClassDef) else []
                if getattr(node, "name", "") in SIGNALS:
                    continue
                if any(isinstance(base, ast.Name) and base.id in known for base in bases):
                    module = where.removesuffix(".py").replace("/", ".")
                    module = module if module.startswith("referee.") else f"referee.{module}"
                    found.setdefault(module, set()).add(node.name)  # type: ignore[attr-defined]
    return [(module, name) for module, classes in found.items() for name in sorted(classes)]


@pytest.mark.parametrize(("module", "name"), exceptions(), ids=lambda text: text)
def test_an_exception_of_ours_hangs_in_the_tree_and_is_the_standard_librarys_too(
    module: str, name: str
) -> None:
    found = getattr(importlib.import_module(module), name)
    if module.startswith("referee.sandbox"):
        assert issubclass(found, RuntimeError)
        return
    assert issubclass(found, errors.RefereeError)
    branches = {errors.RefereeError, errors.UserMistake, errors.NotJudged, errors.UnreadableText}
    assert found in branches or issubclass(found, ValueError | RuntimeError | ImportError)


def test_there_are_such_exceptions() -> None:
    assert len(exceptions()) >= 25


def test_every_public_exception_is_drawn_in_the_trees_docstring() -> None:
    drawn = set(re.findall(r"\w+", (errors.__doc__ or "").partition("The command line")[0]))
    public = {name for module, name in exceptions() if not name.startswith("_")} - {"ServerDown"}
    assert public <= drawn


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(project) - {"all", "dev"}
    for extra, modules in EXTRAS.items():
        listed = {re.split(r"[\[>=<]", need)[0].replace("-", "_") for need in project[extra]}
        assert set(modules) == listed - {"referee"}, extra


def test_a_missing_package_is_found_behind_what_wraps_it() -> None:
    wrapped = ImportError("cannot import a verb")
    wrapped.__cause__ = ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    assert str(missing_in(wrapped, "this")) == "this needs torch: pip install 'referee[train]'"
    assert missing_in(ModuleNotFoundError(name="os.path"), "this") is None
    assert isinstance(missing("a", "b"), ImportError)


def test_every_import_error_of_ours_is_worded_by_the_one_function() -> None:
    by_hand = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if folder != "sandbox" and re.search(r"raise ImportError\([^)]*pip install", text):
                by_hand.append(path.relative_to(ROOT).as_posix())
    assert by_hand == []
