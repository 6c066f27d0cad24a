r"""Where the boxes of a text stand: ``\boxed{7}``, ``\boxed 7``, ``\fbox{7}``, ``\framebox{7}``."""

from __future__ import annotations

import re
from typing import NamedTuple

from referee.verifiers.reading.dress import closing_brace, strip

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)(?![A-Za-z])\s*")

_SHORT = re.compile(
    r"\\[A-Za-z]+(?:\{[^{}]*\})*|-?\d+(?:\.\d+)?|[A-Za-z]"
)  # what \boxed takes without braces


class Box(NamedTuple):
    """A box and where it stands."""

    start: int
    end: int
    content: str


def find_boxes(text: str) -> tuple[list[Box], bool]:
    """Return the outermost boxes in order, and whether the last one is never closed."""
    out: list[Box] = []
    pos = 0
    other = "fbox" in text or "framebox" in text
    for _ in range(400):
        if other:
            m = _BOX.search(text, pos)
        else:
            at = text.find("\\boxed", pos)
            if at >= 0 and (plain := _plain_box(text, at)) is not None:
                out.append(plain)
                pos = plain.end
                continue
            if at < 0:
                return out, False
            m = _BOX.search(text, at)
        if m is None:
            return out, False
        start = m.end()
        if start >= len(text):
            return out, True
        if text[start] != "{":
            short = _SHORT.match(text, start)
            if short is None:
                pos = start
                continue
            out.append(Box(m.start(), short.end(), short[0]))
            pos = short.end()
            continue
        end = closing_brace(text, start)
        if end < 0:
            return out, True
        out.append(Box(m.start(), end, text[start + 1 : end - 1]))
        pos = end
    # very many boxes: only the last ones can count
    tail = text.rfind("\\boxed")
    rest, broken = (out, False) if tail < pos else find_boxes(text[-2000:])
    if rest is out:
        return out, broken
    shift = len(text) - 2000
    return [Box(b.start + shift, b.end + shift, b.content) for b in rest], broken


def _plain_box(text: str, at: int) -> Box | None:
    r"""Return a box that holds no braces and no commands: ``\boxed{7}``, most of them."""
    if not text.startswith("{", at + 6):
        return None
    end = text.find("}", at + 7, at + 47)
    content = text[at + 7 : end]
    return Box(at, end + 1, content) if end >= 0 and "{" not in content and "\\" not in content else None


def box_spans(text: str, at: int = 0) -> list[tuple[int, int]]:
    """Return where the boxes of a text stand, from a place on."""
    if text.find("box", at) < 0:
        return []
    return [(b.start + at, b.end + at) for b in find_boxes(text[at:])[0]]


def whole_box(text: str) -> str | None:
    r"""Return what a box holds that is all of a text, but for what typesetting puts around it; else None.

    >>> whole_box(r"$\boxed{\text{7}}$."), whole_box(r"\boxed{7} eggs")
    ('\\text{7}', None)
    """
    if "box" not in text:
        return None
    text = strip(text)
    found, _ = find_boxes(text)
    if len(found) == 1 and found[0].start == 0 and found[0].end == len(text):
        return found[0].content
    return None
