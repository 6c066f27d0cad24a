"""Whether the words around a box deny it, suppose it, or take it back at once."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from referee.verifiers.reading.box_spans import Box

NEAR = 160  # characters behind a box that can take it back; bounds the patterns that look there

_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|never|no longer|cannot|neither|nor|without|except|excluding|instead of|rather than|unlike|"
    r"(?:any|every)thing but|all but|far from|no way|impossible|unlikely|untrue|different from|"
    r"(?<!no )(?<!\ba )(?<!any )doubt(?:ful)?|(?:answer|result) is at (?:most|least)|"
    r"(?:greater|less|more|fewer|larger|smaller|bigger|higher|lower) than|"
    r"other than|reject(?:ed|ing)?|discard(?:ed|ing)?|eliminat(?:e|ed|ing)|rul(?:e|ed|ing) out|contrary to|"
    r"nearly|almost|just (?:under|over|below|above|short of)|"
    r"(?:twice|half|double|triple) the (?:answer|result)|"
    r"(?:negative|opposite|square|reciprocal|inverse|root) of the (?:answer|result)|"
    r"(?:many|most|some) (?:students|people)(?: might| would| will)?|(?:many|most|some) (?:might|would|will)|"
    r"(?:one|you|someone|anyone|people) (?:might|may|could|would)(?: first| naively)? (?:think|guess|expect|"
    r"believe|say|assume|be tempted)|refus(?:e|es|ed|ing)|(?:example|sample) (?:output|response|format)|"
    r"if only|"
    r"(?:mistake|error) (?:is|would be) to)\b|n['’]t\b|"
    r"\\neq?(?![a-z])|≠|"
    r"(?!(?:(?<=\bI was )|(?<=\bI am )|(?<=\bI'm )|(?<=\bwe were ))\w+[:.,;])"  # a correction
    r"\b(?:wrong|incorrect|mistaken|erroneous|false|naive|tempting|silly|foolish|trap(?= answer))(?:ly)?"
    r"(?:\s+(?:answer|solution|value|result|guess|choice|option|student|solver|reader|person|approach|method|"
    r"reasoning))?\b)"
    r"\s*(?:(?:be|that|is|it|was|it's|equal|equals|to|the|answer|a|an|as|simply|just|correct|actually|"
    r"quite|exactly|really|necessarily|even|were|get|answer|choose|believe|"
    r"say|think|guess|write|claim|final|would|of|wrote|got|gave|says|gives|yields|claimed|for|our|"
    r"my|confirm|verify|guarantee|expect|tempted|pick|select)\s+)*[\s$({\[:*\\]*$",
    re.I,
)

_DENYING = frozenset(
    """
    not never longer cannot neither nor without except excluding instead rather unlike anything everything but
    far no impossible unlikely untrue different doubt doubtful most least than other reject rejected rejecting
    discard discarded discarding eliminate eliminated eliminating rule ruled ruling contrary nearly almost
    just twice half double triple negative opposite square reciprocal inverse root students people only
    mistake error many some would will think guess expect believe say assume tempted refuse refuses refused
    refusing output response format trap
    wrong wrongly incorrect incorrectly mistaken mistakenly erroneous erroneously false falsely naive naively
    tempting temptingly silly foolish
    """.split()
)  # one of these words stands in whatever the pattern above finds, or one of the signs in _may_deny

_SUBJECT = r"(?:(?:the|our|my|this|your)\s+)?(?:final\s+|correct\s+)?(?:answer|result|solution|value|it)\b"

_SUPPOSED_BEFORE = re.compile(
    rf"\b(?:suppos|assum|imagin|pretend)(?:e|es|ed|ing)?\b(?:\s+for\s+(?:a\s+)?contradiction,?)?"
    rf"(?:\s+that)?\s+{_SUBJECT}[^.,;\n]{{0,30}}\Z"
    rf"|\bif\s+{_SUBJECT}\s+(?:is|was|were|equals|had been)[\s$:({{\[*\\]*\Z"
    r"|\bhad\s+(?:we|I|it|they|one)\b[^.\n]{0,80}\bwould\b[^.\n]{0,20}\Z"
    r"|\bif\b[^.\n,]{0,80}\b(?:were|weren['’]t|had|hadn['’]t|did|didn['’]t|could|mattered|counted|allowed|"
    r"repeated|ignored|included)\b[^.\n]{0,60}\bwould\b[^.\n]{0,20}\Z"
    r"|\b(?:would|could|might|should)(?:n['’]t)?\s+have\s+been\b[\w \t$:({\[*\\]{0,20}\Z",
    re.I,
)  # what a box says under a condition that does not hold

_WOULD_BEFORE = re.compile(
    r"\b(?:would|could|might)\s+(?:then\s+|only\s+)?(?:be|equal|become|give)[\s$:*]*$", re.I
)

_IF_AFTER = re.compile(r"[\s$.,)*}\]]*\b(?:only\s+)?(?:if|unless|were|had|provided|whenever)\b", re.I)

_SUPPOSING = ("uppos", "ssum", "magin", "reten", "ould", "might")  # in all supposed

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
    r"|(?:would|could|might)\s+(?:only\s+|then\s+)?(?:be|have\s+been|hold|work)\b[^.\n]{0,60}"
    r"\b(?:if|had|were|unless|provided)\b"
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
_BETWEEN = frozenset(
    """
    be that is it was it's equal equals to the answer a an as simply just correct actually quite
    exactly really necessarily even were get choose believe say think guess write claim final would
    of wrote got gave says gives yields claimed for our my longer than but out from way under over
    below above short result might will only solution value choice option student approach method
    reasoning at confirm verify guarantee expect tempted pick select solver reader person
    """.split()
)  # what may stand between such a word and the box
_FIRST_AFTER = re.compile(r"[\s$.*)}\],]*([?(]|[A-Za-z]+)")
_DENYING_AFTER = frozenset(
    """
    ? ( is was would are seems looks but though although however yet wait no oh hmm actually sorry that this
    it which fail fails failed can must may could should does doesn did didn cannot
    """.split()
)  # with one of these begins whatever the two patterns above find


def denied(text: str, box: Box) -> bool:
    """Tell whether the words around a box deny it, suppose it or take it back."""
    before = text[max(0, box.start - 80) : box.start]
    if ("%" in before or "<!" in before or "~~" in before) and hidden(before, text[box.end : box.end + 2]):
        return True
    lead = lead_of(text, box.start)
    if lead == "denied":
        return True
    if lead == "conditional" and _IF_AFTER.match(text, box.end, box.end + NEAR):
        return True
    if len(text) < box.end + 4:
        return False
    first = _FIRST_AFTER.match(text, box.end, box.end + NEAR)
    if first is None or first[1].lower() not in _DENYING_AFTER:
        return False
    after = text[box.end : box.end + NEAR]
    return _DENIED_AFTER.match(after) is not None or _FAILS_AFTER.match(after) is not None


BoxLead = Literal["plain", "denied", "conditional", "alternative"]


def lead_of(text: str, start: int) -> BoxLead:
    """Tell whether what leads to a box denies it, offers it, or states it where a condition follows."""
    low = start - NEAR if start > NEAR else 0
    begin = text.rfind(".", low, start) + 1 or low
    line = text.rfind("\n", begin, start)
    if line > low and (text[line + 1 : line + 2].isupper() or text[line - 1].isdigit()):
        begin = line  # a sentence begins with a capital letter, or behind a line that ends in a digit
    return _read_lead(text[begin:start])


@lru_cache(maxsize=4096)
def _read_lead(lead: str) -> BoxLead:
    """Read what leads to a box in its sentence; most boxes have one of a few leads."""
    before = lead[-80:]
    if _may_deny(before) and _DENIED_BEFORE.search(before):
        return "denied"
    if _may_suppose(lead.lower()):
        if _SUPPOSED_BEFORE.search(lead):
            return "denied"
        if _WOULD_BEFORE.search(lead):
            return "conditional"
    offered = before.rstrip(" $\n\t")[-3:].lower()
    return (
        "alternative" if offered == "or" or (offered[-2:] == "or" and not offered[0].isalpha()) else "plain"
    )


def hidden(before: str, behind: str) -> bool:
    """Tell whether a box stands in a comment, or is struck out, by the signs on either side of it."""
    line = before.rpartition("\n")[2].lstrip()
    struck = behind == "~~" and line.endswith("~~") and line.count("~~") % 2 == 1 and "$" not in line
    return struck or line.startswith("%") or before.rfind("<!--") > before.rfind("-->")


def _may_deny(before: str) -> bool:
    """Tell, at little cost, whether a denial can stand in the words before a box."""
    last = before.rstrip(" \t\n\r\xa0$({[:*\\")[-1:]
    if not last.isalpha() and last != "≠":
        return False
    for word in reversed(_WORDS.findall(before.lower())):
        if word in _DENYING:
            return True
        if word not in _BETWEEN:
            break
    else:
        return True
    return "\\ne" in before or "≠" in before or _NOT.search(before) is not None


_WORDS = re.compile(r"[a-z]+(?:'s)?")
_NOT = re.compile(r"n['’]t", re.I)


def _may_suppose(lead: str) -> bool:
    for sign in _SUPPOSING:
        if sign in lead:
            return True
    return "if" in lead and _IF.search(lead) is not None


_IF = re.compile(r"\bif\s")


def guessed(text: str, box: Box) -> bool:
    """Tell whether a box is called a guess or a first thought."""
    return _GUESSED_BEFORE.search(text[max(0, box.start - 80) : box.start]) is not None
