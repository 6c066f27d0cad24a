"""A judge that scores one completion by criteria."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Literal, get_args

from referee.verifiers.combine import Composable
from referee.verifiers.judges.chat import Chat, JudgeUnavailable, Messages, TooLong, as_chat, to_blame
from referee.verifiers.judges.criteria import GENERAL, Criteria, load_criteria
from referee.verifiers.judges.fence import fence, mark_of, rule_of_the_fence
from referee.verifiers.judges.replies import Nonsense, scores_of
from referee.verifiers.judges.shown import nothing_to_judge, shown
from referee.verifiers.protocol import UNIT, failure
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict

Vote = Literal["median", "mean", "majority"]


@dataclass(frozen=True, kw_only=True)
class Judge(Composable):
    """Ask a model for a score on each criterion; pay their weighted mean, brought to 0 to 1.

    ``votes`` independent answers are asked for and put together for each criterion by ``vote``: the
    ``median``, the ``mean``, or the most frequent score (``majority``; of equally frequent ones the
    lowest). An answer that is nonsense is asked for once more. ``show_reference`` shows the judge
    ``problem.answer``. It is shown the answer that follows the thinking, with ``show_thinking`` all of the
    text. ``criteria`` is :class:`Criteria` or a YAML file's name. A completion of more than
    ``max_chars`` characters is not shown: a server that cuts what does not fit cuts the criteria first.

    Accepts:
        - what the judge scores at the top of its scale
        - an answer of the judge in a code block, after its thinking, or with prose around it
    Rejects:
        - a completion without an answer, no text and no tool call, about which it is not asked (0,
          ``no_answer``)
        - a completion that closes its quotation and awards itself a score
        - a completion that imitates the fence, the chat template, or the judge's own answer
        - a completion that is longer than ``max_chars`` or than the judge reads (0, ``resource_limit``)
    Abstains (``unavailable``):
        - where the judge fails, times out, or answers nonsense, in half of its votes or more
        - where the task and the reference leave the judge no room
    """

    chat: Chat
    criteria: Criteria | str = GENERAL
    votes: int = 1
    vote: Vote = "median"
    show_reference: bool = True
    show_thinking: bool = False
    max_chars: int = 100_000
    name: str = "judge"
    range = UNIT

    def __post_init__(self) -> None:
        object.__setattr__(self, "chat", as_chat(self.chat))
        if isinstance(self.criteria, str):
            object.__setattr__(self, "criteria", load_criteria(self.criteria))
        if self.votes < 1:
            raise ValueError(f"votes must be at least 1, got {self.votes}")
        if self.max_chars < 1:
            raise ValueError(f"max_chars must be at least 1, got {self.max_chars}")
        if self.vote not in get_args(Vote):
            raise ValueError(f"vote must be one of {', '.join(get_args(Vote))}, got {self.vote!r}")

    async def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the weighted mean of the votes; ``detail`` has the scores, raw, and the judge's words."""
        text = shown(completion, problem, thinking=self.show_thinking)
        if not text:
            return nothing_to_judge()
        if len(text) > self.max_chars:
            return too_long(f"{len(text)} characters, the judge is shown at most {self.max_chars}")
        messages, mark = self.messages(text, problem), self._mark(text, problem)
        try:
            answers = await asyncio.gather(*(self._answer(messages, mark, i) for i in range(self.votes)))
        except TooLong as e:
            return too_long(str(e)) if to_blame(text, messages) else failure(str(e), Reason.UNAVAILABLE)
        heard = [a for a in answers if not isinstance(a, str)]
        if 2 * len(heard) <= self.votes:
            return failure(next(a for a in answers if isinstance(a, str)), Reason.UNAVAILABLE)
        criteria = self._criteria
        low, high = criteria.scale
        scores = {c.name: _put_together([s[c.name] for s, _ in heard], self.vote) for c in criteria.criteria}
        weight = math.fsum(c.weight for c in criteria.criteria)
        mean = math.fsum(c.weight * scores[c.name] for c in criteria.criteria) / weight
        detail: dict[str, Json] = {"scores": dict(scores), "why": heard[0][1]}
        if self.votes > 1:
            detail["votes"] = [dict(s) for s, _ in heard]
        score = min(max((mean - low) / (high - low), 0.0), 1.0)
        return Verdict(score=score, reason=Reason.SCORED, detail=detail)

    def messages(self, text: str, problem: Problem) -> Messages:
        """Return what the judge is asked."""
        low, high = self._criteria.scale
        reference, mark = self._reference(problem), self._mark(text, problem)
        wanted = ", ".join(f'"{c.name}": <{low:g} to {high:g}>' for c in self._criteria.criteria)
        asked = "\n".join(f"- {c.name}: {c.asks}" for c in self._criteria.criteria)
        system = (
            "You judge a response to a task by these criteria, each on a scale from "
            f"{low:g} (worst) to {high:g} (best):\n{asked}\n\n{rule_of_the_fence(mark)}\n\n"
            f'Answer with one JSON object and nothing else: {{"mark": "{mark}", "why": "<one sentence>", '
            f'"scores": {{{wanted}}}}}'
        )
        parts = [fence("task", problem.prompt_text, mark)]
        if reference:
            parts.append(fence("reference", reference, mark))
        parts += [fence("response", text, mark), "Now judge the response."]
        return [{"role": "system", "content": system}, {"role": "user", "content": "\n\n".join(parts)}]

    def _reference(self, problem: Problem) -> str:
        return _shown(problem.answer) if self.show_reference and problem.answer is not None else ""

    def _mark(self, text: str, problem: Problem) -> str:
        return mark_of(problem.prompt_text, self._reference(problem), text)

    @property
    def _criteria(self) -> Criteria:
        assert isinstance(self.criteria, Criteria)
        return self.criteria

    async def _answer(self, messages: Messages, mark: str, vote: int) -> tuple[dict[str, float], str] | str:
        """Return one vote's scores and words, or what went wrong.

        Raises:
            TooLong: where the judge can't read the messages.
        """
        names = [c.name for c in self._criteria.criteria]
        problem = ""
        for again in range(2):
            try:
                reply = await self.chat.complete(messages, sample=vote + again * self.votes)
                return scores_of(reply, names, *self._criteria.scale, mark)
            except Nonsense as e:
                problem = str(e)
            except TooLong:
                raise
            except JudgeUnavailable as e:
                return str(e)
        return problem


def too_long(error: str) -> Verdict:
    """Return the verdict on a completion that is longer than a judge reads: length buys no abstention."""
    return Verdict(score=0.0, reason=Reason.RESOURCE_LIMIT, detail={"error": error})


def _put_together(scores: list[float], vote: Vote) -> float:
    if vote == "mean":
        return math.fsum(scores) / len(scores)
    if vote == "median":
        return float(statistics.median(scores))
    counts = Counter(scores)
    return min(s for s, n in counts.items() if n == max(counts.values()))


def _shown(answer: Json) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
