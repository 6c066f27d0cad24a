"""How often a letter stands in a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.answers import integer
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.records import Problem

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True)
class CountingLetters(Procedural):
    """The number of times that a letter stands in a string of letters.

    Levels: strings of 3, 6, 10, 16 and 30 letters. Every possible count to 6 is equally likely.

    Accepts:
        - the number in digits
    Rejects:
        - another number, a number word, a list of positions
    """

    name: ClassVar[str] = "counting_letters"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw the count first, then where the letter stands."""
        length = (3, 6, 10, 16, 30)[level]
        letter = stream.choice(_LETTERS)
        others = _LETTERS.replace(letter, "")
        count = stream.below(min(length, 6) + 1)
        letters = [letter] * count + [stream.choice(others) for _ in range(length - count)]
        stream.shuffle(letters)
        word = "".join(letters)
        return Draft(
            f"How many times does the letter {letter} stand in {word}? "
            "End with a line that holds only the number.",
            f"{letter} in {word}:",
            str(count),
        )

    def judge(self, answer: str, problem: Problem) -> bool:
        """Compare numbers."""
        return answer == problem.answer or integer(answer) == int(str(problem.answer))
