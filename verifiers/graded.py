"""Graded parts: scores between 0 and 1 for how near an answer comes, or how cheaply it gets there.

Where a part counts *elements*, these are the pieces of the extracted answer between commas,
semicolons, line breaks and ``->``; a piece's *operation* is its first word (``add 3`` and ``add(3)``
are both ``add``).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from rapidfuzz.distance import Levenshtein

from referee.verifiers.combine import Composable
from referee.verifiers.numeric import reference_number
from referee.verifiers.protocol import UNIT
from referee.verifiers.reading.plain_words import split_words, without_articles, without_punctuation
from referee.verifiers.reading.strategies import CUES, Extract, check_extract, extract, readings
from referee.verifiers.reading.written_numbers import NumberTooLong, read_number
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of
from referee.verifiers.references import accepted, bad_reference, judged

_BETWEEN = re.compile(r"[,;\n]|->|→")
_WORD = re.compile(r"[^\s(]+")
_MAX_CHARACTERS = 100_000


def elements(text: str) -> list[str]:
    """Return the pieces of a list that a model wrote, without brackets and blanks.

    >>> elements("[add 3, double -> sub 1]")
    ['add 3', 'double', 'sub 1']
    """
    pieces = (
        p.strip(" \t[](){}.") if p.count("(") != p.count(")") else p.strip(" \t[]{}.")
        for p in _BETWEEN.split(text)
    )
    return [p for p in pieces if any(map(str.isalnum, p))]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedOperations(Composable):
    """Pay the share of operations that are of the allowed ones: ``allowed``, else ``info[key]``.

    With ``every`` the score is 1 only where all are, and else 0.

    Accepts:
        - ``add 3, double`` for add, double
    Rejects:
        - ``add 3, halve`` gets 1/2; an answer without operations gets 0
    Abstains:
        - where no operations are allowed by the option or the problem
    """

    allowed: tuple[str, ...] = ()
    key: str = "operations"
    every: bool = False
    extract: Extract = ("tag:answer", "whole")
    name = "allowed_operations"
    range = UNIT

    def __post_init__(self) -> None:
        object.__setattr__(self, "allowed", tuple(self.allowed))
        object.__setattr__(self, "extract", check_extract(self.extract))

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the share; the operations that are not allowed stand in ``detail``."""
        given: Json = list(self.allowed) or problem.info.get(self.key)
        if not isinstance(given, list) or not given or not all(isinstance(g, str) for g in given):
            return bad_reference(f"info[{self.key!r}] must be a list of operations, got {given!r:.80}")
        used = _operations(extract(answer_of(completion, problem), self.extract))
        if not used:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        wrong = [u for u in used if u not in given]
        share = 1.0 - len(wrong) / len(used)
        score = share if not self.every else float(not wrong)
        shown: Json = sorted(set(wrong))[:20]  # type: ignore[assignment]
        return _graded(score, None, {"not_allowed": shown} if wrong else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementCount(Composable):
    """Pay 1 - |n - m| / max(n, m) for n elements where m are wanted: 1 where the counts match.

    m is ``count``, else ``problem.answer`` (a number, or a list whose length counts).

    Accepts:
        - ``a, b, c`` for 3
    Rejects:
        - ``a, b`` for 3 gets 2/3; no element gets 0
    Abstains:
        - where no positive count is given
    """

    count: int | None = None
    extract: Extract = ("tag:answer", "whole")
    name = "element_count"
    range = UNIT

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count!r}")
        object.__setattr__(self, "extract", check_extract(self.extract))

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the score, with the count in ``detail``."""
        answer = problem.answer
        wanted = self.count or (len(answer) if isinstance(answer, list) else answer)
        if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
            return bad_reference(f"answer must be a count of at least 1 or a list, got {answer!r:.80}")
        found = extract(answer_of(completion, problem), self.extract)
        count = len(elements(found)) if found else 0
        if not count:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        return _graded(1.0 - abs(count - wanted) / max(count, wanted), None, {"count": count})


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency(Composable):
    """Pay max(0, 1 - n / max) for n elements: the fewer, the more. No element at all pays 0.

    ``max`` is ``most``, else ``problem.info[key]``. It says nothing of whether the answer is right:
    gate it with something that does.

    Accepts:
        - ``add 3`` with max 4 gets 0.75
    Rejects:
        - ``a, b, c, d`` with max 4 gets 0; the empty completion gets 0
    Abstains:
        - where no positive max is given
    """

    most: int | None = None
    key: str = "max_operations"
    extract: Extract = ("tag:answer", "whole")
    name = "efficiency"
    range = UNIT

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise ValueError(f"most must be at least 1, got {self.most!r}")
        object.__setattr__(self, "extract", check_extract(self.extract))

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the score, with the count in ``detail``."""
        most = self.most if self.most is not None else problem.info.get(self.key)
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            return bad_reference(f"info[{self.key!r}] must be a count of at least 1, got {most!r:.80}")
        found = extract(answer_of(completion, problem), self.extract)
        count = len(elements(found)) if found else 0
        if not count:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        return _graded(max(0.0, 1.0 - count / most), None, {"count": count})


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeness(Composable):
    """Pay exp(-a d) for the distance d between the extracted number and ``problem.answer``.

    With ``relative`` d is divided by |answer| (which must then not be 0).

    Accepts:
        - ``10`` for 10 gets 1; ``11`` gets exp(-a); the nearest of a list counts
    Rejects:
        - no number gets 0
    Abstains:
        - where the reference is no number
    """

    a: float = 1.0
    relative: bool = False
    extract: Extract = (*CUES, "last_number")
    name = "closeness"
    range = UNIT
    rules_version = 2

    def __post_init__(self) -> None:
        if not (math.isfinite(self.a) and self.a > 0):
            raise ValueError(f"a must be a finite number above 0, got {self.a!r}")
        object.__setattr__(self, "extract", check_extract(self.extract))

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the score, with the distance in ``detail``."""
        found = extract(answer_of(completion, problem), self.extract)
        return judged(problem.answer, lambda reference: self._against(found, reference))

    def _against(self, found: str | None, reference: Json) -> Verdict:
        expected = reference_number(reference)
        if expected is None or (self.relative and not expected.value):
            return bad_reference(f"answer must be a number, got {reference!r:.80}")
        try:
            number = next((n for r in readings(found or "") if (n := read_number(r)) is not None), None)
        except NumberTooLong:
            return Verdict(score=0.0, reason=Reason.RESOURCE_LIMIT)
        if number is None:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER, answer=found and found[:200])
        distance = abs(number.value - expected.value)
        if self.relative:
            distance /= abs(expected.value)
        d = float(min(distance, Fraction(10**300)))
        return _graded(math.exp(-self.a * d), found, {"distance": d})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenF1(Composable):
    """Pay the best F1 of the words shared with any accepted answer, as for SQuAD.

    Words are lower case, without punctuation and articles. With c words in common (counted with
    multiplicity), precision p = c / words written and recall r = c / words wanted, F1 = 2pr / (p + r).
    Unlike SQuAD's script, a number keeps its sign and its point, Unicode's punctuation is punctuation,
    and where a script has no spaces (Chinese, Japanese, Thai, ...) each of its characters is a word.

    Accepts:
        - ``The Eiffel Tower`` for ``eiffel tower`` gets 1; ``Paris。`` for ``Paris`` gets 1
    Rejects:
        - ``Eiffel`` for ``eiffel tower`` gets 2/3; nothing in common, and ``1.5`` for 15, gets 0
    Abstains:
        - where the reference is missing, or nothing is left of it after normalisation
    """

    extract: Extract = "whole"
    name = "token_f1"
    range = UNIT
    rules_version = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "extract", check_extract(self.extract))

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the best F1; ``answer`` is the extracted text."""
        found = extract(answer_of(completion, problem), self.extract)
        return judged(problem.answer, lambda reference: self._against(found, reference))

    def _against(self, found: str | None, reference: Json) -> Verdict:
        wanted = [_words(a) for a in accepted(reference)]
        if not wanted or not all(wanted):
            return bad_reference(f"answer must be a text or a list of texts, got {reference!r:.80}")
        said = [words for r in readings(found or "") if (words := _words(r))]
        if found is None or not said:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        return _graded(max(_f1(words, w) for words in said for w in wanted), found[:2000], {})


