"""Boxes that answer the labelled parts of a question, one after another: ``(a) ... (b) ...``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from referee.verifiers.reading.box_spans import Box

_LABEL = re.compile(
    r"(?:^|(?<=[\s*]))(?:\((?P<full>[a-f]|i{1,3}|iv|[1-6])\)|(?P<half>[a-f])\)|[Pp]art\s\(?(?P<part>[a-f]|[1-6])\b)"
)
SERIES = (["a", "b", "c", "d", "e", "f"], ["i", "ii", "iii", "iv"], ["1", "2", "3", "4", "5", "6"])


def labelled_together(text: str, boxes: Sequence[Box]) -> str:
    r"""Return what boxes say together where the first label before each is the next of one series.

    >>> text = r"(a) The mean is \boxed{4}. (b) By (a), the variance is \boxed{2}."
    >>> labelled_together(text, [Box(15, 24, "4"), Box(51, 60, "2")])
    '(a) 4, (b) 2'
    """
    if not 1 < len(boxes) <= len(SERIES[0]):
        return ""
    labels, start = [], 0
    for box in boxes:
        label = _LABEL.search(text, start, box.start)
        if label is None:
            return ""
        labels.append(label["full"] or label["half"] or label["part"])
        start = box.end
    if not any(labels == series[: len(labels)] for series in SERIES):
        return ""
    return ", ".join(f"({name}) {box.content.strip()}" for name, box in zip(labels, boxes, strict=True))
