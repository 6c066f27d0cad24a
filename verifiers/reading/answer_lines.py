"""Lines that state an answer (``#### 18``, ``Answer: 18``, and others), and the value in a line of words."""

from __future__ import annotations

import re

from referee.verifiers.reading.dress import TEXT, is_placeholder, unwrapped
from referee.verifiers.reading.extracted import Extracted, Grammar
from referee.verifiers.reading.retractions import taken_back
from referee.verifiers.reading.stated_values import (
    CHANGED_AFTER,
    CHINESE,
    CONTRAST,
    DOUBT,
    NUMBER,
    conclusion,
    first_sentence,
    last_match,
    phrase,
)

_PLAIN_NUMBER = re.compile(r"-?[\d,]*\d(?:\.\d+)?")
_APPROXIMATE = re.compile(r"\b(?:about|roughly|nearly|almost|around|just)\b|\\approx", re.I)
_HASHES = re.compile(r"####[ \t]*(\S[^\n]*)")
_LINE = re.compile(
    r"^[ \t>*_#-]*(?:(?:A|Answer|ANSWER|answer|(?:The )?[Ff]inal [Aa]nswer|FINAL ANSWER|(?:最终|正确)?答案?)"
    r"[*_ \t]*:|【(?:正确|参考)?答案】:?)[*_ \t]*([^\s*_][^\n]*)$",
    re.M,
)
_HEADING = re.compile(
    r"^[ \t>*_#]*(?:(?:(?:The )?[Ff]inal )?[Aa]nswer|(?:最终)?答案)[*_: \t]*\n\s*(?:```\w*\n\s*|>[ \t]*)?"
    r"(?:(?:\\\[|\$\$)\s*([^\n]+)|(\S[^\n]*))$",
    re.M,
)
_COMPARED = re.compile(
    r"\b(?:at\s+(?:most|least)|(?:less|more|greater|smaller|larger|fewer)\s+than|under|over|below|above|"
    r"up\s+to)\b|以上|以下|以内|不到|不足|超过|至少|至多|[多少大小高低]于|不等于|大约|左右|约",
    re.I,
)
_SAID_OF = re.compile(
    r"(?:\$([^$\n]+)\$|(-?\d[\d,]*(?:\.\d+)?(?:/\d+)?))\s+"
    r"(?:(?:is|are|was|were)\s+(?:the|a|an|our|how)|because|since|which\s+is)\b"
)  # a value, and then what it is
_REMARKED = re.compile(
    r"(?:(?:approximately|"
    r"approx\.?)\s++)?(?P<value>(?:[^\s(\d]*+\d)++[^\s(\d,]*)\s*+(?P<unit>[^\W\d][^\d(),.;:]{0,40}?)?\s*+"
    r"(?:\((?P<aside>[^()]{2,80})\)|,\s++(?P<more>(?!and\b|or\b)[a-z][^\n]{0,120}))?\.?"
)  # a value, its unit, and what is remarked on it


def hashes(text: str, grammar: Grammar) -> Extracted | None:
    """Return what stands behind the last ``####``; where the line before has another, what both say."""
    start = text.rfind("####")
    m = _HASHES.match(text, start) if start >= 0 else None
    if m is None:
        return None
    before = text[:start].rstrip() if start else ""
    other = _HASHES.match(before, before.rfind("\n") + 1) if "####" in before else None
    if other is not None and other[1].strip() != m[1].strip():
        return Extracted(f"{other[1].strip()} and {m[1].strip()}", "####")
    return _stated(m[1], "####", grammar)


def answer_line(text: str, grammar: Grammar) -> Extracted | None:
    """Return what the last answer line says, or what is stated behind it in its place."""
    if "nswer" not in text and "NSWER" not in text and (text.isascii() or "答" not in text):
        start = text.rfind("A:")  # the last line that could be one
        if start < 0:
            return None
        text = text[text.rfind("\n", 0, start) + 1 :]
        if text[:2] == "A:" and "\n" not in text:
            return _stated(text[2:].strip(), "line", grammar)
    m = last_match(_LINE, text) or last_match(_HEADING, text)
    if m is None:
        return None
    later = taken_back(text, m.end(), grammar)
    return later or _stated(next(g for g in m.groups() if g), "line", grammar)


def one_value(line: str, grammar: Grammar) -> str | None:
    """Return the one value that a line of words states, as it would be read bare; else None."""
    if " " not in line and "\n" not in line and (line.isascii() or not CHINESE.search(line)):
        return None
    if "\\" in TEXT.sub("", line) or _APPROXIMATE.search(line) or _COMPARED.search(line):
        return None  # an expression is one value or none; an approximation and a bound are none
    if grammar.kind(line) not in ("nothing", "words"):
        return None
    plain = unwrapped(line)
    value = _one_value(plain, grammar)
    if value is not None and "\\" in plain and _one_value(TEXT.sub(r" \1 ", plain), grammar) != value:
        return None  # words in a text command change it
    return value


def _one_value(plain: str, grammar: Grammar) -> str | None:
    if (remarked := _remarked(plain, grammar)) is not None:
        return remarked
    if plain.count("=") > 1 or len(NUMBER.findall(CONTRAST.sub("", plain))) != 1:
        return None
    return (answer_line(plain, grammar) or conclusion(plain, grammar)).answer


def _remarked(line: str, grammar: Grammar) -> str | None:
    """Return the value that a line begins with, where all behind it is a unit and a remark on it."""
    line = CONTRAST.sub("", line)
    m = _REMARKED.fullmatch(line) if len(line) <= 300 else None
    if m is None or CHANGED_AFTER.match(line, m.end("value")) or grammar.kind(m["value"]) != "value":
        return None
    remark = m["aside"] or m["more"] or ""
    unit = f"{m['value']} {m['unit']}" if m["unit"] else m["value"]
    if (
        _EQUATION.match(remark)
        or DOUBT.search(remark)
        or _CASES.search(remark)
        or DOUBT.search(m["unit"] or "")
    ):
        return None
    if m["aside"] and not re.search(r"[^\W\d]{2}", remark):
        return None  # 5 (6) offers two
    return unit if grammar.kind(unit) == "value" else (m["value"] if remark else None)


_EQUATION = re.compile(r"[A-Za-z]\w{0,3}\s*=")
_CASES = re.compile(
    r"\b(?:if|unless|when|else|otherwise|mod|base|instead|but|for|approx\w*|about|rejecting)\b", re.I
)


def _stated(line: str, strategy: str, grammar: Grammar) -> Extracted:
    if is_bare_number(line):
        return Extracted(line, strategy)
    found = phrase(line, grammar) if "nswer" in line else None
    if found is not None:
        return found._replace(strategy=strategy)
    said = _SAID_OF.match(line)
    line = first_sentence(line, 0)
    if is_placeholder(line):
        return Extracted(None, strategy, "the answer is missing")
    if said is not None and not DOUBT.search(line) and grammar.kind(line) in ("nothing", "too_big"):
        line = said[1] or said[2]
    return Extracted(line, strategy)


def is_bare_number(text: str) -> bool:
    """Tell whether a text is a plain number and nothing else."""
    return text.isdigit() or (len(text) <= 18 and _PLAIN_NUMBER.fullmatch(text) is not None)
