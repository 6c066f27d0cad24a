"""A run's record on disk: what was asked, every step's figures, samples with verdicts, checkpoints.

    RUN/recipe.yaml         what was asked
    RUN/rules.json          the version of each verifier's rules
    RUN/metrics.jsonl       one line a step; equal runs give equal bytes
    RUN/timings.jsonl       seconds, which never repeat
    RUN/samples.jsonl       completions with their verdicts as training went on
    RUN/heldout.jsonl       held-out measures
    RUN/checkpoints/step-N  weights, optimiser, position

A checkpoint is written aside and renamed when it is whole. Resuming cuts the records back to the
checkpoint's step, so that the resumed run writes the very lines that the undisturbed one would have.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from referee.verifiers.jsonl import write_json
from referee.verifiers.records import Json
from referee.verifiers.writing_alone import take

_RECORDS = ("metrics", "timings", "samples", "heldout")
_STEP = re.compile(r"step-(\d+)")


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Make a run's folder and hold it while the block runs; say whether nobody else writes to it."""
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield take(fd, folder)
    finally:
        os.close(fd)


class Run:
    """A folder that a training run writes to. One process writes; the others pass ``writes=False``."""

    def __init__(self, folder: Path | str, *, writes: bool = True) -> None:
        self.folder = Path(folder)
        self.writes = writes
        if writes:
            (self.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob("checkpoints/.*"):  # cut off while it was being written
                shutil.rmtree(left)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def append(self, record: str, lines: Iterable[Mapping[str, Json]]) -> None:
        """Add lines to ``RECORD.jsonl`` and hand them to the operating system."""
        if not self.writes:
            return
        with self._path(record).open("a", encoding="utf-8") as file:
            file.writelines(write_json(dict(line)) + "\n" for line in lines)

    def read(self, record: str) -> list[dict[str, Any]]:
        """Return the lines of ``RECORD.jsonl``; a last line that was cut off is left out."""
        return [line for line, _ in self._whole_lines(record)]

    def checkpoints(self) -> list[tuple[int, Path]]:
        """Return the steps that have a whole checkpoint, with their folders, in order."""
        found = []
        for path in self.folder.glob("checkpoints/step-*"):
            if match := _STEP.fullmatch(path.name):
                found.append((int(match.group(1)), path))
        return sorted(found)

    @contextmanager
    def checkpoint(self, step: int) -> Iterator[Path]:
        """Give a folder to write a checkpoint into; it takes its name when the block ends without error."""
        target = self.folder / "checkpoints" / f"step-{step}"
        aside = self.folder / "checkpoints" / f".step-{step}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        yield aside
        for file in aside.rglob("*"):
            if file.is_file():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
        for record in _RECORDS:  # what the checkpoint builds on must be on the disk before it is
            if self._path(record).exists():
                with self._path(record).open("rb") as handle:
                    os.fsync(handle.fileno())
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)

    def prune(self, keep: int, *, also: int | None = None) -> None:
        """Delete all but the newest ``keep`` checkpoints, step 0, the reference, and that of ``also``."""
        if self.writes:
            for step, path in self.checkpoints()[:-keep]:
                if step not in (0, also):
                    shutil.rmtree(path)

    def cut(self, step: int) -> None:
        """Drop every recorded line of a later step."""
        if not self.writes:
            return
        for record in _RECORDS:
            if not self._path(record).exists():
                continue
            kept = [text for line, text in self._whole_lines(record) if line["step"] <= step]
            aside = self._path(record).with_suffix(".cut")
            aside.write_text("".join(kept), encoding="utf-8")
            os.replace(aside, self._path(record))

    def clear(self) -> None:
        """Delete what is recorded here: records, checkpoints, and nothing else that lies in the folder."""
        for record in _RECORDS:
            self._path(record).unlink(missing_ok=True)
        for _, path in self.checkpoints():
            shutil.rmtree(path)

    def _path(self, record: str) -> Path:
        if record not in _RECORDS:
            raise ValueError(f"record must be one of {', '.join(_RECORDS)}, got {record!r}")
        return self.folder / f"{record}.jsonl"

    def _whole_lines(self, record: str) -> Iterator[tuple[dict[str, Any], str]]:
        path = self._path(record)
        if not path.exists():
            return
        with path.open(encoding="utf-8") as file:
            for text in file:
                if text.endswith("\n"):
                    yield json.loads(text), text