@dataclass(frozen=True, slots=True, kw_only=True)
class EditSimilarity(Composable):
    """Pay the best 1 - edits / length of the longer text, over the accepted answers.

    Edits are insertions, deletions and substitutions of characters (Levenshtein 1966). At most
    100,000 characters of the answer are compared; a longer one gets 0 with reason ``resource_limit``.

    Accepts:
        - ``kitten`` for ``kitten`` gets 1
    Rejects:
        - ``sitting`` for ``kitten`` gets 1 - 3/7; the empty completion gets 0
    Abstains:
        - where the reference is missing
    """

    extract: Extract = "whole"
    name = "edit_similarity"
    range = UNIT

    def __post_init__(self) -> None:
        object.__setattr__(self, "extract", check_extract(self.extract))

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the best similarity; ``answer`` is the extracted text."""
        found = extract(answer_of(completion, problem), self.extract)
        return judged(problem.answer, lambda reference: self._against(found, reference))

    def _against(self, found: str | None, reference: Json) -> Verdict:
        wanted = accepted(reference)
        if not wanted:
            return bad_reference(f"answer must be a text or a list of texts, got {reference!r:.80}")
        if found is None:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        if len(found) > _MAX_CHARACTERS:
            return Verdict(score=0.0, reason=Reason.RESOURCE_LIMIT, answer=found[:200])
        best = max(
            Levenshtein.normalized_similarity(r, w.strip()[:_MAX_CHARACTERS])
            for r in readings(found)
            for w in wanted
        )
        return _graded(best, found[:2000], {})


def _operations(found: str | None) -> list[str]:
    words = (_WORD.match(e) for e in elements(found or ""))
    return [w.group() for w in words if w is not None]


def _words(text: str) -> list[str]:
    return split_words(without_articles(without_punctuation(text.lower())))


def _f1(written: list[str], wanted: list[str]) -> float:
    shared = sum((Counter(written) & Counter(wanted)).values())
    return 2.0 * shared / (len(written) + len(wanted))


def _graded(score: float, answer: Json, detail: dict[str, Json]) -> Verdict:
    return Verdict(score=score, answer=answer, detail=detail)
