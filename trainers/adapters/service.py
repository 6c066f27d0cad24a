"""A reward service over HTTP: one rubric, for any client in any language.

``POST /score`` takes items and returns a reward for each, None (null) where the rubric abstains.
``POST /get_reward`` speaks OpenRLHF's shape and ``POST /v1/reward`` LLaMA-Factory's. ``GET /health``
answers while the service lives; ``/openapi.json`` and ``/docs`` describe it all. Bodies and items
have limits; rules run in worker processes with a deadline, so that no text can hold the service.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from referee.trainers.adapters.abstention import (
    Abstained,
    OnAbstention,
    check_on_abstention,
    number,
    verdicts,
    why,
)
from referee.trainers.adapters.openrlhf import openrlhf_answer, openrlhf_pairs
from referee.trainers.adapters.outside_rows import completion_of, problem_from
from referee.trainers.adapters.scorer import Pair, Scorer
from referee.trainers.adapters.service_door import Door
from referee.trainers.adapters.service_models import (
    ErrorAnswer,
    LlamaFactoryAnswer,
    LlamaFactoryRequest,
    OpenRLHFAnswer,
    OpenRLHFRequest,
    ScoreAnswer,
    ScoreRequest,
)
from referee.verifiers.errors import NotJudged, UserMistake
from referee.verifiers.extras import missing
from referee.verifiers.records import FinishReason, Problem, Reward, Verdict
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.rows import read_completion

try:
    from fastapi import Depends, FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from fastapi.security import HTTPBearer
except ImportError as e:
    raise missing("to_service", "fastapi", extra="serve") from e

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLimits:
    """What one request may cost: bytes of its body, items in it, and seconds until it is answered.

    ``deadline_s`` is each completion's own, enforced by ending the process that works on it;
    ``timeout_s`` bounds the whole request, after which the client gets status 504.
    """

    body_bytes: int = 16 * 1024 * 1024
    items: int = 4096
    deadline_s: float = 10.0
    timeout_s: float = 120.0

    def __post_init__(self) -> None:
        for name in ("body_bytes", "items", "deadline_s", "timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")


def to_service(
    rubric: Rubric,
    *,
    on_abstention: OnAbstention = "raise",
    token: str | None = None,
    workers: int = 1,
    limits: ServiceLimits | None = None,
    special_tokens: tuple[str, ...] = (),
) -> FastAPI:
    """Return ``rubric`` as a FastAPI application.

    ``/score`` says null for an abstention. OpenRLHF's and LLaMA-Factory's shapes have no such word:
    there ``on_abstention`` holds, and ``"raise"`` answers 503, which OpenRLHF tries again and then
    trains without the reward. With a ``token`` every request but ``/health`` must carry
    ``Authorization: Bearer <token>``.

    Raises:
        TypeError: where the rubric cannot be pickled for the worker processes.
    """
    if token == "":
        raise ValueError("token must be a text that is not empty, or None for no token")
    limits = limits or ServiceLimits()
    choice = check_on_abstention(on_abstention)
    scorer = Scorer(rubric=rubric, deadline_s=limits.deadline_s, workers=workers)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        scorer.close()

    app = FastAPI(
        title="referee",
        summary="Rewards for completions.",
        lifespan=lifespan,
        responses={status: {"model": ErrorAnswer, "description": why} for status, why in _ERRORS.items()},
        dependencies=[Depends(HTTPBearer(auto_error=False))] if token is not None else [],
    )

    async def scored(pairs: list[Pair]) -> list[Reward]:
        try:
            async with asyncio.timeout(limits.timeout_s):
                return await scorer.ascore(pairs)
        except TimeoutError:
            raise
        except Exception as e:  # no verifier raises: its workers did not start, or were ended
            _log.exception("no rewards")
            raise _Failed(type(e).__name__) from e

    app.add_middleware(Door, token=token, body_bytes=limits.body_bytes, timeout_s=limits.timeout_s)

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": _what_is_wrong(error.errors())}, 422)

    @app.exception_handler(TimeoutError)
    async def late(request: Request, error: TimeoutError) -> JSONResponse:
        return JSONResponse({"detail": f"not answered within {limits.timeout_s:g} s"}, 504)

    @app.exception_handler(Abstained)
    async def abstained(request: Request, error: Abstained) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 503)

    @app.exception_handler(_Failed)
    async def failed(request: Request, error: _Failed) -> JSONResponse:
        return JSONResponse({"detail": f"the service failed: {error}; its log says more"}, 500)

    @app.exception_handler(_TooMany)
    async def too_many(request: Request, error: _TooMany) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 413)

    @app.head("/health", include_in_schema=False)
    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Answer that the service lives, with the names of the rubric's parts."""
        return {"status": "ok", "parts": list(rubric.parts)}

    @app.post("/score", response_model=ScoreAnswer)
    async def score(body: ScoreRequest) -> dict[str, Any]:
        """Score a batch: a reward, its parts and its reason for each item, in order."""
        _check_count(len(body.items), limits.items)
        rewards = await scored([_pair(item) for item in body.items])
        return {"rewards": [_answer(r) for r in rewards]}

    @app.post("/get_reward", response_model=OpenRLHFAnswer)
    async def get_reward(body: OpenRLHFRequest) -> dict[str, Any]:
        """Score in OpenRLHF's shape; the labels are the answers."""
        _check_count(len(body.query), limits.items)
        try:
            pairs = openrlhf_pairs(
                body.query,
                body.prompts or [""] * len(body.query),
                body.labels or [None] * len(body.query),
                special_tokens,
            )
        except ValueError as e:
            return JSONResponse({"detail": str(e)}, 422)  # type: ignore[return-value]
        return openrlhf_answer(await scored(pairs), choice)

    @app.post("/v1/reward", response_model=LlamaFactoryAnswer)
    async def llama_factory(body: LlamaFactoryRequest) -> dict[str, Any]:
        """Score whole texts in LLaMA-Factory's shape, which carries no reference."""
        _check_count(len(body.messages), limits.items)
        pairs: list[Pair] = [(completion_of(text), Problem()) for text in body.messages]
        return {"scores": [number(r, choice) for r in await scored(pairs)]}

    return app


