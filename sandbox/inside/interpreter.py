"""What an interpreter has that is started as usual: ours run no ``site``, and there is no /proc here."""

from __future__ import annotations

import _sitebuiltins
import builtins
import contextlib
import io
import os
from typing import Any

_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2} | {
    f"{folder}/{number}": number for folder in ("/dev/fd", "/proc/self/fd") for number in range(3)
}


def define_site_builtins() -> None:
    """Define ``exit``, ``quit``, ``help`` and the notices."""
    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    for name in ("copyright", "credits", "license"):
        setattr(builtins, name, _sitebuiltins._Printer(name, ""))
    builtins.help = _sitebuiltins._Helper()


def open_streams_by_name() -> None:
    """Let ``open`` find the standard streams by the names that they have in /dev."""
    usual, fspath, dup, streams = io.open, os.fspath, os.dup, _STREAMS

    def named(file: Any, *args: Any, **kwargs: Any) -> Any:
        if type(file) is not int:
            with contextlib.suppress(KeyError, TypeError):  # it names no stream
                file = dup(streams[fspath(file)])
        return usual(file, *args, **kwargs)

    named.__name__ = named.__qualname__ = "open"
    named.__doc__ = usual.__doc__
    builtins.open = io.open = named
