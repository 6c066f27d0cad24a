"""Answers that are labelled by part: ``(a) 3, (b) 4``."""

from __future__ import annotations

import re

from referee.verifiers.reading.box_labels import SERIES

_LABEL = re.compile(r"(?:\((?P<full>[a-f]|i{1,3}|iv|[1-6])\)|(?<![\w(\\])(?P<half>[a-f])\))\s*+[.:]?\s*+\}?")
_OPENING = re.compile(r"(?:\\text(?:bf)?\{)?\s?(?:[Pp]art)?\Z")
_NUMBER = re.compile(r"-?\s?(?:\d|\\[dt]?frac|\\sqrt|\$)")
_LAYOUT = re.compile(r"^(?:\\[ ,;:!]|[\s:~])+|(?:\\q?quad|\\\\|\\[ ,;])(?=\s*\Z)")
_BETWEEN = " ,;.~\n\\"
_BREAKS = (",", ";", ".", "quad", "\\\\", "and")


def labelled_parts(text: str) -> list[str] | None:
    r"""Split an answer at the labels of its parts; None where it has not at least two in their order.

    >>> labelled_parts(r"(a) 3, (b) \frac{1}{2}")
    ['3', '\\frac{1}{2}']
    >>> labelled_parts("(a)(b)")
    """
    if ")" not in text or len(text) > 1000:
        return None
    found = list(_LABEL.finditer(text))
    labels = [m["full"] or m["half"] for m in found]
    if len(found) < 2 or not any(labels == s[: len(labels)] for s in SERIES):
        return None
    before = [_OPENING.sub("", text[: m.start()].rstrip()[-20:]).rstrip() for m in found]
    ends = [_OPENING.sub("", text[: m.start()].rstrip()) for m in found[1:]] + [text]
    parts = [_LAYOUT.sub("", end[m.end() :]).rstrip(_BETWEEN) for m, end in zip(found, ends, strict=True)]
    if before[0] or not all(parts):
        return None
    if not all(b.endswith(_BREAKS) for b in before[1:]) and not all(map(_NUMBER.match, parts)):
        return None  # a product of letters in parentheses
    return [p.removesuffix("and").rstrip(_BETWEEN) for p in parts]
