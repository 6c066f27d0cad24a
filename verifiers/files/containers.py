"""What a file is made of: JSON lines, a JSON array, CSV, Parquet, inspect's zip; gzip or zstd around it.

It is told by the first bytes, so that a pipe is read as well as a file, once and from its beginning; CSV,
which has no first bytes of its own, by its name. A folder is one that ``datasets`` saved, and
``datasets:NAME:SPLIT`` (or ``datasets:NAME:CONFIG:SPLIT``) one that it fetches. Lines, arrays, CSV and
Parquet are read as they are needed; one JSON object over many lines (an inspect log) is held whole.
"""

from __future__ import annotations

import gzip
import importlib
import io
import json
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from referee.verifiers.errors import UserMistake
from referee.verifiers.extras import missing
from referee.verifiers.files import tables
from referee.verifiers.files.tables import SourceError

_GZIP, _ZSTD, _PARQUET, _ZIP, _BOM = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"PK\x03\x04", b"\xef\xbb\xbf"
_TRIED = "tried JSON lines, a JSON array, gzip, zstd, Parquet, zip, and CSV by its name"
_CHUNK = 1 << 16
Pairs = Callable[[list[tuple[str, Any]]], Any]
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True, slots=True)
class BadLine:
    """What stands where a row should: its text, and why it is none."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Container:
    """A source's rows with their numbers, and what it is made of where that is not JSON lines."""

    rows: Iterator[tuple[int, Any]]
    kind: str = ""


def open_container(path: str | Path, *, pairs: Pairs | None = None) -> Container:
    """Open a file, a pipe, standard input (``-``), or a folder of ``datasets``.

    Rows are numbered from 1: by line in JSON lines and CSV, else by their place. What is no row is a
    :class:`BadLine`, and the rows after it follow. ``pairs`` makes the objects of JSON lines of their pairs:
    a mistake that it raises is what is wrong with the line.

    Raises:
        SourceError: where it is nothing that can be read.
        OSError: where it cannot be opened.
        MissingExtra: where a package that reads it is not installed.
    """
    name = str(path)
    if name.startswith("datasets:"):
        return Container(enumerate(tables.named_rows(name), 1), "a data set of datasets")
    if Path(path).is_dir():
        return Container(enumerate(tables.folder_rows(Path(path)), 1), "a folder of datasets")
    raw = sys.stdin.buffer if name == "-" else Path(path).open("rb")  # noqa: SIM115
    stack = ExitStack()
    if name != "-":
        stack.callback(raw.close)
    try:
        return _told(cast("IO[bytes]", raw), name, stack, pairs)
    except BaseException:
        stack.close()
        raise


def _told(raw: IO[bytes], name: str, stack: ExitStack, pairs: Pairs | None) -> Container:
    start, file = _peeked(raw, 4)
    around = ""
    try:
        if start.startswith(_GZIP):
            around, file = "gzip", cast("IO[bytes]", gzip.GzipFile(fileobj=file))
            name = name.removesuffix(".gz")
            start, file = _peeked(file, 4)
        elif start == _ZSTD:
            around, file = "zstd", _unzstd(file)
            name = name.removesuffix(".zst").removesuffix(".zstd")
            start, file = _peeked(file, 4)
    except _DAMAGED as e:
        raise SourceError(f"{name} is {around} that cannot be read: {e}") from None
    rows, kind = _rows(file, start, name, pairs)
    return Container(_closing(rows, stack), ", ".join(filter(None, (around, kind))))


def _rows(
    file: IO[bytes], start: bytes, name: str, pairs: Pairs | None
) -> tuple[Iterator[tuple[int, Any]], str]:
    if start == _PARQUET:
        return enumerate(tables.parquet_rows(_seekable(file)), 1), "Parquet"
    if start == _ZIP:
        return enumerate(tables.eval_rows(_seekable(file), name), 1), "an inspect_ai log"
    if name.lower().endswith((".csv", ".tsv")):
        tab = name.lower().endswith(".tsv")
        return _csv_rows(file, "\t" if tab else ","), "TSV" if tab else "CSV"
    if start.startswith(_BOM):
        file.read(len(_BOM))
    first = _first_sign(file)
    if first == b"[":
        return _array_rows(file), "a JSON array"
    if first != b"{":
        return _lines(file, b"", pairs), ""
    line = file.readline()
    data = _object(line, file)
    if isinstance(data, dict):
        samples = data.get("samples")
        if isinstance(samples, list):
            return enumerate(samples, 1), "an inspect_ai log" if "eval" in data else "an object with samples"
        return iter([(1, data)]), "one JSON object"
    return _lines(file, data, pairs), ""


def _object(line: bytes, file: IO[bytes]) -> dict[str, Any] | bytes:
    """Return an object that fills the file, or the bytes that were read: those of JSON lines."""
    if line.strip() == b"{":  # written over many lines
        line += file.read()
        try:
            whole = json.loads(line)
        except (ValueError, RecursionError):
            return line
        return whole if isinstance(whole, dict) else line
    if b'"samples"' in line and b'"eval"' in line:
        try:
            whole = json.loads(line)
        except (ValueError, RecursionError):
            return line
        if isinstance(whole.get("samples"), list) and "eval" in whole:
            return cast("dict[str, Any]", whole)
    return line


