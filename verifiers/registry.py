"""Verifiers by name: the built-in ones, and the user's own by where they live.

A name is one of

- a built-in verifier's class in snake case: ``math``, ``think_format``, ``unit_tests`` ...
- ``package.module:name``, imported; the current folder is searched last,
- ``path/to/file.py:name``, the file imported under its own name.

``name`` may stand for a verifier, a function, or a class that is called with the options given.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from referee.verifiers.protocol import AnyVerifier, check_verifier
from referee.verifiers.records import Json


def make_verifier(name: str, options: Mapping[str, Json] | None = None) -> AnyVerifier:
    """Return the verifier that ``name`` stands for, made with ``options``.

    Raises:
        ValueError: where there is no such verifier, or an option that it does not take.
        TypeError: where what is found cannot be a verifier.

    >>> make_verifier("think_format", {"prefilled": True})
    ThinkFormat(opening='<think>', closing='</think>', prefilled=True, min_characters=1)
    """
    found = _own(name) if ":" in name else _built_in(name)
    options = dict(options or {})
    if isinstance(found, type):
        found = _construct(name, found, options)
    elif options:
        raise ValueError(f"{name} is not a class and takes no options, got {', '.join(options)}")
    check_verifier(name, found)
    return found  # type: ignore[no-any-return]


def built_in_names() -> list[str]:
    """Return the names of all built-in verifiers."""
    return sorted(name for name, home in _classes().items() if _is_verifier(_load(home)))


def _built_in(name: str) -> type:
    home = _classes().get(name)
    found = _load(home) if home else None
    if not _is_verifier(found):
        names = built_in_names()
        close = get_close_matches(name, names, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
        raise ValueError(
            f"verifier must be a built-in name, package.module:name or file.py:name, got {name!r}; {hint}"
        )
    assert isinstance(found, type)
    return found


def _classes() -> dict[str, str]:
    """Map each public class, in snake case, to its name in :mod:`referee.verifiers`."""
    verifiers = importlib.import_module("referee.verifiers")
    names = [n for n in verifiers.__all__ if n[0].isupper()]
    return {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", n).lower(): n for n in names}


def _load(public_name: str) -> Any:
    return getattr(importlib.import_module("referee.verifiers"), public_name)


def _is_verifier(found: object) -> bool:
    """Tell a verifier's class from the records and combinators that are public beside it."""
    from referee.verifiers.combine import Combinator, Composable

    return (
        isinstance(found, type)
        and issubclass(found, Composable)
        and not issubclass(found, Combinator)
        and found is not Composable
    )


def _construct(name: str, cls: type, options: dict[str, Json]) -> Any:
    if dataclasses.is_dataclass(cls):
        known = [f.name for f in dataclasses.fields(cls) if f.init]
        if unknown := sorted(set(options) - set(known)):
            takes = f"its options are {', '.join(known)}" if known else "it takes none"
            raise ValueError(f"{name} has no option {unknown[0]!r}; {takes}")
    try:
        inspect.signature(cls).bind(**options)
    except TypeError as e:
        raise ValueError(f"{name}: {e}") from None
    try:
        return cls(**{key: _tuples(value) for key, value in options.items()})
    except (TypeError, ValueError) as e:
        raise type(e)(f"{name}: {e}") from None


def _tuples(value: Json) -> Any:
    """Turn lists into tuples, which the frozen dataclasses of verifiers hold."""
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _own(name: str) -> Any:
    place, _, attribute = name.rpartition(":")
    module = _from_file(Path(place)) if place.endswith(".py") else _from_module(place)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{place} has no {attribute!r}, which verifier {name!r} names")
        found = getattr(found, part)
    return found


def _from_module(place: str) -> Any:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    return _imported(place, place)


def _imported(module: str, place: str) -> Any:
    """Import what a user named. Whatever its own code raises is said of the name, with the line."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is not None and module.startswith(e.name):
            raise ValueError(f"verifier names the module {place!r}, which is not installed here") from None
        raise ValueError(f"{place} cannot be imported: {e}") from e
    except Exception as e:
        frames = traceback.extract_tb(e.__traceback__)
        line = e.lineno if isinstance(e, SyntaxError) else frames[-1].lineno
        raise ValueError(f"{place} cannot be imported: {type(e).__name__}: {e} (line {line})") from e


def _from_file(path: Path) -> Any:
    """Import a file under its own name, so that worker processes can import it too."""
    if not path.is_file():
        raise ValueError(f"verifier names the file {path}, which is not there")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = _imported(path.stem, str(path))
    if Path(getattr(module, "__file__", "") or "").resolve() != path.resolve():
        raise ValueError(f"{path} has the name of another module, {path.stem!r}: rename the file")
    return module
