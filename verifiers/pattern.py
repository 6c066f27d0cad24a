"""A user's regular expression over a model's text, which can't be made to hang.

Python's own engine backtracks without bound: ``(a|aa)+$`` on sixty a's and a b does not return, and
holds the interpreter lock meanwhile. The engine here is the ``regex`` library's, which reads the same
syntax and looks at a deadline while it matches, in any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

import regex

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT
from referee.verifiers.reading.strategies import compile_pattern
from referee.verifiers.records import Completion, Problem, Reason, Verdict, answer_of, text_of
from referee.verifiers.references import bad_reference

Mode: TypeAlias = Literal["fullmatch", "search", "absent"]

_FLAGS = {"ignore_case": regex.IGNORECASE, "multiline": regex.MULTILINE, "dot_all": regex.DOTALL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Regex(Composable):
    r"""Pay 1 where the text matches ``pattern``; without one, the pattern is ``problem.answer``.

    ``mode``: ``fullmatch`` of all of the text, ``search`` anywhere in it, ``absent``: nowhere in it.
    ``flags``: of ``ignore_case``, ``multiline``, ``dot_all``. Matching ends after ``timeout_s``
    seconds with reason ``timeout`` and score 0: the text is what made it slow. ``thinking`` True
    looks at the thinking too.

    Accepts:
        - ``2024-01-31`` for ``\d{4}-\d\d-\d\d``
        - a text in which the pattern occurs, in mode ``search``
    Rejects:
        - ``on 2024-01-31`` in mode ``fullmatch``
        - a text that makes the engine backtrack past the deadline
        - the empty completion, in every mode
    Abstains:
        - where ``problem.answer`` is to be the pattern and is none
    """

    pattern: str | None = None
    mode: Mode = "fullmatch"
    flags: tuple[str, ...] = ()
    timeout_s: float = 1.0
    thinking: bool = False
    name = "regex"
    range = UNIT

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}, got {self.mode!r}")
        if unknown := [f for f in self.flags if f not in _FLAGS]:
            raise ValueError(f"flags must be of {', '.join(_FLAGS)}, got {unknown[0]!r}")
        if not 0 < self.timeout_s <= 60:
            raise ValueError(f"timeout_s must be above 0 and at most 60, got {self.timeout_s!r}")
        object.__setattr__(self, "flags", tuple(self.flags))
        if self.pattern is not None:
            _compiled("pattern", self.pattern, self.flags)

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0; ``answer`` is what matched."""
        pattern = self.pattern if self.pattern is not None else problem.answer
        if not isinstance(pattern, str) or not pattern:
            return bad_reference(f"answer must be a regular expression, got {pattern!r:.80}")
        try:
            compiled = _compiled("answer", pattern, self.flags)
        except ValueError as e:
            return bad_reference(str(e))
        text = text_of(completion) if self.thinking else answer_of(completion, problem)
        if not text.strip():
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        match_it = compiled.fullmatch if self.mode == "fullmatch" else compiled.search
        try:
            match = match_it(text.strip() if self.mode == "fullmatch" else text, timeout=self.timeout_s)
        except TimeoutError:
            return Verdict(score=0.0, reason=Reason.TIMEOUT, detail={"timeout_s": self.timeout_s})
        right = (match is None) if self.mode == "absent" else (match is not None)
        found = match.group()[:1000] if match is not None else None
        return Verdict(score=float(right), reason=Reason.CORRECT if right else Reason.INCORRECT, answer=found)


@lru_cache(maxsize=4096)
def _compiled(argument: str, pattern: str, flags: tuple[str, ...]) -> regex.Pattern[str]:
    bits = 0
    for flag in flags:
        bits |= _FLAGS[flag]
    return compile_pattern(argument, pattern, bits)
