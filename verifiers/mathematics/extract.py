r"""Finding the final answer in a completion: named strategies in a stated order, and why none was found.

1. ``thinking``: only what follows the last ``</think>`` is judged; an unclosed ``<think>`` has no answer.
2. ``tag``: the last ``<answer>...</answer>``; the strategies below then look inside it.
3. ``boxed``: the last ``\boxed`` that is asserted. "not \boxed{5}" denies it. Boxes that stand side by
   side, joined by nothing but "and", "or" or a comma, are one answer: all of them.
4. ``####`` and 5. ``line``: a line that begins with ``A:``, ``Answer:`` or ``Final answer:``.
6. ``phrase``: what follows the last "the answer is".
7. ``last``: the last formula or number, unless its sentence denies it, doubts it or asks.

The strict profile stops after ``line``. A box that is never closed ends the search: the text broke off.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from referee.verifiers.mathematics.boxes import (
    GUESSED_BEFORE,
    NEAR,
    Box,
    alternatives,
    denied,
    find_boxes,
    joined,
)
from referee.verifiers.mathematics.policy import Boxes, Profile
from referee.verifiers.mathematics.reader import is_placeholder, literal, read, strip

MAX_TEXT = 100_000  # the last characters of a completion, in which an answer is looked for


class Extracted(NamedTuple):
    """The answer and the strategy that found it, or why there is none."""

    answer: str | None
    strategy: str
    why: str = ""


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
_INSIDE = frozenset("()[]{}^_\\*/+<>|")
_PLAIN_NUMBER = re.compile(r"-?[\d,]*\d(?:\.\d+)?")
_TAG = re.compile(r"<(/?)answer>", re.I)
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


def extract(text: str, profile: Profile = "lenient", boxes: Boxes = "all") -> Extracted:
    """Return the final answer of a completion."""
    text, why = _after_thinking(text)
    if why:
        return Extracted(None, "thinking", why)
    if len(text) > MAX_TEXT:
        text = text[-MAX_TEXT:]
    tagged = ""
    if "<answer>" in text or "<ANSWER>" in text:
        content = _last_tag(text)
        if content is not None:
            text, tagged = content, "tag"
    if "box" in text and (boxed := _boxed(text, boxes)) is not None:
        return boxed
    if tagged:
        content = strip(text)
        return (
            Extracted(content, "tag")
            if content and not is_placeholder(content)
            else Extracted(None, "tag", "the tag is empty")
        )
    lined = _hashes(text) or _answer_line(text)
    if lined is not None:
        return lined
    if profile == "strict":
        return Extracted(None, "none", "no box, tag, #### or answer line")
    return _phrase(text) or _last(text)


def _last_tag(text: str) -> str | None:
    """Return what stands in the last tag that is closed; one pass, however many are opened."""
    opened, found = -1, None
    for m in _TAG.finditer(text):
        if not m[1]:
            opened = m.end()
        elif opened >= 0:
            found, opened = (opened, m.start()), -1
    return text[found[0] : found[1]] if found else None


def _hashes(text: str) -> Extracted | None:
    start = text.rfind("####")
    m = _HASHES.match(text, start) if start >= 0 else None
    return _stated(m[1], "####") if m else None


def _answer_line(text: str) -> Extracted | None:
    if "nswer" not in text and "NSWER" not in text:
        start = text.rfind("A:")  # the last line that could be one
        if start < 0:
            return None
        text = text[text.rfind("\n", 0, start) + 1 :]
        if text[:2] == "A:" and "\n" not in text:
            return _stated(text[2:].strip(), "line")
    m = _last_match(_LINE, text) or _last_match(_HEADING, text)
    if m is None:
        return None
    tail = text[m.end() :]
    later = _formula_stated(tail) if "nswer" in tail else None
    return later or _stated(next(g for g in m.groups() if g), "line")


def _stated(line: str, strategy: str) -> Extracted:
    if line.isdigit() or (len(line) <= 18 and _PLAIN_NUMBER.fullmatch(line)):
        return Extracted(line, strategy)
    phrase = _phrase(line) if "nswer" in line else None
    if phrase is not None:
        return phrase._replace(strategy=strategy)
    said = _SAID_OF.match(line)
    line = _sentence(line, 0)
    if is_placeholder(line):
        return Extracted(None, strategy, "the answer is missing")
    if said is not None and not _DOUBT.search(line) and read(line).node is None:
        line = said[1] or said[2]
    return Extracted(line, strategy)


def _after_thinking(text: str) -> tuple[str, str]:
    if "hink" not in text and "HINK" not in text:
        return text, ""
    lower = text.lower()
    end = max((lower.rfind(t) + len(t) for t in ("</think>", "</thinking>") if t in lower), default=0)
    rest = text[end:]
    if "<think>" in lower[end:] or "<thinking>" in lower[end:]:
        return "", "the thinking is not closed"
    return rest, ""


def _boxed(text: str, policy: Boxes) -> Extracted | None:
    found, broken = find_boxes(text)
    if broken:
        return Extracted(None, "boxed", "the last box is not closed")
    if not found:
        return None
    asserted = [b for b in found if not denied(text, b)]
    if not asserted:
        return Extracted(None, "boxed", "every box is denied")
    firm = asserted
    if len(asserted) > 1:
        firm = [
            b for b in asserted if not GUESSED_BEFORE.search(text[max(0, b.start - 80) : b.start])
        ] or asserted
    last = firm[-1]
    if is_placeholder(last.content):
        return Extracted(None, "boxed", "the last box is empty")
    if _ASKED_AFTER.match(text, last.end):
        return Extracted(None, "boxed", "the last box is a question")
    if _LARGER_AFTER.match(text, last.end):
        return Extracted(None, "boxed", "the last box is a part of something larger")
    later = _later_statement(text, last)
    if later is not None:
        return later
    if policy == "last":
        return Extracted(last.content, "boxed")
    group = [last]
    for before in reversed([b for b in firm if b.end <= last.start][-20:]):
        if not joined(text[before.end : group[0].start]):
            break
        group.insert(0, before)
    joiner = " and "
    for before, after in pairwise(group):
        if re.search(r"\bor\b|\beither\b|\bmaybe\b", text[before.end : after.start], re.I):
            joiner = " or "
    contents: list[str] = []
    for b in group:
        if literal(strip(b.content)) not in {literal(strip(c)) for c in contents}:
            contents.append(b.content)
    if others := alternatives(text, group):
        contents, joiner = contents + others, " or "
    if len(contents) == 1:
        if _SIGN_BEFORE.search(text, max(0, last.start - 20), last.start):
            contents = [f"-({contents[0]})"]
        scale = _SCALE_AFTER.match(text[last.end : last.end + NEAR])
        return Extracted(f"{contents[0]} {scale[1]}" if scale else contents[0], "boxed")
    return Extracted(joiner.join(strip(c) for c in contents), "boxes")


def _later_statement(text: str, box: Box) -> Extracted | None:
    """Return what a plain "the answer is" behind the last box states, where it is a formula."""
    tail = text[box.end :]
    return _formula_stated(tail) if len(tail) >= 8 and "nswer" in tail else None


def _formula_stated(text: str) -> Extracted | None:
    found = _phrase(text)
    if found is None or found.answer is None or "\\boxed" in found.answer:
        return None
    node = read(found.answer).node
    return found if node is not None and node.kind != "text" else None


def _sentence(text: str, start: int) -> str:
    m = _SENTENCE_END.search(text, start)
    return strip(text[start : m.start() if m else len(text)])


def _last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for m in pattern.finditer(text):
        found = m
    return found


def _phrase(text: str) -> Extracted | None:
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
    reading = read(sentence)
    if reading.node is not None and reading.node.kind != "text":
        return Extracted(sentence, "phrase")
    if _DOUBT.search(re.sub(r"\\[A-Za-z]+", "", sentence)):
        if re.search(r"\b(?:or|and)\b", sentence) and not re.search(r"\bnot\b|n't", sentence):
            return Extracted(sentence, "phrase")
        return Extracted(None, "phrase", "the answer is denied or in doubt")
    if reading.node is not None:
        return Extracted(sentence, "phrase") if len(sentence.split()) <= 6 else None
    if formula := _FORMULA.match(text, last.end()):
        return Extracted(next(g for g in formula.groups() if g is not None), "phrase")
    if (number := _NUMBER.match(sentence)) and not re.match(r"[\s,]*[-\d]", sentence[number.end() :]):
        return Extracted(number[0], "phrase")
    formulas = [next(g for g in m.groups() if g is not None) for m in _FORMULA.finditer(sentence)]
    if len(formulas) == 1:
        return Extracted(formulas[0], "phrase")
    return Extracted(sentence, "phrase")


def _last(text: str) -> Extracted:
    text = text.strip()
    if not text:
        return Extracted(None, "none", "the text is empty")
    lines = [line for line in text[-4000:].split("\n") if line.strip()]
    line = strip(lines[-1]) if lines else ""
    if len(line) <= 120 and not is_placeholder(line) and not ("**" in line and _BOLD.search(lines[-1])):
        reading = read(line)
        node = reading.node
        if node is not None and (node.kind != "text" or (len(lines) == 1 and _few_words(line))):
            return Extracted(line, "last")
        if node is None and reading.too_big:
            return Extracted(line, "last")
    tail = text[-2000:]
    best = _last_value(tail)
    if best is None:
        return Extracted(None, "none", "no formula and no number in the text")
    start, stop, content = best
    begin = max((m.end() for m in re.finditer(r"\n|[.!?](?=\s)", tail[:start])), default=0)
    end = _SENTENCE_END.search(tail, stop)
    sentence = tail[begin:start] + " " + tail[stop : end.start() if end else len(tail)]
    if _DOUBT.search(sentence):
        return Extracted(None, "last", "the sentence of the last number denies or doubts it")
    return Extracted(content, "last")


def _few_words(line: str) -> bool:
    return len(line.split()) <= 3 and not any(c.isdigit() for c in line)


def _last_value(tail: str) -> tuple[int, int, str] | None:
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
    values = [v for v in sorted(values)[-40:] if _is_value(v[2])]
    covered = values[-1][1] if values else 0
    for m in _NUMBER.finditer(tail, covered):
        if tail[m.start() - 1 : m.start()] in _INSIDE or tail[m.end() : m.end() + 1] in _INSIDE:
            continue  # a part of something larger
        values.append((m.start(), m.end(), m[0]))
    return _one_list(tail, values) if values else None


def _is_value(content: str) -> bool:
    node = read(content).node
    return node is not None and node.kind != "text"


def _one_list(tail: str, values: list[tuple[int, int, str]]) -> tuple[int, int, str]:
    """Join the last value with those before it where only commas, "and" or "or" stand between."""
    start, stop, content = values[-1]
    kinds = _listed_kind(content)
    for before in reversed(values[-12:-1]):
        gap = _LISTED.fullmatch(tail, before[1], start) if before[1] <= start else None
        if gap is None or kinds is None or _listed_kind(before[2]) != kinds:
            break
        start, content = before[0], f"{before[2]} {gap[1] or ','} {content}"
    return start, stop, content


def _listed_kind(content: str) -> str | None:
    """Return what a list's items share: being plain values, or values of one variable."""
    node = read(content).node
    if node is None or node.kind == "seq":
        return None
    if node.kind != "rel":
        return "value"
    return node.args[0].value if node.value == ("=",) and node.args[0].kind == "var" else None
