"""ReadAnswer one answer: words, times and bases where the whole text is one, else mathematics."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from referee.verifiers.mathematics.formula import read_formula
from referee.verifiers.mathematics.lexer import tokenize
from referee.verifiers.mathematics.notation import ascii_math, join_thousands
from referee.verifiers.mathematics.number_words import number_word
from referee.verifiers.mathematics.parser import Parser
from referee.verifiers.mathematics.parts import labelled_parts
from referee.verifiers.mathematics.quantifiers import with_quantifier
from referee.verifiers.mathematics.tree import MAX_CHARS, Node, TooBig, Unreadable, neg, num
from referee.verifiers.mathematics.units import read_unit
from referee.verifiers.mathematics.vocabulary import FUNCTIONS
from referee.verifiers.mathematics.words import SHORT_WORDS, calendar_day, meaning, numbered, words_of
from referee.verifiers.reading.dress import LAYOUT, TEXT, is_placeholder, literal, strip


class ReadAnswer(NamedTuple):
    """How an answer was read.

    ``node`` is None where it is unreadable (``problem`` says why) or too big (``too_big``).
    ``items`` is the other reading of ``1,234``: a list. ``literal`` is the text without its layout,
    which equal notation shares; ``words`` is that text as words.
    """

    node: Node | None
    literal: str
    words: str
    items: Node | None = None
    problem: str = ""
    too_big: bool = False


_TIME = re.compile(r"(\d{1,2})(?::(\d\d)(?::(\d\d))?)?\s*(?:([ap])\.?\s*m\.?|noon)", re.I)
_BASE = re.compile(r"([0-9A-F]+)_\{?(\d\d)\}?")
_LETTERS = re.compile(r"[A-Za-z]{2,}")
_ORBITAL = re.compile(r"([1-7][spdf])\^(1[0-4]|[1-9])(?=[1-7][spdf]\^|$)")
_ORBITALS = re.compile(r"(?:[1-7][spdf]\^\d{1,2}?){2,19}")  # 1s^2 2s^2 2p^6
_FEET = re.compile(r"(\d{1,3})'(\d{1,2}(?:\.\d{1,3})?)(?:''|\"|″)")  # 6'2''
_DAY_FIRST = re.compile(r"(\d{1,2}(?:st|nd|rd|th)?) (?:of )?([A-Z][a-z]{2,8})\.?((?:,? \d{4})?)")  # 15 March
_EXCEPT = re.compile(r"all real(?:s| numbers)?(?: x)? (?:except(?: for)?|other than) (?:x *= *)?(-?\d{1,9})")


def _simple(text: str) -> Node | None:
    """Read what most answers are, a number or a fraction of two, without the parser."""
    m = _SIMPLE.fullmatch(text) if len(text) <= 40 else None
    if m is None:
        return None
    if m[2]:
        top, bottom = int(m[2]), int(m[3])
        node = Node("div", None, (num(top), num(bottom)))
        return neg(node) if m[1] else node
    whole, _, part = m[4].partition(".")
    value = int(whole + part)
    return Node("num", Fraction(-value if m[1] else value, 10 ** len(part)))


_CIRCLED = re.compile(r"[①-⑨](?:[\s,，、和]*[①-⑨])*")
_SIMPLE = re.compile(r"(-?)(?:\\[dt]?frac\{(\d+)\}\{(\d+)\}|(\d+(?:\.\d+)?))", re.A)


@lru_cache(maxsize=8192)
def read(text: str) -> ReadAnswer:
    """Read an answer. Never raises on a text."""
    text = strip(text)
    if not text.isascii() and _CIRCLED.fullmatch(text):
        text = ", ".join(str(int(unicodedata.numeric(c))) for c in text if "①" <= c <= "⑨")
    if (simple := _simple(text)) is not None:
        return ReadAnswer(simple, literal(text), "")
    if _THOUSANDS.fullmatch(text):
        pieces = tuple(Node("num", Fraction(piece)) for piece in text.split(","))
        whole = Node("num", Fraction(text.replace(",", "")))
        return ReadAnswer(whole, literal(text), "", Node("seq", "comma", pieces))
    if len(text) > MAX_CHARS:
        return ReadAnswer(
            None,
            literal(text[: 4 * MAX_CHARS]),
            "",
            problem=f"longer than {MAX_CHARS} characters",
            too_big=True,
        )
    plain, words = literal(text), words_of(text)
    if is_placeholder(text):
        return ReadAnswer(None, plain, words, problem="no answer in it")
    try:
        node = _special(text, words) or _said_twice(text) or _in_parts(text)
        if node is not None:
            formula = node.kind == "var" and len(node.value) > 1  # case counts
            return ReadAnswer(node, plain, "" if formula else words)
        text = with_quantifier(text)
        node = Parser(tokenize(text)).answer()
        items = None
        if (
            "," in text
            and re.search(r"\d,\d", text)
            and join_thousands(text, commas=False) != join_thousands(text)
        ):
            try:
                items = Parser(tokenize(text, commas=False)).answer()
            except (Unreadable, TooBig):
                items = None
        return ReadAnswer(node, plain, words, items)
    except TooBig as e:
        return ReadAnswer(None, plain, words, problem=str(e), too_big=True)
    except RecursionError:
        return ReadAnswer(None, plain, words, problem="nested too deeply", too_big=True)
    except (Unreadable, ZeroDivisionError) as e:
        if words:
            return ReadAnswer(_text(text, words), plain, words)
        return ReadAnswer(None, plain, words, problem=str(e))


def _said_twice(text: str) -> Node | None:
    """Read ``9 (nine)`` as both: where they differ it is a hedge."""
    m = _IN_WORDS.search(text) if text[-1:] == ")" else None
    value = number_word(m[1]) if m else None
    if m is None or value is None:
        return None
    return Node("seq", "or", (Parser(tokenize(text[: m.start()])).answer(), num(value)))


def _in_parts(text: str) -> Node | None:
    """Read ``(a) 3, (b) 4`` as the pair of both."""
    parts = labelled_parts(text)
    if parts is None:
        return None
    try:
        return Node("group", ("(", ")"), tuple(Parser(tokenize(part)).answer() for part in parts))
    except Unreadable:
        return None


_IN_WORDS = re.compile(r"\s*\(([A-Za-z][A-Za-z -]{1,60})\)$")


def _text(text: str, words: str) -> Node:
    """Return words; those of a list ("Ann, Bob and Cy") with commas between its items."""
    for _ in range(3):
        text = TEXT.sub(r" \1 ", text)
    items = [
        words_of(item) or item.strip().lower() for item in re.split(r"[,;]|\band\b", text) if item.strip()
    ]
    is_list = 1 < len(items) <= 20 and all(0 < len(item.split()) <= 2 for item in items)
    return Node("text", ",".join(items) if is_list else words)


def _special(text: str, words: str) -> Node | None:
    bare = LAYOUT.sub(" ", TEXT.sub(r" \1 ", text)).replace("{", "").replace("}", "").strip(" .")
    if bare[:1].isdigit() and (m := _TIME.fullmatch(re.sub(r"\s*(:|\s)\s*", r"\1", bare))):
        hour, minute, second = int(m[1]), int(m[2] or 0), int(m[3] or 0)
        at_noon = not m[4] and hour == 12 and not minute
        if 1 <= hour <= 12 and minute < 60 and second < 60 and (m[4] or at_noon):
            hour = hour % 12 + (12 if at_noon or m[4] in "pP" else 0)
            return Node("time", hour * 3600 + minute * 60 + second)
    if bare[:1].isdigit() and (named := numbered(bare)) is not None:
        return named
    if (day := calendar_day(bare)) is not None:
        return Node("text", day)
    if words in ("noon", "12 noon", "midnight", "12 midnight"):
        return Node("time", 43200 if "noon" in words else 0)
    compact = bare.replace(" ", "")
    if compact in _POSITIVE_INTEGERS:
        return Node("text", "positive integers")
    m = _BASE.fullmatch(compact) if "_" in compact else None
    if m and not m[1].isdigit() and 11 <= int(m[2]) <= 36 and all(int(d, 36) < int(m[2]) for d in m[1]):
        return num(int(m[1], int(m[2])))
    if _ORBITALS.fullmatch(compact):
        shells = sorted(f"{m[1]}^{m[2]}" for m in _ORBITAL.finditer(compact))
        return Node("text", " ".join(shells))
    if formula := read_formula(
        ascii_math(text), marked="\\mathrm" in text or "\\text" in text or "\\ce" in text
    ):
        return Node("var", formula)
    if m := _EXCEPT.fullmatch(words or bare.lower()):
        return Node("diff", None, (Node("const", "reals"), Node("set", None, (num(int(m[1])),))))
    if bare[:1].isdigit():
        if m := _FEET.fullmatch(compact):
            return Node("unit", read_unit("feet")[2], (num(Fraction(m[1]) + Fraction(m[2]) / 12),))
        if m := _DAY_FIRST.fullmatch(bare):
            words = words_of(f"{m[2]} {m[1]}{m[3] or ''}")
    if words:
        if (node := meaning(words)) is not None:
            return node
        if _is_text(text, bare):
            return _text(text, words)
    return None


def _is_text(text: str, bare: str) -> bool:
    """Tell words from products of variables: words are marked as text, or look like words."""
    runs = _LETTERS.findall(bare)
    if (
        not runs
        or bare in _GREEK_WORDS
        or any(r in FUNCTIONS or r in ("or", "and", "infty", "pi") for r in runs)
    ):
        return False
    if "\\" in ascii_math(TEXT.sub("", text).replace("\\ ", "")):
        return False
    if re.search(r"\d", bare):
        return False
    if TEXT.fullmatch(text.strip()) and len(max(runs, key=len)) > 1:
        return True
    return any((len(r) >= 4 and re.search("[aeiouyAEIOUY]", r)) or r.lower() in SHORT_WORDS for r in runs)


_GREEK_WORDS = frozenset(["alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "sigma", "omega"])
_POSITIVE_INTEGERS = frozenset(
    [
        "\\mathbbZ^+",
        "\\mathbbZ_+",
        "\\mathbbN^*",
        "\\mathbbN_+",
        "\\mathbbN^+",
        "ℤ^+",
        "ℤ⁺",
        "ℕ*",
        "ℕ⁺",
        "N^*",
    ]
)


def exact_number(text: str) -> Fraction | None:
    """Return the value of a text that is nothing but a short integer or decimal; else None."""
    if len(text) > 18 or not _NUMBER.fullmatch(text):
        return None
    whole, _, part = text.replace(",", "").partition(".")
    return Fraction(int(whole + part), 10 ** len(part))


_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(?:,\d{3}){1,4}(?:\.\d{1,18})?", re.A)
_NUMBER = re.compile(r"-?(?:\d+|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?")
