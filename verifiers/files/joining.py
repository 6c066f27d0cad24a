"""References that stand in another file than the completions, joined by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from referee.verifiers.files.containers import BadLine, open_container
from referee.verifiers.files.tables import SourceError

_IDS = ("custom_id", "id", "task_id", "unique_id", "problem_id")


class References:
    """The rows of a file of references by their ids; they are held in memory.

    The id is in the column that is named, else in ``custom_id``, ``id``, ``task_id``, ``unique_id`` or
    ``problem_id``. Of a batch's input file the prompt is ``body.messages`` (or ``body.prompt``).

    Raises:
        SourceError: for a line that is no row with an id, and for an id that stands twice.
    """

    def __init__(self, path: str | Path, id_column: str = "") -> None:
        self.path = str(path)
        self._rows: dict[str, dict[str, Any]] = {}
        for number, row in open_container(path).rows:
            where = f"the references {path}, line {number}"
            if isinstance(row, BadLine):
                raise SourceError(f"{where}: {row.why}")
            name = _id(row, id_column) if isinstance(row, dict) else None
            if name is None:
                raise SourceError(f"{where}: no id in {id_column or ', '.join(_IDS)}")
            if name in self._rows:
                raise SourceError(f"{where}: the id {name!r:.80} stands twice")
            self._rows[name] = _with_prompt(row)

    def joined(self, row: Mapping[str, Any], id_column: str) -> dict[str, Any]:
        """Return a row with its reference's columns where it has none of its own.

        Raises:
            LookupError: where no reference has its id.
        """
        name = _id(row, id_column)
        found = self._rows.get(name) if name is not None else None
        if found is None:
            raise LookupError(f"no row of {self.path} has the id {name!r:.80}")
        return {**found, **{k: v for k, v in row.items() if v is not None or k not in found}}


def _id(row: Mapping[str, Any], column: str) -> str | None:
    names = (column,) if column and column in row else (column, *_IDS)
    found = next((row[n] for n in names if row.get(n) is not None), None)
    return str(found) if isinstance(found, str | int) else None


def _with_prompt(row: dict[str, Any]) -> dict[str, Any]:
    body = row.get("body")
    if "prompt" in row or not isinstance(body, Mapping):
        return row
    asked = body.get("messages") or body.get("prompt") or body.get("input")
    return row if asked is None else row | {"prompt": asked}
