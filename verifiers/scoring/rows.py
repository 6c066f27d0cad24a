"""Rows: what a line of somebody's file says about a problem and its completions.

Columns are named by paths with dots (``ground_truth.answer``, ``samples.0.text``), so that existing
files work unchanged. A row may hold several completions: they are siblings of one problem.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from referee.verifiers.cells import UNREADABLE, completion_of, jsonable, present, read_info, read_record
from referee.verifiers.errors import UserMistake
from referee.verifiers.protocol import failure as abstention
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict


class RowError(UserMistake, ValueError):
    """A line that cannot be read as a row. The message names the file, the line and what is wrong."""


class _NoRow(UserMistake, ValueError):
    """What is no row of this file's, whatever its cells hold."""


class MissingColumn(_NoRow):
    """A row lacks a column that was named. The message says which columns it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a row holds what.

    ``completion`` names one column or several; each holds a text, chat messages, a completion
    record (``{"text": ..., "finish_reason": ...}``), or a list of texts or records. The columns
    ``prompt``, ``answer``, ``id`` and ``info`` (an object, or the JSON text of one) are used where a
    row has them, and must be there where another name is given. ``answer_pattern`` is a regular
    expression searched in the answer: its last match's first group (or the whole match) is the
    reference. ``info_columns`` are copied into the problem's info under their last name. ``group``
    names a column whose equal neighbours make one group of siblings; without it, and where it holds
    null, a row is a group.
    """

    completion: tuple[str, ...] = ("completion",)
    prompt: str = "prompt"
    answer: str = "answer"
    id: str = "id"
    info: str = "info"
    info_columns: tuple[str, ...] = ()
    answer_pattern: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.completion, str):
            object.__setattr__(self, "completion", (self.completion,))
        if not self.completion:
            raise ValueError("completion must name at least one column")
        try:
            re.compile(self.answer_pattern)
        except re.error as e:
            raise ValueError(
                f"answer_pattern must be a regular expression, got {self.answer_pattern!r}: {e}"
            ) from None


@dataclass(frozen=True, slots=True)
class Row:
    """One completion of one line: ``line`` counts from 1, ``group`` is shared by siblings.

    Where a cell cannot be read, ``failure`` is the verdict of every part: an abstention that says why. So
    does the problem's ``info["unreadable"]``, which tells it from one that was read: neither takes the
    other's verdict, and a row that was mended since is seen to have changed.
    """

    line: int
    column: str
    group: int
    problem: Problem
    completion: Completion
    failure: Verdict | None = None


_DEFAULTS = Columns()
_MISSING = object()


def read_rows(
    source: str | Path | Iterable[Mapping[str, Json]], columns: Columns = _DEFAULTS
) -> Iterator[Row]:
    """Yield the rows of a JSON-lines file, or of dictionaries, one for each completion.

    A completion that is null is the empty text. A row with a cell that cannot be read is yielded with
    its ``failure``, and the rows after it follow.

    Raises:
        RowError: at the first line that is no JSON object or lacks a column;
            every row before it has been yielded by then.
        OSError: where the file cannot be opened.
    """
    name = str(source) if isinstance(source, str | Path) else "row"
    lines = parsed_lines(source) if isinstance(source, str | Path) else enumerate(map(jsonable, source), 1)
    group, group_value = -1, None
    for number, data in lines:
        where = f"{name}, line {number}" if isinstance(source, str | Path) else f"row {number}"
        try:
            problem, fault = _problem(data, columns)
            completions = [found for path in columns.completion for found in _completions(data, path)]
            value = _required(data, columns.group) if columns.group else None
        except _NoRow as e:
            raise RowError(f"{where}: {e}") from None
        if value is None or value != group_value:
            group, group_value = group + 1, value
        for column, completion, why in completions:
            failure = fault or why
            yield Row(number, column, group, _marked(problem, failure), completion, failure)


