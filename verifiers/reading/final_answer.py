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
from typing import Literal, NamedTuple, Protocol

from referee.verifiers.reading.box_spans import whole_box
from referee.verifiers.reading.boxes import Boxes, boxed
from referee.verifiers.reading.dress import TEXT, is_placeholder, strip, unwrapped

Profile = Literal["lenient", "strict"]
ContentKind = Literal["value", "words", "too_big", "nothing"]

MAX_TEXT = 100_000  # the last characters of a completion, in which an answer is looked for


class Extracted(NamedTuple):
    """The answer and the cue that found it, or ``why`` there is none.

    ``value`` is the one value in an answer that a box, a tag or a line encloses with more words, as it would
    be read without them; None where there is no other reading.
    """

    answer: str | None
    strategy: str
    why: str = ""
    value: str | None = None


_INSIDE = frozenset("()[]{}^_\\*/+<>|")
_PLAIN_NUMBER = re.compile(r"-?[\d,]*\d(?:\.\d+)?")
_APPROXIMATE = re.compile(r"\b(?:about|approximately|approx|roughly|nearly|almost|around)\b|\\approx", re.I)
_SPACE = re.compile(r"\s")
_WHOLE_TAG = re.compile(r"<answer>(.*)</answer>", re.I | re.S)
_CUE = re.compile(r"(?:[*_>\s]*(?:the\s+)?(?:final\s+)?answer[*_ \t]*[:：=]|####)[*_ \t]*", re.I)
_HASHES = re.compile(r"####[ \t]*(\S[^\n]*)")
_LINE = re.compile(
    r"^[ \t>*_#-]*(?:A|Answer|ANSWER|answer|(?:The )?[Ff]inal [Aa]nswer|FINAL ANSWER)"
    r"[*_ \t]*[:：][*_ \t]*([^\s*_][^\n]*)$",
    re.M,
)
_HEADING = re.compile(
    r"^[ \t>*_#]*(?:(?:The )?[Ff]inal )?[Aa]nswer[*_: \t]*\n\s*(?:(?:\\\[|\$\$)\s*([^\n]+)|(\S[^\n]*))$", re.M
)
_PHRASE = re.compile(
    r"(?:\b(?:final|correct|right)?\s*(?:answers?|results?|solutions?|values?|option|choice)\b[^.\n$=:]{0,40}?"
    r"\b(?:is|are|equals|equal to|be|becomes|was)\b|"
    r"\banswer\s*(?:=|:))(?:\s+(?:therefore|thus|simply|just|exactly|then|equal to|given by))*[:\s]*",
    re.I,
)
_ASIDE = re.compile(
    r"\b(?:wrong|naive|common|incorrect|mistake\w*|(?:text)?book|would|could|might|if|for|in|with|when|where|suppose|"
    r"similarly|other|another|previous\w*|earlier|first|instead)\b",
    re.I,
)  # a statement about something else than what was asked
_UNSURE_AFTER = re.compile(r"[\s$.)]{0,4}\?|[^.\n]{0,20}\bnot\s+sure\b", re.I)
_CHANGED_BEFORE = re.compile(
    r"\b(?:minus|negative|(?:roots?|log(?:arithm)?|sine|cosine|tangent|square|cube|factorial|reciprocal|inverse|"
    r"opposite)\s+of)[\s$*_]*$",
    re.I,
)
_CHANGED_AFTER = re.compile(r"[\s$*_]*(?:squared|cubed|factorial|below\s+zero|is\s+too\s+\w+)\b", re.I)
_COMPARED = re.compile(
    r"\b(?:at\s+(?:most|least)|(?:less|more|greater|smaller|larger|fewer)\s+than|under|over|below|above|up\s+to)\b",
    re.I,
)
_SENTENCE_END = re.compile(r"\n|(?<=[^.])\.(?=\s+[A-Z]|\s*$)")
_WOULD_BE = re.compile(r"\b(?:would|could|might)\b", re.I)
_CONDITION = re.compile(r"\b(?:if|unless|had|were|provided)\b", re.I)
_DOUBT = re.compile(
    r"\b(?:not|never|cannot|neither|nor|no|wrong|incorrect|false|unknown|unsure|uncertain|maybe|perhaps|possibly|"
    r"might|could|either|or|"
    r"guess|impossible|unclear|wait|idk|unable|sorry)\b|n['’]t\b|\?",
    re.I,
)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.S)
_DISPLAY = re.compile(
    r"\\begin\{((?:align|gather|equation|eqnarray|multline)(?:ed)?\*?)\}(.+?)\\end\{\1\}", re.S
)
_BOLD = re.compile(r"(?<![\w)*])\*\*(?=[^\s*])([^*\n]{1,120}?)\*\*(?![\w*])")
_LISTED = re.compile(r"[\s$]*(?:,|;|,?\s*\b(and|or)\b)[\s$]*")  # between the formulas of one answer
_NUMBER = re.compile(
    r"(?<![\w.])[-−]?(?:\\?\$\s?)?\d[\d,]*(?:\.\d+)?(?:\s?/\s?\d+|(?::\d+)+)?(?:\\?%)?(?![\w^])"
)


