"""Where scored completions are kept, so that a run killed at any moment loses nothing.

Four files stand side by side. ``OUT`` holds one scored completion a line, always in the order of
the input. What is decided ahead of its turn waits in ``OUT.journal``, which goes when the run ends.
``OUT.state.json`` says under which rubric, columns and versions of the rules the run began.
``OUT.timings.jsonl`` holds what may differ between two runs: how long each verdict took.

Nothing is written before the first reward is: a command that fails over its input leaves no trace that
would refuse the corrected one. Where ``OUT`` is gone, what stands beside it is no run, and goes too.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from io import BufferedReader, BufferedWriter, FileIO
from pathlib import Path
from typing import NamedTuple, cast

from referee.verifiers.errors import UserMistake
from referee.verifiers.jsonl import dumps, from_dict, loads, to_dict, write_json
from referee.verifiers.records import Completion, Json, Problem, Reward
from referee.verifiers.rubric import Rubric
from referee.verifiers.rules_version import changed_rules, rules_of
from referee.verifiers.scoring.rows import Columns, Row
from referee.verifiers.writing_alone import take


class StoreError(UserMistake, ValueError):
    """The output cannot be used: it is not ours, or belongs to another run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One scored completion: where it came from, what was judged, and its reward."""

    line: int
    column: str
    problem: Problem
    completion: Completion
    reward: Reward


def read_scored(path: str | Path) -> Iterator[Scored]:
    """Yield what a scored file holds.

    Raises:
        StoreError: at a line that is no scored completion, by its number.
    """
    for scored, _ in _scored_lines(Path(path)):
        yield scored


def _scored_lines(path: Path) -> Iterator[tuple[Scored, int]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield loads(Scored, line), len(line)
            except (ValueError, TypeError) as e:
                raise StoreError(f"{path}, line {number}: not a scored completion: {e}") from None


def describe(rubric: Rubric) -> str:
    """Return a rubric's repr without memory addresses: equal rubrics, equal texts in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(rubric))


class _Files(NamedTuple):
    """What a run writes to: the output, what is ahead of its turn, and the seconds."""

    out: FileIO
    journal: BufferedWriter
    timings: BufferedWriter