class _Failed(NotJudged, RuntimeError):
    """The workers failed, which says nothing about the completions."""


class _TooMany(UserMistake, ValueError):
    """More items in a request than the service takes."""


_ERRORS = {
    400: "the body cannot be read",
    401: "the token is missing or wrong",
    408: "the body did not arrive in time",
    413: "the body or the number of items is too large",
    415: "the body is not JSON",
    422: "the body is not of this shape",
    500: "the service failed, and says nothing about the completions",
    503: "the rubric abstained, and no number stands in",
    504: "the request was not answered in time",
}


def _what_is_wrong(errors: Sequence[Any]) -> str:
    """Return pydantic's errors as one sentence that names the places; nothing of the body is echoed."""
    told = []
    for error in errors[:5]:
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error["loc"][1:]).lstrip(".")
        place = place if len(place) <= 100 else f"{place[:100]}..."
        if error["type"] == "json_invalid":
            told.append(
                f"the body is no JSON: {error['ctx']['error'].lower()} at character {error['loc'][-1]}"
            )
        elif error["type"] == "extra_forbidden":
            told.append(f"{place} is not known")
        else:
            told.append(f"{place or 'the body'}: {error['msg'].lower()}")
    more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
    return "; ".join(told) + more


def _check_count(count: int, limit: int) -> None:
    if count > limit:
        raise _TooMany(f"a request must hold at most {limit} items, got {count}")


def _pair(item: Any) -> Pair:
    problem: Problem | Verdict = problem_from(item.prompt, item.answer, item.info, item.id)
    completion, fault = read_completion("completion", item.completion)
    if item.truncated:
        completion = replace(completion, finish_reason=FinishReason.LENGTH)
    return completion, fault or problem


def _answer(reward: Reward) -> dict[str, Any]:
    return {
        "reward": reward.total,
        "abstained": reward.abstains,
        "truncated": reward.truncated,
        "why": why(reward) if reward.abstains else "",
        "parts": verdicts(reward),
    }