_SAID_OF = re.compile(
    r"(?:\$([^$\n]+)\$|(-?\d[\d,]*(?:\.\d+)?(?:/\d+)?))\s+"
    r"(?:(?:is|are|was|were)\s+(?:the|a|an|our|how)|because|since|which\s+is)\b"
)  # a value, and then what it is


class Grammar(Protocol):
    """What a reader of final answers takes for a value."""

    def kind(self, text: str) -> ContentKind:
        """Return what a text is: a ``value``, ``words``, ``too_big`` to be read, or ``nothing`` known."""
        ...

    def listed(self, text: str) -> str | None:
        """Return what the items of a list share with this one; None where a text is no item of a list."""
        ...


def final_answer(
    text: str, grammar: Grammar, *, profile: Profile = "lenient", boxes: Boxes = "all"
) -> Extracted:
    """Return the final answer of a text whose thinking is taken off."""
    if len(text) > MAX_TEXT:
        text = text[-MAX_TEXT:]
    content = last_element(text, "answer") if "<" in text else None
    if content is not None:
        text = content
    found = boxed_answer(text, grammar, boxes)
    if found is None and content is not None:
        stated = strip(content)
        if not stated or is_placeholder(stated):
            return Extracted(None, "tag", "the tag is empty")
        found = Extracted(stated, "tag")
    found = found or _hashes(text, grammar) or answer_line(text, grammar)
    if found is None:
        if profile == "strict":
            return Extracted(None, "none", "no box, tag, #### or answer line")
        return _phrase(text, grammar) or _last(text, grammar)
    return _inside(found, grammar, profile)


def _inside(found: Extracted, grammar: Grammar, profile: Profile) -> Extracted:
    """Add the one value that a box, a tag or a line encloses with more words, as it would be read bare."""
    answer = found.answer
    if answer is None or found.strategy == "boxes" or _is_bare_number(answer):
        return found
    bare = peeled(answer)
    if bare and bare != answer.strip():
        answer, found = bare, found._replace(answer=bare)
    if profile == "strict" or not _SPACE.search(answer) or len(_NUMBER.findall(answer)) != 1:
        return found
    if "\\" in TEXT.sub("", answer) or _APPROXIMATE.search(answer) or _COMPARED.search(answer):
        return found  # an expression is one value or none; an approximation and a bound are none
    if grammar.kind(answer) not in ("nothing", "words"):
        return found
    plain = answer_line(answer, grammar) or _phrase(answer, grammar) or _last(answer, grammar)
    return found._replace(value=plain.answer if plain.answer != answer else None)


def boxed_answer(text: str, grammar: Grammar, boxes: Boxes = "all") -> Extracted | None:
    """Return what the boxes of a text say, or what a plain "the answer is" behind them says; else None."""
    found = boxed(text, boxes)
    if found is None:
        return None
    if found.why:
        return Extracted(None, "boxed", found.why)
    tail = text[found.end :]
    if len(tail) >= 8 and "nswer" in tail and (later := _taken_back(tail, grammar)) is not None:
        return later
    if len(found.contents) == 1:
        return Extracted(found.contents[0], "boxed")
    return Extracted(found.joiner.join(strip(c) for c in found.contents), "boxes")


