r"""Reading a final answer out of a completion, and the small grammars that answers are written in.

A small model answers with nothing else; a large one thinks aloud first. The final answer is, of what
follows the thinking, the last ``\boxed{}``, else the last ``<answer>`` element, else what stands after
``answer:`` or ``answer is`` in the last line, else the last line. Every grammar is strict: a list of
guesses, a hedge or a sentence is no integer. All of it takes time linear in the text.
"""

from __future__ import annotations

import re

_MARKER = re.compile(r".*\banswer(?:\s+is|\s*[:=])\s*:?", re.IGNORECASE)
_BOX = re.compile(r"\\boxed\s*\{")
_JOINED = re.compile(r"[\s,;.$]{0,20}(?:and|or)?[\s,;.$]{0,20}")
_INTEGER = re.compile(r"[-+]?(?:[0-9]{1,30}|[0-9]{1,3}(?:,[0-9]{3}){1,9})")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,30}|[0-9]{1,3}(?:,[0-9]{3}){1,9})?(?:\.[0-9]{0,30})?")
_FRACTION = re.compile(r"([-+]?[0-9]{1,30})\s*/\s*([0-9]{1,30})")


def after_thinking(text: str) -> str | None:
    """Return what follows the last ``</think>``; None where the thinking never ends."""
    _head, end, rest = text.rpartition("</think>")
    if "<think>" in rest:
        return None
    return rest if end else text


def final_answer(text: str) -> str | None:
    r"""Return the final answer of a completion, or None where there is none.

    >>> final_answer("<think>3+4?</think>So it is \\boxed{7}.")
    '7'
    >>> final_answer("Adding up.\nThe answer is 7")
    '7'
    """
    if "<" in text:
        after = after_thinking(text)
        if after is None:
            return None
        text = after
        start, end = text.rfind("<answer>"), text.rfind("</answer>")
        if 0 <= start < end:
            return _bare(text[start + 8 : end])
    if "\\" in text and (box := last_box(text)) is not None:
        return _bare(box)
    line = text.strip()
    if "\n" in line:
        line = line.rpartition("\n")[2]
    if ":" in line or " is " in line or "=" in line:
        line = _MARKER.sub("", line, count=1)
    return _bare(line)


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


def last_box(text: str) -> str | None:
    r"""Return what the last closed ``\boxed{}`` holds; None where it stands beside another that differs.

    Boxes side by side, with nothing but commas, ``and`` or ``or`` between them, are a hedge.
    """
    starts = [(m.start(), m.end()) for m in _BOX.finditer(text)][-8:]
    closed = [(a, b, end) for a, b in starts if (end := _closing(text, b)) is not None]
    if not closed:
        return None
    opens, begins, ends = closed[-1]
    if len(closed) > 1:
        _, other, other_ends = closed[-2]
        if _JOINED.fullmatch(text, other_ends + 1, opens) and text[other:other_ends] != text[begins:ends]:
            return None
    return text[begins:ends]


def _closing(text: str, start: int) -> int | None:
    depth = 1
    for brace in re.compile(r"[{}]").finditer(text, start, start + 20_000):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.start()
    return None
