"""Scoring completions with a rubric: rows in, rewards out, in order, resumable, and never hanging."""

from referee.verifiers.scoring.engine import score, score_file
from referee.verifiers.scoring.rows import Columns, Row, RowError, read_rows
from referee.verifiers.scoring.store import Scored, StoreError, read_scored
from referee.verifiers.scoring.summary import PartSummary, Summary, summarise

__all__ = [
    "Columns",
    "PartSummary",
    "Row",
    "RowError",
    "Scored",
    "StoreError",
    "Summary",
    "read_rows",
    "read_scored",
    "score",
    "score_file",
    "summarise",
]
