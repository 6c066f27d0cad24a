"""``Math``: is the final answer of a completion the reference answer?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from referee.verifiers.combine import Composable
from referee.verifiers.mathematics.approximation import UNDECIDED
from referee.verifiers.mathematics.decision import Decision, are_whole, decided
from referee.verifiers.mathematics.extract import extract, value_within
from referee.verifiers.mathematics.leniency import Leniency
from referee.verifiers.mathematics.reader import read
from referee.verifiers.mathematics.reference_answer import Reference, is_its_own_text, reference_of_value
from referee.verifiers.mathematics.units import has_known_unit, is_without_unit, known_unit
from referee.verifiers.protocol import Item
from referee.verifiers.reading.final_answer import Extracted
from referee.verifiers.records import (
    Completion,
    Json,
    Problem,
    Reason,
    Verdict,
    answer_of,
    unchecked_verdict,
)
from referee.verifiers.references import ListMeans, any_of, check_list_means


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
        rounding: ``exact``: a decimal is its value; ``as_printed``: a reference with a decimal point or
            exponent and two significant digits or more accepts what rounds to it (ties either way), from
            answers that are exact or have at least as many digits.
        list_means: what a list of references is: ``any`` of them, or ``all`` of them, each of which the
            answer must give and nothing else, in any order (in this one where ``lists`` is ``ordered``).

    Accepts:
        - equal numbers in any notation: ``\frac{6}{4}``, ``1.5``, ``1\tfrac12``, ``150\%``, ``3:2``
        - ``x = 5`` for ``5``; ``1, 2`` for ``2, 1``; ``x > 1`` for ``(1, \infty)``
        - equal expressions: ``(a+b)^2`` for ``a^2+2ab+b^2``; ``\sin 30^\circ`` for ``\frac12``
        - ``5`` for ``5\text{ cm}``; ``\text{an ellipse}`` for ``ellipse``
        - ``4`` for the list 4, 5; ``5, 4`` for it with ``list_means="all"``
        - ``C``, ``12`` and ``(C) 12`` for ``\textbf{(C)}\ 12``; ``A and C`` for ``AC``
        - what is written as the reference is, layout aside, whether or not that can be read

    Rejects:
        - near misses: ``0.333`` for ``\frac13``, ``2^{-99}`` for ``2^{-98}``, ``3.14`` for ``\pi``
        - hedges: ``5 or 6``, two boxes with different values, a value that is then taken back
        - ``5\text{ million}`` for ``5``; ``(2,1)`` for ``(1,2)``; ``[0,1]`` for ``(0,1)``
        - an answer that stands only in the thinking
        - ``6`` and ``4, 5`` for the list 4, 5; ``4`` for it with ``list_means="all"``
        - ``(C) 13`` and ``(B) 12`` for ``(C) 12``; other words than a reference that is a sentence

    Abstains:
        - where the reference is blank, a placeholder (``?``, ``N/A``, ``see figure``) or no text or number
        - where it is neither words nor mathematics that can be read, and the answer is written otherwise
    """

    list_means: ListMeans = "any"
    portable = True
    rules_version = 4  # units behind a box, what is said in the place of another answer

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
        found: Extracted = extract(text, self.profile, self.boxes)
        mine = found.answer
        if mine is not None and isinstance(answer, str):
            if mine == answer and is_its_own_text(answer):
                shown = answer[:400]
                detail = _detail(found.strategy, "literal", shown, shown)
                return unchecked_verdict(1.0, Reason.CORRECT, mine, detail)
            if found.value is None and are_whole(mine, answer):
                value, wanted = int(mine), int(answer)
                if value == wanted or (self.tolerance == 0 and self.rounding == "exact"):
                    detail = _detail(found.strategy, "exact rationals", str(value), str(wanted))
                    if value == wanted:
                        return unchecked_verdict(1.0, Reason.CORRECT, mine, detail)
                    return unchecked_verdict(0.0, Reason.INCORRECT, mine, detail)
        reference = reference_of_value(answer)
        if reference.problem:
            return _abstention(reference, reference.problem)
        if found.answer is None:
            if reference.unread and not reference.prose and not reference.reading.too_big:
                return _abstention(reference, f"the reference cannot be read: {reference.unread}")
            return Verdict(
                score=0.0, reason=Reason.NO_ANSWER, detail={"strategy": found.strategy, "why": found.why}
            )
        source = answer if isinstance(answer, str) else None
        decision = decided(self, found.answer, reference, source)
        if found.behind and is_without_unit(read(found.answer).node):
            decision = self._with_unit(found, decision, reference, source)
        if not decision.equal and not decision.final:
            within = value_within(found, self.profile)
            inner = decision if within is None else decided(self, within, reference, source)
            decision = inner if inner.equal else decision
        if decision.open:
            return _abstention(reference, f"the reference cannot be read: {reference.unread}")
        detail = _detail(found.strategy, decision.tier, decision.read_as, reference.shown)
        if decision.equal:
            return unchecked_verdict(1.0, Reason.CORRECT, found.answer, detail)
        reason = Reason.RESOURCE_LIMIT if decision.too_big else Reason.INCORRECT
        score: float | None = 0.0
        if decision.tier == UNDECIDED:
            reason, score = Reason.UNDECIDED, None if self.undecided == "abstain" else 0.0
        return unchecked_verdict(score, reason, found.answer[:4000], detail)

    def _with_unit(
        self, found: Extracted, bare: Decision, reference: Reference, source: str | None
    ) -> Decision:
        """Decide by what a box holds with the unit that stands behind it, where the reference has one too."""
        percent = found.behind == "%"
        if not percent and not known_unit(found.behind):
            return bare
        text = f"{found.answer}\\%" if percent else f"{found.answer} {found.behind}"
        whole = decided(self, text, reference, source)
        return whole if whole.equal or (not percent and has_known_unit(reference.reading.node)) else bare


def _detail(strategy: str, tier: str, read_as: str, reference: str) -> dict[str, Json]:
    return {"decided_by": tier, "strategy": strategy, "read_as": read_as, "reference": reference}


def _abstention(reference: Reference, problem: str) -> Verdict:
    return Verdict(
        score=None,
        reason=Reason.BAD_REFERENCE,
        detail={"problem": problem, "reference": reference.text[:400]},
    )
