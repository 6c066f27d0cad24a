"""XML-like tags in a completion: each there once, in order, not empty."""

from __future__ import annotations

import re
from dataclasses import dataclass

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT
from referee.verifiers.records import Completion, Problem, Reason, Verdict, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags(Composable):
    """Pay 1 where each tag of ``names`` stands in the text exactly once, in order, with contents.

    ``prefilled``: the prompt ends with the first opening tag, so that the completion must not repeat
    it. ``text_between``: other text may stand outside the tags. ``partial``: pay the share of tags
    that are right in place of all or nothing.

    Accepts:
        - ``<think>a</think> <answer>b</answer>`` for think, answer
        - ``a</think><answer>b</answer>`` where prefilled
    Rejects:
        - a tag missing, twice, unclosed, empty, nested in another, or out of order
        - text outside the tags, unless allowed
    """

    names: tuple[str, ...] = ("think", "answer")
    prefilled: bool = False
    text_between: bool = False
    partial: bool = False
    name = "tags"
    range = UNIT

    def __post_init__(self) -> None:
        names = (self.names,) if isinstance(self.names, str) else tuple(self.names)
        if not names or len(set(names)) != len(names) or not all(re.fullmatch(r"[\w.-]+", n) for n in names):
            raise ValueError(f"names must be different tag names, got {self.names!r}")
        object.__setattr__(self, "names", names)

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the score, with the first fault of each tag in ``detail``."""
        text = text_of(completion)
        if self.prefilled:
            text = f"<{self.names[0]}>{text}"
        faults: dict[str, str] = {}
        end, outside = 0, []
        for name in self.names:
            fault, start, stop = _find(text, name, end)
            if fault:
                faults[name] = fault
                continue
            outside.append(text[end:start])
            end = stop
        outside.append(text[end:])
        right = len(self.names) - len(faults)
        if not faults and not self.text_between and any(o.strip() for o in outside):
            faults["text"] = "outside the tags"
        if not faults:
            return Verdict(score=1.0, reason=Reason.CORRECT)
        score = right / len(self.names) if self.partial and "text" not in faults else 0.0
        reason = Reason.PARTIAL if score else Reason.INCORRECT
        return Verdict(score=score, reason=reason, detail={"faults": dict(faults)})


def _find(text: str, name: str, after: int) -> tuple[str, int, int]:
    """Return the fault of one tag (empty where there is none) and where it begins and ends."""
    opening, closing = f"<{name}>", f"</{name}>"
    opens, closes = text.count(opening), text.count(closing)
    if opens != 1 or closes != 1:
        which, n = (opening, opens) if opens != 1 else (closing, closes)
        return (f"no {which}" if not n else f"{which} {n} times"), 0, 0
    start, stop = text.find(opening), text.find(closing)
    if stop < start:
        return f"{closing} before {opening}", 0, 0
    if start < after:
        return "out of order, or inside another tag", 0, 0
    if not text[start + len(opening) : stop].strip():
        return "empty", 0, 0
    return "", start, stop + len(closing)
