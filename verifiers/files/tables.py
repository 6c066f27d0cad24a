"""Rows of tables and archives: CSV, Parquet, the data sets of ``datasets``, and inspect_ai's zipped logs."""

from __future__ import annotations

import csv
import importlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from referee.verifiers.cells import jsonable
from referee.verifiers.errors import UserMistake
from referee.verifiers.extras import missing

_LONGEST_CELL = 1 << 30
_BATCH = 256
_NO_UTF8 = re.compile("[\ud800-\udfff]")  # how bytes that are none are read


class SourceError(UserMistake, ValueError):
    """A source that cannot be read at all. The message says what it is, and what can be read."""


def csv_rows(file: IO[bytes], delimiter: str) -> Iterator[tuple[int, Any, str]]:
    """Yield the line on which each row ends, the row, and what is wrong with it ("" where nothing is)."""
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    decoded = io.TextIOWrapper(cast("Any", file), encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(decoded, delimiter=delimiter)
    names: list[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            yield reader.line_num, "", f"not CSV: {e}"
            continue
        if names is None:
            names = cells
        elif len(cells) > len(names):
            why = f"it has {len(cells)} cells, and the first line names {len(names)} columns"
            yield reader.line_num, delimiter.join(cells), why
        elif any(map(_NO_UTF8.search, cells)):
            yield (
                reader.line_num,
                _NO_UTF8.sub("\N{REPLACEMENT CHARACTER}", delimiter.join(cells)),
                "not UTF-8",
            )
        elif cells:
            yield reader.line_num, dict(zip(names, cells, strict=False)), ""


def parquet_rows(file: IO[bytes]) -> Iterator[Any]:
    """Yield a Parquet file's rows, a batch of them in memory at a time."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise missing("reading Parquet", "pyarrow", install="pyarrow") from None
    try:
        for batch in parquet.ParquetFile(file).iter_batches(batch_size=_BATCH):
            yield from map(jsonable, batch.to_pylist())
    except (OSError, ValueError) as e:  # what Arrow raises is one of these
        raise SourceError(f"Parquet that cannot be read: {e}") from None


def folder_rows(folder: Path) -> Iterator[Any]:
    """Return the rows of a folder that ``save_to_disk`` of ``datasets`` wrote."""
    if (folder / "dataset_dict.json").is_file():
        splits = sorted(p.name for p in folder.iterdir() if (p / "dataset_info.json").is_file())
        if len(splits) != 1:
            raise SourceError(f"{folder} holds the splits {', '.join(splits)}: name one, as {folder}/SPLIT")
        folder = folder / splits[0]
    if not (folder / "dataset_info.json").is_file() or not (folder / "state.json").is_file():
        raise SourceError(f"{folder} is a folder, and none that datasets saved: name a file in it")
    return _each(_datasets().load_from_disk(str(folder)))


def named_rows(name: str) -> Iterator[Any]:
    """Return the rows of ``datasets:NAME:SPLIT``, from the local cache where there is no network."""
    words = name.split(":")[1:]
    if not 2 <= len(words) <= 3 or not all(words):
        raise SourceError(
            f"a data set is named datasets:NAME:SPLIT or datasets:NAME:CONFIG:SPLIT, got {name}"
        )
    try:
        found = _datasets().load_dataset(*words[:-1], split=words[-1])
    except (OSError, ValueError, RuntimeError) as e:
        first = next(iter(str(e).splitlines()), type(e).__name__)
        raise SourceError(f"the data set {name} cannot be had, here or over the network: {first}") from None
    return _each(found)


def eval_rows(file: IO[bytes], name: str) -> Iterator[Any]:
    """Return the samples of an inspect_ai log in its zipped form (``.eval``), by name."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as e:
        raise SourceError(f"{name} is a zip that cannot be read: {e}") from None
    names = sorted(n for n in archive.namelist() if n.startswith("samples/") and n.endswith(".json"))
    if not names:
        raise SourceError(f"{name} is a zip, and no inspect_ai log: it holds no samples/*.json")
    return _samples(archive, names, name)


def _samples(archive: zipfile.ZipFile, names: list[str], log: str) -> Iterator[Any]:
    for name in names:
        try:
            yield json.loads(archive.read(name))
        except NotImplementedError:
            raise SourceError(
                f"{log} is zipped in a way that this Python cannot read: write it as .json"
            ) from None


def _each(dataset: Any) -> Iterator[Any]:
    return (jsonable(row) for row in dataset)


def _datasets() -> Any:
    try:
        import datasets
    except ImportError:
        raise missing("reading a data set", "datasets", extra="train") from None
    return datasets
