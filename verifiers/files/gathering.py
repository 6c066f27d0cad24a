"""Rows of one group brought together, whatever their order in the file.

A first pass reads the source to its end and notes where each group's rows are; then groups follow each other
in the order of their first rows. What was read waits in a temporary file (in memory where it is small), so
that a pipe is read once and a large file stays out of memory; eight bytes a row are held, and each group's
name.
"""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from referee.verifiers.files.containers import BadLine

_IN_MEMORY = 1 << 24
_Numbered = tuple[int, Any]


def gathered(
    records: Iterable[_Numbered], group_of: Callable[[Any], str | None], *, stop_at_bad: bool
) -> Iterator[tuple[int, Any, int]]:
    """Yield ``(number, record, group)``, groups counted from 0 by their first rows.

    ``group_of`` returns a group's name, or None for a record that is a group alone. It raises ValueError for
    a record that is no row: with ``stop_at_bad`` nothing behind it is read.
    """
    groups: dict[Any, array[int]] = {}
    odd: list[Any] = []  # records that JSON cannot carry, which only a caller's own rows can hold
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        for place, (number, record) in enumerate(records):
            try:
                name, bad = (None, True) if isinstance(record, BadLine) else (group_of(record), False)
            except ValueError:
                name, bad = None, True
            groups.setdefault(place if name is None else name, array("q")).append(spool.tell())
            spool.write(_written(number, record, odd))
            if bad and stop_at_bad:
                break
        for index, offsets in enumerate(groups.values()):
            for offset in offsets:
                spool.seek(offset)
                yield *_read(spool.readline(), odd), index


def _written(number: int, record: Any, odd: list[Any]) -> bytes:
    try:
        kind, data = ("bad", [record.text, record.why]) if isinstance(record, BadLine) else ("row", record)
        return json.dumps([number, kind, data]).encode() + b"\n"
    except (TypeError, ValueError, RecursionError):
        odd.append(record)
        return json.dumps([number, "odd", len(odd) - 1]).encode() + b"\n"


def _read(line: bytes, odd: list[Any]) -> _Numbered:
    number, kind, data = json.loads(line)
    if kind == "odd":
        return number, odd[data]
    return number, BadLine(*data) if kind == "bad" else data
