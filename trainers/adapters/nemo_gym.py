"""NeMo-Gym: a resources server whose ``/verify`` is a rubric.

NeMo-Gym needs a float: what an abstention becomes is the ``on_abstention`` that you state. ``"raise"``
answers 503, so that the rollout fails; a number is flagged by ``abstained`` in the response.
"""

from __future__ import annotations

from typing import Any

from referee.trainers.adapters.abstention import (
    Abstained,
    OnAbstention,
    check_on_abstention,
    number,
    verdicts,
    why,
)
from referee.trainers.adapters.outside_rows import completion_of, problem_from
from referee.trainers.adapters.scorer import Scorer
from referee.verifiers.extras import missing
from referee.verifiers.rubric import Rubric


def to_nemo_gym(
    rubric: Rubric,
    *,
    on_abstention: OnAbstention,
    answer: str = "answer",
    deadline_s: float | None = None,
    workers: int = 1,
) -> Any:
    """Return ``rubric`` as a class of resources servers: ``to_nemo_gym(...).run_webserver()`` in its app.py.

    A row's field ``answer`` holds the reference, its ``info`` whatever else verifiers read. The text
    that is judged is what the response's assistant messages say. The answer to ``/verify`` has, beside
    the reward, ``abstained``, ``why`` and ``parts``.

    Raises:
        ValueError: where the rubric needs siblings: ``/verify`` gets one response.
        ImportError: where nemo_gym is not installed.
    """
    try:
        from fastapi import HTTPException
        from nemo_gym.base_resources_server import (
            BaseVerifyRequest,
            BaseVerifyResponse,
            SimpleResourcesServer,
        )
        from pydantic import ConfigDict, Field
    except ImportError as e:
        raise missing("to_nemo_gym", "nemo_gym", install="nemo-gym") from e
    scorer = Scorer(rubric=rubric, deadline_s=deadline_s, workers=workers)
    scorer.require_single("NeMo-Gym")
    choice = check_on_abstention(on_abstention)

    class RefereeVerifyRequest(BaseVerifyRequest):  # type: ignore[misc]
        model_config = ConfigDict(extra="allow")  # the row's own columns

    class RefereeVerifyResponse(BaseVerifyResponse):  # type: ignore[misc]
        model_config = ConfigDict(extra="allow")
        abstained: bool = False
        why: str = ""
        parts: dict[str, Any] = Field(default_factory=dict)

    class RefereeServer(SimpleResourcesServer):  # type: ignore[misc]
        """A resources server that verifies with the rubric."""

        async def verify(self, body: Any) -> Any:
            row = body.model_dump()
            asked = row["responses_create_params"]["input"]
            prompt = asked if isinstance(asked, str) else [m for m in asked if "role" in m]
            problem = problem_from(prompt, row.get(answer), row.get("info"))
            cut = (row["response"].get("incomplete_details") or {}).get("reason") == "max_output_tokens"
            completion = completion_of(response_text(row["response"]), truncated=cut)
            (reward,) = await scorer.ascore([(completion, problem)])
            try:
                total = number(reward, choice)
            except Abstained as e:
                raise HTTPException(503, str(e)) from None
            flags = {"abstained": reward.abstains, "why": why(reward) if reward.abstains else ""}
            return RefereeVerifyResponse(**{**row, **flags, "reward": total, "parts": verdicts(reward)})

    RefereeServer.verify.__annotations__ = {"body": RefereeVerifyRequest, "return": RefereeVerifyResponse}
    return RefereeServer


def response_text(response: dict[str, Any]) -> str:
    """Return what the assistant's messages of an OpenAI Responses object say."""
    return "".join(
        block.get("text", "")
        for item in response.get("output", ())
        if item.get("type") == "message" and item.get("role") == "assistant"
        for block in item.get("content", ())
        if block.get("type") == "output_text"
    )