def last_element(text: str, name: str) -> str | None:
    """Return what the last ``<name>...</name>`` that is closed holds; one pass, however many are opened.

    >>> last_element("<answer>5</answer> <answer>6", "answer")
    '5'
    """
    opened, found = -1, None
    for m in _element(name).finditer(text):
        if not m[1]:
            opened = m.end()
        elif opened >= 0:
            found, opened = (opened, m.start()), -1
    return text[found[0] : found[1]] if found else None


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


def _hashes(text: str, grammar: Grammar) -> Extracted | None:
    start = text.rfind("####")
    m = _HASHES.match(text, start) if start >= 0 else None
    return _stated(m[1], "####", grammar) if m else None


def answer_line(text: str, grammar: Grammar) -> Extracted | None:
    """Return what the last line that begins with ``Answer:``, ``A:`` or ``Final answer:`` states, or None."""
    if "nswer" not in text and "NSWER" not in text:
        start = text.rfind("A:")  # the last line that could be one
        if start < 0:
            return None
        text = text[text.rfind("\n", 0, start) + 1 :]
        if text[:2] == "A:" and "\n" not in text:
            return _stated(text[2:].strip(), "line", grammar)
    m = _last_match(_LINE, text) or _last_match(_HEADING, text)
    if m is None:
        return None
    tail = text[m.end() :]
    later = _taken_back(tail, grammar) if "nswer" in tail else None
    return later or _stated(next(g for g in m.groups() if g), "line", grammar)


def _stated(line: str, strategy: str, grammar: Grammar) -> Extracted:
    if _is_bare_number(line):
        return Extracted(line, strategy)
    phrase = _phrase(line, grammar) if "nswer" in line else None
    if phrase is not None:
        return phrase._replace(strategy=strategy)
    said = _SAID_OF.match(line)
    line = _sentence(line, 0)
    if is_placeholder(line):
        return Extracted(None, strategy, "the answer is missing")
    if said is not None and not _DOUBT.search(line) and grammar.kind(line) in ("nothing", "too_big"):
        line = said[1] or said[2]
    return Extracted(line, strategy)


def _taken_back(tail: str, grammar: Grammar) -> Extracted | None:
    """Return what is stated behind an answer in its place; a remark about something else is none."""
    last = _last_match(_PHRASE, tail)
    if last is None:
        return None
    begin = max((m.end() for m in re.finditer(r"\n|[.!?](?=\s)", tail[: last.start()])), default=0)
    if _ASIDE.search(tail[begin : last.end()]) or _UNSURE_AFTER.match(_after_value(tail, last.end())):
        return None
    return _formula_stated(tail, grammar)


def _after_value(text: str, start: int) -> str:
    value = _FORMULA.match(text, start) or _NUMBER.match(text, start)
    return text[value.end() : value.end() + 40] if value else ""


def _formula_stated(text: str, grammar: Grammar) -> Extracted | None:
    found = _phrase(text, grammar)
    if found is None or found.answer is None or "\\boxed" in found.answer:
        return None
    return found if grammar.kind(found.answer) == "value" else None


def _is_bare_number(text: str) -> bool:
    return text.isdigit() or (len(text) <= 18 and _PLAIN_NUMBER.fullmatch(text) is not None)


def _sentence(text: str, start: int) -> str:
    m = _SENTENCE_END.search(text, start)
    return strip(text[start : m.start() if m else len(text)])


def _last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for m in pattern.finditer(text):
        found = m
    return found


