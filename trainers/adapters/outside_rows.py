"""Reading other people's rows and messages as our records.

A column that is not there is the user's mistake and raises; a cell that cannot be read is the
reference's fault and becomes an abstention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from referee.verifiers.cells import UNREADABLE, is_missing, message_of, present, read_info
from referee.verifiers.cells import completion_of as completion_of
from referee.verifiers.cells import jsonable as jsonable
from referee.verifiers.cells import kept as kept
from referee.verifiers.protocol import failure
from referee.verifiers.records import Problem, Reason, Verdict
from referee.verifiers.scoring.rows import Columns, MissingColumn, read_problem


def problem_of(row: Mapping[str, Any], columns: Columns) -> Problem | Verdict:
    """Return the row's problem, or the abstention that says why it cannot be read.

    Raises:
        MissingColumn: where a column that the user named is not in the row.
    """
    named = (columns.prompt, columns.answer, columns.id, columns.info, *columns.info_columns)
    wanted = {*named, *(path.partition(".")[0] for path in named)}
    data = {name: jsonable(value) if name in wanted else None for name, value in row.items()}
    try:
        return read_problem(data, columns)
    except MissingColumn:
        raise
    except UNREADABLE as e:
        return failure(e, Reason.BAD_REFERENCE)


def problem_from(prompt: Any, answer: Any, info: Any = None, id: Any = "") -> Problem | Verdict:
    """Return a problem made of the other side's values, or the abstention that says why not."""
    try:
        return Problem(
            prompt=prompt if isinstance(prompt, str) else _messages(prompt),
            answer=present(jsonable(answer)),
            info=read_info(kept(info) if isinstance(info, Mapping) else info),
            id=str(id) if id is not None else "",
        )
    except UNREADABLE as e:
        return failure(e, Reason.BAD_REFERENCE)


def _messages(prompt: Any) -> tuple[Any, ...]:
    messages = jsonable(prompt)
    return () if is_missing(messages) else tuple(map(message_of, messages))
