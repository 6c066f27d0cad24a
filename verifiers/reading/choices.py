"""Which of several labelled choices a text commits to: by label, by the choice's text, or by both.

A *commitment* is what a tag, a box or ``####`` holds, else what the last sentence says that names the answer
("the answer is B", "B is the correct answer", ``答案：B``, ``故选B``), else the last line, else the first
line where an explanation follows it. What is offered beside another choice, asked, denied or supposed is
none.
Text of any language is read with full-width signs narrowed. Everything is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from referee.verifiers.reading.dress import narrow
from referee.verifiers.reading.strategies import CUES, readings, search

_DRESS = re.compile(r"\\(?:text|textbf|mathbf|mathrm|textrm)\s*\{([^{}]*)\}")
_CUE = re.compile(
    r"(?i)(?:\b(?:answers?|choices?|options?)(?:\s+(?:is|are|would be|must be))?\s*[:=]?\s*(?:is\s+|are\s+)?"
    r"(?:options?\s+|choices?\s+)?|"
    r"\b(?:it(?:['’]s| is| must be)|i(?:['’]d|['’]ll| would| will)?\s+(?:choose|chose|pick|select|go with))"
    r"\s+(?:options?\s+|choices?\s+)?|"
    r"\b(?:r[ée]ponse|respuesta|antwort|risposta|resposta)(?:\s+\w{1,12})?(?:\s+(?:es|est|ist|è|é|la))?\s*:?|"
    r"答案(?:是|为|:|选(?!项)){0,3}\s*(?:选项)?|(?:(?<!不)应|(?<![不别勿应能可要]))选(?:择|项|择项)?[:是为]?)\s*"
)
_KEYWORDS = (
    "answer", "choice", "option", "it's", "it’s", "it is", "it must be", "choose", "chose", "pick", "select",
    "go with", "ponse", "respuesta", "antwort", "risposta", "resposta", "答案", "选",
)  # fmt: skip
_RIGHT_WORDS = ("correct", "right", "best", "true", "appropriate", "正确", "对")
_CLAUSE = re.compile(r"[.!?。！？\n,;:，；]|\b(?:so|but|therefore|thus|hence|then)\b", re.I)
_HEDGED = re.compile(
    r"(?i)\b(?:not|never|maybe|perhaps|whether|if|unless|suppose|unclear|unsure|doubt|might|could|either|neither|"
    r"wrong|would be)\b|n['’]t\b|[不别勿]"
)
_LEAD = re.compile(
    r"(?i)(?:[\s,:*(\[]*+(?:so|thus|hence|therefore|then|and|no|wait|actually|clearly|finally|overall|"
    r"in conclusion|we see|i think|i believe|i conclude|we conclude|this means|which means|it follows|"
    r"that|the|option|choice|"
    r"answer|letter)\b){0,10}+[\s,:*(\[]*+"
)
_IS_RIGHT = (
    r"[)\]*]*\s+is\s+(?:therefore\s+|clearly\s+|indeed\s+)?(?:the\s+)?(?:only\s+)?(?:most\s+)?"
    r"(?:correct|right|best|true|appropriate)(?:\s+(?:answer|choice|option|one))?"
    r"(?=\s*(?:[.!*\n]|$|because\b|since\b|as\b|[:;]))"
)
_AFTER = (
    r"(?:and\s+|but\s+)?not\b|rather than\b|because\b|since\b|as\b|which\b|"
    r"is correct\b|is the (?:correct|right|best)\b"
)
_END = rf"(?![.,:]\d)(?=\s*(?:$|[)(.:,;!\]}}*\n–—\-\"'`”’]|{_AFTER}|[\u3001-\u9fff]))"
_ASIDE = re.compile(r"\s*\(([^()]{1,300})\)\s*(?:$|[.,;*\n])")
_TEXT_AND_LABEL = re.compile(r"([^()\n]{2,300})\s\((\w{1,8})\)\.?")
_ASKED = re.compile(r"[^.!?\n]*+\?")
_SENTENCE = re.compile(r"[.!?。！？\n]|,\s{0,4}(?=(?:so|therefore|hence|thus|which means)\b)")
_DOUBT = re.compile(
    r"(?i)\b(?:wait|actually|sorry|correction|scratch that|strike that|never ?mind|on second thought|i mean|"
    r"i was wrong|i made a mistake|that(?:'s| is) (?:wrong|not right|incorrect)|hold on)\b|"
    r"(?:^|[.!\n]\s{0,4})no\b[,.:]|更正|不对|等等"
)
_INSTEAD = (
    r"(?:it(?:['’]s| is| should be| must be)|make (?:that|it)|should be|must be|choose|pick|go with|rather|"
    r"应该是|应为|是|[,:.]|\bno|\bmean)\s*\**\(?"
)
_BOUNDS = (4000, 20, 2000)  # characters in which cues are looked for, cues that are read, what is stated


class Choices(NamedTuple):
    """The labels of a problem's choices, and their texts as :func:`plain_text` gives them (or none)."""

    labels: tuple[str, ...]
    texts: tuple[str, ...] = ()

    def by_text(self, text: str) -> str | None:
        """Return the label of the one choice that has this text."""
        plain = plain_text(text)
        return self.labels[self.texts.index(plain)] if self.texts.count(plain) == 1 else None

    def text(self, label: str) -> str | None:
        """Return a choice's text, where texts are known."""
        return self.texts[self.labels.index(label)] if self.texts else None


