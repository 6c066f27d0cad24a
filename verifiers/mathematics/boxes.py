r"""The ``\boxed`` answers of a text: where they are, and whether the words around them assert them.

A box is not asserted where the words before it deny it ("not", "anything but"), suppose it ("suppose the
answer is") or state it under a condition ("would be ... if"), or the words behind it take it back.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)(?![A-Za-z])\s*")

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
    r"\\neq?(?![a-z])|≠|\b(?:wrong|incorrect|mistaken|erroneous|false|naive|tempting)(?:ly)?"
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

GUESSED_BEFORE = re.compile(
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

NEAR = 160  # characters behind a box that can take it back; bounds the patterns that look there


class Box(NamedTuple):
    """A box and where it stands."""

    start: int
    end: int
    content: str


def find_boxes(text: str) -> tuple[list[Box], bool]:
    """Return the outermost boxes in order, and whether the last one is never closed."""
    out: list[Box] = []
    pos = 0
    other = "fbox" in text or "framebox" in text
    for _ in range(400):
        if other:
            m = _BOX.search(text, pos)
        else:
            at = text.find("\\boxed", pos)
            m = _BOX.search(text, at) if at >= 0 else None
        if m is None:
            return out, False
        start = m.end()
        if start >= len(text):
            return out, True
        if text[start] != "{":
            short = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})*|-?\d+(?:\.\d+)?|[A-Za-z]").match(text, start)
            if short is None:
                pos = start
                continue
            out.append(Box(m.start(), short.end(), short[0]))
            pos = short.end()
            continue
        end = _closing(text, start)
        if end < 0:
            return out, True
        out.append(Box(m.start(), end, text[start + 1 : end - 1]))
        pos = end
    # very many boxes: only the last ones can count
    tail = text.rfind("\\boxed")
    rest, broken = (out, False) if tail < pos else find_boxes(text[-2000:])
    if rest is out:
        return out, broken
    shift = len(text) - 2000
    return [Box(b.start + shift, b.end + shift, b.content) for b in rest], broken


def _closing(text: str, start: int) -> int:
    level = 0
    for m in _BRACES.finditer(text, start):
        sign = m[0]
        if sign == "{":
            level += 1
        elif sign == "}":
            level -= 1
            if level == 0:
                return m.end()
    return -1


_BRACES = re.compile(r"\\.|[{}]", re.S)


def denied(text: str, box: Box) -> bool:
    """Tell whether the words around a box deny it, suppose it or take it back."""
    before = text[max(0, box.start - 80) : box.start]
    lower = before.lower()
    if any(word in lower for word in _DENYING) and _DENIED_BEFORE.search(before):
        return True
    after = text[box.end : box.end + NEAR]
    if _conditional(text, box, lower, after):
        return True
    if len(after) < 4 or not any(word in after.lower() for word in _DENYING_AFTER):
        return False
    return _DENIED_AFTER.match(after) is not None or _FAILS_AFTER.match(after) is not None


def _conditional(text: str, box: Box, lower: str, after: str) -> bool:
    """Tell whether a box is only what the answer would be."""
    if not any(word in lower for word in _SUPPOSING):
        return False
    before = text[max(0, box.start - NEAR) : box.start]
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
    if m := _OR_AFTER.match(text[group[-1].end : group[-1].end + NEAR]):
        out.append(m[1] or m[2])
    before = text[max(0, group[0].start - 80) : group[0].start]
    if "ither" in before and (m := _EITHER_BEFORE.search(before)):
        out.append(m[1])
    return out
