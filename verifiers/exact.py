"""Equality of texts after a stated normalisation."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT
from referee.verifiers.reading.plain_words import without_articles, without_punctuation
from referee.verifiers.reading.strategies import Extract, check_extract, extract, readings
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of
from referee.verifiers.references import ListMeans, accepted, bad_reference, check_list_means, judged

_BETWEEN = re.compile(r"[,;\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact(Composable):
    r"""Pay 1 where the extracted text equals an accepted answer, ``problem.answer`` or one of its list.

    Both sides are normalised alike. Always: Unicode NFC, white space stripped at both ends and every
    run of it read as one space (``whitespace=False`` keeps it). On request: ``ignore_case``
    (casefold), ``ignore_punctuation`` (drops ASCII and Unicode punctuation, but not what makes a number:
    signs, points and separators), ``ignore_articles`` (drops a, an, the, where anything else is there),
    ``ignore_final_stop`` (drops one full stop at the end).

    A list of references means any of them. With ``list_means="all"`` the extracted text must hold all of
    them and nothing else, in any order, between commas, semicolons or line breaks. A number is a
    reference too, a whole one written with or without ``.0``.

    Accepts:
        - ``Paris`` for ``Paris``; ``  New   York `` for ``New York``
        - any member of a list of answers; ``4`` for ``4.0``, a number
        - ``Rome, Paris`` for Paris and Rome, with ``list_means="all"``
        - ``Answer: Paris`` and ``\boxed{Paris}`` for ``Paris``: a cue around all of it
        - ``the PARIS.`` for ``Paris`` with case, punctuation and articles ignored
    Rejects:
        - ``paris`` for ``Paris``; ``Paris, France`` for ``Paris``
        - ``-5`` for ``5`` and ``1.5`` for ``15``, with punctuation ignored
        - an answer that stands only inside the thinking
        - ``Rome`` and ``Rome, Paris, Oslo`` for Paris and Rome, with ``list_means="all"``
        - the empty completion, always
    Abstains:
        - where the reference is missing, blank, or nothing is left of it after normalisation; where one
          of a list is so and no other matches
    """

    extract: Extract = "whole"
    whitespace: bool = True
    ignore_case: bool = False
    ignore_punctuation: bool = False
    ignore_articles: bool = False
    ignore_final_stop: bool = False
    list_means: ListMeans = "any"
    name = "exact"
    range = UNIT
    rules_version = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "extract", check_extract(self.extract))
        check_list_means("exact", self.list_means)

    def normalise(self, text: str) -> str:
        """Return a text as it is compared."""
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        if self.ignore_case:
            text = text.casefold()
        if self.ignore_punctuation:
            text = without_punctuation(text)
        if self.ignore_articles:
            text = without_articles(text)
        if self.ignore_final_stop:
            text = text.rstrip().removesuffix(".")
        return " ".join(text.split()) if self.whitespace else text

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0; ``answer`` is the extracted text."""
        if self.extract == "whole" and not self.whitespace:
            found: str | None = answer_of(completion, problem)
        else:
            found = extract(answer_of(completion, problem), self.extract)
        if self.list_means == "all" and isinstance(problem.answer, list):
            return self._against_all(found, problem.answer)
        return judged(problem.answer, lambda reference: self._against(found, reference))

    def _against(self, found: str | None, reference: Json) -> Verdict:
        wanted = [self.normalise(a) for a in accepted(reference)]
        if not wanted or not all(w.strip() for w in wanted):
            return bad_reference(f"answer must be a text or a list of texts, got {reference!r:.80}")
        if not found:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        if any(self.normalise(r) in wanted for r in readings(found)):
            return Verdict(score=1.0, reason=Reason.CORRECT, answer=found)
        return Verdict(score=0.0, reason=Reason.INCORRECT, answer=found)

    def _against_all(self, found: str | None, references: list[Json]) -> Verdict:
        """Pay 1 where the pieces are the references, each at least once and nothing else."""
        wanted = [{self.normalise(a) for a in accepted(reference)} for reference in references]
        if not wanted or not all(w and all(t.strip() for t in w) for w in wanted):
            return bad_reference(f"answer must be a list of texts, got {references!r:.80}")
        pieces = [self.normalise(p) for p in _BETWEEN.split(found or "") if p.strip()]
        if not pieces:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        right = all(any(p in w for p in pieces) for w in wanted) and all(
            any(p in w for w in wanted) for p in pieces
        )
        return Verdict(score=float(right), answer=found)
