"""What a final answer is: the text that was found, the cue that found it, and what counts as a value."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

Profile = Literal["lenient", "strict"]
ContentKind = Literal["value", "words", "too_big", "nothing"]


class Extracted(NamedTuple):
    """The answer and the cue that found it, or ``why`` there is none.

    ``value`` is another reading of it, where one is known; ``enclosed`` says that a box, a tag or a line
    holds it, so that it may be one value with more words, which ``value_within`` finds. ``behind`` is what
    stands behind a box where a unit may stand.
    """

    answer: str | None
    strategy: str
    why: str = ""
    value: str | None = None
    enclosed: bool = False
    behind: str = ""


class Grammar(Protocol):
    """What a reader of final answers takes for a value."""

    def kind(self, text: str) -> ContentKind:
        """Return what a text is: a ``value``, ``words``, ``too_big`` to be read, or ``nothing`` known."""
        ...

    def listed(self, text: str) -> str | None:
        """Return what the items of a list share with this one; None where a text is no item of a list."""
        ...
