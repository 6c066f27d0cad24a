"""Putting numbers or words in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.answers import integers, words
from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.records import Problem

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True)
class Sorting(Procedural):
    """The items in ascending, from level 2 on also in descending order.

    Levels: 0 three digits; 1 four numbers to 99; 2 six; 3 ten numbers, negative ones too; 4 six words.

    Accepts:
        - the items in order, parted by spaces or commas, perhaps in square brackets
    Rejects:
        - an item left out, doubled or added; the wrong direction
    """

    name: ClassVar[str] = "sorting"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw items and a direction."""
        down = level >= 2 and stream.coin()
        if level == 4:
            items = ["".join(stream.choice(_LETTERS) for _ in range(stream.between(3, 6))) for _ in range(6)]
            ordered = sorted(items, reverse=down)
        else:
            count, low, high = ((3, 0, 9), (4, 0, 99), (6, 0, 99), (10, -99, 99))[level]
            values = [stream.between(low, high) for _ in range(count)]
            items, ordered = [str(v) for v in values], [str(v) for v in sorted(values, reverse=down)]
        listed = " ".join(items)
        order = "descending" if down else "ascending"
        return Draft(
            f"Sort in {order} order: {listed}\nEnd with a line that holds only the sorted items.",
            f"{'down' if down else 'sort'} {listed}:",
            " ".join(ordered),
            {"items": list(items), "descending": down},
        )

    def judge(self, answer: str, problem: Problem) -> bool:
        """Check that the items are the given ones, in order."""
        reference = str(problem.answer)
        if answer == reference:
            return True
        numbers = integers(answer)
        return numbers == integers(reference) if numbers is not None else words(answer) == reference.split()
