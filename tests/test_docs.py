"""Every Python block of the README and the documentation runs, in order within its file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [f for f in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if f.is_file()]
BLOCK = re.compile(r"(<!-- no-run: [^\n]+ -->\s*\n)?^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[tuple[int, str]]:
    """Each block that is to run, with the number of its first line."""
    return [(text[: m.start(2)].count("\n") + 1, m.group(2)) for m in BLOCK.finditer(text) if not m.group(1)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_python_block_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "docs"}
    for line, code in blocks(path.read_text()):
        exec(compile("\n" * (line - 1) + code, str(path), "exec", dont_inherit=True), names)


def test_a_block_marked_no_run_is_left_out() -> None:
    text = "```python\na\n```\n<!-- no-run: needs a GPU -->\n```python\nb\n```\n"
    assert blocks(text) == [(2, "a\n")]


def test_every_file_that_the_pages_of_the_plan_name_is_there() -> None:
    pages = [ROOT / "docs/architecture.md", *sorted((ROOT / "docs/decisions").glob("*.md"))]
    named = {
        (page, name) for page in pages for name in re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", page.read_text())
    }
    assert len(named) > 60
    missing = {f"{page.name}: {name}" for page, name in named if not (ROOT / name).exists()}
    assert not missing


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in FILES:
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