def plain_text(text: str) -> str:
    r"""Return a choice's text as it is compared: without dress, case, and marks around it.

    >>> plain_text(r"\text{New  York}.")
    'new york'
    """
    text = _DRESS.sub(r"\1", narrow(text))
    return " ".join(text.replace("*", "").replace("$", "").casefold().split()).strip(" .\"'`“”。")


def stated_choice(answer: str, choices: Choices) -> str | None:
    """Return the words in which a text states its choice; None where nothing is stated."""
    text = narrow(answer).replace("**", "")
    found = search(text, CUES[:3])  # behind ``A:`` may stand the text of choice A
    if found is not None:
        enclosed = readings(found)[-1]
        later = _in_its_place(text[text.rfind(found) + len(found) :] if found else text, choices)
        if later is not None:
            return later or None
        if _label(choices.labels).match(enclosed):
            return enclosed
        text = enclosed
    return _said(text, choices) or _lines(text, choices)


def chosen(stated: str, choices: Choices) -> str | None:
    """Return the label of the one choice that a statement commits to.

    >>> chosen("B (London)", Choices(("A", "B"), ("paris", "london")))
    'B'
    >>> chosen("A or B", Choices(("A", "B")))
    """
    stated = _bare(stated)
    if alone := _alone(choices.labels).fullmatch(stated):
        return _spelt(alone[1], choices.labels)
    if len(plain_text(stated)) > 1 and (named := choices.by_text(stated)) is not None:
        return named
    match = _label(choices.labels).match(stated)
    if match is None:
        cues = list(_CUE.finditer(stated))
        return _text_chosen(stated[cues[-1].end() :] if cues else stated, choices, cued=bool(cues))
    label, rest = match["label"], stated[match.end() :]
    if (instead := _in_its_place(rest, choices, same=label)) is not None:
        return instead or None
    if _ASKED.match(rest):
        return None
    if (aside := rest.lstrip()).startswith("("):
        inside = _ASIDE.match(aside)
        if inside is None or (choices.texts and plain_text(inside[1]) != choices.text(label)):
            return None
        if not choices.texts and _alone(choices.labels).fullmatch(inside[1].strip()):
            return None
        return label
    rest = _refused(choices.labels).sub("", rest)
    others = _others(choices.labels).findall(rest)
    contradicted = choices.by_text(rest.lstrip(" )].:,;-–—"))
    if contradicted not in (None, label) or any(o != label for o in others):
        return None
    return label


def _text_chosen(text: str, choices: Choices, *, cued: bool) -> str | None:
    """Return the choice that is named by its text, behind which its label may stand: ``London (B)``."""
    both = _TEXT_AND_LABEL.fullmatch(text.strip())
    if both is not None and both[2] in choices.labels:
        return both[2] if choices.by_text(both[1]) == both[2] else None
    return choices.by_text(text) if cued else None


