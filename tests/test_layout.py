"""The layout holds: imports point downwards, public names are there, the front door is light."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import referee

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "sandbox": {"sandbox"},
    "verifiers": {"verifiers", "sandbox"},
    "envs": {"envs", "verifiers", "sandbox"},
    "trainers": {"trainers", "envs", "verifiers", "sandbox"},
    "referee": {"trainers", "envs", "verifiers", "sandbox", "front"},
}


def tracked(folder: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / p for p in listed.stdout.split("\0") if p and not (ROOT / p).is_symlink()]


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            names |= {f"{module}.{a.name}" for a in node.names} if module == "referee" else {module}
    return names


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_downwards(folder: str) -> None:
    for path in tracked(folder):
        if path.suffix != ".py":
            continue
        for name in imported(ast.parse(path.read_text())):
            if name.split(".")[0] in ("verifiers", "envs", "trainers", "sandbox"):
                pytest.fail(f"{path}: import referee.{name}, not {name}")
            if name == "referee" or name.startswith("referee."):
                part = name.split(".")[1] if "." in name else "front"
                part = part if part in MAY_IMPORT else "front"
                assert part in MAY_IMPORT[folder], f"{path} imports {name}"


@pytest.mark.parametrize("package", ["referee", *(f"referee.{p}" for p in referee._SUBPACKAGES)])
def test_every_public_name_is_there(package: str) -> None:
    module = importlib.import_module(package)
    for name in getattr(module, "__all__", []):
        assert getattr(module, name) is not None


def test_the_names_that_others_rely_on_are_pinned() -> None:
    assert {
        "Completion", "Group", "Message", "Problem", "Reason", "Reward", "Rollout", "Rubric", "Verdict",
        "verifier", "envs", "sandbox", "trainers", "verifiers",
    } <= set(referee.__all__)  # fmt: skip


def test_the_front_door_is_light() -> None:
    heavy = "[m for m in ('torch', 'sympy', 'numpy') if m in sys.modules]"
    code = f"import time; t = time.process_time(); import referee; t = time.process_time() - t; import sys; print(t, {heavy})"
    seconds = []
    for _ in range(5):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.split(" ", 1)[1].strip() == "[]"
        seconds.append(float(out.split()[0]))
    assert statistics.median(seconds) < 0.1


def modules(folder: str) -> list[str]:
    found = []
    for path in tracked(folder):
        if path.suffix == ".py" and path.name != "__main__.py":
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts if folder == "referee" else ("referee", *parts))
            found.append(name.removesuffix(".__init__"))
    return found


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_every_docstrings_example_runs(folder: str) -> None:
    for name in modules(folder):
        try:
            module = importlib.import_module(name)
        except ImportError as e:
            if "pip install" in str(e):
                continue
            raise
        assert doctest.testmod(module).failed == 0, name


def test_the_wheel_holds_exactly_the_tracked_files(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a copy, so that no earlier build lends its files
    links = [ROOT / "referee" / p for p in referee._SUBPACKAGES]
    for path in [*tracked("."), *links]:
        (source / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, source / path.relative_to(ROOT), follow_symlinks=False)
    (source / "README.md").touch()
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w"]
    subprocess.run([*command, tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    wanted = set()
    for folder in MAY_IMPORT:
        for path in tracked(folder):
            relative = path.relative_to(ROOT).as_posix()
            wanted.add(relative if folder == "referee" else f"referee/{relative}")
    assert inside == wanted


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    inits = {re.sub(r"\.__init__$", "", m) for f in MAY_IMPORT for m in modules(f)}
    packages = {m for m in inits if any(n.startswith(m + ".") for n in inits)} | set(listed)
    assert packages == set(listed)
