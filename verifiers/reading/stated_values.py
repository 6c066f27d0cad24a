r"""What a sentence states: the value behind "the answer is", or the last value of a text.

What a value is, a :class:`~referee.verifiers.reading.extracted.Grammar` says, so that this file needs no
parser. Words that change a number ("7 over 2", "5 less than 12") are worked into it, or there is no answer;
what a value is contrasted with ("12, not 15") is left out.
"""

from __future__ import annotations

import re

from referee.verifiers.reading.dress import is_placeholder, strip
from referee.verifiers.reading.extracted import Extracted, Grammar
from referee.verifiers.reading.predicates import LEAD, predicate, with_unit, without_closing
from referee.verifiers.reading.worded_arithmetic import in_signs

_INSIDE = frozenset("()[]{}^_\\*/+<>|")
PHRASE = re.compile(
    r"(?:\b(?:final|correct|right)?\s*(?:answers?|results?|solutions?|values?|option|"
    r"choice)\b[^.\n$=:]{0,40}?"
    r"\b(?:is|are|equals|equal to|be|becomes|was)\b|"
    r"\banswer\s*(?:=|:)|(?:答案|结果|选项)[^\n。,$]{0,8}?(?:是|为|等于|选|:|=)|(?:故|应|(?:综上|所以|因此)[,,]?)选择?)"
    r"(?:\s+(?:therefore|thus|simply|just|exactly|then|equal to|given by))*[:\s]*",
    re.I,
)
_NOUNS = ("answer", "result", "solution", "value", "option", "choice", "答案", "结果", "选")  # in all of them
_CHANGED_BEFORE = re.compile(
    r"(?:\b(?:minus|negative|plus|times|over|twice|double|triple|half(?:\s+of)?|divided\s+by|multiplied\s+by|"
    r"(?:less|more|fewer|greater|larger|smaller)\s+than|(?:percent|%)\s+of|"
    r"(?:roots?|log(?:arithm)?|sine|cosine|tangent|square|cube|factorial|reciprocal|inverse|"
    r"opposite)\s+of|none\s+of(?:\s+the)?|(?:(?:any|every)thing|all)\s+but|except(?:\s+for)?|excluding|"
    r"without|besides|(?:is|are|was|were|be)\s+(?:at\s+(?:least|most)|(?:no|not)\s+(?:more|less|fewer|greater)\s+"
    r"than|up\s+to)|such\s+as|suppose\s+\w+\s*=|step|line|equation|section|figure)|"
    r"[多少大小高低]于|至少|至多|不到|超过)[\s$*_]*$",
    re.I,
)
CHANGED_AFTER = re.compile(
    r"[\s$*_]*+(?:squared|cubed|factorial|below\s++zero|(?:is\s++)?too\s++\w|"
    r"(?:over|plus|minus|times|divided\s+by|multiplied\s+by)\s+[\d$\\]|(?:percent|\\?%)\s+of|"
    r"(?:less|more|fewer|greater|larger|smaller|higher|lower)\s+than|to\s+the\s+(?:power|\d+\s*(?:st|nd|rd|"
    r"th))|"
    r"(?:\w++\s++)?(?:less|fewer|greater|larger|smaller|ago)\s*+(?:[.,;)]|$)|"
    r"(?:when|if|unless|before|half|negative|roughly|is\s+(?:the|a|an)\s+(?:lower|upper)\s+bound)\b|"
    r"(?:ten|hundred|thousand|million|billion|dozen)s\b|fail(?:s|ed)\b|[多余折成几])",
    re.I,
)
DOUBT = re.compile(
    r"\b(?:not|never|cannot|neither|nor|no|wrong|incorrect|false|unknown|unsure|uncertain|maybe|perhaps|"
    r"possibly|"
    r"might|could|either|or|"
    r"guess|impossible|unclear|wait|idk|unable|sorry)\b|n['’]t\b|\?|不是|不对|错误|可能|也许|或|无法",
    re.I,
)
_CHOOSES = re.compile(
    r"\b(?:[Ww]e|I)(?:['’]ll|\s+will|\s+would)?\s+(?:choose|pick|select|go\s+with)\s+(?:(?:the\s+)?(?:option|choice|"
    r"answer|letter)\s+)?[*$]*\(?([A-J])\)?[*$]*(?=\s*(?:[.,;:\n]|because\b|since\b|as\b|$))"
)
_CHOSEN = re.compile(r"\(?([A-J])\)?\s+(?:because|since)\b")  # a letter, and why
_HEDGED_AFTER = re.compile(r"[\s$*)]*+[,(]?\s*+(?:(?:or|maybe|perhaps|possibly|either)\b|\?|或)", re.I)
_BOUND = re.compile("至少|至多|不到|超过")
_WOULD_BE = re.compile(r"\b(?:would|could|might)\b", re.I)
_CONDITION = re.compile(r"\b(?:if|unless|had|were|provided)\b", re.I)
SENTENCE_END = re.compile(r"\n|(?<=[^.])\.(?=\s+[A-Z]|\s*$)|。")
_BOUNDARY = re.compile(r"\n|(?<!i\.e)(?<!e\.g)(?<!\bvs)[.!?](?=[\s*)\"”]|$)|[;。]")
_START = re.compile(r"\n|[.!?](?=\s)|。")
_INSIDE_TEX = r"((?:[^\\]++|\\(?![()\[\]]))++)"
FORMULA = re.compile(rf"\$\$(.+?)\$\$|\$([^$\n]+)\$|\\\({_INSIDE_TEX}\\\)|\\\[{_INSIDE_TEX}\\\]", re.S)
_DISPLAY = re.compile(
    r"\\begin\{((?:align|gather|equation|eqnarray|multline)(?:ed)?\*?)\}(.+?)\\end\{\1\}", re.S
)
BOLD = re.compile(r"(?<![\w)*])\*\*(?=[^\s*])([^*\n]{1,120}?)\*\*(?![\w*])")
_ALONGSIDE = re.compile(
    r"[\s$]*+(?:,\s*+(?:\b(and|or)\b)?|;|\b(and|or)\b)[\s$]*"
)  # between the formulas of one answer
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}+")
_FEW = 8  # a line of more words is a sentence, and no value
_BELIEVED = re.compile(r"(?:, ?| )I (?:think|believe)\Z")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NUMBER = re.compile(
    r"(?:(?<![\w.])|(?<=[\u4e00-\u9fff]))[-−]?(?:\\?\$\s?)?(?:\d{1,4} (?=\d{1,4}/\d))?"
    r"\d++(?:,\d++)*+(?:\.\d++)?+(?:\s?/\s?\d++|(?::\d++)++)?"
    r"(?:\\?%|[万亿])?(?:(?![\w^])|(?=[\u4e00-\u9fff])|(?=(?:[mcdk]?m[²³]|[mcdk]m|[mk]g|m[lL])(?!\w)))"
)
CONTRAST = re.compile(
    r"(?:[,(]\s*(?:and\s+|but\s+)?(?:not|rather\s+than|instead\s+of)\b|(?<=\s)(?:rather\s+than|instead\s+of)\b|"
    r"而不是|不是)\s*(?:\$[^$\n]{1,40}\$|\*\*[^*\n]{1,40}\*\*|-?\d[\d,./]{0,20})(?:\s+[a-z]+)?\)?(?=[\s.,;!)。]|$)",
    re.I,
)  # what a value is set against: "12, not 15"
_CONTRASTING = ("not", "NOT", "Not", "ather", "ATHER", "nstead", "NSTEAD", "不是")  # in all of them
_KNOWN = re.compile(
    r"\b(?:for|of|to|with|from|among|between|by|in|on|at)\s(?:all\s)?(?:of\s)?(?:the|these|those|his|her|their|our|"
    r"its)\s(?:other\s|first\s|last\s)?[$*]{0,3}\Z",
    re.I,
)  # before a number that is known already: "6 bottles for the 24 players"
_SO = re.compile(
    r"[\s$*_]*+[,;(]?\s*+(?:which\s++(?:is|equals|makes|gives)|i\.e\.,?|that\s++is,?|so|or|namely|giving|"
    r"making|=)\s++"
    r"(?:\$([^$\n]+)\$|(-?\d[\d,]*(?:\.\d+)?(?:/\d+)?))(?![\w/])",
    re.I,
)
_EXPLAINED = re.compile(
    r"\(|\b(?:since|because|as|that\s+is|that['’]s|i\.e|which|after|each|every|from|given|when|with|for|at|"
    r"of)\b",
    re.I,
)
_STATES = re.compile(
    r"(?:\b(?:is|are|was|were|on|be|called|named)|['’]s|[:=是为])(?:\s+(?:an?|the))?\s*$", re.I
)
_SAYS = re.compile(
    r"\b(?:is|are|was|were|be|equals|gets?|gives?|makes?|so|thus|hence|therefore|has|have)\b|=", re.I
)
_IN_WORDS = re.compile(
    r"\b(?:is|are|was|were|equals|be|get|makes?|has|have|costs?|needs?)\s+([a-z]{3,}(?:[ -][a-z]{3,}){0,5})$",
    re.I,
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Return where the sentences of a text stand, each with the sign that ends it."""
    out, begin = [], 0
    for m in _BOUNDARY.finditer(text):
        if m.end() - begin > 1:
            out.append((begin, m.end()))
        begin = m.end()
    if begin < len(text):
        out.append((begin, len(text)))
    return out


def first_sentence(text: str, start: int) -> str:
    """Return the sentence that begins at a place, without what dresses it."""
    m = SENTENCE_END.search(text, start)
    said = strip(BOLD.sub(r"\1", text[start : m.start() if m else len(text)]))
    return _BELIEVED.sub("", said) if said[-1:] in "ke" else said


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Return the last match of a pattern in a text."""
    found = None
    for m in pattern.finditer(text):
        found = m
    return found


def value_behind(rest: str, grammar: Grammar) -> str | None:
    """Return the value that a text begins with, or is; None where words change or hedge it."""
    rest = CONTRAST.sub("", rest).strip().removesuffix(".").removesuffix(" instead")
    formula = FORMULA.match(rest)
    if formula is None or formula.end() == len(rest):
        rest, formula = strip(rest), None
    if not rest or is_placeholder(rest) or "\\boxed" in rest:
        return None
    if formula is None and grammar.kind(rest) == "value":
        return rest
    bold = BOLD.match(rest)
    if bold is not None and grammar.kind(bold[1]) == "value":
        return None if _hedged(rest, bold.end()) else bold[1]
    if formula is not None:
        content = next(g for g in formula.groups() if g is not None)
        return None if _hedged(rest, formula.end()) or grammar.kind(content) != "value" else content
    if (worked := _worked(rest)) is not None:
        return worked
    number = NUMBER.match(rest)
    if (
        number is None
        or _hedged(rest, number.end())
        or re.match(r"[\s,]*[-\d(+*/^=<>\\]", rest[number.end() :])
    ):
        return None
    return number[0]


_DENIAL = re.compile(r"\bnot\b|不是|并非|不为|並非")
_INSTEAD = re.compile(
    r"\s{0,3}(?:not|不是|并非|不为|並非)\s{0,3}[^\s,，;；。]{1,30}\s{0,3}[,，]?\s{0,3}"
    r"(?:but(?:\s(?:rather|instead))?\s|而是|而为|应为|应该是|應為|是)[:：]?\s{0,3}"
)  # what is said in the place of another answer


def _hedged(text: str, end: int) -> bool:
    return CHANGED_AFTER.match(text, end) is not None or _HEDGED_AFTER.match(text, end) is not None


def _worked(text: str) -> str | None:
    """Return what arithmetic in words at the start of a text is said to be, or else the arithmetic."""
    found = in_signs(text)
    if found is None:
        return None
    said = _SO.match(text, found[1])
    return (said[1] or said[2]) if said else found[0]


def _denied_from(phrase: re.Match[str]) -> int:
    """Return where a denial stands in a phrase or behind it: ``is not 7 but``, ``答案不是 7，而是``."""
    denial = _DENIAL.search(phrase[0])
    return phrase.start() + denial.start() if denial else phrase.end()


def phrase(text: str, grammar: Grammar) -> Extracted | None:
    """Return what follows the last "the answer is"; None where the text does not say it."""
    if len(text) > 20_000:
        text = text[-20_000:]
    folded = text.casefold()
    last = last_match(PHRASE, text) if any(noun in folded for noun in _NOUNS) else None
    if last is None:
        return None
    instead = _INSTEAD.match(text, _denied_from(last), last.end() + 120)
    if instead is not None and grammar.kind(value := strip(first_sentence(text, instead.end()))) == "value":
        return Extracted(value, "phrase")
    if DOUBT.search(last[0]) or _BOUND.search(last[0]):
        return Extracted(None, "phrase", "the answer is denied or in doubt")
    sentence = strip(CONTRAST.sub("", first_sentence(text, last.end())))
    if is_placeholder(sentence):
        return Extracted(None, "phrase", "the answer is missing") if sentence else None
    if _WOULD_BE.search(last[0]) and _CONDITION.search(sentence):
        return Extracted(None, "phrase", "the answer is stated under a condition")
    if (worked := _worked(sentence)) is not None:
        return Extracted(worked, "phrase")
    kind = grammar.kind(sentence)
    if kind == "value":
        return Extracted(sentence, "phrase")
    if (choice := _CHOSEN.match(sentence)) is not None:
        return Extracted(choice[1], "phrase")
    if DOUBT.search(re.sub(r"\\[A-Za-z]+", "", sentence)):
        if re.search(r"\b(?:or|and)\b", sentence) and not re.search(r"\bnot\b|n't", sentence):
            return Extracted(sentence, "phrase")
        return Extracted(None, "phrase", "the answer is denied or in doubt")
    if kind == "words":
        return Extracted(sentence, "phrase") if len(sentence.split()) <= 6 else None
    if formula := FORMULA.match(text, last.end()):
        return Extracted(next(g for g in formula.groups() if g is not None), "phrase")
    if (number := NUMBER.match(sentence)) and not re.match(r"[\s,]*[-\d]", sentence[number.end() :]):
        if CHANGED_AFTER.match(sentence, number.end()):
            return Extracted(None, "phrase", "the words behind the number change it")
        return Extracted(number[0], "phrase")
    formulas = [next(g for g in m.groups() if g is not None) for m in FORMULA.finditer(sentence)]
    if len(formulas) == 1:
        return Extracted(formulas[0], "phrase")
    return Extracted(sentence, "phrase")


def conclusion(text: str, grammar: Grammar) -> Extracted:
    """Return what a text without any stronger cue says: "the answer is", or its last value."""
    return _chosen(text) or phrase(text, grammar) or last_value(text, grammar)


def _chosen(text: str) -> Extracted | None:
    """Return the letter that a text says it chooses, where no other answer is stated behind it."""
    if not any(word in text for word in ("hoose", "ick", "elect", "go with")):
        return None
    tail = text[-2000:]
    last = last_match(_CHOOSES, tail)
    return None if last is None or PHRASE.search(tail, last.end()) else Extracted(last[1], "phrase")


def last_value(text: str, grammar: Grammar) -> Extracted:
    """Return the last formula, bold value or number, unless its sentence denies it, doubts it or asks."""
    text = without_closing(text.strip())
    if not text:
        return Extracted(None, "none", "the text is empty")
    lines = [line for line in text[-4000:].split("\n") if line.strip()]
    line = strip(LEAD.sub("", strip(lines[-1]), count=1)) if lines else ""
    if (
        len(line) <= 120
        and len(_WORD.findall(line)) <= _FEW
        and not is_placeholder(line)
        and not ("**" in line and BOLD.search(lines[-1]))
    ):
        kind = grammar.kind(line)
        if kind == "value" or (kind == "words" and len(lines) == 1 and _few_words(line)):
            return Extracted(line, "last")
        if kind == "too_big":
            return Extracted(line, "last")
    if (whole := FORMULA.fullmatch(text)) is not None:  # nothing else is said
        content = next(g for g in whole.groups() if g is not None)
        if not any(sign in content for sign in ("$", "\\]", "\\)")):
            return Extracted(content, "last")
    if lines and (words := _stated_in_words(lines[-1], grammar)) is not None:
        return Extracted(words, "last")
    if lines and (said := predicate(lines[-1], grammar)) is not None and not _in_doubt(lines[-1], said):
        return Extracted(said, "last")
    tail = text[-2000:]
    if any(word in tail for word in _CONTRASTING):
        tail = CONTRAST.sub("", tail)
    best = _last_value(tail, grammar)
    for _ in range(3):
        if best is None:
            break
        known = _KNOWN.search(tail, max(0, best[0] - 40), best[0])
        if known is None or _START.search(tail, best[1]):
            break
        tail = tail[: known.start()]
        best = _last_value(tail, grammar)
    if best is None:
        return Extracted(None, "none", "no formula and no number in the text")
    start, stop, content, last = best
    begin = max((m.end() for m in _START.finditer(tail[:start])), default=0)
    end = SENTENCE_END.search(tail, stop)
    sentence = tail[begin:start] + " " + tail[stop : end.start() if end else len(tail)]
    worked = _worked(tail[begin:start][-40:] + content)
    if worked is not None and "?" not in sentence and _SAYS.search(tail, begin, start):
        return Extracted(worked, "last")
    if _CHANGED_BEFORE.search(tail, begin, start) or CHANGED_AFTER.match(tail, stop):
        return Extracted(None, "last", "the words around the last number change it")
    if DOUBT.search(sentence):
        return Extracted(None, "last", "the sentence of the last number denies or doubts it")
    if content == tail[start:stop]:
        return Extracted(with_unit(tail, start, stop, grammar, begin), "last")
    return Extracted(content, "last", value=last if last != content else None)


def _in_doubt(line: str, said: str) -> bool:
    rest = line.replace(said, " ")
    return DOUBT.search(rest) is not None or _CONDITION.search(rest) is not None


def _few_words(line: str) -> bool:
    return len(line.split()) <= 3 and not any(c.isdigit() for c in line)


def _stated_in_words(line: str, grammar: Grammar) -> str | None:
    """Return the words that a line states: bold words behind "is", or a number in words at its end."""
    bold = list(BOLD.finditer(line)) if "**" in line else []
    if len(bold) == 1 and bold[0][1][0].isalpha() and len(bold[0][1].split()) <= 5:
        around = line[: bold[0].start()], line[bold[0].end() :]
        if (
            (_STATES.search(around[0]) or not "".join(around).strip(" .*"))
            and not DOUBT.search(" ".join(around))
            and not _CONDITION.search(around[0])
        ):
            words = bold[0][1].strip(" .:!,")
            inside = re.search(r"\b(?:not|or|maybe|perhaps)\b", words, re.I)
            if inside is None and not _is_value(words, grammar) and not words.endswith("answer"):
                return words
    said = None if any(map(str.isdigit, line)) else _IN_WORDS.search(strip(line))
    if said is not None and not DOUBT.search(line) and _is_value(said[1], grammar):
        return said[1]
    return None


def _is_value(text: str, grammar: Grammar) -> bool:
    return grammar.kind(text) == "value"


def _last_value(tail: str, grammar: Grammar) -> tuple[int, int, str, str] | None:
    """Return the last formula or number, with the ones that stand before it in one list."""
    values = [
        (m.start(), m.end(), next(g for g in m.groups() if g is not None))
        for m in FORMULA.finditer(tail)
        if "\\begin{a" not in m[0]
    ]
    for m in _DISPLAY.finditer(tail):
        rows = [row for row in m[2].split("\\\\") if row.strip()]
        values.append((m.start(), m.end(), rows[-1].replace("&", "") if rows else ""))
    bold = [(m.start(), m.end(), m[1]) for m in BOLD.finditer(tail)][-40:] if "**" in tail else []
    values = sorted(values + bold)[-40:]
    emphasised = next((v for v in reversed(bold) if grammar.kind(v[2]) == "value"), None)
    if emphasised is not None:
        values = [v for v in values if v[1] <= emphasised[1] or not _explains(tail, emphasised[1], v[0])]
    while values and grammar.kind(values[-1][2]) != "value":
        values.pop()
    covered = values[-1][1] if values else 0
    near = max(covered, len(tail) - 500)  # where the last number mostly stands
    numbers = _numbers(tail, near) or (_numbers(tail, covered) if near > covered else [])
    values += [n for n in numbers if emphasised is None or not _explains(tail, emphasised[1], n[0])]
    return _one_list(tail, values, grammar) if values else None


def _numbers(tail: str, start: int) -> list[tuple[int, int, str]]:
    """Return the numbers from a place on that are no part of something larger."""
    found = []
    for m in NUMBER.finditer(tail, start):
        before, after = tail[m.start() - 1 : m.start()], tail[m.end() : m.end() + 1]
        if (before not in _INSIDE and after not in _INSIDE) or (before + after == "()" and "$" in m[0]):
            found.append((m.start(), m.end(), m[0]))
    return found


def _explains(tail: str, end: int, start: int) -> bool:
    """Tell whether what begins at ``start`` explains an emphasised value before it in the same line."""
    gap = tail[end:start]
    return "\n" not in gap and _EXPLAINED.search(gap) is not None


def _one_list(tail: str, values: list[tuple[int, int, str]], grammar: Grammar) -> tuple[int, int, str, str]:
    """Join the last value with those before it where only commas, "and" or "or" stand between.

    Values of several names are one answer too; the last alone is its other reading.
    """
    start, stop, content = values[-1]
    last, kinds = content, grammar.listed(content)
    for before in reversed(values[-12:-1]):
        gap = _ALONGSIDE.fullmatch(tail, before[1], start) if before[1] <= start else None
        other = grammar.listed(before[2])
        if (
            gap is None
            or kinds is None
            or (other != kinds and ("or" in (gap[1], gap[2]) or None in (other, kinds)))
        ):
            break
        if other != kinds and "value" in (other, kinds):
            break
        start, content = before[0], f"{before[2]} {gap[1] or gap[2] or ','} {content}"
    return start, stop, content, last if grammar.listed(values[-1][2]) != "value" else content
