r"""Finding the final answer in a text: cues in a stated order, and why none was found.

1. ``tag``: the last ``<answer>...</answer>``; the cues below then look inside it.
2. ``boxed``: what :func:`referee.verifiers.reading.boxes.boxed` says.
3. ``####`` and 4. ``line``: a line that begins with ``A:``, ``Answer:`` or ``Final answer:``.
5. ``phrase``: what follows the last "the answer is".
6. ``last``: the last formula or number, unless its sentence denies it, doubts it or asks.

The strict profile stops after ``line``. A box that gives no answer ends the search. A stronger cue never
makes a weaker reading: what a tag, a box or a line encloses is read as it would be read without it.
What a value is, a *grammar* says, so that this file needs no parser.
"""

from __future__ import annotations

import re
from functools import lru_cache

from referee.verifiers.reading.answer_lines import answer_line, hashes, is_bare_number, one_value
from referee.verifiers.reading.box_denials import denied
from referee.verifiers.reading.box_spans import Box, whole_box
from referee.verifiers.reading.boxes import Boxes, boxed, joined, plainly_boxed
from referee.verifiers.reading.dress import is_placeholder, narrow, strip, unwrapped
from referee.verifiers.reading.extracted import ContentKind as ContentKind
from referee.verifiers.reading.extracted import Extracted as Extracted
from referee.verifiers.reading.extracted import Grammar as Grammar
from referee.verifiers.reading.extracted import Profile as Profile
from referee.verifiers.reading.retractions import taken_back
from referee.verifiers.reading.stated_values import conclusion

MAX_TEXT = 100_000  # the last characters of a completion, in which an answer is looked for

_WHOLE_TAG = re.compile(r"<answer>(.*)</answer>", re.I | re.S)
_CUE = re.compile(
    r"(?:[*_>\s]*(?:the\s+)?(?:final\s+)?answer[*_ \t]*[:：=]|"
    r"[*_>\s]*(?:最终)?答案?\s*[:：]|【答案】|####)[*_ \t]*",
    re.I,
)


def final_answer(
    text: str, grammar: Grammar, *, profile: Profile = "lenient", boxes: Boxes = "all"
) -> Extracted:
    """Return the final answer of a text whose thinking is taken off."""
    if len(text) > MAX_TEXT:
        text = text[-MAX_TEXT:]
    if not text.isascii():
        text = narrow(text)
    content = answer_element(text) if "</" in text else None
    if content is not None:
        if is_denied_element(text):
            return Extracted(None, "tag", "the tag is denied")
        text = content
    if (plain := plainly_boxed(text)) is not None:
        stands = Extracted(plain, "boxed")
        return stands if plain.isdecimal() else _bared(stands)
    found = boxed_answer(text, grammar, boxes)
    if found is None and content is not None:
        stated = strip(content)
        if not stated or is_placeholder(stated):
            return Extracted(None, "tag", "the tag is empty")
        found = Extracted(stated, "tag")
    found = found or hashes(text, grammar) or answer_line(text, grammar)
    if found is None:
        if profile == "strict":
            return Extracted(None, "none", "no box, tag, #### or answer line")
        return conclusion(text, grammar)
    return _bared(found)


def _bared(found: Extracted) -> Extracted:
    """Take the cues off what a box, a tag or a line encloses: it is read as it would be read bare."""
    answer = found.answer
    if answer is None or found.strategy == "boxes" or is_bare_number(answer):
        return found
    bare = peeled(answer)
    if not bare or bare == answer.strip():
        bare = answer
    return Extracted(bare, found.strategy, found.why, enclosed=True, behind=found.behind)


def value_within(found: Extracted, grammar: Grammar, profile: Profile = "lenient") -> str | None:
    """Return the other reading of an answer: the one value that it holds with more words, if there is one."""
    if not found.enclosed or found.answer is None:
        return found.value
    value = one_value(found.answer, grammar) if profile == "lenient" else None
    return value if value != found.answer else None


def boxed_answer(text: str, grammar: Grammar, boxes: Boxes = "all") -> Extracted | None:
    """Return what the boxes of a text say, or what is stated behind them in their place; else None."""
    found = boxed(text, boxes)
    if found is None:
        return None
    later = taken_back(text, found.end, grammar) if found.end else None
    if later is not None:
        return later
    if found.why:
        return Extracted(None, "boxed", found.why)
    if found.parts:
        return Extracted(found.parts, "boxes", value=found.contents[0])
    if len(found.contents) == 1:
        return Extracted(found.contents[0], "boxed", behind=found.behind)
    return Extracted(found.joiner.join(strip(c) for c in found.contents), "boxes")


def last_element(text: str, name: str) -> str | None:
    """Return what the last ``<name>...</name>`` that is closed holds; one pass, however many are opened.

    >>> last_element("<answer>5</answer> <answer>6", "answer")
    '5'
    """
    found = _last_spans(text, name)
    return text[found[-1][0] : found[-1][1]] if found else None


def answer_element(text: str) -> str | None:
    """Return what the last answer tag holds; where another stands right before it, what both hold."""
    spans = _last_spans(text, "answer")
    contents = [text[start:end].strip() for start, end in spans]
    if len(spans) == 2 and contents[0] and contents[0] != contents[1] and len(contents[0]) < 200:
        between = text[spans[0][1] : spans[1][0]].lower()
        if joined(between.replace("</answer>", "").replace("<answer>", "")):
            return (" or " if "or" in between else " and ").join(peeled(c) for c in contents)
    return text[spans[-1][0] : spans[-1][1]] if spans else None


def is_denied_element(text: str) -> bool:
    """Tell whether the words around the last answer tag deny it, as they would a box."""
    start, end = _last_spans(text, "answer")[-1]
    return denied(text, Box(start - len("<answer>"), end + len("</answer>"), ""))


def _last_spans(text: str, name: str) -> list[tuple[int, int]]:
    """Return where the contents of the last two elements stand that are closed."""
    opened = -1
    found: list[tuple[int, int]] = []
    for m in _element(name).finditer(text):
        if not m[1]:
            opened = m.end()
        elif opened >= 0:
            found, opened = [*found[-1:], (opened, m.start())], -1
    return found


@lru_cache(maxsize=256)
def _element(name: str) -> re.Pattern[str]:
    return re.compile(f"<(/?){re.escape(name)}>", re.IGNORECASE)


def peeled(text: str) -> str:
    r"""Take the cues off an answer that is nothing but cues and a value: a box, a tag, ``Answer:``, ``####``.

    >>> peeled(r"Answer: $\boxed{\text{7}}$"), peeled("<answer>#### 7</answer>"), peeled("so Answer: 7")
    ('7', '7', 'so Answer: 7')
    """
    text = text.strip()
    for _ in range(6):
        before = text
        if (content := whole_box(text)) is not None:
            text = unwrapped(content)
        elif (element := _WHOLE_TAG.fullmatch(text)) is not None and "<answer>" not in element[1].lower():
            text = element[1].strip()
        elif (cue := _CUE.match(text)) is not None:
            text = (
                text[cue.end() :].strip().removesuffix("**") if "*" in cue[0] else text[cue.end() :].strip()
            )
        if text == before:
            break
    return text
