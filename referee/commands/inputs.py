"""The doors of the commands: what the user gave is read, or refused in one line that names the argument."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from referee.verifiers.errors import UserMistake
from referee.verifiers.protocol import name_of
from referee.verifiers.registry import make_verifier
from referee.verifiers.rubric import Rubric
from referee.verifiers.rubric_file import load_rubric
from referee.verifiers.scoring.store import Scored, read_scored


class BadInput(UserMistake, ValueError):
    """The user's input cannot be used; the message says why and what to do."""


@contextmanager
def opening(argument: str, path: Path) -> Iterator[None]:
    """Say of a file that cannot be opened which argument named it.

    Only an error about ``path``, a file beside it of a longer name, or a folder above it is the argument's.
    """
    try:
        yield
    except OSError as e:
        failed = Path(e.filename) if isinstance(e.filename, str) else None
        if failed is None or not (str(failed).startswith(str(path)) or failed in path.parents):
            raise
        raise BadInput(f"{argument} cannot be opened: {failed}: {e.strerror}") from None


def finite(flag: str, value: float | None) -> None:
    """Refuse a flag's number that is infinite, or none at all."""
    if value is not None and not math.isfinite(value):
        raise BadInput(f"{flag} must be a finite number, got {value}")


def above_0(flag: str, value: float) -> None:
    """Refuse a flag's number that is not above 0, or infinite."""
    if not value > 0 or math.isinf(value):
        raise BadInput(f"{flag} must be above 0 and finite, got {value:g}")


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``name=value`` pairs, each value as YAML: ``places=2``, ``names=[a, b]``."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise BadInput(f"--option must be name=value, got {pair!r}")
        try:
            options[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise BadInput(f"--option {name.strip()} must have a YAML value, got {value!r}") from None
    return options


def parse_json(argument: str, text: str) -> Any:
    """Read a flag's value as JSON."""
    try:
        return json.loads(text)
    except ValueError as e:
        raise BadInput(f"{argument} must be JSON, got {text!r:.80}: {e}") from None


def load_judge(name: str, options: Sequence[str] = ()) -> Rubric:
    """Return the rubric that a YAML file holds, or one of a single part for the name of a verifier."""
    if name.endswith((".yaml", ".yml")):
        if options:
            raise BadInput(f"--option belongs to a verifier's name; write the options into {name}")
        with opening("the rubric", Path(name)):
            return load_rubric(name)
    try:
        verifier = make_verifier(name, parse_options(options))
    except (ValueError, TypeError, ImportError) as e:
        raise BadInput(str(e)) from None
    if isinstance(verifier, Rubric):
        return verifier
    return Rubric({name_of(verifier): verifier})


@contextmanager
def reading_scored(source: Path) -> Iterator[Iterator[Scored]]:
    """Give what a scored file holds; what is wrong with it, or with what was asked of it, is one line."""
    with opening("source", source):
        try:
            yield read_scored(source)
        except UserMistake:
            raise
        except ValueError as e:
            raise BadInput(str(e)) from None


def write_rows(rows: Iterable[Mapping[str, Any]], out: Path, source: Path) -> None:
    """Write rows as JSON lines, all or nothing."""
    if out.resolve() == source.resolve():
        raise BadInput(f"--out must be another file than the source, got {out}")
    with opening("--out", out):
        out.parent.mkdir(parents=True, exist_ok=True)
        aside = out.with_name(f".{out.name}.new")
        with aside.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
        aside.replace(out)
