"""``Math``: is the final answer of a completion the reference answer?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from referee.verifiers.combine import Composable
from referee.verifiers.mathematics.approximation import UNDECIDED
from referee.verifiers.mathematics.compare import Comparer, Match
from referee.verifiers.mathematics.extract import extract
from referee.verifiers.mathematics.leniency import Leniency
from referee.verifiers.mathematics.reader import ReadAnswer, exact_number, read
from referee.verifiers.mathematics.real_sets import variables
from referee.verifiers.mathematics.tree import Node, TooBig, Unreadable, rearranged, show
from referee.verifiers.protocol import Item
from referee.verifiers.reading.dress import is_placeholder, literal, strip
from referee.verifiers.reading.final_answer import Extracted
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of
from referee.verifiers.references import ListMeans, any_of, check_list_means

NESTED = "a list stands in the list of references"
_CACHED = 600  # characters; longer answers are decided anew


class Decision(NamedTuple):
    """A verdict before it is written down."""

    equal: bool
    tier: str
    read_as: str
    too_big: bool = False


class Reference(NamedTuple):
    """A reference answer, read; ``problem`` says why it is unreadable."""

    text: str
    reading: ReadAnswer | None
    problem: str = ""
    shown: str = ""
    whole: int | None = None  # its value where it is a plain whole number


@dataclass(frozen=True, kw_only=True)
class Math(Leniency, Composable):
    r"""Whether a completion's final answer equals the reference ``problem.answer``, a text or number.

    The answer is found by :func:`referee.verifiers.mathematics.extract.extract`
    (see :mod:`referee.verifiers.reading.final_answer`), read by a parser of
    our own into a tree under static bounds, and compared in tiers: literally, as exact rationals,
    by structure, by normal form, by value. Nothing is ever evaluated as code. All work is bounded in
    process, so that it runs alike in any thread or process and needs no timer.

    Options (all part of the repr):
        profile: ``lenient`` also takes "the answer is 5" and the last formula or number; ``strict``
            only a box, an answer tag, ``####`` or an answer line.
        percent: ``any`` 50% = 1/2 = 50; ``fraction`` 50% = 1/2; ``number`` 50% = 50.
        lists: whether bare comma lists are ``unordered`` or ``ordered``; tuples always are ordered.
        units: ``optional`` they may be left out, and count where both sides name one;
            ``required`` they must agree.
        boxes: ``all`` boxes side by side are one answer together; ``last`` only the last counts.
        tolerance: relative error that numbers may have; 0 is exact.
        undecided: an answer that could neither be shown equal nor refuted is a ``decision`` (0, reason
            ``undecided``), or the verifier may ``abstain`` (None, the same reason).
        list_means: what a list of references is: ``any`` of them, or ``all`` of them, each of which the
            answer must give and nothing else, in any order (in this one where ``lists`` is ``ordered``).

    Accepts:
        - equal numbers in any notation: ``\frac{6}{4}``, ``1.5``, ``1\tfrac12``, ``150\%``, ``3:2``
        - ``x = 5`` for ``5``; ``1, 2`` for ``2, 1``; ``x > 1`` for ``(1, \infty)``
        - equal expressions: ``(a+b)^2`` for ``a^2+2ab+b^2``; ``\sin 30^\circ`` for ``\frac12``
        - ``5`` for ``5\text{ cm}``; ``\text{an ellipse}`` for ``ellipse``
        - ``4`` for the list 4, 5; ``5, 4`` for it with ``list_means="all"``

    Rejects:
        - near misses: ``0.333`` for ``\frac13``, ``2^{-99}`` for ``2^{-98}``, ``3.14`` for ``\pi``
        - hedges: ``5 or 6``, two boxes with different values, a value that is then taken back
        - ``5\text{ million}`` for ``5``; ``(2,1)`` for ``(1,2)``; ``[0,1]`` for ``(0,1)``
        - an answer that stands only in the thinking
        - ``6`` and ``4, 5`` for the list 4, 5; ``4`` for it with ``list_means="all"``
    """

    list_means: ListMeans = "any"
    portable = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_list_means("math", self.list_means)

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the verdict: 1 correct, 0 not, None where the reference is unreadable."""
        return self._judge(answer_of(completion, problem), problem.answer)

    def verify_batch(self, items: Sequence[Item]) -> list[Verdict]:
        """Judge many completions; each distinct pair of answer and reference is decided once."""
        return [self._judge(answer_of(i.completion, i.problem), i.problem.answer) for i in items]

    def _judge(self, text: str, answer: Json) -> Verdict:
        if isinstance(answer, list) and self.list_means == "any":
            return any_of(answer, lambda one: self._judge(text, one))
        reference = reference_of(answer) if isinstance(answer, str) else _reference_of_value(answer)
        if reference.problem:
            return Verdict(
                score=None,
                reason=Reason.BAD_REFERENCE,
                detail={"problem": reference.problem, "reference": reference.text[:400]},
            )
        found: Extracted = extract(text, self.profile, self.boxes)
        if found.answer is None:
            return Verdict(
                score=0.0, reason=Reason.NO_ANSWER, detail={"strategy": found.strategy, "why": found.why}
            )
        answer_text = found.answer
        if (
            reference.whole is not None
            and answer_text.isdecimal()
            and len(answer_text) <= 18
            and answer_text.isascii()
        ):
            return _whole(answer_text, found.strategy, reference)
        decision = self._decided(answer_text, reference)
        if not decision.equal and found.value is not None:
            inner = self._decided(found.value, reference)
            decision = inner if inner.equal else decision
        detail: dict[str, Json] = {
            "decided_by": decision.tier,
            "strategy": found.strategy,
            "read_as": decision.read_as,
            "reference": reference.shown,
        }
        if decision.equal:
            return Verdict(score=1.0, reason=Reason.CORRECT, answer=found.answer, detail=detail)
        reason = Reason.RESOURCE_LIMIT if decision.too_big else Reason.INCORRECT
        score: float | None = 0.0
        if decision.tier == UNDECIDED:
            reason, score = Reason.UNDECIDED, None if self.undecided == "abstain" else 0.0
        return Verdict(score=score, reason=reason, answer=found.answer[:4000], detail=detail)

    def _decided(self, answer: str, reference: Reference) -> Decision:
        if len(answer) + len(reference.text) <= _CACHED:
            return _decide_once(self, answer, reference.text)
        return _decide(self, answer, reference)


