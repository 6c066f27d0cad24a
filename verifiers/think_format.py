"""Is the thinking of a completion well-formed: there once, closed, not empty, and followed by an answer?

The form is read off the raw text. The threat: a mark that is opened twice or never closed, an empty pair
of marks: none of these may pass for a thought-out answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT
from referee.verifiers.reading.thinking import THINK
from referee.verifiers.records import Completion, Problem, Reason, Verdict, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkFormat(Composable):
    """Pay 1 for one well-formed, non-empty thinking that is followed by a non-empty answer.

    The marks are ``opening`` and ``closing``, or those that the rubric or the problem declares as
    ``thinking``, where the text has these. ``prefilled``: True where the chat template writes the opening
    mark itself, False where the model must, None (auto) where the declared marks or the prompt's end
    decide, and where these do not say, either is accepted. ``min_characters`` is the least length of the
    stripped thinking.

    Accepts:
        - ``<think>so 2+2=4</think>4``, with white space around any part
        - ``so 2+2=4</think>4`` where the tag is prefilled (or auto)
        - ``<plan>so 2+2=4</plan>4`` where these marks are declared
    Rejects:
        - ``<think></think>4`` and ``<think> </think>4``: empty thinking
        - ``<think>a</think>b</think>4``: a tag twice, of either kind
        - ``<think>4`` and ``4``: a tag missing
        - ``<think>4</think>``: no answer after the thinking
        - ``4 <think>a</think>4``: text before the thinking
        - ``</think>4<think>``: tags in the wrong order
    """

    opening: str = THINK.opening
    closing: str = THINK.closing
    prefilled: bool | None = None
    min_characters: int = 1
    name = "think_format"
    range = UNIT

    def __post_init__(self) -> None:
        if not self.opening or not self.closing or self.opening == self.closing:
            raise ValueError(
                f"opening and closing must be two different tags, got {self.opening!r} and {self.closing!r}"
            )
        if self.min_characters < 1:
            raise ValueError(f"min_characters must be at least 1, got {self.min_characters}")

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0, with the fault in ``detail``."""
        text = text_of(completion)
        opening, closing, prefilled = self._marks(text, problem)
        fault = _fault(text, opening, closing, prefilled)
        if not fault:
            before, _, answer = text.rpartition(closing)
            thinking = before.strip() if prefilled else before.strip().removeprefix(opening).strip()
            if len(thinking) < self.min_characters:
                fault = "empty thinking" if self.min_characters == 1 else "thinking too short"
            elif not answer.strip():
                fault = "no answer after the thinking"
        if fault:
            return Verdict(score=0.0, reason=Reason.INCORRECT, detail={"fault": fault})
        return Verdict(score=1.0, reason=Reason.CORRECT)

    def _marks(self, text: str, problem: Problem) -> tuple[str, str, bool | None]:
        """Return the marks that a text is held to, and whether the prompt opened them."""
        pairs = [(m.opening, m.closing, m.prefilled or None) for m in problem.thinking]
        pairs.append((self.opening, self.closing, None))
        used = (p for p in pairs if p[0] in text or p[1] in text)
        opening, closing, declared = next(used, pairs[0])
        if self.prefilled is not None:
            return opening, closing, self.prefilled
        return opening, closing, True if declared or _ends_with(problem, opening) else None


def _fault(text: str, opening: str, closing: str, prefilled: bool | None) -> str:
    """Return what is wrong with the marks of a text; nothing where they are there once and in order."""
    opens, closes = text.count(opening), text.count(closing)
    if not closes:
        return f"no {opening}" if not opens and not prefilled else f"no {closing}"
    if text.rfind(opening) > text.rfind(closing):
        return f"{opening} after {closing}"
    if closes > 1:
        return f"{closing} {closes} times"
    if prefilled and opens:
        return f"{opening} again, after the prompt's own"
    if opens > 1:
        return f"{opening} {opens} times"
    if not opens and prefilled is False:
        return f"no {opening}"
    if opens and text[: text.find(opening)].strip():
        return f"text before {opening}"
    return ""


def _ends_with(problem: Problem, opening: str) -> bool:
    prompt = problem.prompt
    last = prompt if isinstance(prompt, str) else prompt[-1].content if prompt else ""
    return last.rstrip().endswith(opening)
