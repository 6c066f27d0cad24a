"""Multiple choice: the letter that a completion commits to, or the text of a choice."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT
from referee.verifiers.reading.choices import Choices, chosen, plain_text, several, stated_choice
from referee.verifiers.reading.dress import narrow
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of
from referee.verifiers.references import ListMeans, bad_reference, check_list_means, judged

_LETTERS = string.ascii_uppercase
_MOST = 702  # A to Z, AA to ZZ
_LABEL = re.compile(r"\w{1,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Composable):
    r"""Pay 1 where the completion commits to the right choice, by its letter or by its text.

    The reference is a letter (``B``), a letter with its text (``B) London``), an index from 0 (an integer;
    the label itself where the row labels its choices with numbers), or the text of a choice. The choices are
    ``problem.info[choices]``: a list of texts (lettered A to Z, then AA, AB, ...), ``{"text": [...],
    "label": [...]}``, a list of ``{"text": ..., "label": ...}`` or ``{"A": text, ...}``; without them only
    letters up to ``letters`` are known. The completion's choice is what stands in its last ``<answer>`` tag,
    in its last box, after ``####``, after ``Answer:`` or "the answer is" (``答案：``, ``故选``), what it says
    "is the correct answer", or alone on its last line, whichever of these comes first in this list; else on
    its first line, before an explanation.
    A list of references means any of them. With ``list_means="all"`` the references are a set, which may also
    be one text (``AC``, ``A, C``), and the completion must name all of them and no other choice.

    Accepts:
        - ``B``, ``(B)``, ``B.``, ``**B**``, ``\boxed{\text{B}}``, ``Answer: B``, ``the answer is (B).``
        - ``B) Paris`` and ``Paris``, ``Answer: B (Paris)``, where B's text is Paris
        - ``So B is the correct answer.``; ``答案：Ｂ``
        - ``B`` for the list B, C; with ``list_means="all"`` ``B and C``, ``BC``
    Rejects:
        - ``A or B``, ``A, B``: no commitment
        - ``B) London``, where B's text is Paris and London is another choice
        - ``A friend told me``; ``the answer is not B``; ``if B is the correct answer``
        - ``the answer is B. Wait, no, it's C``: C is chosen
        - a letter that stands only inside the thinking
    Abstains:
        - where the reference names none of the choices, or one of a list does not and no other matches
    """

    choices: str = "choices"
    letters: str = _LETTERS[:10]
    list_means: ListMeans = "any"
    name = "choice"
    range = UNIT
    rules_version = 3

    def __post_init__(self) -> None:
        if not self.letters or len(set(self.letters)) != len(self.letters) or not self.letters.isupper():
            raise ValueError(f"letters must be different capital letters, got {self.letters!r}")
        check_list_means("choice", self.list_means)

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0; ``answer`` is the letter chosen, or the letters."""
        choices = _choices(problem.info.get(self.choices), self.letters)
        if choices is None:
            given = problem.info[self.choices]
            return bad_reference(
                f"info[{self.choices!r}] must be a list of 1 to {_MOST} texts, or texts with different "
                f"labels, got {given!r:.80}"
            )
        text = answer_of(completion, problem)
        if self.list_means == "all":
            return _all(text, problem.answer, choices)
        stated = stated_choice(text, choices)

        def against(reference: Json) -> Verdict:
            expected = _reference(reference, choices)
            if expected is None:
                return bad_reference(f"answer must name one of the choices, got {reference!r:.80}")
            found = chosen(stated, choices) if stated is not None else None
            return _verdict(stated, found, found == expected)

        return judged(problem.answer, against)


def _verdict(stated: str | None, found: Json, right: bool) -> Verdict:
    if stated is None or found is None:
        return Verdict(score=0.0, reason=Reason.NO_ANSWER, answer=stated[:200] if stated else None)
    return Verdict(score=float(right), reason=Reason.CORRECT if right else Reason.INCORRECT, answer=found)


