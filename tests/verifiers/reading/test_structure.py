"""The reading room stands by itself, and nothing in it goes round in a circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOM = Path(__file__).parents[3] / "verifiers" / "reading"
PREFIX = "referee.verifiers.reading"


def test_the_reading_room_imports_nothing_but_the_errors_and_has_no_circles() -> None:
    graph: dict[str, set[str]] = {}
    for file in ROOM.glob("*.py"):
        nodes = [
            n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Import | ast.ImportFrom)
        ]
        names = {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
        names |= {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
        ours = {n for n in names if n.startswith("referee")}
        assert all(n.startswith(PREFIX) or n == "referee.verifiers.errors" for n in ours), (file.name, ours)
        graph[f"{PREFIX}.{file.stem}"] = ours
    assert len(graph) > 8
    assert list(TopologicalSorter(graph).static_order())
