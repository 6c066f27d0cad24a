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

from referee.verifiers.reading.box_spans import Box, find_boxes
from referee.verifiers.reading.dress import is_placeholder, literal, strip

Boxes = Literal["all", "last"]

_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|never|no longer|cannot|neither|nor|without|except|excluding|instead of|rather than|unlike|"
    r"(?:any|every)thing but|all but|far from|no way|impossible|unlikely|untrue|different from|"
    r"(?<!no )(?<!\ba )(?<!any )doubt(?:ful)?|(?:answer|result) is at (?:most|least)|"
    r"(?:greater|less|more|fewer|larger|smaller|bigger|higher|lower) than|"
    r"other than|reject(?:ed|ing)?|discard(?:ed|ing)?|eliminat(?:e|ed|ing)|rul(?:e|ed|ing) out|contrary to|"
    r"nearly|almost|just (?:under|over|below|above|short of)|"
    r"(?:twice|half|double|triple) the (?:answer|result)|"
    r"(?:negative|opposite|square|reciprocal|inverse|root) of the (?:answer|result)|"
    r"(?:many|most|some) (?:students|people)(?: might| would| will)?|if only|"
    r"(?:mistake|error) (?:is|would be) to)\b|n['’]t\b|"
    r"\\neq?(?![a-z])|≠|"
    r"(?!(?:(?<=\bI was )|(?<=\bI am )|(?<=\bI'm )|(?<=\bwe were ))\w+[:.,;])"  # a correction
    r"\b(?:wrong|incorrect|mistaken|erroneous|false|naive|tempting)(?:ly)?"
    r"(?:\s+(?:answer|solution|value|result|guess|choice|option|student|approach|method|reasoning))?\b)"
    r"\s*(?:(?:be|that|is|it|was|it's|equal|equals|to|the|answer|a|an|as|simply|just|correct|actually|quite|exactly|really|necessarily|even|were|get|answer|choose|believe|"
    r"say|think|guess|write|claim|final|would|of|wrote|got|gave|says|gives|yields|claimed|for|our|my)\s+)*[\s$({\[:*\\]*$",
    re.I,
)

_DENYING = (
    "not",
    "n't",
    "n’t",
    "nor",
    "never",
    "neither",
    "without",
    "xcept",
    "xclud",
    "instead",
    "rather",
    "unlike",
    "other",
    "\\ne",
    "≠",
    "wrong",
    "incorrect",
    "mistak",
    "erron",
    "false",
    "reject",
    "discard",
    "rul",
    "error",
    "longer",
    "thing but",
    "all but",
    "far from",
    "no way",
    "impossible",
    "doubt",
    "unlikely",
    "untrue",
    "different",
    "eliminat",
    "contrary",
    "nearly",
    "almost",
    "just ",
    " the answer",
    " the result",
    "students",
    "people",
    "if only",
    "naive",
    "tempting",
    " than",
    "is at ",
)  # one of these stands in whatever the pattern above finds

_SUBJECT = r"(?:(?:the|our|my|this|your)\s+)?(?:final\s+|correct\s+)?(?:answer|result|solution|value|it)\b"

_SUPPOSED_BEFORE = re.compile(
    rf"\b(?:suppos|assum|imagin|pretend)(?:e|es|ed|ing)?\b(?:\s+for\s+(?:a\s+)?contradiction,?)?"
    rf"(?:\s+that)?\s+{_SUBJECT}[^.,;\n]{{0,30}}$"
    rf"|\bif\s+{_SUBJECT}\s+(?:is|was|were|equals|had been)[\s$:({{\[*\\]*$"
    r"|\bhad\s+(?:we|I|it|they|one)\b[^.\n]{0,80}\bwould\b[^.\n]{0,20}$"
    r"|\b(?:would|could|might|should)(?:n['’]t)?\s+have\s+been\b[\w\s$:({\[*\\]{0,20}$",
    re.I,
)  # what a box says under a condition that does not hold

_WOULD_BEFORE = re.compile(
    r"\b(?:would|could|might)\s+(?:then\s+|only\s+)?(?:be|equal|become|give)[\s$:*]*$", re.I
)

_IF_AFTER = re.compile(r"[\s$.,)*}\]]*\b(?:only\s+)?(?:if|unless|were|had|provided|whenever)\b", re.I)

