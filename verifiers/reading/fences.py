"""Fenced blocks and inline code: where they stand in a text, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_FENCE = re.compile(r"^[ \t]{0,3}(?P<ticks>`{3,}+|~{3,}+)[ \t]*+(?P<tag>[\w+#.-]*+)[^`\n]*+$")
_INLINE = re.compile(r"`[^`\n]+`")


class Fence(NamedTuple):
    """A fenced block: its tag in lower case, its contents, where it stands, and whether it was closed."""

    tag: str
    content: str
    start: int
    end: int
    closed: bool


def fences(text: str, at: int = 0) -> Iterator[Fence]:
    """Yield the fenced blocks of a text from a place on, in order; one that is never closed ends with it."""
    if "```" not in text and "~~~" not in text:
        return
    lines: list[str] | None = None
    start, ticks, tag = at, "", ""
    for line in text[at:].split("\n"):
        match = _FENCE.match(line.rstrip("\r"))
        if lines is None:
            if match:
                start, ticks, tag, lines = at, match["ticks"], match["tag"].lower(), []
        elif match and match["ticks"].startswith(ticks) and not match["tag"]:
            yield Fence(tag, "\n".join(lines), start, at + len(line), True)
            lines = None
        else:
            lines.append(line)
        at += len(line) + 1
    if lines is not None:
        yield Fence(tag, "\n".join(lines), start, len(text), False)


def fenced_blocks(text: str) -> list[tuple[str, str]]:
    r"""Return (tag, content) of every fenced block, the tag in lower case.

    >>> fenced_blocks("~~~JS\n1\n~~~\n```\n2")
    [('js', '1'), ('', '2')]
    """
    return [(f.tag, f.content) for f in fences(text)]


def code_spans(text: str, at: int = 0) -> list[tuple[int, int]]:
    """Return where code stands in a text from a place on: fenced blocks that are closed, and inline code."""
    spans = [(f.start, f.end) for f in fences(text, at) if f.closed]
    return spans + [m.span() for m in _INLINE.finditer(text, at)]
