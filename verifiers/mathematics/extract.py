"""The final answer of a completion, where an answer is mathematics."""

from __future__ import annotations

import re

from referee.verifiers.mathematics.reader import read
from referee.verifiers.mathematics.units import is_changed
from referee.verifiers.reading import final_answer
from referee.verifiers.reading.boxes import Boxes
from referee.verifiers.reading.dress import TEXT
from referee.verifiers.reading.final_answer import ContentKind, Extracted, Profile

_AMOUNT = re.compile(r"(?:\\?\$ ?)?-?(?:\d{1,18}|[1-9]\d{0,2}(?:,\d{3}){1,5})(?:\.\d{1,18})?", re.A)


_BROKEN_OFF = re.compile(r"\d[\d.]*+[ ]?[-+*/=][ ]?", re.A)  # between the dollars of "$5+$3"


class _Mathematics:
    """A value is what the parser reads, but for words."""

    def kind(self, text: str) -> ContentKind:
        if _AMOUNT.fullmatch(text):
            return "value"
        if _BROKEN_OFF.fullmatch(text):
            return "nothing"
        reading = read(text)
        if reading.node is None:
            if is_changed(TEXT.sub(r" \1 ", text)):
                return "value"  # and one that is not the number in it
            return "too_big" if reading.too_big else "nothing"
        is_words = reading.node.kind == "text" and not text.lstrip()[:1].isdigit()  # a date is a value
        return "words" if is_words else "value"

    def listed(self, text: str) -> str | None:
        """Return what a list's items share: being plain values, or values of one variable."""
        if _AMOUNT.fullmatch(text):
            return "value"
        node = read(text).node
        if node is None or node.kind == "seq":
            return None
        if node.kind != "rel":
            return "value"
        return node.args[0].value if node.value == ("=",) and node.args[0].kind == "var" else None


_GRAMMAR = _Mathematics()


def value_within(found: Extracted, profile: Profile) -> str | None:
    """Return the one value that an answer holds with more words, as it would be read without them."""
    return final_answer.value_within(found, _GRAMMAR, profile)


def extract(answer: str, profile: Profile = "lenient", boxes: Boxes = "all") -> Extracted:
    """Return the final answer of a text whose thinking is taken off."""
    return final_answer.final_answer(answer, _GRAMMAR, profile=profile, boxes=boxes)
