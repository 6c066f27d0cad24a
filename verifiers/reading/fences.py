"""Fenced blocks and inline code: where they stand in a text, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Deep in a list or in a quotation a fence stands further in, and its contents with it.
_FENCE = re.compile(r"^(?P<lead>[ \t>]*+)(?P<ticks>`{3,}+|~{3,}+)[ \t]*+(?P<tag>[\w+#.-]*+)[^`\n]*+$")
_QUOTE = re.compile(r"[ \t]*+>[ \t]?")
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
    start, lead, ticks, tag = at, "", "", ""
    for line in text[at:].split("\n"):
        match = _FENCE.match(line.rstrip("\r"))
        if lines is None:
            if match:
                start, lead, ticks, tag, lines = at, match["lead"], match["ticks"], match["tag"].lower(), []
        elif match and _closes(match, lead, ticks):
            yield Fence(tag, "\n".join(lines), start, at + len(line), True)
            lines = None
        else:
            lines.append(_moved_out(line, lead))
        at += len(line) + 1
    if lines is not None:
        yield Fence(tag, "\n".join(lines), start, len(text), False)


def _closes(match: re.Match[str], lead: str, ticks: str) -> bool:
    """Tell whether a fence closes a block; one that stands much further in is part of what it holds."""
    return match["ticks"].startswith(ticks) and not match["tag"] and len(match["lead"]) <= len(lead) + 3


def _moved_out(line: str, lead: str) -> str:
    """Return a line of a block without what stands in front of the block's fence."""
    if not lead:
        return line
    for _ in range(lead.count(">")):
        quoted = _QUOTE.match(line)
        if quoted is None:
            break
        line = line[quoted.end() :]
    indent = len(lead) - len(lead.rstrip(" \t")) if ">" in lead else len(lead)
    deeper = indent - (1 if ">" in lead else 0)  # the space behind a quotation's sign is part of it
    return line.removeprefix(line[: min(deeper, len(line) - len(line.lstrip(" \t")))]) if deeper > 0 else line


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
