"""A small private folder for each solution: the only place where it, and its judge, may make files.

All folders lie in one /tmp that nobody may list, each under a name that nobody but its owner knows, and
by Landlock no child may write anywhere but in its own. The server removes a child's folder when it reaps it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Callable
from typing import Any

from referee.sandbox.kernel import calls, landlock, namespaces

HOME = "/tmp"
BYTES = 16 << 20  # for all that live at a time
_DEVICE = "/dev/null"


def go_to(folder: str) -> None:
    """Go to the folder of the solution that is judged, so that the tests' files are there too."""
    os.chdir(folder)
    os.environ.pop("TMPDIR", None)
    if folder != "/":
        os.environ["TMPDIR"] = folder
    tempfile: Any = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None  # it is found anew


class Scratch:
    """The folders of a server's children."""

    def __init__(self, listing: int) -> None:
        self.listing = listing  # a descriptor of /tmp, open for reading

    def remove(self, pid: int) -> None:
        """Remove what a child that has ended left."""
        for name in os.listdir(self.listing):
            if name.startswith(f"{pid}-"):
                _remove(name, self.listing)

    @property
    def crowded(self) -> bool:
        """True where what is left may not be enough for further children."""
        left = os.fstatvfs(self.listing)
        return left.f_ffree < left.f_files // 2 or left.f_bfree < left.f_blocks // 2

    def entrance(self, first_free: int) -> Callable[[], None]:
        """Return what a child does to get its folder, once no descriptor from ``first_free`` on is open.

        All is made ready ahead, as in :mod:`referee.sandbox.kernel.calls`.
        """
        device, folder, ruleset = first_free, first_free + 1, first_free + 2
        writes = landlock.write_rights()
        attribute = ctypes.create_string_buffer(struct.pack("=Q", writes), 8)
        rules = [
            ctypes.create_string_buffer(struct.pack("=Qi", rights, fd), 12)
            for rights, fd in ((writes & landlock.FILE_RIGHTS, device), (writes, folder))
        ]
        create = calls.prepared("landlock_create_ruleset", ctypes.addressof(attribute), 8, 0)
        allow = [calls.prepared("landlock_add_rule", ruleset, 1, ctypes.addressof(rule), 0) for rule in rules]
        restrict = calls.prepared("landlock_restrict_self", ruleset, 0)
        close = calls.closer(first_free)
        kept = attribute, rules
        opened, mkdir, chdir, urandom, getpid = os.open, os.mkdir, os.chdir, os.urandom, os.getpid

        def enter() -> None:
            assert kept
            name = f"{HOME}/{getpid()}-{urandom(16).hex()}"
            mkdir(name, 0o700)
            chdir(name)
            opened(_DEVICE, os.O_PATH)
            opened(".", os.O_PATH)
            create()
            for rule in allow:
                rule()
            restrict()
            close()

        return enter


def _remove(name: str, within: int) -> None:
    """Remove a folder with all that is in it, also what its owner closed to itself."""
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=within)
        return
    os.chmod(name, 0o700, dir_fd=within)
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)
    try:
        for inner in os.listdir(folder):
            try:
                os.unlink(inner, dir_fd=folder)
            except IsADirectoryError:
                _remove(inner, folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=within)


def empty_scratch(size: int, *, own: bool) -> None:
    """Empty /tmp: by mounting another where the mount is ours, else by removing what is in it."""
    if own:
        namespaces.fresh_scratch(size)
        return
    for folder, folders, names in os.walk("/tmp", topdown=False):
        for name in names:
            os.unlink(os.path.join(folder, name))
        for name in folders:
            path = os.path.join(folder, name)
            os.unlink(path) if os.path.islink(path) else os.rmdir(path)
