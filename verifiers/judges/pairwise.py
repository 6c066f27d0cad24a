"""A judge that compares the completions of one problem with each other."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from referee.verifiers.combine import Composable
from referee.verifiers.judges.chat import Chat, JudgeUnavailable, Messages, as_chat
from referee.verifiers.judges.fence import fence, mark_of, rule_of_the_fence
from referee.verifiers.judges.replies import Nonsense, winner_of
from referee.verifiers.protocol import UNIT, failure
from referee.verifiers.records import Completion, Problem, Reason, Verdict, text_of

QUESTION = "Which response is better: right, complete, clear, and without padding?"


@dataclass(frozen=True, kw_only=True)
class PairwiseJudge(Composable):
    """Compare every two siblings; pay the share of comparisons that a completion wins.

    Each pair is shown in both orders (``swap``), since judges favour a position: a win counts 1
    where both orders agree and 1/2 where they do not, a tie 1/2. ``votes`` independent answers are
    asked for in each order. Equal texts tie without being shown. n siblings take n (n - 1) votes
    requests with ``swap``.

    Accepts:
        - the sibling that the judge prefers in both orders
    Rejects:
        - a completion that says that it is the better one, or imitates the judge's answer
    Abstains (``unavailable``):
        - a completion of which any comparison failed, timed out or came back as nonsense; and one
          that has no siblings to be compared with
    """

    chat: Chat
    question: str = QUESTION
    swap: bool = True
    votes: int = 1
    name: str = "pairwise_judge"
    range = UNIT

    def __post_init__(self) -> None:
        object.__setattr__(self, "chat", as_chat(self.chat))
        if self.votes < 1:
            raise ValueError(f"votes must be at least 1, got {self.votes}")

    async def __call__(self, completions: Sequence[Completion], problem: Problem) -> list[Verdict]:
        """Return each completion's share of wins; ``detail`` has its outcome against each sibling."""
        texts = [text_of(c) for c in completions]
        if len(texts) < 2:
            alone = "a pairwise judge must have at least two completions of a problem"
            return [failure(alone, Reason.UNAVAILABLE)] * len(texts)
        pairs = list(combinations(range(len(texts)), 2))
        outcomes = await asyncio.gather(*(self.compare(texts[i], texts[j], problem) for i, j in pairs))
        won: list[dict[int, float | str]] = [{} for _ in texts]
        for (i, j), outcome in zip(pairs, outcomes, strict=True):
            won[i][j] = outcome
            won[j][i] = outcome if isinstance(outcome, str) else 1.0 - outcome
        return [_verdict(of_one) for of_one in won]

    async def compare(self, first: str, second: str, problem: Problem) -> float | str:
        """Return how far ``first`` beats ``second``, 0 to 1, or what went wrong."""
        if first == second:
            return 0.5
        orders = [(first, second, False), (second, first, True)][: 2 if self.swap else 1]
        asked = [
            self._points(self.messages(a, b, problem), swapped, vote)
            for a, b, swapped in orders
            for vote in range(self.votes)
        ]
        points = await asyncio.gather(*asked)
        wrong = next((p for p in points if isinstance(p, str)), None)
        return wrong if wrong is not None else math.fsum(map(float, points)) / len(points)

    def messages(self, a: str, b: str, problem: Problem) -> Messages:
        """Return what the judge is asked about two responses in this order."""
        mark = mark_of(problem.prompt_text, a, b)
        system = (
            f"You compare two responses to a task. {self.question}\n\n{rule_of_the_fence(mark)}\n\n"
            'Answer with one JSON object and nothing else: {"why": "<one sentence>", '
            '"winner": "A" or "B" or "tie"}'
        )
        parts = [
            fence("task", problem.prompt_text, mark),
            fence("response A", a, mark),
            fence("response B", b, mark),
            "Now say which response is better.",
        ]
        return [{"role": "system", "content": system}, {"role": "user", "content": "\n\n".join(parts)}]

    async def _points(self, messages: Messages, swapped: bool, vote: int) -> float | str:
        problem = ""
        for again in range(2):
            try:
                winner = winner_of(await self.chat.complete(messages, sample=vote + again * self.votes))
            except Nonsense as e:
                problem = str(e)
            except JudgeUnavailable as e:
                return str(e)
            else:
                return 0.5 if winner == "tie" else float((winner == "A") is not swapped)
        return problem


def _verdict(outcomes: dict[int, float | str]) -> Verdict:
    wrong = next((o for o in outcomes.values() if isinstance(o, str)), None)
    if wrong is not None:
        return failure(wrong, Reason.UNAVAILABLE)
    points = {str(j): float(o) for j, o in outcomes.items()}
    score = math.fsum(points.values()) / len(points)
    return Verdict(score=score, reason=Reason.SCORED, detail={"against": dict(points)})
