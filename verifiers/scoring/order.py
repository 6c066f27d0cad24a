"""Results in the order of their rows, and each distinct (problem, completion) pair decided once."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any

from referee.verifiers.jsonl import key
from referee.verifiers.protocol import Item
from referee.verifiers.records import Reward
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.engine import Settled, WorkUnit
from referee.verifiers.scoring.rows import Row
from referee.verifiers.scoring.store import Store


class Ordered:
    """Hands out units that are not decided yet, takes results in any order, releases them in order.

    Rows are numbered from 0; a unit has the number of its first row. With a store, released rewards
    are on file and what is ahead of its turn is journaled; without one they stay in memory.
    """

    def __init__(self, rubric: Rubric, store: Store | None = None) -> None:
        self.duplicates = 0
        self._rubric = rubric
        self._store = store
        self._next = 0  # the first row that is not released
        self._admitted = 0
        self._rows: dict[int, Row] = {}  # admitted, not released
        self._settled: dict[int, Reward] = {}  # decided, not released
        self._unsaved: list[int] = []  # settled in this process, perhaps ahead of their turn
        self._units: dict[int, int] = {}  # how many rows each unit has that is being decided
        self._leader: dict[bytes, int] = {}  # the first unit of each distinct content
        self._followers: dict[int, list[int]] = {}  # units that wait for their leader's result
        self._offsets = array("q")  # where each released row's line begins, with a store
        self._memory: list[Reward] = []  # released rewards, without one

    @property
    def timed(self) -> bool:
        """True where each completion's time is noted."""
        return self._store is not None

    def remember(self, row: Row, offset: int) -> None:
        """Take note of a row that was released in an earlier run."""
        self._leader.setdefault(digest([row]), self._next)
        self._offsets.append(offset)
        self._next += 1
        self._admitted = self._next

    def admit(self, groups: Iterable[Sequence[Row]]) -> Iterator[WorkUnit]:
        """Yield the units that somebody must decide; what is known already is settled at once."""
        ahead = self._store.ahead if self._store else {}
        for rows in groups:
            number = self._admitted
            self._admitted += len(rows)
            self._rows.update(enumerate(rows, number))
            leader = self._leader.setdefault(digest(rows), number)
            if all(number + i in ahead for i in range(len(rows))):
                self._settled.update((number + i, ahead.pop(number + i)) for i in range(len(rows)))
            elif leader == number:
                self._units[number] = len(rows)
                readable = [row for row in rows if row.failure is None]
                if readable:
                    yield WorkUnit(number, [Item(row.completion, row.problem, row.group) for row in readable])
                else:
                    self.settle(Settled(number, [], []))
            else:
                self.duplicates += len(rows)
                self._follow(leader, number, len(rows))

    def settle(self, settled: Settled) -> None:
        """Take a unit's result: a reward for each of its rows that can be read."""
        number = settled.number
        rewards, seconds = self._with_failures(settled)
        for i, reward in enumerate(rewards):
            self._put(number + i, reward)
            if self._store:
                self._store.time(self._rows[number + i], seconds[i], shared=settled.shared)
        for follower in self._followers.pop(number, ()):
            for i, reward in enumerate(rewards):
                self._put(follower + i, reward)

    def release(self) -> list[tuple[Row, Reward]]:
        """Return the rows whose turn has come, after writing them; journal what is ahead of its turn."""
        out: list[tuple[Row, Reward]] = []
        while self._next in self._settled:
            out.append((self._rows.pop(self._next), self._settled.pop(self._next)))
            self._next += 1
        if self._store is None:
            self._memory.extend(reward for _, reward in out)
            return out
        if out:
            self._offsets.extend(self._store.append(out))
        for number in self._unsaved:
            if number in self._settled:
                self._store.keep(number, self._settled[number])
        self._unsaved.clear()
        self._store.flush(journal_needed=bool(self._settled))
        return out

    def _with_failures(self, settled: Settled) -> tuple[list[Reward], list[float]]:
        """Put the rewards of rows that cannot be read in their places: every part has the row's verdict."""
        decided = zip(settled.rewards, settled.seconds, strict=True)
        rewards, seconds = [], []
        for i in range(self._units.pop(settled.number)):
            row = self._rows[settled.number + i]
            if row.failure is None:
                reward, spent = next(decided)
            else:
                verdicts = dict.fromkeys(self._rubric.parts, row.failure)
                reward, spent = self._rubric.pay(verdicts, truncated=row.completion.truncated), 0.0
            rewards.append(reward)
            seconds.append(spent)
        return rewards, seconds

    def _put(self, number: int, reward: Reward) -> None:
        self._settled[number] = reward
        self._unsaved.append(number)

    def _follow(self, leader: int, number: int, count: int) -> None:
        known = [self._known(leader + i) for i in range(count)]
        if any(reward is None for reward in known):
            self._followers.setdefault(leader, []).append(number)
        else:
            for i, reward in enumerate(known):
                assert reward is not None
                self._put(number + i, reward)

    def _known(self, number: int) -> Reward | None:
        if number >= self._next:
            return self._settled.get(number)
        return self._store.reward_at(self._offsets[number]) if self._store else self._memory[number]


def digest(rows: Sequence[Row]) -> bytes:
    """Return the key under which equal problems with equal completions are decided once."""
    contents = "\n".join(_contents(record) for row in rows for record in (row.problem, row.completion))
    return hashlib.blake2b(contents.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _contents(record: Any) -> str:
    """Return a text that only equal records share: of plain fields their repr, else canonical JSON."""
    kind: Any = type(record)
    values = _fields(kind)(record)
    if all(value is None or type(value) in _PLAIN or not value for value in values):
        return repr(values)
    return key(record)


_PLAIN = (str, int, float, bool)


@cache
def _fields(cls: Any) -> Any:
    return attrgetter(*(f.name for f in fields(cls)))
