"""Scoring completions with a rubric: rows in, rewards out, in order, resumable, and never hanging."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from referee.verifiers.scoring.engine import Engine as Engine
    from referee.verifiers.scoring.rows import Columns as Columns
    from referee.verifiers.scoring.rows import Row as Row
    from referee.verifiers.scoring.rows import RowError as RowError
    from referee.verifiers.scoring.rows import read_rows as read_rows
    from referee.verifiers.scoring.score_rows import score as score
    from referee.verifiers.scoring.score_rows import score_file as score_file
    from referee.verifiers.scoring.store import Scored as Scored
    from referee.verifiers.scoring.store import StoreError as StoreError
    from referee.verifiers.scoring.store import read_scored as read_scored
    from referee.verifiers.scoring.summary import PartSummary as PartSummary
    from referee.verifiers.scoring.summary import Summary as Summary
    from referee.verifiers.scoring.summary import summarise as summarise

# Lazy, because rubrics import how verifiers are asked, and the engine imports rubrics.
_HOME = {
    "Columns": "rows",
    "Engine": "engine",
    "PartSummary": "summary",
    "Row": "rows",
    "RowError": "rows",
    "Scored": "store",
    "StoreError": "store",
    "Summary": "summary",
    "read_rows": "rows",
    "read_scored": "store",
    "score": "score_rows",
    "score_file": "score_rows",
    "summarise": "summary",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
