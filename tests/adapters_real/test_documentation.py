"""The documentation's blocks that need another package: they run in its environment, and parse everywhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SIDE = os.environ.get("REFEREE_ADAPTER", "")
BLOCK = re.compile(r"<!-- no-run: ([^\n]+) -->\s*\n```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = [
    pytest.param(path, m[1], m[2], text[: m.start(2)].count("\n"), id=f"{path.stem}-{i}")
    for path in sorted((ROOT / "docs").glob("*.md"))
    for text in [path.read_text()]
    for i, m in enumerate(BLOCK.finditer(text))
]
SIDES = {p.parent.name for p in Path(__file__).parent.glob("*/requirements.txt")}


@pytest.mark.parametrize(("path", "note", "code", "line"), BLOCKS)
def test_a_block_parses_and_runs_where_its_package_is(path, note, code, line, tmp_path, monkeypatch):
    compiled = compile("\n" * line + code, str(path), "exec", dont_inherit=True)
    side = note.removeprefix("adapter ") if note.startswith("adapter ") else ""
    assert not side or side in SIDES
    if side and side == SIDE:
        monkeypatch.chdir(tmp_path)
        exec(compiled, {"__name__": "docs"})
