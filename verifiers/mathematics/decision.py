"""Deciding one pair of an answer and a reference: cheapest first, each tier by its own file."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from referee.verifiers.mathematics.clauses import bound, said, undressed
from referee.verifiers.mathematics.compare import Comparer, Match
from referee.verifiers.mathematics.escapes import mended_answer
from referee.verifiers.mathematics.leniency import Leniency
from referee.verifiers.mathematics.lettered import (
    Lettered,
    lettered,
    lone_letter,
    several_letters,
    with_comma,
)
from referee.verifiers.mathematics.printed import enough_digits, rounding_error
from referee.verifiers.mathematics.reader import ReadAnswer, exact_number, read
from referee.verifiers.mathematics.real_sets import is_set_like, variables
from referee.verifiers.mathematics.reference_answer import Reference, notation_key, reference_of
from referee.verifiers.mathematics.tree import Node, TooBig, Unreadable, rearranged, show
from referee.verifiers.mathematics.words import listed_words, said_yes_or_no, words_of
from referee.verifiers.reading.dress import strip

_CACHED = 600  # characters; longer answers are decided anew


class Decision(NamedTuple):
    """A verdict before it is written down. ``open``: the reference could not be read, and differs."""

    equal: bool
    tier: str
    read_as: str
    too_big: bool = False
    open: bool = False
    final: bool = False  # no other reading of the answer is asked


def decided(policy: Leniency, answer: str, reference: Reference, source: str | None) -> Decision:
    """Decide a pair; ``source`` is what the reference was read from, where the decision may be kept."""
    if answer == reference.text:
        return Decision(True, "literal", reference.shown)
    if reference.number is not None and (of_numbers := _of_numbers(policy, answer, reference.number)):
        return of_numbers
    if source is not None and len(answer) + len(source) <= _CACHED:
        return _kept(policy, answer, source)
    return _decide(policy, answer, reference)


def are_whole(answer: str, reference: str) -> bool:
    """Tell whether two texts are nothing but short whole numbers."""
    return (
        answer.isdecimal()
        and reference.isdecimal()
        and len(answer) <= 18
        and len(reference) <= 18
        and answer.isascii()
        and reference.isascii()
    )


def _of_numbers(policy: Leniency, text: str, gold: int | Fraction) -> Decision | None:
    """Compare a plain number with another; None where a text is none, or a difference may be forgiven."""
    whole = text.isdecimal() and text.isascii() and len(text) <= 18
    value = int(text) if whole else exact_number(text)
    if value is None:
        return None
    equal = value == gold
    if not equal and (policy.tolerance != 0 or policy.rounding != "exact"):
        return None
    return Decision(equal, "exact rationals", str(value))


@lru_cache(maxsize=8192)
def _kept(policy: Leniency, answer: str, source: str) -> Decision:
    return _decide(policy, answer, reference_of(source))


def _decide(policy: Leniency, answer: str, gold: Reference) -> Decision:
    if answer == gold.text:
        return Decision(True, "literal", gold.shown)
    text = strip(answer)
    if text == gold.text:
        return Decision(True, "literal", gold.shown)
    node = gold.reading.node
    if node is not None and node.kind == "num" and (of_numbers := _of_numbers(policy, text, node.value)):
        return of_numbers
    key = notation_key(text)
    if key and key in (gold.key, gold.raw):
        return Decision(True, "literal", gold.shown)
    text = mended_answer(text)
    if gold.choice is not None:
        return _against_choice(policy, text, gold, gold.choice)
    if _picks(text, gold):
        return Decision(True, "text", text[:400])
    first = _plainly(policy, text, gold)
    if first.equal or node is None:
        return first
    for other in _readings(text):
        again = _plainly(policy, other, gold)
        if again.equal:
            return again
    clause = _with_clauses(policy, text, gold)
    return clause if clause is not None and clause.equal else first


def _plainly(policy: Leniency, text: str, gold: Reference) -> Decision:
    """Decide by what a text is, without taking words off it."""
    reading, node = read(text), gold.reading.node
    if reading.node is None and (node is None or node.kind != "text"):
        return Decision(False, _tier(gold, "unreadable"), reading.problem, reading.too_big, _open(gold))
    shown = text[:400] if reading.node is None else show(reading.node)
    if node is None:
        return Decision(False, _tier(gold, "literal"), shown, gold.reading.too_big, _open(gold))
    if node.kind == "text":
        return Decision(_same_text(policy, text, reading, gold), "text", shown)
    assert reading.node is not None
    if policy.rounding == "as_printed" and enough_digits(text, gold.text):
        policy = replace(policy, tolerance=max(policy.tolerance, rounding_error(gold.text)))
    try:
        match = _compared(policy, reading, gold.reading)
    except TooBig as e:
        if rearranged(reading.node) == rearranged(node):
            return Decision(True, "structure", shown)
        return Decision(False, "bounds", f"{shown}: {e}"[:400], True)
    except (Unreadable, RecursionError, OverflowError, ZeroDivisionError) as e:
        return Decision(False, "unreadable", str(e)[:400])
    return Decision(match.equal, match.tier, shown)


def _open(gold: Reference) -> bool:
    return bool(gold.unread) and not gold.prose and not gold.reading.too_big


def _tier(gold: Reference, otherwise: str) -> str:
    return "text" if gold.prose else otherwise


def _compared(policy: Leniency, reading: ReadAnswer, gold: ReadAnswer) -> Match:
    assert reading.node is not None
    assert gold.node is not None
    match = Comparer(policy).same(reading.node, gold.node)
    if not match.equal and (reading.items is not None or gold.items is not None):
        match = _as_lists(policy, reading, gold) or match
    if not match.equal and gold.literal.endswith("+C") and (named := _named_c(reading.node)):
        match = Comparer(policy).same(named, gold.node)
    return match


def _as_lists(policy: Leniency, reading: ReadAnswer, gold: ReadAnswer) -> Match | None:
    """Try ``1,234`` as a list where the other side is one; a tuple has its parentheses."""
    pairs = []
    if reading.items is not None and gold.node is not None and gold.node.kind in ("seq", "set"):
        pairs.append((reading.items, gold.node))
    if gold.items is not None and reading.node is not None and reading.node.kind in ("seq", "set"):
        pairs.append((reading.node, gold.items))
    for a, g in pairs:
        match = Comparer(policy).same(a, g)
        if match.equal:
            return match
    return None


def _named_c(node: Node) -> Node | None:
    """Call the constant of an antiderivative in one variable C where it is ``c``, ``K`` or ``k``."""
    if node.kind != "add" or node.args[-1].kind != "var" or node.args[-1].value not in ("c", "K", "k"):
        return None
    rest = node.args[:-1]
    others = set().union(*map(variables, rest))
    if len(others) != 1 or others & {"C", node.args[-1].value}:
        return None
    return Node("add", None, (*rest, Node("var", "C")))


# Words


def _same_text(policy: Leniency, text: str, reading: ReadAnswer, gold: Reference) -> bool:
    theirs = gold.reading
    assert theirs.node is not None
    if reading.words and reading.words == theirs.words:
        return True
    if reading.node is not None and reading.node.kind == "text":
        if reading.node.value == theirs.node.value:
            return True
        mine, others = listed_words(text), listed_words(gold.text)
        if mine and others:
            return mine == others if policy.lists == "ordered" else sorted(mine) == sorted(others)
    if reading.words and (predicate := said(gold.text)) and words_of(predicate) == reading.words:
        return True
    if (ordinal := _ORDINAL.fullmatch(theirs.words)) and reading.node == Node(
        "num", Fraction(int(ordinal[1]))
    ):
        return True
    verdicts = [said_yes_or_no(text), said_yes_or_no(gold.text)]
    alone = [reading.node.value if reading.node else "", theirs.node.value]
    return any(verdicts[i] and verdicts[i] == alone[1 - i] for i in (0, 1))


_ORDINAL = re.compile(r"(\d{1,9})(?:st|nd|rd|th)(?: [a-z]+)?")


# Words around a value


def _readings(text: str) -> list[str]:
    """Return how else an answer can be read: without words that only stand around its value."""
    out = [undressed(text)]
    if value := said(text):
        out.append(value)
    choice = lettered(text) or with_comma(text)
    if choice is not None and choice.rest:
        out.append(choice.rest)
    return [other for other in dict.fromkeys(out) if other and other != text]


def _with_clauses(policy: Leniency, text: str, gold: Reference) -> Decision | None:
    """Compare values that a clause stands behind, on either side or both."""
    mine, theirs = bound(text), bound(gold.text)
    if mine is None and theirs is None:
        return None
    if mine is not None and theirs is not None:
        if mine.among and theirs.among and mine.among != theirs.among:
            return None
        if mine.bounds != theirs.bounds:
            return None
    elif (one := mine or theirs) is not None and one.bounds:
        node = read(one.value).node
        if node is None or one.names & {str(v) for v in variables(node)}:
            return None  # a value that holds in part
    one = mine or theirs
    if one is not None and (mine is None or theirs is None):
        if _is_range(read(one.value).node):
            return None  # a clause makes it smaller
        if one.among and _MEMBER.search(text if mine is None else gold.text):
            return None  # the other names a set too
    other = reference_of(theirs.value) if theirs is not None else gold
    return _plainly(policy, mine.value if mine is not None else text, other)


_MEMBER = re.compile(r"\\in(?![A-Za-z])|∈")


def _is_range(node: Node | None) -> bool:
    return node is None or is_set_like(node) or (node.kind == "rel" and set(node.value) != {"="})


# Multiple choice


def _picks(text: str, gold: Reference) -> bool:
    """Tell whether a text picks the letter, or the letters, that the reference is."""
    node = gold.reading.node
    if node is None:
        return False
    if node.kind == "var" and len(node.value) == 1 and node.value in "ABCDEFGHIJ":
        chosen = lettered(text) or with_comma(text)
        if chosen is not None:
            return chosen.letter == str(node.value)
        letter = lone_letter(text)
        return str(node.value) in (letter, letter.upper() if letter in set("abcde") else letter)
    mine = several_letters(text)
    theirs = several_letters(gold.text) if mine is not None else None
    if mine is None or theirs is None or mine[0] != theirs[0]:
        return False
    return mine[1] is not theirs[1]  # two lists or two names are compared as such


def _against_choice(policy: Leniency, text: str, gold: Reference, choice: Lettered) -> Decision:
    """Decide where the reference is a letter with what it stands for: ``(C) 12``."""
    chosen = lettered(text) or with_comma(text)
    inner = reference_of(choice.rest)
    if chosen is None:
        if lone_letter(text).upper() == choice.letter and choice.alone:
            return Decision(True, "text", text[:400])
        if inner.problem:
            return Decision(False, "text", text[:400])
        whole = _plainly(policy, text, gold) if gold.reading.node is not None else None
        return whole if whole is not None and whole.equal else _decide(policy, text, inner)
    if chosen.letter != choice.letter:
        return Decision(False, "text", text[:400], final=True)
    if not chosen.rest or inner.problem or inner.unread:
        return Decision(choice.alone, "text", text[:400])
    value = read(chosen.rest).node
    if (value is None or value.kind == "text") and (
        inner.reading.node is None or inner.reading.node.kind != "text"
    ):
        return Decision(True, "text", text[:400])
    return _decide(policy, chosen.rest, inner)._replace(final=True)
