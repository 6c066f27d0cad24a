"""Families of problems without end: each problem is a pure function of (seed, index, level).

A family is also the verifier of its problems: ``family(completion, problem) -> Verdict``. It checks
the answer itself (is this list sorted, does this path lead out), and compares it with a stored one
only where there is a single right answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from referee.envs.answers import final_answer
from referee.envs.stream import Stream
from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT, Range, failure
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of


@runtime_checkable
class Family(Protocol):
    """A source of problems that is their verifier, too.

    ``levels`` is the number of levels of difficulty, numbered from 0, the easiest.
    """

    @property
    def name(self) -> str:
        """The family's name, which its problems carry in ``info["family"]``."""
        ...

    @property
    def levels(self) -> int:
        """How many levels of difficulty there are."""
        ...

    def problem(self, seed: int, index: int, level: int = 0) -> Problem:
        """Return problem ``index`` of the stream that ``seed`` names."""
        ...

    def gold(self, problem: Problem) -> str:
        """Return a completion that is right."""
        ...

    def __call__(self, completion: str | Completion, problem: Problem, /) -> Verdict:
        """Return the verdict on a completion."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """What a generator draws: the question in words and tersely, the reference, and what judging needs."""

    prompt: str
    terse: str
    answer: Json
    info: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Procedural(Composable):
    """What the single-turn families share: ``draw`` makes a problem, ``judge`` decides an answer.

    ``terse`` asks in as few characters as possible (``3+4=``), for policies that know no English.
    """

    terse: bool = False
    name: ClassVar[str]
    levels: ClassVar[int]
    range: ClassVar[Range] = UNIT

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw a problem of a level."""
        raise NotImplementedError

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Decide a final answer. The default compares it with the reference, as texts."""
        return answer == problem.answer

    def gold(self, problem: Problem) -> str:
        """Return a completion that is right; the default is the reference."""
        return str(problem.answer)

    def extract(self, text: str) -> str | None:
        """Return the final answer in what follows the thinking."""
        return final_answer(text)

    def problem(self, seed: int, index: int, level: int = 0) -> Problem:
        """Return problem ``index`` of the stream that ``seed`` names, at ``level``.

        Raises:
            ValueError: where ``level`` is not one of the family's levels.
        """
        if not 0 <= level < self.levels:
            raise ValueError(f"level must be from 0 to {self.levels - 1} in {self.name}, got {level}")
        name = f"{self.name}/{level}/{seed}/{index}"
        draft = self.draw(Stream(name), level)
        draft.info["family"] = self.name
        draft.info["level"] = level
        return Problem(
            prompt=draft.terse if self.terse else draft.prompt, answer=draft.answer, id=name, info=draft.info
        )

    def foreign(self, problem: Problem) -> Verdict | None:
        """Return the abstention on a problem that another family made, else None."""
        if problem.info.get("family") == self.name:
            return None
        said = f"info['family'] must be {self.name!r}, got {problem.info.get('family')!r}"
        return failure(said, Reason.BAD_REFERENCE)

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 for a right answer, 0 for a wrong one or none; abstain on another family's problem."""
        if (foreign := self.foreign(problem)) is not None:
            return foreign
        answer = self.extract(answer_of(completion, problem))
        if answer is None:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        verdict = self._decided(answer, problem)
        if verdict.score == 0.0 and (inner := final_answer(answer)) not in (None, answer):
            again = self._decided(str(inner), problem)  # a box or a tag may hold the way there, too
            return again if again.score else verdict
        return verdict

    def _decided(self, answer: str, problem: Problem) -> Verdict:
        outcome = self.judge(answer, problem)
        if isinstance(outcome, Verdict):
            return outcome
        if outcome:
            return Verdict(score=1.0, reason=Reason.CORRECT, answer=answer)
        return Verdict(score=0.0, reason=Reason.INCORRECT, answer=answer)