def _first_sign(file: IO[bytes]) -> bytes:
    """Return the first byte that is no space, without taking it."""
    buffered = cast("io.BufferedReader", file)
    seen = buffered.peek(1)
    return seen.lstrip()[:1] if seen.strip() else b""


def _lines(file: IO[bytes], before: bytes, pairs: Pairs | None) -> Iterator[tuple[int, Any]]:
    number = 0
    try:
        for source in (io.BytesIO(before), file):
            for line in source:
                number += 1
                if line.strip():
                    yield number, _parsed(line, number, pairs)
    except _DAMAGED as e:
        yield number + 1, BadLine("", f"the compressed data end here: {e}")


def _parsed(line: bytes, number: int, pairs: Pairs | None) -> Any:
    try:
        return json.loads(line, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as e:
        tried = f"; {_TRIED}" if number == 1 else ""
        why = str(e) if isinstance(e, UserMistake) else f"not JSON: {e}{tried}"
        return BadLine(line.decode("utf-8", "replace").rstrip("\r\n"), why)


def _array_rows(file: IO[bytes]) -> Iterator[tuple[int, Any]]:
    """Read an array's elements one by one, holding no more than the longest of them."""
    text = io.TextIOWrapper(cast("Any", file), encoding="utf-8", newline="")
    decode, number = json.JSONDecoder().raw_decode, 0
    buffer, at, ended, want = "", 1, False, _CHUNK
    try:
        buffer = text.read(_CHUNK).lstrip()
        while True:
            while at < len(buffer) and buffer[at] in " \t\r\n,":
                at += 1
            if at < len(buffer) and buffer[at] == "]":
                if (buffer[at + 1 :] + text.read(_CHUNK)).strip():
                    yield number + 1, BadLine("", "not JSON: something follows the array")
                return
            try:
                value, end = decode(buffer, at)
                whole = end < len(buffer) or ended
            except (ValueError, RecursionError) as e:
                if ended or isinstance(e, RecursionError):
                    yield number + 1, BadLine(buffer[at : at + 1000], f"not JSON: {e}")
                    return
                whole = False
            if whole:
                number, at, want = number + 1, end, _CHUNK
                yield number, value
                continue
            more = text.read(want)
            want, ended = 2 * want, not more  # doubled, so that a long element is not read over and over
            buffer, at = buffer[at:] + more, 0
    except _DAMAGED as e:
        yield number + 1, BadLine("", f"the compressed data end here: {e}")
    except UnicodeDecodeError as e:
        yield number + 1, BadLine("", f"not UTF-8, and nothing after it can be read: {e}")


def _csv_rows(file: IO[bytes], delimiter: str) -> Iterator[tuple[int, Any]]:
    number = 1
    try:
        for number, row, why in tables.csv_rows(file, delimiter):
            yield number, row if not why else BadLine(str(row), why)
    except _DAMAGED as e:
        yield number + 1, BadLine("", f"the compressed data end here: {e}")


def _closing(rows: Iterator[tuple[int, Any]], stack: ExitStack) -> Iterator[tuple[int, Any]]:
    with stack:
        yield from rows


class _Prefixed(io.RawIOBase):
    """A stream whose first bytes were taken, as if they had not been."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        taken = self._start[: len(buffer)]
        if taken:
            self._start = self._start[len(taken) :]
        else:
            read = getattr(self._rest, "read1", self._rest.read)  # a pipe's rows as they come
            taken = read(len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)


def _peeked(file: IO[bytes], count: int) -> tuple[bytes, IO[bytes]]:
    start = file.read(count)
    return start, cast("IO[bytes]", io.BufferedReader(_Prefixed(start, file), _CHUNK))


def _seekable(file: IO[bytes]) -> IO[bytes]:
    """Copy a stream to where it can be gone about in, which Parquet and zip need."""
    held = tempfile.TemporaryFile()  # noqa: SIM115
    shutil.copyfileobj(file, held)
    held.seek(0)
    return cast("IO[bytes]", held)


class _Zstd(io.RawIOBase):
    """Arrow's stream of what zstd packed, whose damage is an EOFError, as gzip's is."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            taken = self._stream.read(len(buffer))
        except (OSError, ValueError) as e:
            raise EOFError(str(e)) from None
        buffer[: len(taken)] = taken
        return len(taken)


def _unzstd(file: IO[bytes]) -> IO[bytes]:
    try:
        pyarrow: Any = importlib.import_module("pyarrow")
    except ImportError:
        raise missing("reading zstd", "pyarrow", install="pyarrow") from None
    return cast("IO[bytes]", _Zstd(pyarrow.CompressedInputStream(pyarrow.PythonFile(file, mode="r"), "zstd")))