def several(stated: str, choices: Choices) -> frozenset[str] | None:
    """Return the labels of all choices that a statement names; None where a piece of it names none.

    >>> sorted(several("A, C and D", Choices(("A", "B", "C", "D"))))
    ['A', 'C', 'D']
    >>> sorted(several("A) Paris; C) Rome", Choices(("A", "B", "C"), ("paris", "oslo", "rome"))))
    ['A', 'C']
    """
    stated = _bare(stated)
    if (named := choices.by_text(stated)) is not None:
        return frozenset({named})
    if _compact(choices.labels).fullmatch(stated) and len(set(stated)) == len(stated):
        return frozenset(stated)
    for cut in (_separator(choices.labels), _SEPARATED):
        pieces = [p.strip() for p in cut.split(stated) if p.strip()]
        found = [chosen(p.strip(" ,;."), choices) for p in pieces]
        if pieces and all(found):
            return frozenset(f for f in found if f)
    return None


_SEPARATED = re.compile(r"(?i)[,;/&、，]|\band\b|[和与及]")


def _bare(text: str) -> str:
    text = _DRESS.sub(r"\1", narrow(text)).replace("*", "").replace("$", "")
    return re.sub(r"(?i)^(?:options?|choices?)\s+", "", text.strip())[: _BOUNDS[2]]


def _spelt(label: str, labels: tuple[str, ...]) -> str | None:
    return label if label in labels else next((x for x in labels if x.upper() == label.upper()), None)


def _said(text: str, choices: Choices) -> str | None:
    """Return what the last sentence that names the answer says, or what is said later in its place."""
    start = max(0, len(text.rstrip()) - _BOUNDS[0])
    label = _label(choices.labels)
    for cue in _cues(text, start):
        rest = text[cue.end() :].partition("\n")[0]
        before = text[max(0, cue.start() - 20) : cue.start()]
        clause = max(
            (m.end() for m in _CLAUSE.finditer(text, max(0, cue.start() - 200), cue.start())), default=0
        )
        if _HEDGED.search(text, max(clause, cue.start() - 200), cue.start()):
            continue
        if _either(choices.labels).search(before):
            return before + text[cue.start() :].partition("\n")[0]
        rest = rest.replace("*", "").strip()
        if label.match(rest) or any(
            p(choices.labels).fullmatch(rest.rstrip(".。")) for p in (_alone, _compact)
        ):
            said, end = rest, cue.end()
            break
    else:
        said, end = None, start
    told = any(word in text for word in _RIGHT_WORDS)
    for right in _right(choices.labels).finditer(text, end) if told else ():
        begin = max((m.end() for m in _SENTENCE.finditer(text, start, right.start())), default=start)
        if _LEAD.fullmatch(text, begin, right.start()):
            said, end = right["label"], right.end()
    if said is None:
        return None
    later = _in_its_place(text[end:], choices, same=said)
    return said if later is None else later or None


def _cues(text: str, start: int) -> Iterator[re.Match[str]]:
    """Yield the cues of a text from the last to the first, some of them, from a place on."""
    low = text.lower()
    if len(low) != len(text):  # a letter whose small form is two
        low = text
    found: set[int] = set()
    for word in _KEYWORDS:
        at = low.find(word, start)
        while at >= 0:
            found.add(at)
            at = low.find(word, at + 1)
    last = len(text) + 1
    for at in sorted(found, reverse=True)[: _BOUNDS[1]]:
        cue = _CUE.search(text, max(start, at - 8))
        if cue is not None and at - 8 <= cue.start() <= at and cue.start() < last:
            last = cue.start()
            yield cue


def _in_its_place(tail: str, choices: Choices, same: str = "") -> str | None:
    """Return the label that a text states behind an answer in its place, nothing where it is denied."""
    doubt = _DOUBT.search(tail[: _BOUNDS[0]])
    if doubt is None:
        return None
    behind = tail[doubt.start() :]
    said = None
    for said in _instead(choices.labels).finditer(behind):  # noqa: B007  # the last one is wanted
        pass
    if said is not None:
        return said["label"]
    if _label(choices.labels).match(same.replace("*", "").lstrip()) and _denied(choices.labels).search(
        behind
    ):
        return ""
    return None


