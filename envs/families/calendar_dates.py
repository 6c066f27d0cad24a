"""Days of the week, dates, and the days between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

from referee.envs.answers import integer
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.records import Problem

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class CalendarDates(Procedural):
    """A weekday, a date or a number of days, in the Gregorian calendar from 1900 to 2100.

    Levels: 0 the weekday some days after a weekday; 1 the date some days after a date; 2 the days
    between two dates of a year; 3 the weekday of a date; 4 the date some hundred days before a date.

    Accepts:
        - a weekday in any case, or its first three letters; a date as ``2024-02-29``; a number of days
    Rejects:
        - dates in another order; a date that does not exist
    """

    name: ClassVar[str] = "calendar"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw a date and a distance."""
        day = date(1900, 1, 1) + timedelta(days=stream.below(73_000))
        if level == 0:
            start, after = stream.below(7), stream.between(1, 9)
            first = _DAYS[start]
            question, terse = f"Which weekday is {after} days after {first}?", f"{first[:3]}+{after}"
            answer = _DAYS[(start + after) % 7]
        elif level == 1:
            after = stream.between(1, 40)
            question, terse = f"Which date is {after} days after {day}?", f"{day}+{after}"
            answer = str(day + timedelta(days=after))
        elif level == 2:
            first_day, last_day = sorted(
                date(day.year, 1, 1) + timedelta(days=stream.below(365)) for _ in "ab"
            )
            question, terse = f"How many days pass from {first_day} to {last_day}?", f"{last_day}-{first_day}"
            answer = str((last_day - first_day).days)
        elif level == 3:
            question, terse = f"Which weekday is {day}?", f"{day}"
            answer = _DAYS[day.weekday()]
        else:
            before = stream.between(100, 999)
            question, terse = f"Which date is {before} days before {day}?", f"{day}-{before}"
            answer = str(day - timedelta(days=before))
        form = "the date as YYYY-MM-DD" if level in (1, 4) else "the answer"
        return Draft(f"{question} End with a line that holds only {form}.", f"{terse}:", answer)

    def judge(self, answer: str, problem: Problem) -> bool:
        """Compare numbers as numbers, weekdays by their first letters, dates as they are."""
        reference = str(problem.answer)
        if reference.isdigit():
            return integer(answer) == int(reference)
        if reference in _DAYS:
            return answer.lower() in (reference.lower(), reference[:3].lower())
        return answer == reference
