"""Where scored completions are kept, so that a run killed at any moment loses nothing.

Four files stand side by side. ``OUT`` holds one scored completion a line, always in the order of
the input. What is decided ahead of its turn waits in ``OUT.journal``, which goes when the run ends.
``OUT.state.json`` says under which rubric and columns the run began. ``OUT.timings.jsonl`` holds
what may differ between two runs: how long each verdict took.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from referee.verifiers.jsonl import dumps, from_dict, key, loads, to_dict, write_json
from referee.verifiers.records import Completion, Json, Problem, Reward
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.rows import Columns, Row


class StoreError(ValueError):
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


class Store:
    """The output of one run, opened for the first time or again.

    ``ahead`` holds the rewards that were journaled, by the number of their row.
    """

    def __init__(self, out: str | Path, rubric: Rubric, columns: Columns, *, overwrite: bool = False) -> None:
        self.out = Path(out)
        self._journal_path = self.out.with_name(self.out.name + ".journal")
        self._state_path = self.out.with_name(self.out.name + ".state.json")
        self._timings_path = self.out.with_name(self.out.name + ".timings.jsonl")
        state: dict[str, Json] = {"rubric": describe(rubric), "columns": _plain(columns)}
        if overwrite:
            for path in (self.out, self._journal_path, self._state_path, self._timings_path):
                path.unlink(missing_ok=True)
        self._check_state(state)
        _repair(self.out)
        self._end = self._size_before = self.out.stat().st_size if self.out.exists() else 0
        self.ahead: dict[int, Reward] = {}
        for line in _complete_lines(self._journal_path):
            number, reward = json.loads(line)
            self.ahead[number] = from_dict(Reward, reward)
        _repair(self._timings_path)
        self._file = self.out.open("ab", buffering=0)
        self._journal = self._journal_path.open("ab")
        self._timings = self._timings_path.open("ab")

    def _check_state(self, state: dict[str, Json]) -> None:
        if self._state_path.exists():
            before = json.loads(self._state_path.read_text(encoding="utf-8"))
            changed = [name for name in state if before.get(name) != state[name]]
            if changed:
                raise StoreError(
                    f"{self.out} was begun with another {' and other '.join(changed)}: choose another "
                    "output, or overwrite it"
                )
        elif self.out.exists() and self.out.stat().st_size:
            raise StoreError(
                f"{self.out} exists and is not the output of a run: choose another, or overwrite it"
            )
        self.out.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._state_path.with_name(self._state_path.name + ".new")
        scratch.write_text(write_json(state) + "\n", encoding="utf-8")
        scratch.replace(self._state_path)

    def earlier(self) -> Iterator[tuple[int, Scored]]:
        """Yield what was on file when the store was opened, with the offset of each line."""
        offset = 0
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
        _write_all(self._file.fileno(), b"".join(lines))
        return offsets

    def reward_at(self, offset: int) -> Reward:
        """Read back the reward in the line that begins at ``offset``."""
        with self.out.open("rb") as file:
            file.seek(offset)
            return loads(Scored, file.readline()).reward

    def keep(self, number: int, reward: Reward) -> None:
        """Journal a reward that was decided ahead of its turn."""
        line = write_json([number, to_dict(reward)])
        self._journal.write(f"{line}\n".encode())

    def time(self, row: Row, seconds: float) -> None:
        """Note how long a verdict took."""
        entry: Json = {"line": row.line, "column": row.column, "seconds": round(seconds, 6)}
        self._timings.write(f"{write_json(entry)}\n".encode())

    def flush(self, *, journal_needed: bool) -> None:
        """Hand everything to the operating system; empty a journal whose entries are all in the output."""
        self._timings.flush()
        self._journal.flush()
        if not journal_needed and self._journal.tell():
            self._journal.truncate(0)
            self._journal.seek(0)

    def close(self, *, complete: bool) -> None:
        """Close the files; a complete run needs no journal."""
        for file in (self._file, self._journal, self._timings):
            file.close()
        if complete:
            self._journal_path.unlink(missing_ok=True)


def digest(rows: Sequence[Row]) -> bytes:
    """Return the key under which equal problems with equal completions are decided once."""
    contents = "\n".join(key(row.problem, row.completion) for row in rows)
    return hashlib.blake2b(contents.encode(), digest_size=16).digest()


def _plain(columns: Columns) -> Json:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(columns).items()}


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


def _complete_lines(path: Path) -> list[bytes]:
    _repair(path)
    return path.read_bytes().splitlines() if path.exists() else []


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