def reference_of(answer: str) -> Reference:
    """Read a reference answer; the result is cached."""
    return _reference(answer) if len(answer) <= 2000 else _reference.__wrapped__(answer)


def _whole(answer: str, strategy: str, reference: Reference) -> Verdict:
    """Compare two plain whole numbers, which most answers of word problems are."""
    value = int(answer)
    equal = value == reference.whole
    return Verdict(
        score=1.0 if equal else 0.0,
        reason=Reason.CORRECT if equal else Reason.INCORRECT,
        answer=answer,
        detail={
            "decided_by": "literal" if answer == reference.text else "exact rationals",
            "strategy": strategy,
            "read_as": str(value),
            "reference": reference.shown,
        },
    )


@lru_cache(maxsize=4096)
def _reference(answer: str) -> Reference:
    if answer.isdecimal() and len(answer) <= 18 and answer.isascii():
        value = int(answer)
        node = Node("num", Fraction(value))
        return Reference(answer, ReadAnswer(node, answer, ""), "", str(value), value)
    text = strip(answer)
    if not text:
        return Reference(answer, None, "the reference is empty")
    found = extract(text, "strict") if "\\boxed" in text or "####" in text else None
    if found is not None and found.answer is not None:
        text = strip(found.answer)
    if is_placeholder(text):
        return Reference(answer, None, f"the reference {text[:60]!r} is a placeholder")
    reading = read(text)
    if reading.node is None:
        if reading.too_big:
            return Reference(text, reading, "", "a text that is compared literally: " + reading.problem)
        return Reference(text, None, f"the reference cannot be read: {reading.problem}")
    return Reference(text, reading, "", show(reading.node))


def _reference_of_value(answer: Json) -> Reference:
    if isinstance(answer, list):
        return _all_of(answer)
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return Reference(
            str(answer)[:400], None, f"the reference must be a text or a number, got {type(answer).__name__}"
        )
    if isinstance(answer, int) and answer.bit_length() > 8000:
        return Reference("", None, f"the reference is a number of {answer.bit_length()} bits")
    return reference_of(str(answer))