def _all(text: str, answer: Json, choices: Choices) -> Verdict:
    """Judge a completion that must name every right choice and no other."""
    references = answer if isinstance(answer, list) else [answer]
    expected: set[str] = set()
    for reference in references:
        label = _reference(reference, choices)
        names = frozenset({label}) if label else _named(reference, choices)
        if not names:
            return bad_reference(f"answer must name choices, got {reference!r:.80}")
        expected |= names
    if not expected:
        return bad_reference("the list of references is empty")
    stated = stated_choice(text, choices)
    found = several(stated, choices) if stated is not None else None
    named: list[Json] | None = [*sorted(found)] if found is not None else None
    return _verdict(stated, named, found == frozenset(expected))


def _named(reference: Json, choices: Choices) -> frozenset[str] | None:
    return several(reference, choices) if isinstance(reference, str) else None


def _choices(given: Json, letters: str) -> Choices | None:
    """Return the labels and texts of a row's choices; None where they cannot be read."""
    if given is None:
        return Choices(tuple(letters))
    labels: object = None
    texts: object = given
    if isinstance(given, dict):
        if isinstance(given.get("text"), list) and isinstance(given.get("label"), list):
            labels, texts = given["label"], given["text"]
        else:
            labels, texts = list(given), list(given.values())
    elif isinstance(given, list) and given and all(isinstance(g, dict) for g in given):
        pairs = [g for g in given if isinstance(g, dict)]
        labels, texts = [p.get("label") for p in pairs], [p.get("text") for p in pairs]
    if not isinstance(texts, list) or not 0 < len(texts) <= _MOST:
        return None
    if any(isinstance(t, list | dict) or t is None for t in texts):
        return None
    if labels is None:
        return _read(None, tuple(map(str, texts)))
    if not isinstance(labels, list) or len(labels) != len(texts) or len(set(map(str, labels))) != len(labels):
        return None
    if not all(isinstance(x, str) and _LABEL.fullmatch(x) for x in labels):
        return None
    return _read(tuple(labels), tuple(map(str, texts)))


@lru_cache(maxsize=1024)
def _read(labels: tuple[str, ...] | None, texts: tuple[str, ...]) -> Choices:
    labels = labels or _lettered(len(texts))
    return Choices(labels, _unlabelled(labels, tuple(map(plain_text, texts))))


def _lettered(count: int) -> tuple[str, ...]:
    pairs = map("".join, product(_LETTERS, repeat=2))
    return (*_LETTERS[:count], *islice(pairs, max(0, count - len(_LETTERS))))


def _unlabelled(labels: tuple[str, ...], texts: tuple[str, ...]) -> tuple[str, ...]:
    """Take labels off the texts, where every text begins with its own: ``A) Paris``."""
    own = [re.match(rf"\(?{re.escape(x.casefold())}[).:]\s*", t) for x, t in zip(labels, texts, strict=True)]
    if all(own):
        return tuple(t[m.end() :] for m, t in zip(own, texts, strict=True) if m)
    return texts


def _reference(answer: object, choices: Choices) -> str | None:
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)  # a column with a gap makes floats of whole numbers
    labels = choices.labels
    if isinstance(answer, int) and not isinstance(answer, bool):
        if all(x.isdecimal() for x in labels):
            return str(answer) if str(answer) in labels else None
        return labels[answer] if 0 <= answer < len(labels) else None
    if not isinstance(answer, str) or not answer.strip():
        return None
    if (named := choices.by_text(answer)) is not None and answer.strip() not in labels:
        return named
    bare = narrow(answer).strip().strip("().")
    for label in (bare, bare.upper()):
        if label in labels and (label == bare or plain_text(answer) not in choices.texts):
            return label
    return _labelled(narrow(answer).strip(), choices)


def _labelled(reference: str, choices: Choices) -> str | None:
    """Return the label of ``B) London``; None where London is not B's text."""
    m = re.match(r"\(?(\w{1,8})\s*[).:]\s*(?=\S)", reference)
    if m is None or m[1] not in choices.labels:
        return None
    known = choices.text(m[1])
    return m[1] if known is None or plain_text(reference[m.end() :]) == known else None
