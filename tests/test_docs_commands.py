"""Every console block of the README and the documentation runs, and prints what it shows.

A line that begins with ``$ `` is a command (with its here-document, where it has one); the lines after it
are what it prints, on either stream. ``...`` stands for anything: alone on a line for any lines, within
one for any text. A block that shows no output is held to the exit code 0. The blocks of a file run in
one folder, in order, beside a link to examples/.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = [f for f in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if f.is_file()]
BLOCK = re.compile(r"(<!-- no-run: [^\n]+ -->\s*\n)?^```(?:console|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)
HERE = re.compile(r"<<'(\w+)'")


def commands(block: str) -> list[tuple[str, str]]:
    """Each command of a block, with what it should print."""
    found: list[tuple[list[str], list[str]]] = []
    until = ""
    for line in block.splitlines():
        if until:
            found[-1][0].append(line)
            until = "" if line == until else until
        elif line.startswith("$ "):
            found.append(([line[2:]], []))
            here = HERE.search(line)
            until = here[1] if here else ""
        else:
            assert found, f"a console block begins with a command, got {line!r}"
            found[-1][1].append(line)
    return [("\n".join(command), "\n".join(shown)) for command, shown in found]


def pattern(shown: str) -> str:
    lines = [
        ".*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") for line in shown.splitlines()
    ]
    return r"\n".join(lines)


def run(command: str, folder: Path) -> tuple[str, int]:
    script = f'referee() {{ "{sys.executable}" -m referee "$@"; }}\n{command}\n'
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "COLUMNS": "200"}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout, done.returncode


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_console_block_prints_what_it_shows(path: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for block in BLOCK.finditer(path.read_text(encoding="utf-8")):
        if block[1]:
            continue
        for command, shown in commands(block[2]):
            printed, code = run(command, tmp_path)
            if shown:
                assert re.fullmatch(pattern(shown), printed.rstrip("\n"), re.DOTALL), (
                    f"$ {command}\n{printed}"
                )
            else:
                assert code == 0, f"$ {command}\n{printed}"


def test_here_documents_and_output_are_told_apart() -> None:
    block = "$ cat > f <<'END'\n$ not a command\nEND\n$ cat f\n$ not a command\n"
    assert commands(block)[0] == ("cat > f <<'END'\n$ not a command\nEND", "")


def test_dots_stand_for_anything() -> None:
    assert re.fullmatch(pattern("a ... d\n...\nz"), "a b c d\n1\n2\nz", re.DOTALL)
    assert not re.fullmatch(pattern("a ... d"), "a b c e", re.DOTALL)
