"""The folder of small files that tests and solution share: each process has a copy, kept alike.

Before one process goes on it is sent what the other wrote or removed. Files that Python would import, and
what a database keeps beside itself, stay where they were made.
"""

from __future__ import annotations

import binascii
import os
from collections.abc import Iterable, Iterator
from typing import Any

from referee.sandbox.inside.wire import Malformed, Tree

MOST_FILES, MOST_BYTES = 256, 8 << 20
_STAYS = (".py", ".pyc", ".pyi", ".so", ".pth", "-journal", "-wal", "-shm")


class SharedFolder:
    """The copy that one process has: where it was started."""

    def __init__(self) -> None:
        self.home = os.getcwd()
        self._known: dict[str, bytes | None] = {}  # content as the other has it; None for a folder

    @property
    def there(self) -> bool:
        """True where this process has a folder that it may write to."""
        return self.home not in ("/", "") and os.access(self.home, os.W_OK)

    def changes(self) -> list[Tree]:
        """Return what was written and removed here since."""
        found = dict(self._read())
        out: list[Tree] = [
            [path, "", True] for path in sorted(self._known.keys() - found.keys(), reverse=True)
        ]
        for path, content in found.items():
            if path not in self._known or self._known[path] != content:
                out.append([path, None if content is None else binascii.b2a_base64(content).decode(), False])
        self._known = found
        return out

    def apply(self, changes: Iterable[Any]) -> None:
        """Do here what was done there; what is open here stays the same file."""
        for path, text, removed in changes:
            full = self._place(path)
            content = None if text is None else binascii.a2b_base64(text)
            try:
                if removed:
                    self._known.pop(path, None)
                    os.rmdir(full) if os.path.isdir(full) else os.unlink(full)
                    continue
                if content is None:
                    os.makedirs(full, exist_ok=True)
                else:
                    os.makedirs(os.path.dirname(full), exist_ok=True)
                    with open(full, "r+b" if os.path.exists(full) else "w+b") as file:
                        file.write(content)
                        file.truncate()
                self._known[path] = content
            except OSError:  # gone already, or there is no more room: what asks for it will see
                continue

    def _place(self, path: Any) -> str:
        parts = path.split("/") if isinstance(path, str) else [""]
        if any(p in ("", ".", "..") or "\0" in p for p in parts) or path.endswith(_STAYS) or len(path) > 512:
            raise Malformed("no file of the shared folder")
        return os.path.join(self.home, *parts)

    def _read(self) -> Iterator[tuple[str, bytes | None]]:
        count, size = 0, 0
        for folder, folders, names in os.walk(self.home):
            inner = os.path.relpath(folder, self.home)
            for name in sorted(folders):
                yield os.path.normpath(os.path.join(inner, name)), None
            for name in sorted(names):
                path = os.path.join(folder, name)
                try:
                    size += os.path.getsize(path)
                    count += 1
                    if name.endswith(_STAYS) or os.path.islink(path):
                        continue
                    if count > MOST_FILES or size > MOST_BYTES:
                        return
                    with open(path, "rb") as file:
                        yield os.path.normpath(os.path.join(inner, name)), file.read()
                except OSError:
                    continue


def at_home(tree: Any, theirs: str, mine: str) -> Any:
    """Return tagged JSON with the names of the other process's folder as they are in this one."""
    if isinstance(tree, str):
        return tree.replace(theirs, mine)
    if isinstance(tree, list):
        return [at_home(t, theirs, mine) for t in tree]
    if isinstance(tree, dict):
        return {k: at_home(t, theirs, mine) for k, t in tree.items()}
    return tree
