"""Reference answers, read once: mended, named as what they are, and refused where they are none."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from referee.verifiers.mathematics.clauses import said, undressed
from referee.verifiers.mathematics.escapes import repaired
from referee.verifiers.mathematics.extract import extract
from referee.verifiers.mathematics.lettered import Lettered, lettered
from referee.verifiers.mathematics.notation import ascii_math
from referee.verifiers.mathematics.reader import ReadAnswer, exact_number, read
from referee.verifiers.mathematics.tree import Node, show
from referee.verifiers.reading.dress import is_placeholder, literal, strip
from referee.verifiers.reading.final_answer import peeled
from referee.verifiers.records import Json

NESTED = "a list stands in the list of references"


class Reference(NamedTuple):
    """A reference answer, read.

    ``problem`` says why nothing can be judged against it; ``unread`` why only what is written the same equals
    it, which decides where it is ``prose`` and else pays or abstains.
    """

    text: str
    reading: ReadAnswer
    problem: str = ""
    shown: str = ""
    number: int | Fraction | None = None  # its value where it is a plain number
    unread: str = ""
    prose: bool = False
    choice: Lettered | None = None
    key: str = ""
    raw: str = ""  # its key before it was mended
    mended: str = ""  # the repaired text where escapes were damaged


_NOTHING = ReadAnswer(None, "", "")


def reference_of(answer: str) -> Reference:
    """Read a reference answer; the result is cached."""
    return _reference(answer) if len(answer) <= 2000 else _reference.__wrapped__(answer)


@lru_cache(maxsize=4096)
def _reference(answer: str) -> Reference:
    if answer.isdecimal() and len(answer) <= 18 and answer.isascii():
        value = int(answer)
        node = Node("num", Fraction(value))
        return Reference(answer, ReadAnswer(node, answer, ""), "", str(value), value, key=answer)
    if answer.isascii() and (number := exact_number(answer)) is not None:
        reading = read(answer)
        assert reading.node is not None
        return Reference(answer, reading, "", show(reading.node), number, key=notation_key(answer))
    mended = repaired(answer)
    text = strip(mended)
    if not text:
        return Reference(answer, _NOTHING, "the reference is empty")
    found = extract(text, "strict") if "\\boxed" in text or "####" in text else None
    if found is not None and found.answer is not None:
        text = strip(found.answer)
    elif "nswer" in text[:20]:
        text = strip(peeled(text)) or text
    if says_nothing(text):
        return Reference(answer, _NOTHING, f"the reference {text[:60]!r} is a placeholder")
    reading, unread, prose = read(text), "", False
    choice = lettered(text)
    if choice is not None and not choice.rest:
        reading, choice = ReadAnswer(Node("var", choice.letter), f"({choice.letter})", ""), None
    elif (
        reading.node is None
        and not reading.too_big
        and choice is None
        and (value_text := said(text) or _bare(text))
    ):
        inner = read(value_text)
        reading = inner if inner.node is not None and inner.node.kind != "text" else reading
    if reading.node is None:
        unread = reading.problem
        prose = is_prose(text)
    key = notation_key(text)
    shown = text[:400] if reading.node is None else show(reading.node)
    if reading.too_big:
        shown = "a text that is compared literally: " + reading.problem
    return Reference(
        text,
        reading,
        shown=shown,
        unread=unread,
        prose=prose,
        choice=choice,
        key=key,
        raw=key if mended == answer else notation_key(strip(answer)),
        mended=mended if mended.strip() != answer.strip() else "",
    )


@lru_cache(maxsize=4096)
def is_its_own_text(answer: str) -> bool:
    """Tell whether :func:`reference_of` takes a reference as it is written."""
    if answer.isdecimal():
        return True
    if len(answer) > 2000 or "\\boxed" in answer or "####" in answer or "nswer" in answer[:20]:
        return False
    return strip(answer) == repaired(answer) == answer and not says_nothing(answer)


def _bare(text: str) -> str:
    bare = undressed(text)
    return bare if bare != text else ""


def reference_of_value(answer: Json) -> Reference:
    """Read a reference that is any value: a text, a number, or a list, all of which is meant."""
    if isinstance(answer, str):
        return reference_of(answer)
    if isinstance(answer, list):
        return _all_of(answer)
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        problem = f"the reference must be a text or a number, got {type(answer).__name__}"
        return Reference(str(answer)[:400], _NOTHING, problem)
    if isinstance(answer, int) and _is_long(answer):
        return Reference("", _NOTHING, f"the reference is a number of {answer.bit_length()} bits")
    return reference_of(str(answer))


def _is_long(value: int | Fraction) -> bool:
    return max(value.numerator.bit_length(), value.denominator.bit_length()) > 8000


def _all_of(references: list[Json]) -> Reference:
    """Read several references as one list of values."""
    texts = []
    for one in references:
        if isinstance(one, list):
            return Reference("", _NOTHING, NESTED)
        reference = reference_of_value(one)
        node = reference.reading.node
        if reference.problem:
            return reference
        if node is None or node.kind == "text":
            return Reference(
                reference.text, _NOTHING, f"{reference.text[:60]!r} is no value: exact compares texts"
            )
        number = node.kind == "num" and not _is_long(node.value)
        texts.append(str(node.value) if number else reference.text)  # 1,234 would be two of them
    return reference_of(", ".join(texts))


# What is no reference, and what is written the same

_NOT_GIVEN = re.compile(
    r"(?:no|none|not|nothing)(?: (?:answer|solution|reference|result))?(?: (?:is|was))? "
    r"(?:given|provided|available|applicable|known|needed|required|shown|found|specified)"
    r"|(?:missing|see|refer to|as|given|shown|omitted|check|in|from)(?: (?:in|the|to|attached|full|"
    r"above|below|"
    r"shown|following|given))*(?: (?:answers?|solutions?|figures?|diagrams?|graphs?|pictures?|images?|"
    r"explanations?|proofs?|text|"
    r"above|below|figure \w{1,4}|attachments?|steps|work))"
    r"|(?:the )?(?:answers?|solutions?|results?)(?: (?:may|will|can))? var(?:y|ies)"
    r"|n a|na|nan|null|nil|tba|missing|omitted|no answer|answer|solution|proof|placeholder|todo|"
    r"xxx+|none given|not given",
)
_NOT_GIVEN_CHINESE = frozenset(
    [
        "略",
        "见解析",
        "证明略",
        "见解析图",
        "无答案",
        "答案不唯一",
        "如图",
        "见图",
        "见答案",
        "证明见解析",
        "解析",
        "暂无",
        "未知",
        "答案略",
        "解答",
        "图略",
    ]
)
_SHELL = re.compile(
    r"\\(?:text|mathrm|textbf|mbox|square|Box|_|underline|hspace)(?![A-Za-z])|[\s{}()\[\]_.\-–—$*?!/:~]|（|）|。"
)
_COMPARES = frozenset(["<", ">", "=", "\\<", "\\>"])


def says_nothing(text: str) -> bool:
    r"""Tell whether a reference is none: blank, a placeholder, or words that point elsewhere.

    >>> [says_nothing(t) for t in ("?", "N/A", "see figure", "-", r"\text{none given}", ">", "none")]
    [True, True, True, True, True, False, False]
    """
    text = strip(text)
    if text in _COMPARES:
        return False
    if len(text) > 80:
        return False
    bare = " ".join(_SHELL.sub(" ", text).split())
    if bare == "Na":  # sodium
        return False
    bare = bare.lower()
    return not bare or is_placeholder(text) or bare in _NOT_GIVEN_CHINESE or bool(_NOT_GIVEN.fullmatch(bare))


_ALIASES = re.compile(
    r"\\(?:leqslant|leqq|leq|geqslant|geqq|geq|neq|dots|cdots|varnothing|rightarrow|longrightarrow|land|lor|lnot|bigl|bigr|Bigl|Bigr|hline)(?![A-Za-z])"
)
_SAME = {
    "leqslant": "\\le", "leqq": "\\le", "leq": "\\le",
    "geqslant": "\\ge", "geqq": "\\ge", "geq": "\\ge", "neq": "\\ne",
    "dots": "\\ldots", "cdots": "\\ldots", "varnothing": "\\emptyset",
    "rightarrow": "\\to", "longrightarrow": "\\to",
    "land": "\\wedge", "lor": "\\vee", "lnot": "\\neg",
    "bigl": "", "bigr": "", "Bigl": "", "Bigr": "", "hline": "",
}  # fmt: skip
_LOGIC = str.maketrans(
    {
        "∀": r"\forall ",
        "∃": r"\exists ",
        "⊆": r"\subseteq ",
        "⊂": r"\subset ",
        "⊇": r"\supseteq ",
        "⊃": r"\supset ",
        "⊥": r"\perp ",
        "∥": r"\parallel ",
    }
)
_APART = re.compile(r"(?<=\d)\s*\\q?quad\s*(?=\d)")
_ONE_SIGN = re.compile(r"(?<![}\\])\{([A-Za-z0-9])\}")


def notation_key(text: str) -> str:
    r"""Return what two texts share that are written the same, layout aside.

    >>> notation_key(r"\forall x\geq {2},\ \text{so}") == notation_key("∀x ≥ 2, so")
    True
    >>> notation_key(r"A \leq \left( B\right)") == notation_key("A ≤ (B)"), notation_key(r"5\quad 6")
    (True, '5 ¦ 6')
    """
    if text.isalnum():
        return text
    text = strip(text if text.isascii() else ascii_math(text.translate(_LOGIC)))
    if "\\" in text:
        text = _ALIASES.sub(lambda m: _SAME[m[0][1:]] + " ", _APART.sub(" ¦ ", text))
    text = literal(text).replace(" ¦ ", "¦").replace("¦", " ¦ ")
    return _ONE_SIGN.sub(r"\1", text) if "{" in text else text


_FORMULA = re.compile(r"\$[^$]*\$|\\\([^()]*\\\)|\\(?!text|mathrm|textbf|mbox)[A-Za-z]+|\\.")
_WORD = re.compile(r"[^\W\d_]{2,}")


def is_prose(text: str) -> bool:
    """Tell whether a text is a sentence, or words with some mathematics in it."""
    rest = _FORMULA.sub(" ", text).replace("\\text", " ").replace("\\mathrm", " ").replace("\\textbf", " ")
    words = _WORD.findall(rest)
    letters = sum(map(len, words))
    signs = sum(not c.isspace() for c in rest)
    if any("\u4e00" <= c <= "\u9fff" for c in rest):
        return letters >= 2 and 2 * letters >= signs
    return len(words) >= 3 and 2 * letters >= signs and any(len(w) > 3 for w in words)