def _all_of(references: list[Json]) -> Reference:
    """Read several references as one list of values."""
    texts = []
    for one in references:
        reference = reference_of(one) if isinstance(one, str) else _reference_of_value(one)
        node = reference.reading.node if reference.reading else None
        if reference.problem or isinstance(one, list):
            return Reference(reference.text, None, reference.problem or NESTED)
        if node is None or node.kind == "text":
            return Reference(
                reference.text, None, f"{reference.text[:60]!r} is no value: exact compares texts"
            )
        number = node.kind == "num"  # 1,234 among others would be two of them
        texts.append(str(node.value) if number else reference.text)
    return reference_of(", ".join(texts))


def _decide(policy: Leniency, answer: str, reference: Reference) -> Decision:
    gold = reference.reading
    assert gold is not None
    text = answer if answer == reference.text else strip(answer)
    if text == reference.text or (literal(text) == gold.literal and gold.literal):
        return Decision(True, "literal", reference.shown)
    value = exact_number(text)
    if value is not None and gold.node is not None and gold.node.kind == "num":
        if value == gold.node.value:
            return Decision(True, "exact rationals", str(value))
        if policy.tolerance == 0:
            return Decision(False, "exact rationals", str(value))
    if _choice(text, gold):
        return Decision(True, "text", text[:400])
    reading = read(text)
    if reading.node is None:
        return Decision(False, "unreadable", reading.problem, reading.too_big)
    if gold.node is None:
        return Decision(False, "literal", show(reading.node), True)
    shown = show(reading.node)
    if gold.node.kind == "text":
        match = _text(policy, reading, gold)
        return Decision(match.equal, match.tier, shown)
    try:
        match = Comparer(policy).same(reading.node, gold.node)
        if not match.equal and (reading.items is not None or gold.items is not None):
            match = _as_lists(policy, reading, gold) or match
        if not match.equal and gold.literal.endswith("+C") and (named := _named_c(reading.node)):
            match = Comparer(policy).same(named, gold.node)
    except TooBig as e:
        if rearranged(reading.node) == rearranged(gold.node):
            return Decision(True, "structure", shown)
        return Decision(False, "bounds", f"{shown}: {e}"[:400], True)
    except (Unreadable, RecursionError, OverflowError, ZeroDivisionError) as e:
        return Decision(False, "unreadable", str(e)[:400])
    return Decision(match.equal, match.tier, shown)


@lru_cache(maxsize=8192)
def _decide_once(policy: Leniency, answer: str, reference: str) -> Decision:
    return _decide(policy, answer, reference_of(reference))


def _named_c(node: Node) -> Node | None:
    """Call the constant of an antiderivative in one variable C where it is ``c``, ``K`` or ``k``."""
    if node.kind != "add" or node.args[-1].kind != "var" or node.args[-1].value not in ("c", "K", "k"):
        return None
    rest = node.args[:-1]
    others = set().union(*map(variables, rest))
    if len(others) != 1 or others & {"C", node.args[-1].value}:
        return None
    return Node("add", None, (*rest, Node("var", "C")))


def _text(policy: Leniency, reading: ReadAnswer, gold: ReadAnswer) -> Match:
    assert gold.node is not None
    assert reading.node is not None
    if reading.words and reading.words == gold.words:
        return Match(True, "text")
    if reading.node.kind != "text":
        return Match(False, "text")
    return Comparer(policy).same(reading.node, gold.node)


_COMMANDS = re.compile(r"\\[a-z]+\s*|[{}*$]")
_MORE_CHOICES = re.compile(r"\W*[A-J][.):\s]+(?:(?:and|or|nor|but|not|is not|isn't)\b|[,;/&|])", re.I)


def _choice(text: str, gold: ReadAnswer) -> bool:
    """Tell whether ``(C) 12``, ``C. east`` or ``(c)`` picks the letter that the reference is."""
    node = gold.node
    if node is None or node.kind != "var" or len(node.value) != 1 or node.value not in "ABCDEFGHIJ":
        return False
    bare = (
        strip(literal(text.replace("\\ ", " ").replace("~", " ")))
        .replace("{", "")
        .replace("}", "")
        .lstrip("*")
    )
    if len(bare) > 200 or any(f"({c})" in bare[3:] for c in "ABCDEFGHIJ"):
        return False
    if bare[:3].upper() == f"({node.value})":
        return not _MORE_CHOICES.match(_COMMANDS.sub(" ", text))
    if bare[:1] == node.value and (bare[1:] == ")" or (bare[1:2] in (".", ")", ":") and len(bare) > 2)):
        return not _MORE_CHOICES.match(_COMMANDS.sub(" ", text))
    return "(" in gold.literal and bare.upper() == node.value


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