_SUPPOSING = ("suppos", "assum", "imagin", "pretend", "would", "could", "might", "should", "if ", "had ")

_GUESSED_BEFORE = re.compile(
    r"\b(?:guess(?:ed|ing)?|(?:first|initially|originally|previously|earlier)\s+"
    r"(?:thought|guessed|got|said|wrote|believed|had)|initially|mistakenly|at first)\b"
    r"(?:(?!\b(?:but|however|actually|now|so|then|yet)\b)[^.\n]){0,40}$",
    re.I,
)

_DENIED_AFTER = re.compile(
    r"[\s$.*)}\]]*(?:(?:is|was|would be|are|seems|looks)\s+(?:clearly\s+|definitely\s+|actually\s+)?"
    r"(?:wrong|incorrect|false|invalid|impossible|not\b|ruled out|rejected|discarded|excluded|eliminated)"
    r"|\?\s*(?:no|nope|wait|hmm|not)\b"
    r"|\((?:wrong|incorrect|false)\)|(?:is|was)\s+what\s+(?:I|we|one|you|many|most|some)\s+(?:\w+\s+){0,2}"
    r"(?:thought|guessed|got|said|wrote|expect|think|guess|say)"
    r"|,?\s*(?:(?:but|though|although|however|yet|wait|no|oh|hmm|actually|sorry)[,.!…]*\s+){0,3}"
    r"(?:that|this|it|which)(?:['’]s|\s+is|\s+was)\s+(?:clearly\s+|actually\s+|also\s+)?"
    r"(?:wrong|incorrect|false|invalid|a mistake|an error|not (?:right|correct|true|the answer))(?!\s+to\b))",
    re.I,
)

_FAILS_AFTER = re.compile(
    r"[\s$*)}\]]*(?:fail(?:s|ed)?\b|"
    r"(?:can|must|may|could|should)\s+be\s+(?:ruled out|rejected|discarded|excluded|eliminated|ignored)|"
    r"(?:does|did)(?:n['’]t|\s+not)\s+(?:work|hold|satisf|fit|suffice|count|qualify|check)|"
    r"can(?:not|['’]t)\s+"
    r"(?:hold|work|occur|happen|be\s+(?:right|correct|true|it|the answer|a solution|valid)))",
    re.I,
)
_DENYING_AFTER = (
    "?",
    "wrong",
    "incorrect",
    "false",
    "invalid",
    "impossible",
    "not",
    "mistake",
    "error",
    "what",
    "ruled",
    "reject",
    "discard",
    "exclud",
    "eliminat",
    "does",
    "did",
    "fail",
    "can",
    "ignored",
)

