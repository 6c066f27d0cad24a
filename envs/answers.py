r"""The final answer to a family's problem, and the small grammars that answers are written in.

A small model answers with nothing else; a large one thinks aloud first. The final answer is, of what
follows the thinking, the last ``<answer>`` element, else the last box, else what stands after ``####``,
else the last line that begins with ``Answer:`` or ``A:``, else what follows ``answer is`` in the last line,
else the last line. Every grammar is strict: a list
of guesses, a hedge or a sentence is no integer. All of it takes time linear in the text.
"""

from __future__ import annotations

import re

from referee.verifiers.reading.dress import unwrapped
from referee.verifiers.reading.final_answer import peeled
from referee.verifiers.reading.strategies import CUES, extract

_FINAL = (*CUES, "last_line")
_INTEGER = re.compile(r"[-+]?(?:[0-9]{1,30}|[0-9]{1,3}(?:,[0-9]{3}){1,9})")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,30}|[0-9]{1,3}(?:,[0-9]{3}){1,9})?(?:\.[0-9]{0,30})?")
_FRACTION = re.compile(r"([-+]?[0-9]{1,30})\s*/\s*([0-9]{1,30})")


def final_answer(answer: str) -> str | None:
    r"""Return the final answer of a text whose thinking is taken off, or None where there is none.

    >>> final_answer("So it is \\boxed{7}."), final_answer("Adding up.\nThe answer is 7")
    ('7', '7')
    """
    found = extract(answer, _FINAL)
    return None if found is None else _bare(unwrapped(peeled(found)))


def integer(text: str) -> int | None:
    """Read an integer such as ``-12`` or ``1,234``; None for anything else.

    >>> integer("1,234"), integer("3 or 4")
    (1234, None)
    """
    if _INTEGER.fullmatch(text) is None:
        return None
    return int(text.replace(",", ""))


def decimal(text: str) -> float | None:
    """Read a number such as ``-1.25``, ``1,200.5`` or ``3/4``; None for anything else."""
    if (fraction := _FRACTION.fullmatch(text)) is not None:
        below = int(fraction[2])
        return int(fraction[1]) / below if below else None
    if not any(c.isdigit() for c in text) or _DECIMAL.fullmatch(text) is None:
        return None
    return float(text.replace(",", ""))


def integers(text: str) -> list[int] | None:
    """Read integers that commas or spaces part, such as ``3, 1, 2`` or ``[3, 1, 2]``."""
    if len(text) > 20_000:
        return None
    body = text.strip().removeprefix("[").removesuffix("]").replace(",", " ").split()
    values = [integer(part) for part in body]
    return None if not values or None in values else values  # type: ignore[return-value]


def words(text: str) -> list[str]:
    """Read words that commas or spaces part, as they are written."""
    return text.strip().removeprefix("[").removesuffix("]").replace(",", " ").split()


def _bare(text: str) -> str | None:
    """Strip what typesetting puts around an answer: spaces, dollars, stars, a final stop."""
    text = text.strip()
    if (text and text[-1] in "*$.`") or text[:1] in ("*", "$", "`"):
        text = text.strip("*$` ").removesuffix(".").strip("*$` ")
    return text or None
