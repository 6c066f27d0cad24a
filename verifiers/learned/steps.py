r"""Steps of a solution: where they stand, how their scores are put together, which is the first wrong.

====================  ==========================================================================
``line``              every line that is not blank
``paragraph``         what stands between blank lines
``numbered``          begins at ``Step 3:``, ``3.``, ``3)`` or ``(3)`` at the head of a line
``sentence``          ends at ``.``, ``!`` or ``?`` before a space and no digit, or at a line's end
``auto``              numbered where two or more numbers stand, else paragraphs where there are two or
                      more, else lines where there are two or more, else sentences
====================  ==========================================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

How = Literal["auto", "line", "paragraph", "numbered", "sentence"]
StepAggregation = Literal["min", "product", "mean", "last", "sum"]

_NUMBERED = re.compile(
    r"^[ \t]{0,8}(?:[*_#]{0,4}[ \t]?)(?:step[ \t]+\d{1,4}\b|\(?\d{1,3}[.)](?=[ \t]))",
    re.IGNORECASE | re.MULTILINE,
)
_BLANK = re.compile(r"\n[ \t]*\n\s*")
_LINE = re.compile(r"\n+")
_SENTENCE = re.compile(
    r"(?<=[.!?])(?<!\b[A-Za-z]\.)(?<!\bMr\.)(?<!\bDr\.)(?<!\be\.g\.)(?<!\bi\.e\.)[ \t]+|\n+"
)


@dataclass(frozen=True, slots=True)
class SolutionStep:
    """A step's text, and where it stands: ``completion[start:end]``, without space around it."""

    text: str
    start: int
    end: int


def split_steps(text: str, how: How = "auto") -> list[SolutionStep]:
    r"""Return the steps of a completion, in order; blank ones are left out.

    >>> [s.text for s in split_steps("Step 1: 2+2=4\nso far\nStep 2: 4*3=12")]
    ['Step 1: 2+2=4\nso far', 'Step 2: 4*3=12']
    >>> [s.text for s in split_steps("It costs $2.50. Twice that is $5.")]
    ['It costs $2.50.', 'Twice that is $5.']
    """
    check_how(how)
    if how == "auto":
        for kind in ("numbered", "paragraph", "line"):
            steps = split_steps(text, kind)
            if len(steps) > 1:
                return steps
        return split_steps(text, "sentence")
    if how == "numbered":
        cuts = [m.start() for m in _NUMBERED.finditer(text)]
        bounds = [0, *cuts, len(text)]
        return _stripped(text, list(pairwise(bounds)))
    pattern = {"paragraph": _BLANK, "line": _LINE, "sentence": _SENTENCE}[how]
    spans, start = [], 0
    for match in pattern.finditer(text):
        spans.append((start, match.start()))
        start = match.end()
    return _stripped(text, [*spans, (start, len(text))])


def aggregate_steps(scores: Sequence[float], how: StepAggregation = "min") -> float:
    """Return one score of a solution's steps; a solution without steps scores 0.

    ``min`` and ``product`` (Lightman et al. 2023, appendix F), ``last`` and ``mean``, ``sum``.

    >>> [aggregate_steps([0.5, 0.8, 0.25], how) for how in ("min", "last", "sum")]
    [0.25, 0.25, 1.55]
    """
    check_aggregation(how)
    if not scores:
        return 0.0
    if how == "min":
        return min(scores)
    if how == "product":
        return math.prod(scores)
    if how == "last":
        return scores[-1]
    total = math.fsum(scores)
    return total / len(scores) if how == "mean" else total


def first_wrong(scores: Sequence[float], threshold: float = 0.5) -> int:
    """Return the index of the first step that scores below ``threshold``, or -1: ProcessBench's label.

    >>> first_wrong([0.9, 0.0, 0.2]), first_wrong([0.9, 0.5])
    (1, -1)
    """
    return next((i for i, s in enumerate(scores) if s < threshold), -1)


def check_how(how: str) -> None:
    """Raise ValueError where ``how`` is no way of splitting."""
    if how not in get_args(How):
        raise ValueError(f"split must be one of {', '.join(get_args(How))}, got {how!r}")


def check_aggregation(how: str) -> None:
    """Raise ValueError where ``how`` is no aggregation."""
    if how not in get_args(StepAggregation):
        raise ValueError(f"aggregation must be one of {', '.join(get_args(StepAggregation))}, got {how!r}")


def _stripped(text: str, spans: Sequence[tuple[int, int]]) -> list[SolutionStep]:
    steps = []
    for start, end in spans:
        piece = text[start:end]
        inner = piece.strip()
        if inner:
            at = start + len(piece) - len(piece.lstrip())
            steps.append(SolutionStep(inner, at, at + len(inner)))
    return steps
