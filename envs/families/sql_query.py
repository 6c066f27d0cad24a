"""Questions to a small table, answered by an SQL query."""

# ruff: noqa: S608  # the queries are built from our own words and numbers

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from referee.envs.families.sqlite_bounded import QueryError, QueryLimit, run_query
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Json, Problem, Reason, Verdict

_NAMES = ("Ada", "Boris", "Chloe", "Deng", "Emma", "Farid", "Gita", "Hugo", "Ines", "Jack")
_CITIES = ("Lima", "Oslo", "Cairo")
_SETUP = "CREATE TABLE people (name TEXT, city TEXT, age INTEGER)"
_SETUP_2 = "CREATE TABLE visits (name TEXT, spent INTEGER)"


@dataclass(frozen=True, kw_only=True)
class SQLQuery(Procedural):
    """A query whose result is right on the table that is shown and on a hidden one of the same shape.

    It runs in sqlite (in memory, only reading, from a list of allowed functions, with bounds on its
    length, its steps and its rows: :mod:`referee.envs.families.sqlite_bounded`). Rows count in any
    order, unless the question asks for one.

    Levels: 0 select with a condition; 1 count and sum; 2 sorted with a limit; 3 grouped; 4 joined.

    Accepts:
        - any query that gives the same rows
    Rejects:
        - the rows written out as constants (the hidden table has others)
        - anything but one SELECT: writing, PRAGMA, ATTACH; endless recursion
    """

    name: ClassVar[str] = "sql_query"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw tables until the question has an answer with rows on both, and different ones."""
        while True:
            city, age, spent = stream.choice(_CITIES), stream.between(20, 50), stream.between(3, 15)
            question, query, ordered = _questions(city, age, spent)[level][stream.below(2)]
            shown, hidden = _tables(stream), _tables(stream)
            results = [run_query(_database(t), query) for t in (shown, hidden)]
            if all(results) and results[0] != results[1]:
                break
        people, visits = shown
        listed = "\n".join(", ".join(map(str, row)) for row in people)
        more = "\nvisits(name, spent):\n" + "\n".join(f"{n}, {s}" for n, s in visits) if level == 4 else ""
        return Draft(
            f"Table people(name, city, age):\n{listed}{more}\nWrite one SQLite query: {question}\n"
            "End with a line that holds only the query.",
            f"people(name, city, age) visits(name, spent)\n{question}\n:",
            query,
            {"tables": [_plain(shown), _plain(hidden)], "ordered": ordered},
        )

    def extract(self, text: str) -> str | None:
        """Return the last fence, or else what begins with the last line that begins a query."""
        after = text.strip()
        if after.endswith("```"):
            return after.removesuffix("```").rpartition("```")[2].removeprefix("sql").strip() or None
        lines = after.split("\n")
        starts = [i for i, x in enumerate(lines) if x.lstrip()[:6].lower().startswith(("select", "with"))]
        return "\n".join(lines[starts[-1] :]).strip() if starts else None

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Run both queries on both databases."""
        tables, ordered = problem.info.get("tables"), problem.info.get("ordered")
        if not isinstance(tables, list) or not isinstance(problem.answer, str):
            return failure("info must hold the tables, and answer a query", Reason.BAD_REFERENCE)
        for table in tables:
            database = _database(table)
            try:
                wanted = run_query(database, problem.answer)
            except (QueryError, QueryLimit) as e:
                return failure(f"the reference query fails: {e}", Reason.BAD_REFERENCE)
            try:
                found = run_query(database, answer)
            except QueryLimit as e:
                return Verdict(
                    score=0.0, reason=Reason.RESOURCE_LIMIT, answer=answer[:1000], detail={"sql": str(e)}
                )
            except QueryError as e:
                return Verdict(score=0.0, answer=answer[:1000], detail={"sql": str(e)})
            finally:
                database.close()
            if found != wanted and (ordered or sorted(found, key=repr) != sorted(wanted, key=repr)):
                return False
        return True


def _questions(city: str, age: int, spent: int) -> tuple[tuple[tuple[str, str, bool], ...], ...]:
    """For each level two questions, their queries, and whether the order of the rows counts."""
    return (
        (
            (f"the names of the people in {city}.", f"SELECT name FROM people WHERE city = '{city}'", False),
            (f"the names of those older than {age}.", f"SELECT name FROM people WHERE age > {age}", False),
        ),
        (
            (f"how many people live in {city}?", f"SELECT COUNT(*) FROM people WHERE city = '{city}'", False),
            (f"the ages in {city}, added up.", f"SELECT SUM(age) FROM people WHERE city = '{city}'", False),
        ),
        (
            (
                "the names of the three oldest, oldest first.",
                f"SELECT name FROM people {_BY_AGE} LIMIT 3",
                True,
            ),
            (
                "all names from the oldest to the youngest, without the oldest.",
                f"SELECT name FROM people {_BY_AGE} LIMIT -1 OFFSET 1",
                True,
            ),
        ),
        (
            (
                "each city with its number of people.",
                "SELECT city, COUNT(*) FROM people GROUP BY city",
                False,
            ),
            (
                "each city whose oldest inhabitant is older than 40, with that age.",
                "SELECT city, MAX(age) FROM people GROUP BY city HAVING MAX(age) > 40",
                False,
            ),
        ),
        (
            (
                "each visitor's name with all that was spent, added up.",
                "SELECT p.name, SUM(v.spent) FROM people p JOIN visits v ON p.name = v.name GROUP BY p.name",
                False,
            ),
            (
                f"the cities of those who spent more than {spent} at once, each city once.",
                "SELECT DISTINCT p.city FROM people p JOIN visits v ON p.name = v.name "
                f"WHERE v.spent > {spent}",
                False,
            ),
        ),
    )


_BY_AGE = "ORDER BY age DESC"


def _tables(stream: Stream) -> tuple[list[tuple[str, str, int]], list[tuple[str, int]]]:
    names = stream.sample(_NAMES, stream.between(4, 6))
    ages = stream.sample(range(18, 66), len(names))  # all different, so that an order by age is the only one
    people = [(n, stream.choice(_CITIES), a) for n, a in zip(names, ages, strict=True)]
    visits = [(stream.choice(names), stream.between(1, 20)) for _ in range(stream.between(3, 6))]
    return people, visits


def _plain(tables: tuple[list[tuple[str, str, int]], list[tuple[str, int]]]) -> Json:
    return [[list(row) for row in tables[0]], [list(row) for row in tables[1]]]


def _database(tables: object) -> sqlite3.Connection:
    people, visits = cast("tuple[Any, Any]", tables)
    database = sqlite3.connect(":memory:")
    database.execute(_SETUP)
    database.execute(_SETUP_2)
    database.executemany("INSERT INTO people VALUES (?, ?, ?)", people)
    database.executemany("INSERT INTO visits VALUES (?, ?)", visits)
    database.commit()
    return database
