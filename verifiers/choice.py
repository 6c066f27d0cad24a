"""Multiple choice: the letter that a completion commits to, or the text of a choice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT
from referee.verifiers.reading.strategies import CUES, readings, search
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of
from referee.verifiers.references import ListMeans, bad_reference, check_list_means, judged

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DRESS = re.compile(r"\\(?:text|textbf|mathbf|mathrm)\s*\{([^{}]*)\}")
_CUE = re.compile(
    r"(?i)\b(?:answer|choice|option)(?:\s+(?:is|would be|must be))?\s*[:=]?\s*(?:is\s+)?"
    r"(?:option\s+|choice\s+)?"
)
# What may follow a letter that stands for a choice; "A friend" is no choice.
_END = r"(?=\s*(?:$|[).:,;\]}*\n–—-]|because\b|since\b|as\b|which\b|is correct\b))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Composable):
    r"""Pay 1 where the completion commits to the right choice, by its letter or by its text.

    The reference is a letter (``B``), an index from 0 (an integer), or the text of a choice. The
    texts are ``problem.info[choices]``; without them only letters up to ``letters`` are known. The
    completion's choice is what stands in its last ``<answer>`` tag, in its last box, after ``####``,
    ``Answer:`` or "the answer is", or alone on its last line, whichever of these comes first in this list.
    A list of references means any of them; a completion commits to one choice, so
    ``list_means="all"`` is refused.

    Accepts:
        - ``B``, ``(B)``, ``B.``, ``**B**``, ``\boxed{\text{B}}``, ``Answer: B``, ``the answer is (B).``
        - ``B) Paris`` and ``Paris``, where B's text is Paris
        - ``B`` for the list B, C
    Rejects:
        - ``A or B``, ``A, B``: no commitment
        - ``B) London``, where B's text is Paris and London is another choice
        - ``A friend told me``; ``the answer is not B``
        - a letter that stands only inside the thinking
    Abstains:
        - where the reference names none of the choices, or one of a list does not and no other matches
    """

    choices: str = "choices"
    letters: str = _LETTERS[:10]
    list_means: ListMeans = "any"
    name = "choice"
    range = UNIT
    rules_version = 2

    def __post_init__(self) -> None:
        if not self.letters or len(set(self.letters)) != len(self.letters) or not self.letters.isupper():
            raise ValueError(f"letters must be different capital letters, got {self.letters!r}")
        check_list_means("choice", self.list_means, all_needs="where a completion commits to one choice")

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0; ``answer`` is the letter chosen."""
        texts = problem.info.get(self.choices)
        if texts is not None and not (isinstance(texts, list) and 0 < len(texts) <= len(_LETTERS)):
            return bad_reference(f"info[{self.choices!r}] must be a list of texts, got {texts!r:.80}")
        letters = _LETTERS[: len(texts)] if texts else self.letters
        plain = tuple(_plain(str(t)) for t in texts) if texts else ()
        stated = _stated(answer_of(completion, problem), letters)

        def against(reference: Json) -> Verdict:
            expected = _reference(reference, letters, plain)
            if expected is None:
                return bad_reference(f"answer must name one of the choices, got {reference!r:.80}")
            return _verdict(stated, expected, letters, plain)

        return judged(problem.answer, against)


def _verdict(stated: str | None, expected: str, letters: str, plain: tuple[str, ...]) -> Verdict:
    if stated is None:
        return Verdict(score=0.0, reason=Reason.NO_ANSWER)
    chosen = _chosen(stated, letters, plain)
    if chosen is None:
        return Verdict(score=0.0, reason=Reason.NO_ANSWER, answer=stated[:200])
    right = chosen == expected
    reason = Reason.CORRECT if right else Reason.INCORRECT
    return Verdict(score=float(right), reason=reason, answer=chosen)


def _plain(text: str) -> str:
    text = _DRESS.sub(r"\1", text)
    return " ".join(text.replace("*", "").replace("$", "").casefold().split()).strip(" .\"'`")


def _reference(answer: object, letters: str, texts: tuple[str, ...]) -> str | None:
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)  # a column with a gap makes floats of whole numbers
    if isinstance(answer, int) and not isinstance(answer, bool):
        return letters[answer] if 0 <= answer < len(letters) else None
    if not isinstance(answer, str):
        return None
    bare = answer.strip().strip("().").upper()
    if len(bare) == 1 and bare in letters and _plain(answer) not in texts:
        return bare
    return letters[texts.index(_plain(answer))] if texts.count(_plain(answer)) == 1 else None


def _stated(text: str, letters: str) -> str | None:
    """What the completion states as its choice; a box or a tag is read as its contents would be read bare."""
    found = search(text, CUES[:3])  # behind ``A:`` may stand the text of choice A
    if found is not None:
        text = readings(found)[-1]
        if _letter(letters).match(text):
            return text
    return _said(text, letters) or text.strip().rpartition("\n")[2] or None


def _said(text: str, letters: str) -> str | None:
    """What follows the last "the answer is" or "choice:" that a letter follows."""
    answer = text.strip()
    cues = list(_CUE.finditer(answer, max(0, len(answer) - 4000)))
    for cue in reversed(cues[-20:]):
        rest = answer[cue.end() :].partition("\n")[0]
        if _either(letters).search(answer, max(0, cue.start() - 20), cue.start()):
            return answer[max(0, cue.start() - 20) :].partition("\n")[0]
        if _letter(letters).match(rest.replace("*", "").lstrip()) or _small(letters).fullmatch(rest.strip()):
            return rest
    return None


def _chosen(stated: str, letters: str, texts: tuple[str, ...]) -> str | None:
    stated = _DRESS.sub(r"\1", stated).replace("*", "").replace("$", "").strip()[:2000]
    if texts.count(_plain(stated)) == 1 and len(_plain(stated)) > 1:
        return letters[texts.index(_plain(stated))]
    if alone := _small(letters).fullmatch(stated):
        return alone.group(1).upper()
    match = _letter(letters).match(stated)
    if match is None:
        # The text of exactly one choice, stated after "the answer is".
        cue = list(_CUE.finditer(stated))
        tail = _plain(stated[cue[-1].end() :]) if cue else ""
        return letters[texts.index(tail)] if texts.count(tail) == 1 else None
    letter, rest = match.group("letter"), stated[match.end() :]
    others = _mentions(letters).findall(rest)
    text = _plain(rest.lstrip(" )].:,;-–—"))
    if text in texts and texts.index(text) != letters.index(letter):
        return None
    return letter if all(o == letter for o in others) else None


@lru_cache(maxsize=64)
def _letter(letters: str) -> re.Pattern[str]:
    return re.compile(rf"[(\[{{]?\s*(?P<letter>[{letters}]){_END}[)\]}}]?")


@lru_cache(maxsize=64)
def _either(letters: str) -> re.Pattern[str]:
    """A choice that another is offered beside: ``A or option B``."""
    return re.compile(rf"\b[{letters}]\)?\s{{0,4}}(?:,|\bor\b|\band\b)\s{{0,4}}$")


@lru_cache(maxsize=64)
def _small(letters: str) -> re.Pattern[str]:
    """A small letter, which stands for a choice only where nothing else is stated."""
    return re.compile(rf"[(\[]?([{letters.lower()}])[)\].]*")


@lru_cache(maxsize=64)
def _mentions(letters: str) -> re.Pattern[str]:
    """Other choices beside the first: ``or B``, ``, C``, ``(D)``."""
    return re.compile(rf"(?:\b(?:or|and)\s+\(?|^\s*[,/;&]\s*\(?|\()([{letters}])(?:\)|(?=\s*(?:$|[.,;])))")
