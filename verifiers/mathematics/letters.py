"""Runs of plain letters: names of the field's, words, or variables side by side; and runs of Chinese."""

from __future__ import annotations

import re
from typing import NamedTuple

from referee.verifiers.mathematics.number_words import NUMBER_WORDS
from referee.verifiers.mathematics.units import is_unit_word
from referee.verifiers.mathematics.vocabulary import FUNCTIONS, NAMES


class Token(NamedTuple):
    """One sign of the text. ``spaced`` says that white space stood before it.

    Kinds: ``n`` number, ``v`` letter, ``c`` command or named function (without its backslash), ``t`` words,
    ``u`` letters that are a unit or a product, ``b`` begin or ``e`` end of an environment, ``o`` any other.
    """

    kind: str
    text: str
    spaced: bool = False


def read_letters(run: str, spaced: bool, out: list[Token], text: str, start: int, end: int) -> None:
    """Split a run of plain letters: a name of the field's, a word, or variables side by side."""
    if len(run) == 1:
        # between two numbers an x is no variable: 1.2 x 10^3
        times = run in "xX" and out and out[-1].kind == "n" and out[-1].text != "0"
        if times and text[end:].lstrip(" ")[:1].isdigit():
            out.append(Token("c", "times", spaced))
        else:
            out.append(Token("v", run, spaced))
    elif run in NAMES or run.lower() in ("and", "or"):
        out.append(Token("c", NAMES.get(run) or run.lower(), spaced))
    elif run.lower() in SIGN_WORDS and text[end : end + 2].lstrip()[:1].isdigit():
        out.append(Token("o", SIGN_WORDS[run.lower()], spaced))
    elif run in FUNCTIONS:
        out.append(Token("c", run, spaced))
    elif run.lower() in NUMBER_WORDS or (
        is_unit_word(run) and ((spaced and out) or (out and out[-1].kind == "n") or run == "USD")
    ):
        add_word(run, spaced, out)
    elif (split := _function_prefix(run)) is not None:
        out.append(Token("c", split, spaced))
        out.extend(Token("v", c) for c in run[len(split) :])
    elif _is_word(run, text, start, end) and not (run in _FACTORS and out and _joins(out[-1], text, end)):
        add_word(run, spaced, out)
    else:
        out.append(Token("v", run[0], spaced))
        out.extend(Token("v", c) for c in run[1:])


def add_word(run: str, spaced: bool, out: list[Token]) -> None:
    """Add a word; it goes on over spaces: ``square units``."""
    if out and out[-1].kind == "t" and spaced:
        out[-1] = Token("t", f"{out[-1].text} {run}", out[-1].spaced)
    else:
        out.append(Token("t", run, spaced))


SIGN_WORDS = {"negative": "-", "minus": "-", "plus": "+"}
_THREE = frozenset(
    "the are for all not yes odd per day men can has was its any but way ways The Yes Odd Not All".split()
)


def _function_prefix(run: str) -> str | None:
    for size in (6, 4, 3, 2):
        if run[:size] in FUNCTIONS and len(run) - size == 1 and (size > 2 or run[:2] == "ln"):
            return run[:size]
    return None


_FACTORS = frozenset(["an", "as", "at", "by", "am", "if", "it"])  # also products of variables: v + at


def _joins(before: Token, text: str, end: int) -> bool:
    return text[end : end + 1] in ("^", "_") or (
        before.kind == "o" and before.text in ("+", "-", "=", "*", "/")
    )


def _is_word(run: str, text: str, start: int, end: int) -> bool:
    if len(run) == 2:
        return run in (
            "is",
            "in",
            "an",
            "of",
            "to",
            "no",
            "so",
            "No",
            "It",
            "it",
            "am",
            "pm",
            "AM",
            "PM",
            "as",
            "at",
            "by",
            "if",
        )
    if not (run.islower() or run.istitle() or (run.isupper() and len(run) > 4)):
        return False
    if not re.search("[aeiouy]", run.lower()) or (
        len(run) <= 4 and "".join(sorted(run)) == run and run[-1] in "cdxyz"
    ):
        return False
    if len(run) == 3 and run not in _THREE and not re.search(r"(?:\d|[a-z]{3})\s+$", text[:start]):
        return False
    before, after = text[start - 1 : start], text[end : end + 1]
    return (
        before not in ("^", "_", "{", ")", "(") and not before.isdigit() and after not in ("^", "_", "(", "{")
    )


_JOINERS = {"或": "or", "或者": "or", "和": "and", "与": "and", "及": "and", "且": "and"}
_JOINED = re.compile("(.{0,3}?)(或者?|和|与|及|且)")


def read_chinese(run: str, spaced: bool, out: list[Token]) -> None:
    """Take a run of Chinese as words; at its end may stand what joins the items of a list."""
    joined = _JOINED.fullmatch(run) if out else None
    if joined is None:
        out.append(Token("t", run, spaced))
        return
    if joined[1]:
        out.append(Token("t", joined[1], spaced))
    out.append(Token("c", _JOINERS[joined[2]], spaced))
