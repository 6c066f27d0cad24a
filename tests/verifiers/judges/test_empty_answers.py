"""Judges read the answer, and nobody is asked about a completion without one."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from referee.verifiers import Completion, Judge, Message, PairwiseJudge, Problem, Reason, ToolCall
from referee.verifiers.learned.normalise import Squashed
from referee.verifiers.records import Verdict


@dataclass
class Generous:
    """A judge that gives full marks, prefers the first of two, and keeps what it was shown."""

    shown: list[str] = field(default_factory=list)

    async def complete(self, messages: Any, *, sample: int = 0) -> str:
        """Answer in the judge's format."""
        self.shown.append(messages[1]["content"])
        found = re.search(r'"mark": "([^"]+)"', messages[0]["content"])
        assert found is not None
        scores = {"correct": 10, "helpful": 10}
        return json.dumps({"mark": found[1], "scores": scores, "winner": "A"})


ASKED = Problem(prompt="2+2=", answer="4")
EMPTY = ["", "  \n", "<think>It is 4</think>", "<think>It is 4", "<reasoning>4</reasoning>\n", "<|im_end|>"]


@pytest.mark.parametrize("text", EMPTY)
def test_a_judge_is_not_asked_about_an_empty_answer(text: str) -> None:
    for show in (False, True):
        chat = Generous()
        verdict = asyncio.run(Judge(chat=chat, show_thinking=show)(text, ASKED))
        assert (verdict.score, verdict.reason, chat.shown) == (0.0, Reason.NO_ANSWER, [])


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_sibling_loses_and_the_judge_is_not_asked_about_it(text: str) -> None:
    chat = Generous()
    siblings = [Completion(text=t) for t in (text, "It is 4", text)]
    verdicts = asyncio.run(PairwiseJudge(chat=chat)(siblings, ASKED))
    assert [v.score for v in verdicts] == [0.0, 1.0, 0.0]
    assert verdicts[0].reason is Reason.NO_ANSWER
    assert chat.shown == []


@pytest.mark.parametrize("show", [False, True])
def test_a_judge_reads_the_thinking_only_where_it_is_told_to(show: bool) -> None:
    chat = Generous()
    text = "<think>a secret thought</think>It is 4<|im_end|>"
    assert asyncio.run(Judge(chat=chat, show_thinking=show)(text, ASKED)).score == 1.0
    pair = [Completion(text=text), Completion(text="It is five")]
    asyncio.run(PairwiseJudge(chat=chat, show_thinking=show)(pair, ASKED))
    assert all(("a secret thought" in shown) is show for shown in chat.shown)
    assert not any("im_end" in shown for shown in chat.shown)


def test_a_completion_that_only_calls_a_tool_is_shown_by_its_call() -> None:
    chat = Generous()
    call = ToolCall(name="look_up", arguments={"city": "Lima"})
    said = Completion(messages=(Message(role="assistant", content="<think>hm</think>", tool_calls=(call,)),))
    assert asyncio.run(Judge(chat=chat)(said, ASKED)).score == 1.0
    assert "look_up" in chat.shown[0]


@dataclass(frozen=True)
class _Unbounded:
    range = (-float("inf"), float("inf"))

    def __call__(self, completion: Completion, problem: Problem) -> Verdict:
        return Verdict(score=5.0)


def test_a_squashed_score_of_an_empty_answer_is_the_bottom_of_the_scale() -> None:
    squashed = Squashed(_Unbounded())
    assert squashed("<think>4</think>", ASKED).score == 0.0
    assert squashed("4", ASKED).score > 0.9  # type: ignore[operator]