class Store:
    """The output of one run, opened for the first time or again; one run at a time writes it.

    ``ahead`` holds the rewards that were journaled, by the number of their row.
    """

    def __init__(self, out: str | Path, rubric: Rubric, columns: Columns, *, overwrite: bool = False) -> None:
        self.out = Path(out)
        _check_place(self.out)
        self._files: _Files | None = None
        self._lock = self._taken() if self.out.exists() else None
        try:
            self._begin(rubric, columns, overwrite=overwrite)
        except BaseException:
            self.close(complete=False)
            raise

    def _begin(self, rubric: Rubric, columns: Columns, *, overwrite: bool) -> None:
        self._journal_path = self.out.with_name(self.out.name + ".journal")
        self._state_path = self.out.with_name(self.out.name + ".state.json")
        self._timings_path = self.out.with_name(self.out.name + ".timings.jsonl")
        self._state: dict[str, Json] = {
            "rubric": describe(rubric),
            "columns": _plain(columns),
            "rules": rules_of(rubric),
        }
        if overwrite or not self._has_begun():
            for path in (self.out, self._journal_path, self._state_path, self._timings_path):
                path.unlink(missing_ok=True)
            if self._lock is not None:
                self._lock.close()
                self._lock = None
        else:
            self._check_state()
            for path in (self.out, self._journal_path, self._timings_path):
                _repair(path)
        self._end = self._size_before = _size(self.out)
        self.ahead: dict[int, Reward] = {}
        for line in self._journal_path.read_bytes().splitlines() if self._journal_path.exists() else ():
            number, reward = json.loads(line)
            self.ahead[number] = from_dict(Reward, reward)

    def _taken(self) -> BufferedReader:
        """Open the output for this run alone, until it is closed.

        Raises:
            StoreError: where another run writes it.
        """
        file = self.out.open("rb")
        if not take(file.fileno(), self.out):
            file.close()
            raise StoreError(f"another run is writing {self.out}: wait for its end, or choose another output")
        return file

    def _has_begun(self) -> bool:
        return self.out.exists() and bool(_size(self.out) or _size(self._journal_path))

    def _check_state(self) -> None:
        """Refuse an output that was begun otherwise, saying what differs and what to do."""
        try:
            before = json.loads(self._state_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            before = None
        if not isinstance(before, dict):
            raise StoreError(f"{self.out} exists and is not the output of a run: {_WAY_OUT}")
        changed = _changes(before, self._state)
        if changed:
            raise StoreError(f"{self.out} was begun with {'; '.join(changed)}: {_WAY_OUT}")

    def _open(self) -> _Files:
        """Return the files to write to, making them, and the record of what began them, at first use."""
        if self._files is None:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            out = self.out.open("ab", buffering=0)
            try:
                self._lock = self._lock or self._taken()
                if _size(self.out) != self._end:  # written since this began, by a run that has ended
                    raise StoreError(f"another run has written {self.out} meanwhile: {_WAY_OUT}")
            except StoreError:
                out.close()
                raise
            scratch = self._state_path.with_name(self._state_path.name + ".new")
            scratch.write_text(write_json(self._state) + "\n", encoding="utf-8")
            scratch.replace(self._state_path)
            self._files = _Files(out, self._journal_path.open("ab"), self._timings_path.open("ab"))
        return self._files

    def earlier(self) -> Iterator[tuple[int, Scored]]:
        """Yield what was on file when the store was opened, with the offset of each line."""
        offset = 0
        if not self._size_before:
            return
        for scored, length in _scored_lines(self.out):
            if offset >= self._size_before:
                return
            yield offset, scored
            offset += length

    def cut(self, offset: int) -> None:
        """Drop everything from ``offset`` on."""
        os.truncate(self.out, offset)
        self._end = offset

    def append(self, rows: list[tuple[Row, Reward]]) -> list[int]:
        """Write rewards whose turn has come; return the offset of each one's line."""
        offsets, lines = [], []
        file = self._open().out
        for row, reward in rows:
            scored = Scored(
                line=row.line,
                column=row.column,
                problem=row.problem,
                completion=row.completion,
                reward=reward,
            )
            lines.append(f"{dumps(scored)}\n".encode())
            offsets.append(self._end)
            self._end += len(lines[-1])
        _write_all(file.fileno(), b"".join(lines))
        return offsets

    def reward_at(self, offset: int) -> Reward:
        """Read back the reward in the line that begins at ``offset``."""
        with self.out.open("rb") as file:
            file.seek(offset)
            return loads(Scored, file.readline()).reward

    def keep(self, number: int, reward: Reward) -> None:
        """Journal a reward that was decided ahead of its turn."""
        line = write_json([number, to_dict(reward)])
        self._open().journal.write(f"{line}\n".encode())

    def time(self, row: Row, seconds: float, *, shared: bool = False) -> None:
        """Note how long a verdict took; ``shared`` where this is its part of a batch's time."""
        entry: dict[str, Json] = {"line": row.line, "column": row.column, "seconds": round(seconds, 6)}
        if shared:
            entry["shared"] = True
        self._open().timings.write(f"{write_json(entry)}\n".encode())

    def flush(self, *, journal_needed: bool) -> None:
        """Hand everything to the operating system; empty a journal whose entries are all in the output."""
        if self._files is None:
            return
        self._files.timings.flush()
        journal = self._files.journal
        journal.flush()
        if not journal_needed and journal.tell():
            journal.truncate(0)
            journal.seek(0)

    def close(self, *, complete: bool) -> None:
        """Close the files; a complete run needs no journal."""
        with ExitStack() as stack:  # each is closed, also where another cannot be for want of room
            if self._lock is not None:
                stack.callback(self._lock.close)
                if complete:
                    stack.callback(self._journal_path.unlink, missing_ok=True)
            for file in self._files or ():
                stack.callback(file.close)


@contextmanager
def room_on_disk(out: str | Path) -> Iterator[None]:
    """Say in one line that there is no room left to write ``out``.

    Raises:
        StoreError: in place of the system's error; what was written whole is kept.
    """
    try:
        yield
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise StoreError(
            f"no room to write {out}: {e.strerror}; what was scored is kept: make room, and give the same "
            "command again"
        ) from None


def _plain(columns: Columns) -> Json:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(columns).items()}


_WAY_OUT = "choose another output, or begin anew with --overwrite (overwrite=True)"


def _changes(before: Mapping[str, Json], now: Mapping[str, Json]) -> list[str]:
    """Say in words what differs between two states."""
    out = []
    if before.get("rubric") != now["rubric"]:
        out.append("another rubric")
    older, newer = before.get("columns"), now["columns"]
    assert isinstance(newer, dict)
    if not isinstance(older, dict):
        older = {}
    out += [
        f"another column setting, {name} {_shown(older.get(name))} (now {_shown(value)})"
        for name, value in newer.items()
        if older.get(name) != value
    ]
    if not out and (rules := changed_rules(before.get("rules"), cast("dict[str, Json]", now["rules"]))):
        out.append(f"other rules, so that its verdicts may differ ({', '.join(rules)})")
    return out


def _shown(value: Json) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) and value else repr(value or "")


def _check_place(out: Path) -> None:
    """Refuse what cannot be read back: a pipe, a device, a folder."""
    if out.exists() and not stat.S_ISREG(out.stat().st_mode):
        raise StoreError(f"{out} is not a file: what is scored is read back when a run goes on; name a file")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _repair(path: Path) -> None:
    """Cut off a last line that a kill left without its end."""
    if not path.exists():
        return
    whole = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                whole += len(line)
    if whole != path.stat().st_size:
        os.truncate(path, whole)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
