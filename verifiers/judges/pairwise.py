"""A judge that compares the completions of one problem with each other."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from referee.verifiers.combine import Composable
from referee.verifiers.judges.chat import Chat, JudgeUnavailable, Messages, TooLong, as_chat, to_blame
from referee.verifiers.judges.fence import fence, mark_of, rule_of_the_fence
from referee.verifiers.judges.pointwise import too_long
from referee.verifiers.judges.replies import Nonsense, winner_of
from referee.verifiers.judges.shown import nothing_to_judge, shown
from referee.verifiers.protocol import UNIT, failure
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict

QUESTION = "Which response is better: right, complete, clear, and without padding?"


@dataclass(frozen=True, kw_only=True)
class PairwiseJudge(Composable):
    """Compare every two siblings; pay the share of comparisons that a completion wins.

    Each pair is shown in both orders (``swap``), since judges favour a position: a win counts 1
    where both orders agree and 1/2 where they do not, a tie 1/2. ``votes`` independent answers are
    asked for in each order, of which more than half must be heard; their mean counts. Equal texts tie
    without being shown. Answers are shown, with ``show_thinking`` all of the text. n siblings take
    n (n - 1) votes requests with ``swap``. A completion of more than ``max_chars`` characters loses
    without being shown.

    Accepts:
        - the sibling that the judge prefers in both orders
    Rejects:
        - a completion without an answer, no text and no tool call: 0, ``no_answer``, and a loss against
          each sibling that has one, without the judge being asked
        - a completion that says that it is the better one, or imitates the judge's answer
        - a completion that is longer than ``max_chars`` or than the judge reads (0, ``resource_limit``)
    Abstains (``unavailable``):
        - a completion of which more than half of the comparisons failed, timed out or came back as
          nonsense, so that a text which upsets the judge does not silence its siblings
        - one that has no siblings to be compared with
    """

    chat: Chat
    question: str = QUESTION
    swap: bool = True
    votes: int = 1
    show_thinking: bool = False
    max_chars: int = 100_000
    name: str = "pairwise_judge"
    range = UNIT

    def __post_init__(self) -> None:
        object.__setattr__(self, "chat", as_chat(self.chat))
        if self.votes < 1:
            raise ValueError(f"votes must be at least 1, got {self.votes}")
        if self.max_chars < 1:
            raise ValueError(f"max_chars must be at least 1, got {self.max_chars}")

    async def __call__(self, completions: Sequence[Completion], problem: Problem) -> list[Verdict]:
        """Return each completion's share of wins; ``detail`` has its outcome against each sibling."""
        texts = [shown(c, problem, thinking=self.show_thinking) for c in completions]
        if len(texts) < 2:
            alone = failure(
                "a pairwise judge must have at least two completions of a problem", Reason.UNAVAILABLE
            )
            return [alone if text else nothing_to_judge() for text in texts]
        pairs = [(i, j) for i, j in combinations(range(len(texts)), 2) if texts[i] or texts[j]]
        outcomes = await asyncio.gather(
            *(self.compare(texts[i], texts[j], problem) for i, j in pairs), return_exceptions=True
        )
        won: list[dict[int, float | str]] = [{} for _ in texts]
        long = {i for i, t in enumerate(texts) if len(t) > self.max_chars}
        for (i, j), outcome in zip(pairs, outcomes, strict=True):
            if isinstance(outcome, TooLong):
                longer = i if len(texts[i]) >= len(texts[j]) else j
                long.add(longer)
                outcome = float(longer == j)
            elif isinstance(outcome, BaseException):
                raise outcome
            won[i][j] = outcome
            won[j][i] = outcome if isinstance(outcome, str) else 1.0 - outcome
        return [
            self._decided(text, i in long, of) for i, (text, of) in enumerate(zip(texts, won, strict=True))
        ]

    def _decided(self, text: str, too_much: bool, won: dict[int, float | str]) -> Verdict:
        if not text:
            return nothing_to_judge()
        return (
            too_long(f"{len(text)} characters are more than the judge reads") if too_much else _verdict(won)
        )

    async def compare(self, first: str, second: str, problem: Problem) -> float | str:
        """Return how far ``first`` beats ``second``, 0 to 1, or what went wrong; an empty text is not shown.

        Raises:
            TooLong: where one of them alone is more than the judge reads.
        """
        if first == second:
            return 0.5
        if not first or not second:
            return float(bool(first))
        if max(len(first), len(second)) > self.max_chars:
            raise TooLong(f"the judge is shown at most {self.max_chars} characters of a response")
        orders = [(first, second, False), (second, first, True)][: 2 if self.swap else 1]
        asked = [self._points(a, b, problem, swapped) for a, b, swapped in orders]
        points = await asyncio.gather(*asked)
        wrong = next((p for p in points if isinstance(p, str)), None)
        return wrong if wrong is not None else math.fsum(map(float, points)) / len(points)

    def messages(self, a: str, b: str, problem: Problem) -> Messages:
        """Return what the judge is asked about two responses in this order."""
        mark = mark_of(problem.prompt_text, a, b)
        system = (
            f"You compare two responses to a task. {self.question}\n\n{rule_of_the_fence(mark)}\n\n"
            f'Answer with one JSON object and nothing else: {{"mark": "{mark}", "why": "<one sentence>", '
            '"winner": "A" or "B" or "tie"}'
        )
        parts = [
            fence("task", problem.prompt_text, mark),
            fence("response A", a, mark),
            fence("response B", b, mark),
            "Now say which response is better.",
        ]
        return [{"role": "system", "content": system}, {"role": "user", "content": "\n\n".join(parts)}]

    async def _points(self, a: str, b: str, problem: Problem, swapped: bool) -> float | str:
        """Return what the votes on one order give, or what went wrong with half of them."""
        messages, mark = self.messages(a, b, problem), mark_of(problem.prompt_text, a, b)
        try:
            votes = await asyncio.gather(*(self._vote(messages, mark, vote) for vote in range(self.votes)))
        except TooLong as e:
            if to_blame(max(a, b, key=len), messages):
                raise TooLong(str(e)) from None
            return str(e)
        heard = [1.0 - v if swapped else v for v in votes if not isinstance(v, str)]
        if 2 * len(heard) <= self.votes:
            return next(v for v in votes if isinstance(v, str))
        return math.fsum(heard) / len(heard)

    async def _vote(self, messages: Messages, mark: str, vote: int) -> float | str:
        problem = ""
        for again in range(2):
            try:
                reply = await self.chat.complete(messages, sample=vote + again * self.votes)
                return {"A": 1.0, "tie": 0.5, "B": 0.0}[winner_of(reply, mark)]
            except Nonsense as e:
                problem = str(e)
            except TooLong:
                raise
            except JudgeUnavailable as e:
                return str(e)
        return problem


def _verdict(outcomes: dict[int, float | str]) -> Verdict:
    points = {str(j): o for j, o in outcomes.items() if not isinstance(o, str)}
    if 2 * len(points) < len(outcomes):
        return failure(next(o for o in outcomes.values() if isinstance(o, str)), Reason.UNAVAILABLE)
    score = math.fsum(points.values()) / len(points)
    detail: dict[str, Json] = {"against": dict(points)}
    if failed := {str(j): o for j, o in outcomes.items() if isinstance(o, str)}:
        detail["failed"] = dict(failed)
    return Verdict(score=score, reason=Reason.SCORED, detail=detail)
