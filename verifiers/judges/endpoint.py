"""Any OpenAI-compatible chat endpoint: a hosted one, vLLM, SGLang, llama.cpp's server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import re
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from referee.verifiers.extras import missing
from referee.verifiers.judges.chat import JudgeUnavailable, Messages, TooLong
from referee.verifiers.records import Json

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
# What OpenAI, vLLM, SGLang, llama.cpp and Ollama say of messages that are longer than the model's context.
_TOO_LONG = re.compile(
    r"context.{0,9}(?:length|size|window)|input length|too long|too many tokens", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A model behind ``POST base_url/chat/completions``.

    The key is read from the environment variable ``api_key_env`` when a request is made, and is
    never stored, printed or pickled. At most ``concurrency`` requests are under way at once in an
    event loop. A request that fails by the network, by time, or with a status that may pass (408,
    409, 425, 429, 5xx) is made again up to ``tries`` times, after waits that double from
    ``wait_s`` with random jitter, or what ``Retry-After`` asks for, up to a minute.

    ``cache`` is a folder; answers are kept there by endpoint, model, options, messages and sample
    number, so that a run that is repeated asks nothing twice. ``body`` is merged into each request
    (``{"response_format": {"type": "json_object"}}``, ``{"seed": 1}``); None there takes an option out
    (``{"max_tokens": None, "max_completion_tokens": 4000}``).
    """

    base_url: str
    model: str
    api_key_env: str = "OPENAI_API_KEY"
    temperature: float = 0.0
    max_tokens: int = 512
    timeout_s: float = 60.0
    tries: int = 4
    wait_s: float = 1.0
    concurrency: int = 16
    cache: str = ""
    body: dict[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must begin with http:// or https://, got {self.base_url!r}")
        for name, low in (("tries", 1), ("concurrency", 1), ("max_tokens", 1)):
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")
        if not 0 < self.timeout_s < math.inf:
            raise ValueError(f"timeout_s must be above 0 and finite, got {self.timeout_s}")
        if self.wait_s < 0 or self.temperature < 0:
            raise ValueError("wait_s and temperature must be at least 0")
        try:
            import diskcache  # noqa: F401
            import httpx  # noqa: F401
            import tenacity  # noqa: F401
        except ImportError as e:
            raise missing("Endpoint", "httpx, tenacity and diskcache", extra="judge") from e

    def __hash__(self) -> int:
        return hash((self.base_url, self.model))

    async def complete(self, messages: Messages, *, sample: int = 0) -> str:
        """Return the answer, from the cache where it holds one.

        Raises:
            TooLong: where the server says that the messages do not fit.
            JudgeUnavailable: where every try failed, or the answer has no text.
        """
        request: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            **self.body,
        }
        request = {name: value for name, value in request.items() if value is not None}
        cache = _cache(self.cache) if self.cache else None
        key = hashlib.sha256(
            json.dumps([self.base_url, request, sample], sort_keys=True).encode()
        ).hexdigest()
        if cache is not None and isinstance(kept := await asyncio.to_thread(cache.get, key), str):
            return kept
        text = await self._ask(request)
        if cache is not None:
            await asyncio.to_thread(cache.set, key, text)
        return text

    async def _ask(self, request: dict[str, Any]) -> str:
        import httpx
        import tenacity

        try:
            async for attempt in tenacity.AsyncRetrying(
                retry=tenacity.retry_if_exception(_passes),
                stop=tenacity.stop_after_attempt(self.tries),
                wait=_Wait(self.wait_s),
                reraise=True,
            ):
                with attempt:
                    return await self._post(request)
        except httpx.HTTPStatusError as e:
            status, text = e.response.status_code, e.response.text[:200]
            if status == 413 or (status in (400, 422) and _TOO_LONG.search(e.response.text[:4000])):
                raise TooLong(f"{self.base_url} answered {status}: {text}") from None
            raise JudgeUnavailable(f"{self.base_url} answered {status}: {text}") from None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as e:
            raise JudgeUnavailable(f"{self.base_url} did not answer: {type(e).__name__}: {e}"[:300]) from None
        raise AssertionError("tenacity returns or raises")

    async def _post(self, request: dict[str, Any]) -> str:
        api_key = os.environ.get(self.api_key_env, "")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        client, slots = _connection(self)
        url = self.base_url.rstrip("/") + "/chat/completions"
        async with slots:
            # httpx bounds each read; a server that drips bytes is bounded by the whole.
            async with asyncio.timeout(self.timeout_s):
                response = await client.post(url, json=request, headers=headers, timeout=self.timeout_s)
        response.raise_for_status()
        try:
            choice = response.json()["choices"][0]
            text = choice["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise JudgeUnavailable(f"{self.base_url} answered no chat completion") from None
        if not text and choice.get("finish_reason") == "length":
            raise JudgeUnavailable(
                f"the judge used up its max_tokens, {request.get('max_tokens')}, in thinking"
            )
        if not isinstance(text, str):
            raise JudgeUnavailable(f"{self.base_url} answered without a text")
        return text


def _passes(error: BaseException) -> bool:
    """Tell failures that another try may not meet."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _RETRIED
    return isinstance(error, httpx.TransportError | TimeoutError)


@dataclass(frozen=True, slots=True)
class _Wait:
    """Exponential backoff with jitter, or what the server asks for."""

    first_s: float

    def __call__(self, state: Any) -> float:
        import tenacity

        error = state.outcome.exception() if state.outcome is not None else None
        asked = getattr(getattr(error, "response", None), "headers", {}).get("retry-after", "")
        if asked.isdecimal():
            return float(min(int(asked), 60))
        return float(tenacity.wait_random_exponential(multiplier=self.first_s, max=60)(state))


_Loop = asyncio.AbstractEventLoop
_connections: weakref.WeakKeyDictionary[_Loop, dict[Any, tuple[Any, asyncio.Semaphore]]]
_connections = weakref.WeakKeyDictionary()


def _connection(endpoint: Endpoint) -> tuple[Any, asyncio.Semaphore]:
    """Return this loop's client and slots; neither may be shared between event loops."""
    import httpx

    of_loop = _connections.setdefault(asyncio.get_running_loop(), {})
    key = (endpoint.base_url, endpoint.concurrency)
    if key not in of_loop:
        limits = httpx.Limits(max_connections=endpoint.concurrency)
        of_loop[key] = (httpx.AsyncClient(limits=limits), asyncio.Semaphore(endpoint.concurrency))
    return of_loop[key]


_caches: dict[tuple[int, str], Any] = {}


def _cache(folder: str) -> Any:
    """Return the cache in ``folder``, one for each process. Values are JSON, never pickles."""
    import diskcache

    key = (os.getpid(), folder)
    if key not in _caches:
        _caches[key] = diskcache.Cache(str(Path(folder).expanduser()), disk=diskcache.JSONDisk)
    return _caches[key]