_JOINING = frozenset(
    """
    and or maybe perhaps possibly alternatively also either could be it is the answer answers another
    equally even might as well both then else otherwise can are may equivalently i.e ie that one other
    first second third option solution solutions respectively
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
_LARGER_AFTER = re.compile(
    r"\d|[.,]\d|\$?\^\s*\{?\s*-?\s*(?:\d+|[a-z])\s*(?:\}|(?![\w{]))|\s*(?:\\times|\\cdot|×|\*)\s*10\s*\^"
)  # the box is a part of a number or a power
_SIGN_BEFORE = re.compile(r"(?:=[\s$]*|\$)-\s*$|:\s*-$")
_SCALE_AFTER = re.compile(
    r"[\s$\\]*(?:text\{)?\s*(hundred|thousand|million|billion|trillion|dozen)s?\b(?!\})", re.I
)
_OR = re.compile(r"\bor\b|\beither\b|\bmaybe\b", re.I)

_NEAR = 160  # characters behind a box that can take it back; bounds the patterns that look there


_DIGITS = re.compile(r"\d[\d,]*(?:\.\d+)?")


class Boxed(NamedTuple):
    """What the boxes of a text say: one value or several, or ``why`` they give no answer.

    ``joiner`` stands between several (" and ", " or "); ``end`` is where the last box ends.
    """

    contents: tuple[str, ...] = ()
    joiner: str = " and "
    why: str = ""
    end: int = 0


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
        return Boxed(why="every box is denied")
    firm = asserted
    if len(asserted) > 1:
        firm = [
            b for b in asserted if not _GUESSED_BEFORE.search(text[max(0, b.start - 80) : b.start])
        ] or asserted
    last = firm[-1]
    if is_placeholder(last.content):
        return Boxed(why="the last box is empty")
    if _ASKED_AFTER.match(text, last.end):
        return Boxed(why="the last box is a question")
    if _LARGER_AFTER.match(text, last.end):
        return Boxed(why="the last box is a part of something larger")
    if boxes == "last":
        return Boxed((last.content,), end=last.end)
    return _side_by_side(text, firm)


def _side_by_side(text: str, firm: list[Box]) -> Boxed:
    last = firm[-1]
    group = [last]
    contents = [last.content]
    joiner = " and "
    if len(firm) > 1:
        group, contents, joiner = _joined_boxes(text, firm)
    if others := alternatives(text, group):
        contents, joiner = contents + others, " or "
    if len(contents) == 1:
        if _SIGN_BEFORE.search(text, max(0, last.start - 20), last.start):
            plain = _DIGITS.fullmatch(contents[0].strip())
            contents = [f"-{contents[0].strip()}" if plain else f"-({contents[0]})"]
        if scale := _SCALE_AFTER.match(text[last.end : last.end + _NEAR]):
            contents = [f"{contents[0]} {scale[1]}"]
    return Boxed(tuple(contents), joiner, end=last.end)


def _joined_boxes(text: str, firm: list[Box]) -> tuple[list[Box], list[str], str]:
    """Return the boxes that stand beside the last one, their different contents, and what joins them."""
    last = firm[-1]
    group = [last]
    for before in reversed([b for b in firm if b.end <= last.start][-20:]):
        if not joined(text[before.end : group[0].start]):
            break
        group.insert(0, before)
    joiner = " and "
    for before, after in pairwise(group):
        if _OR.search(text[before.end : after.start]):
            joiner = " or "
    contents: list[str] = []
    for b in group:
        if literal(strip(b.content)) not in {literal(strip(c)) for c in contents}:
            contents.append(b.content)
    return group, contents, joiner


def denied(text: str, box: Box) -> bool:
    """Tell whether the words around a box deny it, suppose it or take it back."""
    before = text[max(0, box.start - 80) : box.start]
    lower = before.lower()
    if any(word in lower for word in _DENYING) and _DENIED_BEFORE.search(before):
        return True
    after = text[box.end : box.end + _NEAR]
    if _conditional(text, box, lower, after):
        return True
    if len(after) < 4 or not any(word in after.lower() for word in _DENYING_AFTER):
        return False
    return _DENIED_AFTER.match(after) is not None or _FAILS_AFTER.match(after) is not None


def _conditional(text: str, box: Box, lower: str, after: str) -> bool:
    """Tell whether a box is only what the answer would be."""
    if not any(word in lower for word in _SUPPOSING):
        return False
    before = text[max(0, box.start - _NEAR) : box.start]
    if _SUPPOSED_BEFORE.search(before):
        return True
    return _WOULD_BEFORE.search(before) is not None and _IF_AFTER.match(after) is not None


def joined(gap: str) -> bool:
    """Tell whether nothing but joining words stands between two boxes."""
    if len(gap) > 80:
        return False
    gap = re.sub(r"\\(?:text|q?quad|[hv]space\*?\{[^{}]*\})(?![A-Za-z])", " ", gap)
    gap = re.sub(r"[${}.,;:*_\s=()\[\]!?&/|~%<>\\-]+", " ", gap)
    numbered = "nswer" in gap or "ption" in gap
    return all(
        w.lower() in _JOINING or (len(w) == 1 and (w.isalpha() or (numbered and w.isdigit())))
        for w in gap.split()
    )


def alternatives(text: str, group: list[Box]) -> list[str]:
    r"""Return what "or" offers beside the boxes: ``\boxed{5} or 6``."""
    out = []
    if m := _OR_AFTER.match(text[group[-1].end : group[-1].end + _NEAR]):
        out.append(m[1] or m[2])
    before = text[max(0, group[0].start - 80) : group[0].start]
    if "ither" in before and (m := _EITHER_BEFORE.search(before)):
        out.append(m[1])
    return out
