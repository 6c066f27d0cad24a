"""Rows: what a line of somebody's file says about a problem and its completions.

Columns are named by paths with dots (``ground_truth.answer``, ``samples.0.text``), so that existing
files work unchanged. A row may hold several completions: they are siblings of one problem.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from referee.verifiers.cells import UNREADABLE, completion_of, jsonable, present, read_info, read_record
from referee.verifiers.errors import UserMistake
from referee.verifiers.files.containers import BadLine, open_container
from referee.verifiers.files.finish import one_of, read_finish, usual_finish
from referee.verifiers.files.gathering import gathered
from referee.verifiers.files.joining import References
from referee.verifiers.files.row_formats import FORMATS, Failed, RowFormat, recognised
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
    names a column whose equal values make one group of siblings, which are brought together wherever they
    stand; without it, and where it holds null, a row is a group. ``finish_reason`` names the column that
    says why a completion ended; without it, it is looked for in the usual places beside the text.
    """

    completion: tuple[str, ...] = ("completion",)
    prompt: str = "prompt"
    answer: str = "answer"
    id: str = "id"
    info: str = "info"
    info_columns: tuple[str, ...] = ()
    answer_pattern: str = ""
    group: str = ""
    finish_reason: str = ""

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


BadRows = Literal["stop", "keep", "skip"]
BAD_ROWS: tuple[BadRows, ...] = ("stop", "keep", "skip")
_DEFAULTS = Columns()
_LONGEST_LINE = 10_000  # signs of a line that is no row are kept
_MISSING = object()