def parsed_lines(path: str | Path) -> Iterator[tuple[int, Any]]:
    """Yield what stands in each line of a JSON-lines file, with its number; blank lines are passed over.

    Raises:
        RowError: at the first line that is not JSON.
        OSError: where the file cannot be opened.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as e:
                raise RowError(f"{path}, line {number}: not JSON: {e}") from None


def read_problem(data: object, columns: Columns = _DEFAULTS) -> Problem:
    """Return the problem of one row.

    Raises:
        MissingColumn: where a column that was named is not there.
        ValueError: where a value cannot be read.
        TypeError: where a value is not JSON data.
    """
    if not isinstance(data, Mapping):
        raise _NoRow(f"a row must be a JSON object, got {type(data).__name__}")
    extra = {path.rsplit(".", 1)[-1]: _required(data, path) for path in columns.info_columns}
    info = read_info(_optional(data, columns, "info", None), f"column {columns.info!r}")
    return Problem(
        prompt=_optional(data, columns, "prompt", ""),
        answer=_reference(_optional(data, columns, "answer", None), columns),
        id=str(_optional(data, columns, "id", "")),
        info={**info, **read_info(extra)},
    )


def _problem(data: Any, columns: Columns) -> tuple[Problem, Verdict | None]:
    """Return the problem, or what is left of it where a cell cannot be read, and the verdict on that."""
    try:
        return read_problem(data, columns), None
    except _NoRow:
        raise
    except UNREADABLE as e:
        prompt, name = _find(data, columns.prompt), _find(data, columns.id)
        left = Problem(
            prompt=prompt if isinstance(prompt, str) else "",
            id=str(name) if isinstance(name, str | int) else "",
        )
        return left, abstention(str(e), Reason.BAD_REFERENCE)


def _marked(problem: Problem, failure: Verdict | None) -> Problem:
    if failure is None:
        return problem
    return replace(problem, info={**problem.info, "unreadable": failure.detail["error"]})


def _completions(data: Mapping[str, Any], path: str) -> list[tuple[str, Completion, Verdict | None]]:
    value = _required(data, path)
    if not isinstance(value, list) or _is_chat(value):
        return [(path, *read_completion(path, value))]
    return [(f"{path}.{i}", *read_completion(f"{path}.{i}", v)) for i, v in enumerate(value)]


def read_completion(path: str, value: Any) -> tuple[Completion, Verdict | None]:
    """Return a cell's completion, and the abstention where the cell says nothing of what a model wrote."""
    if isinstance(value, Mapping) and "role" not in value:
        try:
            return read_record(value), None
        except UNREADABLE as e:
            return Completion(), abstention(f"column {path!r}: {e}", Reason.BAD_REFERENCE)
    if isinstance(value, list) and not _is_chat(value):
        message = f"column {path!r} must hold a text, messages or a completion, got a list: {value!s:.60}"
        return Completion(), abstention(message, Reason.BAD_REFERENCE)
    return completion_of(value), None


def _is_chat(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(m, Mapping) and "role" in m for m in value)


def _reference(value: Any, columns: Columns) -> Any:
    if not columns.answer_pattern:
        return value
    if not isinstance(value, str):
        raise ValueError(f"column {columns.answer!r} must hold a text for answer_pattern, got {value!r:.60}")
    matches = list(re.finditer(columns.answer_pattern, value))
    if not matches:
        raise ValueError(
            f"answer_pattern {columns.answer_pattern!r} matches nothing in column {columns.answer!r}: "
            f"{value[-60:]!r}"
        )
    return matches[-1][1 if matches[-1].re.groups else 0]


def _optional(data: Mapping[str, Any], columns: Columns, name: str, default: Any) -> Any:
    """Find a column; only one that the user renamed must be there."""
    path = getattr(columns, name)
    renamed = path != getattr(_DEFAULTS, name)
    value = _required(data, path) if renamed else _find(data, path)
    return default if value is _MISSING else present(value, default)


def _required(data: Mapping[str, Any], path: str) -> Any:
    value = _find(data, path)
    if value is _MISSING:
        raise MissingColumn(f"no column {path!r}; the row has {', '.join(map(str, data)) or 'no columns'}")
    return value


def _find(data: Any, path: str) -> Any:
    """Follow a dotted path through objects and lists; a key that itself holds dots is found first.

    A path that goes on where there is null (a request that failed has no response) leads to null.
    """
    if data is None:
        return None
    if isinstance(data, Mapping):
        if path in data:
            return data[path]
        head, _, rest = path.partition(".")
        return _find(data[head], rest) if rest and head in data else _MISSING
    if isinstance(data, list):
        head, _, rest = path.partition(".")
        if head.isdecimal() and int(head) < len(data):
            return _find(data[int(head)], rest) if rest else data[int(head)]
    return _MISSING
