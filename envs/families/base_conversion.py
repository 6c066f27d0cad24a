"""Numbers in one base written in another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Problem, Reason, Verdict

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PREFIXES = {2: "0b", 8: "0o", 16: "0x"}


@dataclass(frozen=True, kw_only=True)
class BaseConversion(Procedural):
    """A number's digits in another base.

    Levels: 0 binary to decimal, to 15; 1 decimal to binary, to 31; 2 hexadecimal and decimal, to 255;
    3 any bases to 9, to 999; 4 any bases to 36, to 99,999.

    Accepts:
        - the digits, in either case, with leading zeros or the prefix of the base (0b, 0o, 0x)
    Rejects:
        - a digit that the base does not have; the prefix of another base; the number in its old base
    """

    name: ClassVar[str] = "base_conversion"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw two bases and a number."""
        value = stream.below((16, 32, 256, 1000, 100_000)[level])
        if level < 3:
            old, new = ((2, 10), (10, 2), (16, 10) if stream.coin() else (10, 16))[level]
        else:
            old, new = stream.sample(range(2, 10 if level == 3 else 37), 2)
        written = digits(value, old)
        return Draft(
            f"Write {written} (base {old}) in base {new}. End with a line that holds only the digits.",
            f"{written} base {old} to {new}:",
            digits(value, new),
            {"value": value, "base": new},
        )

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Read the answer in the new base."""
        value, base = problem.info.get("value"), problem.info.get("base")
        if not isinstance(value, int) or not isinstance(base, int) or not 2 <= base <= 36:
            return failure("info must hold a value and a base from 2 to 36", Reason.BAD_REFERENCE)
        text = answer.lower()
        if base in _PREFIXES:
            text = text.removeprefix(_PREFIXES[base])
        if not 0 < len(text) <= 64 or any(c not in _DIGITS[:base] for c in text):
            return False
        return int(text, base) == value


def digits(value: int, base: int) -> str:
    """Return a whole number's digits in a base, the letters in lower case."""
    out = ""
    while value >= base:
        value, digit = divmod(value, base)
        out = _DIGITS[digit] + out
    return _DIGITS[value] + out
