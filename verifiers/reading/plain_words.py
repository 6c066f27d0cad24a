"""A text without its punctuation and articles, and its words: what texts are compared by."""

from __future__ import annotations

import re
import unicodedata

import regex

_MARK = re.compile(r"[^\w\s]|_")
_SIGNS = "+-\N{MINUS SIGN}"
_ASCII_SYMBOLS = "$+<=>^`|~"  # punctuation for Python's string module, symbols for Unicode
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*"
)


def without_punctuation(text: str) -> str:
    """Return a text without punctuation, ASCII's and Unicode's; numbers stay the numbers that they are.

    A mark between two digits stays, so do a sign and a point before a number: ``-5`` is not 5.

    >>> without_punctuation("“Paris”… (it's -1.5, not 15!)"), without_punctuation("well-known, .5")
    ('Paris its -1.5 not 15', 'wellknown .5')
    """
    return _MARK.sub(_kept, text)


def without_articles(text: str) -> str:
    """Return a text with a space for each ``a``, ``an`` and ``the``; one that is nothing else is kept.

    >>> without_articles("the tower of a town"), without_articles("a")
    ('  tower of   town', 'a')
    """
    left = _ARTICLES.sub(" ", text)
    return left if left.strip() else text


def split_words(text: str) -> list[str]:
    """Return the words between spaces; where a script has no spaces, each of its characters is a word.

    >>> split_words("Paris 是首都")
    ['Paris', '是', '首', '都']
    """
    if text.isascii():
        return text.split()
    return _UNSPACED.sub(r" \g<0> ", text).split()


def _kept(found: re.Match[str]) -> str:
    mark, text, at = found.group(), found.string, found.start()
    if mark not in _ASCII_SYMBOLS and mark not in _SIGNS and unicodedata.category(mark)[0] != "P":
        return mark
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if before.isdigit() and after.isdigit():
        return mark
    if mark == "." and after.isdigit() and not before.isalnum() and before != ".":
        return mark
    number = after.isdigit() or (after == "." and text[at + 2 : at + 3].isdigit())
    if mark in _SIGNS and number and not before.isalnum():
        return "-" if mark == "\N{MINUS SIGN}" else mark
    return ""
