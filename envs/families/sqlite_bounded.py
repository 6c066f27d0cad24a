"""Running a query that a model wrote, in sqlite and in bounds.

What bounds it: an authoriser that allows reading and a list of functions, and so neither writing nor
ATTACH, PRAGMA or extensions; sqlite's own limits on the length of the query and of every value, on the
depth of expressions and the size of the program; a progress handler that stops after a fixed number
of steps of sqlite's machine (steps, not seconds, so that a verdict does not depend on the machine's
load); and a bound on the rows that are fetched. The query runs in this process: a flaw in sqlite
itself would not be contained.
"""

from __future__ import annotations

import sqlite3

from referee.verifiers.errors import UnreadableText

MAX_STEPS = 200_000
MAX_ROWS = 1_000
_FUNCTIONS = frozenset(
    {
        *("abs", "avg", "coalesce", "count", "iif", "ifnull", "instr", "length", "like", "lower", "ltrim"),
        *("max", "min", "nullif", "round", "rtrim", "substr", "substring", "sum", "total", "trim", "typeof"),
        *("upper", "row_number", "rank", "dense_rank"),
    }
)
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 10_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 5_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 50,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 10,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}


class QueryError(UnreadableText, ValueError):
    """The query is not valid, or does what is not allowed."""


class QueryLimit(UnreadableText, RuntimeError):
    """The query went over a bound."""


def run_query(database: sqlite3.Connection, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query.

    Raises:
        QueryError: where it is not valid, or does anything but read.
        QueryLimit: where it takes too many steps, or gives too many rows.
    """
    for limit, value in _LIMITS.items():
        database.setlimit(limit, value)
    database.set_authorizer(_authorise)
    spent = [0]

    def progress() -> int:
        spent[0] += 1
        return spent[0] > MAX_STEPS // 1000

    database.set_progress_handler(progress, 1000)
    try:
        rows = database.execute(query).fetchmany(MAX_ROWS + 1)
    except (sqlite3.Error, sqlite3.Warning, ValueError, UnicodeError) as e:
        # ValueError: a null character; UnicodeError: half of a surrogate pair
        if spent[0] > MAX_STEPS // 1000:
            raise QueryLimit(f"the query must take at most {MAX_STEPS} steps") from None
        raise QueryError(str(e)[:300]) from None
    finally:
        database.set_progress_handler(None, 0)
        database.set_authorizer(None)
    if len(rows) > MAX_ROWS:
        raise QueryLimit(f"the query must give at most {MAX_ROWS} rows")
    return rows


def _authorise(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FUNCTIONS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
