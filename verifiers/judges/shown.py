"""What a judge is shown of a completion: its answer, and the thinking only where it is asked for."""

from __future__ import annotations

import json

from referee.verifiers.reading.tool_calls import CLOSING, OPENING
from referee.verifiers.records import Completion, Problem, Reason, Verdict, answer_of, text_of


def shown(completion: str | Completion, problem: Problem, *, thinking: bool) -> str:
    """Return the text to judge; an answer that is nothing but tool calls is shown as these.

    Empty where there is neither a text nor a call behind the thinking: such a completion is not shown.
    """
    answer = answer_of(completion, problem)
    if answer.strip():
        return text_of(completion) if thinking else answer
    calls = () if isinstance(completion, str) else completion.tool_calls
    written = (c.malformed or json.dumps({"name": c.name, "arguments": c.arguments}) for c in calls)
    return "\n".join(f"{OPENING}{call}{CLOSING}" for call in written)


def nothing_to_judge() -> Verdict:
    """Return the verdict on a completion without an answer: nobody is asked about it."""
    return Verdict(
        score=0.0, reason=Reason.NO_ANSWER, detail={"why": "no text and no tool call after the thinking"}
    )
