"""Equality of texts after a stated normalisation."""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT
from referee.verifiers.reading.strategies import Extract, check_extract, extract, readings
from referee.verifiers.records import Completion, Problem, Reason, Verdict, answer_of
from referee.verifiers.references import accepted, bad_reference

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact(Composable):
    r"""Pay 1 where the extracted text equals an accepted answer, ``problem.answer`` or one of its list.

    Both sides are normalised alike. Always: Unicode NFC, white space stripped at both ends and every
    run of it read as one space (``whitespace=False`` keeps it). On request: ``ignore_case``
    (casefold), ``ignore_punctuation`` (drops ASCII punctuation), ``ignore_articles`` (drops a, an,
    the), ``ignore_final_stop`` (drops one full stop at the end).

    Accepts:
        - ``Paris`` for ``Paris``; ``  New   York `` for ``New York``
        - any member of a list of answers
        - ``Answer: Paris`` and ``\boxed{Paris}`` for ``Paris``: a cue around all of it
        - ``the PARIS.`` for ``Paris`` with case, punctuation and articles ignored
    Rejects:
        - ``paris`` for ``Paris``; ``Paris, France`` for ``Paris``
        - an answer that stands only inside the thinking
        - the empty completion, always
    Abstains:
        - where the reference is missing, blank, or nothing is left of it after normalisation
    """

    extract: Extract = "whole"
    whitespace: bool = True
    ignore_case: bool = False
    ignore_punctuation: bool = False
    ignore_articles: bool = False
    ignore_final_stop: bool = False
    name = "exact"
    range = UNIT

    def __post_init__(self) -> None:
        object.__setattr__(self, "extract", check_extract(self.extract))

    def normalise(self, text: str) -> str:
        """Return a text as it is compared."""
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        if self.ignore_case:
            text = text.casefold()
        if self.ignore_punctuation:
            text = text.translate(_PUNCTUATION)
        if self.ignore_articles:
            text = _ARTICLES.sub(" ", text)
        if self.ignore_final_stop:
            text = text.rstrip().removesuffix(".")
        return " ".join(text.split()) if self.whitespace else text

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0; ``answer`` is the extracted text."""
        wanted = [self.normalise(a) for a in accepted(problem)]
        if not wanted or not all(w.strip() for w in wanted):
            return bad_reference(f"answer must be a text or a list of texts, got {problem.answer!r:.80}")
        if self.extract == "whole" and not self.whitespace:
            found: str | None = answer_of(completion, problem)
        else:
            found = extract(answer_of(completion, problem), self.extract)
        if not found:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        if any(self.normalise(r) in wanted for r in readings(found)):
            return Verdict(score=1.0, reason=Reason.CORRECT, answer=found)
        return Verdict(score=0.0, reason=Reason.INCORRECT, answer=found)