def read_rows(
    source: str | Path | Iterable[Mapping[str, Json]],
    columns: Columns = _DEFAULTS,
    *,
    bad_rows: BadRows = "stop",
    references: References | None = None,
    told: Callable[[str], None] = lambda said: None,
    on_bad: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """Yield the rows of a file of any kind, or of dictionaries, one for each completion.

    A completion that is null is the empty text. A row with a cell that cannot be read is yielded with
    its ``failure``, and the rows after it follow. What is no row at all (a line that is not JSON, or that
    lacks a column) ends the reading where ``bad_rows`` is ``stop``, is passed over where it is ``skip``, and
    where it is ``keep`` is yielded with its failure and its text in ``info["line"]``; ``on_bad`` is called
    for each of these. ``told`` is told what the file was recognised as. ``references`` gives the columns
    that a row lacks.

    Raises:
        RowError: at the first line that is no row, with ``stop``;
            every row before it has been yielded by then.
        SourceError: where the file is nothing that can be read.
        OSError: where the file cannot be opened.
    """
    if bad_rows not in BAD_ROWS:
        raise ValueError(f"bad_rows must be one of {', '.join(BAD_ROWS)}, got {bad_rows!r}")
    named = isinstance(source, str | Path)
    shape = _Shape(columns, references, told)
    for number, data, group in _grouped(_records(source, told), columns, shape, stop=bad_rows == "stop"):
        where = f"{source}, line {number}" if named else f"row {number}"
        try:
            if isinstance(data, BadLine):
                raise _NoRow(data.why)
            row, unjoined = shape.read(data)
            if columns.group:
                _required(row, columns.group)
            problem, fault = _problem(row, columns)
            completions = [c for path in columns.completion for c in _completions(row, path, columns)]
        except _NoRow as e:
            if bad_rows == "stop":
                raise RowError(f"{where}: {e}") from None
            on_bad()
            if bad_rows == "keep":
                yield _kept(number, group, columns, data, str(e))
            continue
        for column, completion, why in completions:
            failure = fault or unjoined or why
            yield Row(number, column, group, _marked(problem, failure), completion, failure)


def parsed_lines(path: str | Path) -> Iterator[tuple[int, Any]]:
    """Yield what stands in each row of a file of any kind, with its number.

    Raises:
        RowError: at the first line that cannot be read.
        OSError: where the file cannot be opened.
    """
    for number, data in open_container(path).rows:
        if isinstance(data, BadLine):
            raise RowError(f"{path}, line {number}: {data.why}")
        yield number, data


def _records(
    source: str | Path | Iterable[Mapping[str, Json]], told: Callable[[str], None]
) -> Iterator[tuple[int, Any]]:
    if not isinstance(source, str | Path):
        yield from enumerate(map(jsonable, source), 1)
        return
    container = open_container(source)
    if container.kind:
        told(container.kind)
    yield from container.rows


def _grouped(
    records: Iterator[tuple[int, Any]], columns: Columns, shape: _Shape, *, stop: bool
) -> Iterator[tuple[int, Any, int]]:
    """Number the groups of records; those of one group are brought together where a column names it."""
    if not columns.group:
        yield from ((number, data, i) for i, (number, data) in enumerate(records))
        return

    def group_of(data: Any) -> str | None:
        value = _required(shape.read(data)[0], columns.group)
        return None if value is None else json.dumps(value, sort_keys=True)

    yield from gathered(records, group_of, stop_at_bad=stop)


class _Shape:
    """Reads records in the shape that the first of them has, where no column of completions was named."""

    def __init__(self, columns: Columns, references: References | None, told: Callable[[str], None]) -> None:
        self._columns, self._references, self._told = columns, references, told
        self._format: RowFormat | None = None
        self._known = columns.completion != _DEFAULTS.completion

    def read(self, data: Any) -> tuple[Mapping[str, Any], Verdict | None]:
        """Return a record as a row of ours, and the abstention where its reference is nowhere."""
        if not isinstance(data, Mapping):
            raise _NoRow(f"a row must be a JSON object, got {type(data).__name__}")
        row: Mapping[str, Any] = self._ours(data)
        if self._references is None:
            return row, None
        try:
            return self._references.joined(row, self._columns.id), None
        except LookupError as e:
            return row, abstention(str(e.args[0]), Reason.BAD_REFERENCE)

    def _ours(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._known:
            self._known = True
            self._format = None if "completion" in data else recognised(data)
            if self._format is not None:
                self._told(self._format.name)
        if self._format is None:
            return data
        try:
            return {**data, **self._format.read(data)}
        except (*UNREADABLE, LookupError, AttributeError) as e:
            what = f"has no {e.args[0]!r}" if isinstance(e, KeyError) else str(e)
            raise _NoRow(f"no row of {self._format.name}: {what}") from None


def _kept(number: int, group: int, columns: Columns, data: Any, why: str) -> Row:
    """Return what stands in the output for a line that is no row."""
    text = data.text if isinstance(data, BadLine) else json.dumps(data, default=str)
    failure = abstention(why, Reason.BAD_REFERENCE)
    problem = Problem(info={"unreadable": failure.detail["error"], "line": text[:_LONGEST_LINE]})
    return Row(number, columns.completion[0], group, problem, Completion(), failure)


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


def _completions(
    data: Mapping[str, Any], path: str, columns: Columns
) -> list[tuple[str, Completion, Verdict | None]]:
    cells = list(_cells(path, _required(data, path)))
    named = columns.finish_reason
    finish = _required(data, named) if named else usual_finish(data, path)
    out = []
    for i, (name, value) in enumerate(cells):
        completion, failure = read_completion(name, value)
        if finish is not None and completion.finish_reason is None:
            reason = read_finish(one_of(finish, i, len(cells)))
            completion = replace(completion, finish_reason=reason) if reason else completion
        out.append((name, completion, failure))
    return out


def _cells(path: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the completions of a column: its value, or those of its list, or of the lists in that."""
    if not isinstance(value, list) or _is_chat(value) or depth > 1:
        yield path, value
        return
    for i, inner in enumerate(value):
        yield from _cells(f"{path}.{i}", inner, depth + 1)


def read_completion(path: str, value: Any) -> tuple[Completion, Verdict | None]:
    """Return a cell's completion, and the abstention where the cell says nothing of what a model wrote."""
    if isinstance(value, Failed):
        return Completion(), abstention(value.why, Reason.UNAVAILABLE)
    if isinstance(value, Mapping) and "role" not in value:
        finish = value.get("finish_reason")
        known = read_finish(finish)
        try:
            return read_record({**value, "finish_reason": known} if known else value), None
        except UNREADABLE as e:
            return Completion(), abstention(f"column {path!r}: {e}", Reason.BAD_REFERENCE)
    if isinstance(value, list) and not _is_chat(value):
        message = f"column {path!r} must hold a text, messages or a completion, got a list: {value!s:.60}"
        return Completion(), abstention(message, Reason.BAD_REFERENCE)
    return _with_last_finish(completion_of(value), value), None


def _with_last_finish(completion: Completion, value: Any) -> Completion:
    """Take the reason that the last message of a chat gives."""
    last = value[-1] if isinstance(value, list) else value
    reason = read_finish(last.get("finish_reason")) if isinstance(last, Mapping) else None
    return replace(completion, finish_reason=reason) if reason else completion


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
        has = f"no column {path!r}; the row has {', '.join(map(str, data)) or 'no columns'}"
        known = f", the shape of none of: {', '.join(f.name for f in FORMATS)}"
        raise MissingColumn(has + (known if path in _DEFAULTS.completion else ""))
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