def _phrase(text: str, grammar: Grammar) -> Extracted | None:
    if len(text) > 20_000:
        text = text[-20_000:]
    last = _last_match(_PHRASE, text)
    if last is None:
        return None
    if _DOUBT.search(last[0]):
        return Extracted(None, "phrase", "the answer is denied or in doubt")
    sentence = _sentence(text, last.end())
    if not sentence or is_placeholder(sentence):
        return None
    if _WOULD_BE.search(last[0]) and _CONDITION.search(sentence):
        return Extracted(None, "phrase", "the answer is stated under a condition")
    kind = grammar.kind(sentence)
    if kind == "value":
        return Extracted(sentence, "phrase")
    if _DOUBT.search(re.sub(r"\\[A-Za-z]+", "", sentence)):
        if re.search(r"\b(?:or|and)\b", sentence) and not re.search(r"\bnot\b|n't", sentence):
            return Extracted(sentence, "phrase")
        return Extracted(None, "phrase", "the answer is denied or in doubt")
    if kind == "words":
        return Extracted(sentence, "phrase") if len(sentence.split()) <= 6 else None
    if formula := _FORMULA.match(text, last.end()):
        return Extracted(next(g for g in formula.groups() if g is not None), "phrase")
    if (number := _NUMBER.match(sentence)) and not re.match(r"[\s,]*[-\d]", sentence[number.end() :]):
        if _CHANGED_AFTER.match(sentence, number.end()):
            return Extracted(None, "phrase", "the words behind the number change it")
        return Extracted(number[0], "phrase")
    formulas = [next(g for g in m.groups() if g is not None) for m in _FORMULA.finditer(sentence)]
    if len(formulas) == 1:
        return Extracted(formulas[0], "phrase")
    return Extracted(sentence, "phrase")


def _last(text: str, grammar: Grammar) -> Extracted:
    text = text.strip()
    if not text:
        return Extracted(None, "none", "the text is empty")
    lines = [line for line in text[-4000:].split("\n") if line.strip()]
    line = strip(lines[-1]) if lines else ""
    if len(line) <= 120 and not is_placeholder(line) and not ("**" in line and _BOLD.search(lines[-1])):
        kind = grammar.kind(line)
        if kind == "value" or (kind == "words" and len(lines) == 1 and _few_words(line)):
            return Extracted(line, "last")
        if kind == "too_big":
            return Extracted(line, "last")
    tail = text[-2000:]
    best = _last_value(tail, grammar)
    if best is None:
        return Extracted(None, "none", "no formula and no number in the text")
    start, stop, content = best
    begin = max((m.end() for m in re.finditer(r"\n|[.!?](?=\s)", tail[:start])), default=0)
    end = _SENTENCE_END.search(tail, stop)
    sentence = tail[begin:start] + " " + tail[stop : end.start() if end else len(tail)]
    if _CHANGED_BEFORE.search(tail, begin, start) or _CHANGED_AFTER.match(tail, stop):
        return Extracted(None, "last", "the words around the last number change it")
    if _DOUBT.search(sentence):
        return Extracted(None, "last", "the sentence of the last number denies or doubts it")
    return Extracted(content, "last")


def _few_words(line: str) -> bool:
    return len(line.split()) <= 3 and not any(c.isdigit() for c in line)


def _last_value(tail: str, grammar: Grammar) -> tuple[int, int, str] | None:
    """Return the last formula or number, with the ones that stand before it in one list."""
    values = [
        (m.start(), m.end(), next(g for g in m.groups() if g is not None))
        for m in _FORMULA.finditer(tail)
        if "\\begin{a" not in m[0]
    ]
    for m in _DISPLAY.finditer(tail):
        rows = [row for row in m[2].split("\\\\") if row.strip()]
        values.append((m.start(), m.end(), rows[-1].replace("&", "") if rows else ""))
    values += [(m.start(), m.end(), m[1]) for m in _BOLD.finditer(tail)]
    values = [v for v in sorted(values)[-40:] if grammar.kind(v[2]) == "value"]
    covered = values[-1][1] if values else 0
    for m in _NUMBER.finditer(tail, covered):
        if tail[m.start() - 1 : m.start()] in _INSIDE or tail[m.end() : m.end() + 1] in _INSIDE:
            continue  # a part of something larger
        values.append((m.start(), m.end(), m[0]))
    return _one_list(tail, values, grammar) if values else None


def _one_list(tail: str, values: list[tuple[int, int, str]], grammar: Grammar) -> tuple[int, int, str]:
    """Join the last value with those before it where only commas, "and" or "or" stand between."""
    start, stop, content = values[-1]
    kinds = grammar.listed(content)
    for before in reversed(values[-12:-1]):
        gap = _LISTED.fullmatch(tail, before[1], start) if before[1] <= start else None
        if gap is None or kinds is None or grammar.listed(before[2]) != kinds:
            break
        start, content = before[0], f"{before[2]} {gap[1] or ','} {content}"
    return start, stop, content
