"""Words as answers: which texts are words, how they are folded, and what the usual ones mean.

Case counts where it can tell answers apart (``CO`` and ``Co``, ``AaBb``, a lone letter), not in ordinary
words. An article is dropped where it is one: lower case (or first) and before a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from referee.verifiers.mathematics.notation import ascii_math
from referee.verifiers.mathematics.number_words import number_word
from referee.verifiers.mathematics.tree import Node, neg
from referee.verifiers.mathematics.words_chinese import chinese_meaning
from referee.verifiers.reading.dress import TEXT

MAX_WORDS = 400  # characters
_WORDS = re.compile(r"[^\W\d_](?:[^\W_]|['’\-., ()&/!?:;])*")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_IS = re.compile(r"\b(there|it|that)'s\b", re.I)
_PUNCTUATION = re.compile(r"[.,'!?:;()\"]")
_BREAK = re.compile(r"[\s\-/]+")
_WIDE = str.maketrans("，。；：？！（）、．", ",.;:?!(),.")
_TWO_LETTERS = frozenset(
    [
        "no",
        "is",
        "it",
        "of",
        "to",
        "in",
        "on",
        "at",
        "by",
        "or",
        "an",
        "as",
        "if",
        "be",
        "we",
        "he",
        "up",
        "go",
        "so",
        "do",
        "am",
        "pm",
        "me",
        "my",
        "us",
        "i",
    ]
)
_COPULAS = frozenset(["is", "are", "and", "or", "has", "was", "does", "wins", "loses"])
_ORDINALS = {
    name: f"{i}{'st' if i == 1 else 'nd' if i == 2 else 'rd' if i == 3 else 'th'}"
    for i, name in enumerate(
        [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
            "eleventh",
            "twelfth",
        ],
        1,
    )
}


def plain_words(text: str) -> str:
    """Return a text without text commands, delimiters and braces, in one Unicode form."""
    for _ in range(3):
        text, n = TEXT.subn(r" \1 ", text)
        if not n:
            break
    text = text.replace("\\ ", " ").replace("\\,", " ").replace("$", "").replace("~", " ").replace("\\&", "&")
    text = text.replace("’", "'").replace("{", "").replace("}", "").strip(" .!\"'")
    if "'s" in text:
        text = _IS.sub(r"\1 is", text)
    return text if text.isascii() else unicodedata.normalize("NFC", text).translate(_WIDE).strip(" .!\"'")


def words_of(text: str) -> str:
    """Return a text that consists of words, folded: no articles, no punctuation; else nothing."""
    text = plain_words(text)
    if len(text) > MAX_WORDS or not _WORDS.fullmatch(text):
        return ""
    if text.isascii():
        if not _LETTERS.search(text):
            return ""
    elif "\\" in ascii_math(text):
        return ""  # Greek letters are signs
    return " ".join(_folded(text))


def _folded(text: str) -> list[str]:
    text = _PUNCTUATION.sub(lambda m: " " if m[0] in ",;:?()" else "", text)
    parts = [w for w in _BREAK.split(text) if w]
    out = []
    for i, word in enumerate(parts):
        after = parts[i + 1] if i + 1 < len(parts) else ""
        article = word in ("a", "an", "the") or word == "The" or (word in ("A", "An") and i == 0)
        if not (article and after and after not in _COPULAS):
            out.append(_fold(word))
    return out


def _fold(word: str) -> str:
    low = word.lower()
    if word == low:
        return _ORDINALS.get(word, word)
    if not word.isascii():
        return word.casefold() if len(word) > 2 else word
    if not word.isalpha():
        return word
    if len(word) <= 2:
        return low if low in _TWO_LETTERS and not word.isupper() else word
    if word[0].isupper() and word[1:].islower():
        return _ORDINALS.get(low, low)
    return low if word.isupper() and (low in SHORT_WORDS or _is_loud_word(word)) else word


def _is_loud_word(token: str) -> bool:
    """Tell ``EAST`` from letters that name something: ``ABCD``, ``ABBA``, ``PQR``."""
    return (
        len(token) >= 4
        and len(set(token)) >= 3
        and bool(set(token) & set("AEIOUY"))
        and not set(token) <= set("AEIOUY")
        and list(token) != sorted(token)
    )


SHORT_WORDS = frozenset(
    [
        "yes",
        "no",
        "odd",
        "red",
        "tie",
        "sun",
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "oct",
        "nov",
        "dec",
        "bob",
        "amy",
        "ann",
        "joe",
        "sam",
        "tom",
        "kim",
        "ben",
        "jim",
        "dan",
        "max",
        "meg",
        "ian",
        "eve",
        "ivy",
        "sue",
        "may",
        "all",
        "new",
        "old",
        "dne",
    ]
)

_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_NAMED = {name[:3]: name for name in _DAYS + _MONTHS} | {
    "tues": "tuesday", "thur": "thursday", "thurs": "thursday", "sept": "september",
}  # fmt: skip
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "I": 1, "II": 2, "III": 3, "IV": 4}
_ADJECTIVES = (
    "real|rational|complex|integer|integral|positive|negative|nonnegative|natural|valid|possible|such|nonzero|"
    "finite|nontrivial"
)
_THINGS = (
    "solutions?|roots?|values?|numbers?|integers?|reals?|functions?|pairs?|triples?|tuples?|polynomials?|primes?|"
    "zeros?|answers?|intersections?|points?"
)
_LEAD = (
    r"(?:therefore |thus |hence |so )?"
    r"(?:(?:it|there|this|that|equation|system|inequality|problem)(?: of equations)? )?"
)
_EMPTY = re.compile(
    rf"{_LEAD}(?:(?:is|are|has|have|exists?|admits) )?(?:"
    rf"no (?:(?:{_ADJECTIVES}) )*(?:{_THINGS})(?: [a-z])?(?: exists?)?"
    r"|no (?:(?:real|positive|such) )*[a-z]+(?: [a-z])? exists?|no such [a-z]+|none exists?|none"
    r"|empty set|null set"
    r"|inconsistent)"
)
_LIMIT = (
    r"(?:(?:therefore |thus |hence )?"
    r"(?:limit|it|value|expression|slope|derivative|function|integral)(?: \w)? )?"
)
_UNDEFINED = re.compile(
    rf"{_LIMIT}(?:is |are )?(?:undefined|not defined|dne|does not exist|doesnt exist|nonexistent)"
)
_SERIES = r"(?:(?:series|integral|sequence|sum|it|limit)(?: [a-z])? )?(?:is )?"
_DIVERGES = re.compile(rf"{_SERIES}(?:diverges?|divergent)")
_CONVERGES = re.compile(rf"{_SERIES}(?:converges?|convergent)")
_ENDLESS = re.compile(
    rf"{_LEAD}(?:(?:is|are|has|have|exist) )?(?:"
    rf"infinitely many(?: (?:{_ADJECTIVES}))*(?: (?:{_THINGS}))?|infinite"
    rf"(?: number of(?: (?:{_ADJECTIVES}))*(?: (?:{_THINGS})))?|infinite solutions)"
)
_ALL = re.compile(
    r"(?:[a-z] (?:is |can be |may be )|(?:set of |for ))?(?:all|any|every)(?: [a-z] (?:is|are|in))?"
    r"(?: (?:(real)(?: numbers?| values?)?|(reals)|"
    r"(positive|negative|nonnegative)? ?(?:integers?|whole numbers?)|"
    r"(natural) numbers?))(?: [a-z])?"
)
_PARITY = re.compile(
    r"(?:(?:all|every|any) )?(?:[a-z] (?:is |are |must be )?)?(?:an )?(odd|even)(?: (positive|negative))?"
    r"(?: (?:integers?|numbers?|[a-z]))?"
    r"|(?:all |every |any )?(positive|negative) (odd|even) (?:integers?|numbers?)"
)
_QUADRANT = re.compile(
    r"(?:in |lies in )?(?:(1st|2nd|3rd|4th) quadrant|quadrant (i{1,3}|iv|I{1,3}|IV|[1-4]))"
)
_DATE = re.compile(
    r"(?:(?:{days}) )?(?:({months}) (\d{{1,2}}|[1-9]\d?(?:st|nd|rd|th))"
    r"|(\d{{1,2}}|[1-9]\d?(?:st|nd|rd|th)) (?:day )?(?:of )?({months}))"
    r"(?: (\d{{4}}))?".format(days="|".join(_DAYS), months="|".join(_MONTHS))
)
_ISO_DATE = re.compile(r"([12]\d{3})([-/])(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])", re.A)
_EXACT = {
    "all real numbers": "reals", "all reals": "reals", "real numbers": "reals", "reals": "reals",
    "no": "no", "false": "no", "incorrect": "no", "yes": "yes", "true": "yes", "correct": "yes",
    "infinity": "inf", "inf": "inf", "positive infinity": "inf", "plus infinity": "inf", "+infinity": "inf",
    "negative infinity": "-inf", "minus infinity": "-inf", "all integers": "integers", "pi": "pi",
}  # fmt: skip
_CONSTANTS = frozenset(["reals", "integers", "inf", "-inf", "pi", "empty", "undefined"])


def meaning(words: str) -> Node | None:
    """Return what folded words mean: a constant, a number, one text for all that say the same; or None."""
    if not words.isascii():
        return chinese_meaning(words)
    first = words.partition(" ")[0]
    name = _EXACT.get(words) or (_rule(words) if len(words) <= 80 else None)
    if name is not None:
        if name not in _CONSTANTS:
            return Node("text", name)
        return neg(Node("const", name[1:])) if name[0] == "-" else Node("const", name)
    if (value := number_word(words)) is not None:
        return Node("num", value)
    if words in _NAMED:
        return Node("text", _NAMED[words])
    if (
        first in ("option", "choice", "answer")
        and len(words) == len(first) + 2
        and words[-1] in "abcdefghijABCDEFGHIJ"
    ):
        return Node("var", words[-1].upper())
    return None


def _date(m: re.Match[str]) -> str:
    return " ".join(filter(None, (m[1] or m[4], (m[2] or m[3]).rstrip("sthnrd").lstrip("0"), m[5])))


def calendar_day(text: str) -> str | None:
    """Return a date in figures as :func:`meaning` names it in words; None where a text is none.

    >>> calendar_day("2020-03-04"), calendar_day("20-03-04")
    ('march 4 2020', None)
    """
    m = _ISO_DATE.fullmatch(text)
    return f"{_MONTHS[int(m[3]) - 1]} {int(m[4])} {m[1]}" if m else None


def _whole_numbers(m: re.Match[str]) -> str:
    return "natural numbers" if m[4] else f"{m[3] or ''} integers".strip()


_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_EMPTY, lambda m: "empty"),
    (_UNDEFINED, lambda m: "undefined"),
    (_DIVERGES, lambda m: "divergent"),
    (_CONVERGES, lambda m: "convergent"),
    (_ENDLESS, lambda m: "inf"),
    (_ALL, lambda m: "reals" if m[1] or m[2] else _whole_numbers(m)),
    (_PARITY, lambda m: " ".join(filter(None, (m[1] or m[4], m[2] or m[3])))),
    (_QUADRANT, lambda m: f"quadrant {_ROMAN.get(m[2] or '', (m[1] or m[2])[:1])}"),
    (_DATE, _date),
)  # fmt: skip


def _rule(words: str) -> str | None:
    for pattern, name in _RULES:
        if m := pattern.fullmatch(words):
            return name(m)
    return None


def numbered(text: str) -> Node | None:
    """Return what a text means that begins with a number: ``4 July``, ``1st quadrant``."""
    name = _rule(text.lower().replace(",", "")) if len(text) <= 40 else None
    return None if name is None else Node("text", name)


_JOINED = re.compile(r"(?:(?<!\s)\s++)?(?:,|;|&|\band\b|和|与|及)\s*(?:\band\b\s*)?")
_NO_ITEM = frozenset(
    [
        "or",
        "not",
        "but",
        "if",
        "then",
        "only",
        "except",
        "than",
        "nor",
        "either",
        "neither",
        "because",
        "since",
    ]
)


def listed_words(text: str) -> tuple[str, ...]:
    """Return the items of a list of words, ``red, blue and green``; empty where the text is none."""
    text = plain_words(text).replace("\\", "").strip(" .")
    if len(text) > MAX_WORDS or not (
        "," in text or "and" in text or not text.isascii() or "&" in text or ";" in text
    ):
        return ()
    items, longest = [], 3 if re.search("[,;，；、]", text) else 2
    for part in _JOINED.split(text):
        words = words_of(part)
        if not words and len(part.strip()) == 1 and part.strip().isalpha():
            words = part.strip()
        tokens = words.split()
        if not words or len(tokens) > longest or not _NO_ITEM.isdisjoint(tokens):
            return ()
        items.append(words)
    return tuple(items) if len(items) > 1 else ()


_VERDICT = re.compile(
    r"(yes|no|true|false)\s*(?:[,.;:!]|[-–—]|(?=because\b|since\b|as\b))\s*(\S.*)", re.I | re.S
)
_LIMITED = re.compile(r"\b(?:but|only|except|however|unless|although|not always|sometimes|if|or)\b", re.I)


def said_yes_or_no(text: str) -> str:
    r"""Return ``yes`` or ``no`` where a text begins with it and goes on to say why; else nothing.

    >>> said_yes_or_no(r"\text{Yes, it is continuous}"), said_yes_or_no("Yes, but only for x > 0")
    ('yes', '')
    """
    m = _VERDICT.fullmatch(plain_words(text)) if len(text) <= MAX_WORDS else None
    if m is None or _LIMITED.search(m[2]) or re.match(r"(?:yes|no|true|false)\b", m[2], re.I):
        return ""
    return _EXACT[m[1].lower()]