def _lines(text: str, choices: Choices) -> str | None:
    """Return the last line; the first, where that is one choice and no line names another."""
    lines = [line for line in text.strip().split("\n") if line.strip()]
    if len(lines) < 2 or chosen(lines[-1], choices) is not None:
        return lines[-1] if lines else None
    first = _listed(choices.labels).match(lines[0].replace("*", "").strip())
    if first is None or len(lines[0]) > 300 or _DOUBT.search(text):
        return lines[-1]
    named = (_listed(choices.labels).match(line.replace("*", "").strip()) for line in lines[1:])
    if any(m["label"] != first["label"] for m in named if m is not None):
        return lines[-1]
    behind = plain_text(lines[0].replace("*", "").strip()[first.end() :])
    known = choices.text(first["label"])
    if known is None:
        return lines[-1] if _UNSURE.search(behind) else first["label"]
    return first["label"] if behind in ("", known) else lines[-1]


_UNSURE = re.compile(
    r"\b(?:not|no|wrong|incorrect|false|if|maybe|or|can['’]?t|isn['’]?t|would|could|might)\b|\?"
)


def _any(labels: tuple[str, ...]) -> str:
    return "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))


@lru_cache(maxsize=64)
def _label(labels: tuple[str, ...]) -> re.Pattern[str]:
    each = _any(labels)
    beside = rf"(?=\)?\s*(?:and|or|&|/)\s*\(?(?:{each})\b)"
    return re.compile(rf"[(\[{{\"'`“‘]?\s*(?P<label>{each})(?:{_END}|{beside})[)\]}}]?")


@lru_cache(maxsize=64)
def _listed(labels: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"[(\[]?(?P<label>{_any(labels)})(?:[)\].:]|$)")


@lru_cache(maxsize=64)
def _either(labels: tuple[str, ...]) -> re.Pattern[str]:
    """A choice that another is offered beside: ``A or option B``."""
    return re.compile(rf"\b(?:{_any(labels)})\]?\)?\s{{0,4}}(?:,|\bor\b|\band\b)\s{{0,4}}$")


@lru_cache(maxsize=64)
def _right(labels: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"\b(?P<label>{_any(labels)})(?:{_IS_RIGHT}|(?=\)?(?:是|为)(?:正确|对)的?))")


@lru_cache(maxsize=64)
def _instead(labels: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?i:{_INSTEAD})(?P<label>{_any(labels)})(?=[)*]*\s*(?:$|[.,;!\n]|instead\b|not\b))")


@lru_cache(maxsize=64)
def _denied(labels: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        rf"(?i:\bnot\s+)(?:{_any(labels)})\b|"
        r"(?i:scratch|strike|never ?mind|wrong|not right|incorrect|mistake|不对)"
    )


@lru_cache(maxsize=64)
def _refused(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Another choice that is named to be refused: ``not (A)``, ``rather than A``."""
    return re.compile(
        rf"(?i:\b(?:not|rather than|instead of)\s+(?:option\s+|choice\s+)?)\(?(?:{_any(labels)})\b\)?"
    )


@lru_cache(maxsize=64)
def _alone(labels: tuple[str, ...]) -> re.Pattern[str]:
    """A label in either case, which stands for a choice only where nothing else is stated."""
    return re.compile(rf"[(\[]?((?i:{_any(labels)}))[)\].:。]*")


@lru_cache(maxsize=64)
def _compact(labels: tuple[str, ...]) -> re.Pattern[str]:
    single = "".join(re.escape(x) for x in labels if len(x) == 1 and x.isupper())
    return re.compile(rf"[{single}]{{2,26}}" if single else r"(?!)")


@lru_cache(maxsize=64)
def _separator(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Where a piece ends and another begins that has a label of its own: before ``C) Rome``."""
    return re.compile(rf"(?:[,;/&、，\s]|(?i:\band\b))+(?=[(\[]?(?:{_any(labels)})[)\].:])|\n+")


@lru_cache(maxsize=64)
def _others(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Other choices beside the first: ``or B``, ``, C``, ``(D)``."""
    each = _any(labels)
    return re.compile(
        rf"(?:(?i:\b(?:or|and)\s+)\(?|^\s*[,/;&、]\s*\(?|\()({each})"
        r"(?:\)|(?=\s*(?:$|[.,;]|is\s+(?:the\s+)?(?:correct|right|best))))"
    )
