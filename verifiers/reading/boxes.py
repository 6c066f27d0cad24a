r"""What is in the boxes of a text: ``\boxed{7}``, ``\boxed 7``, ``\fbox{7}``, ``\framebox{7}``.

The last box that is asserted is the answer. A box is not asserted where the words before it deny it ("not",
"anything but"), suppose it ("suppose the answer is") or state it under a condition ("would be ... if"), or
the words behind it take it back. Boxes that stand side by side, joined by nothing but "and", "or" or a
comma, are one answer: all of them. There is no answer where the last box is never closed (the text broke
off), is empty, is a question, or is a part of something larger, such as a power.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal, NamedTuple

from referee.verifiers.reading.box_denials import NEAR, denied, guessed, hidden, lead_of
from referee.verifiers.reading.box_labels import labelled_together
from referee.verifiers.reading.box_neighbours import (
    APART,
    negated,
    scale,
    touched_after,
    touched_before,
    unit_behind,
)
from referee.verifiers.reading.box_spans import Box, find_boxes
from referee.verifiers.reading.dress import closing_brace, is_placeholder, literal, strip

Boxes = Literal["all", "last"]

_JOINING = frozenset(
    """
    and or maybe perhaps possibly alternatively also either could be it is the answer answers another
    equally even might as well both then else otherwise can are may equivalently i.e ie that one other
    first second third option solution solutions root roots part respectively guess candidate vs versus
    alternative
    """.split()
)

_OR_AFTER = re.compile(
    r"[\s$*.)]*,?\s*\(?\bor\b,?\s+(?:(?:maybe|perhaps|possibly|even|else|is it|it is|it could be)\s+)?"
    r"(?:\$([^$\n]{1,80})\$|(-?\d[\d,]*(?:\.\d+)?(?:/\d+)?))(?![\w/])",
    re.I,
)

_EITHER_BEFORE = re.compile(r"\beither\s+\$?(-?[\w.,/^\\{}()+ -]{1,40}?)\$?,?\s+or\s+\$?\s*$", re.I)

_ASKED_AFTER = re.compile(
    r"[\s$)}*]*\?(?![\s$)*]*(?:yes|indeed|right|correct|exactly|that|it|we|so)\b)", re.I
)
_OR = re.compile(r"\bor\b|\beither\b|\bmaybe\b|或", re.I)
_NAMED = re.compile(r"(?<![A-Za-z\\])(\\?[A-Za-z](?:_(?:\w|\{\w{1,3}\}))?)\s*=[\s$]*$")
_FOR_PART = re.compile(r"\bfor (?=\([a-f]\)|part \(?[a-f]\b|the (?:first|second|third|other)\b)")
_COUNTED = re.compile(r"[\s$]{1,4}[a-z]{2,20}s\s{1,3}and[\s$]{1,4}")  # [1] papers and [2] bins
_THINGS = re.compile(r"[\s$]{1,4}[a-z]{2,20}s\b")
_OTHERWISE = frozenset("if not wrong incorrect false that's isn't".split())  # if not, ...
_NUMBERED = re.compile(r"[\s$.,;*)]*\n\s*\d{1,2}[.)][\s$*]*")  # the next item of a numbered list
_DIGITS = re.compile(r"\d[\d,]*(?:\.\d+)?")
_CLOSING = "$.\\]) \n*"
_BRACKETS = {"(": ")", "[": "]", "\\{": "\\}"}


class Boxed(NamedTuple):
    """What the boxes of a text say: one value or several, or ``why`` they give no answer.

    ``joiner`` stands between several (" and ", " or "); ``end`` is where the last box ends. ``parts`` is what
    all boxes say together where each answers a labelled part: ``(a) 3, (b) 4``.
    """

    contents: tuple[str, ...] = ()
    joiner: str = " and "
    why: str = ""
    end: int = 0
    parts: str = ""
    behind: str = ""


def boxed(text: str, boxes: Boxes = "all") -> Boxed | None:
    r"""Return what the boxes of a text say, or None where it has none.

    ``boxes``: ``all`` that stand side by side are one answer; ``last`` only the last counts.

    >>> boxed(r"not \boxed{5}, but \boxed{7}").contents, boxed(r"\boxed{5} or \boxed{7}").contents
    (('7',), ('5', '7'))
    >>> boxed(r"so \boxed{7").why
    'the last box is not closed'
    """
    if "box" not in text:
        return None
    found, broken = find_boxes(text)
    if broken:
        return Boxed(why="the last box is not closed")
    if not found:
        return None
    asserted = [b for b in found if not denied(text, b)]
    if not asserted:
        return Boxed(why="every box is denied", end=found[-1].end)
    firm = asserted
    if len(asserted) > 1:
        firm = [b for b in asserted if not guessed(text, b)] or asserted
    last = firm[-1]
    end = last.end
    ends = len(text) < end + 8 and not text[end:].strip(_CLOSING)  # nothing stands behind it
    if is_placeholder(last.content):
        return Boxed(why="the last box is empty", end=end)
    if not ends and _ASKED_AFTER.match(text, end):
        return Boxed(why="the last box is a question", end=end)
    group = _beside(text, firm) if boxes == "all" and len(firm) > 1 else [last]
    many = "" if ends else scale(text, end)
    if touched_before(text, group[0].start) or (not (ends or many) and touched_after(text, end)):
        return Boxed(why="the last box is a part of something larger", end=end)
    if boxes == "last":
        return Boxed((last.content,), end=end)
    contents, joiner = _together(text, group)
    if others := alternatives(text, group):
        contents, joiner = contents + others, " or "
    if len(contents) == 1:
        if negated(text, last.start):
            plain = _DIGITS.fullmatch(contents[0].strip())
            contents = [f"-{contents[0].strip()}" if plain else f"-({contents[0]})"]
        if many:
            contents = [f"{contents[0]} {many}"]
    parts = labelled_together(text, firm) if boxes == "all" and len(firm) > len(group) == 1 else ""
    behind = "" if ends or many or len(contents) > 1 else unit_behind(text, end)
    return Boxed(tuple(contents), joiner, end=end, parts=parts, behind=behind)


def plainly_boxed(text: str) -> str | None:
    r"""Return what a text's only box holds, where nothing around it can change what :func:`boxed` says.

    It ends the text, and stands behind a sign that sets it apart, at the end of a sentence that denies
    nothing. None says nothing: such a text takes a closer look.

    >>> plainly_boxed(r"So 7 - 2 is $\boxed{5}$."), plainly_boxed(r"not $\boxed{5}$")
    ('5', None)
    """
    start = text.rfind("\\boxed{")
    if start < 2:
        return None
    sign = text[start - 1]
    if (sign if sign != " " else text[start - 2]) not in APART:
        return None
    end = text.find("}", start) + 1
    content = text[start + 7 : end - 1]
    if not content.isdecimal():
        if "{" in content or "\\" in content:
            end = closing_brace(text, start + 6)
            content = text[start + 7 : end - 1]
        if end <= 0 or "box" in content or is_placeholder(content):
            return None
    if len(text) >= end + 8 or text[end:].strip(_CLOSING) or lead_of(text, start) != "plain":
        return None
    before = text[start - 80 if start > 80 else 0 : start]
    if ("%" in before or "<!" in before or "~~" in before) and hidden(before, ""):
        return None
    return None if text.find("box", 0, start) >= 0 and find_boxes(text[:start]) != ([], False) else content


def _beside(text: str, firm: list[Box]) -> list[Box]:
    """Return the last box with those that stand beside it."""
    group = [firm[-1]]
    for before in reversed([b for b in firm if b.end <= group[0].start][-20:]):
        gap = text[before.end : group[0].start]
        if not joined(gap) and not (_COUNTED.fullmatch(gap) and _THINGS.match(text, group[0].end)):
            break
        group.insert(0, before)
    return group


def _together(text: str, group: list[Box]) -> tuple[list[str], str]:
    """Return what a group of boxes holds, its different contents, and what joins them.

    The members of a tuple are one content, and the names before boxes (``x = ``) go with them.
    """
    if len(group) == 1:
        return [group[0].content], " and "
    gaps = [text[before.end : after.start] for before, after in pairwise(group)]
    if (pair := _brackets(text, group)) and all(gap.strip() == "," for gap in gaps):
        return [pair[0] + ", ".join(b.content for b in group) + pair[1]], " and "
    names = [_NAMED.search(text, max(0, b.start - 20), b.start) for b in group]
    called = [f"{name[1]} = " for name in names if name is not None]
    if len(set(called)) < len(group) or any("=" in b.content for b in group):
        called = [""] * len(group)
    contents: list[str] = []
    seen = set()
    for name, box in zip(called, group, strict=True):
        if (key := literal(strip(box.content))) not in seen or name:
            contents.append(name + box.content)
        seen.add(key)
    return contents, " or " if any(map(_OR.search, gaps)) else " and "


def _brackets(text: str, group: list[Box]) -> tuple[str, str] | None:
    """Return the brackets that enclose a group of boxes."""
    before, after = (
        text[max(0, group[0].start - 20) : group[0].start].rstrip()[-2:],
        text[group[-1].end : group[-1].end + 20].strip().removeprefix("\\right"),
    )
    for opening, closing in _BRACKETS.items():
        if before.endswith(opening) and before not in ("\\(", "\\[") and after.startswith(closing):
            return opening, closing
    return None


def joined(gap: str) -> bool:
    """Tell whether nothing but joining words stands between two boxes."""
    if len(gap) > 80:
        return False
    listed = _NUMBERED.fullmatch(gap) is not None
    gap = _FOR_PART.sub(" ", _NAMED.sub(" ", gap))
    gap = re.sub(r"\\(?:text|q?quad|[hv]space\*?\{[^{}]*\})(?![A-Za-z])", " ", gap)
    gap = re.sub(r"[${}.,;:*_\s=()\[\]!?&/|~%<>\\-]+", " ", gap)
    numbered = any(word in gap for word in ("nswer", "ption", "uess", "andidate")) or listed
    words = gap.lower().split()
    return all(
        w in _JOINING
        or (w in _OTHERWISE and "if" in words)
        or (len(w) == 1 and (w.isalpha() or (numbered and w.isdigit())))
        for w in words
    )


def alternatives(text: str, group: list[Box]) -> list[str]:
    r"""Return what "or" offers beside the boxes: ``\boxed{5} or 6``."""
    out = []
    end, start = group[-1].end, group[0].start
    if text.find("or", end, end + NEAR) >= 0 and (m := _OR_AFTER.match(text[end : end + NEAR])):
        out.append(m[1] or m[2])
    low = max(0, start - 80)
    if text.find("ither", low, start) >= 0 and (m := _EITHER_BEFORE.search(text[low:start])):
        out.append(m[1])
    return out
