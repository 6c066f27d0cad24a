"""What the HTTP service lets in: who knows the token, and a body that is JSON, small enough and in time."""

from __future__ import annotations

import asyncio
import hmac
from typing import Any

from referee.verifiers.jsonl import write_json


class Door:
    """ASGI middleware that refuses a request before anything of it is parsed.

    401 without the token (``/health`` needs none), whose sender's body is not read; 415 for a body
    that is no JSON; 413 as soon as a body is, or grows, too large; 408 where it never ends.
    """

    def __init__(self, app: Any, *, token: str | None, body_bytes: int, timeout_s: float) -> None:
        self.app = app
        self.token = token
        self.body_bytes = body_bytes
        self.timeout_s = timeout_s

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, its body whole, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not self._known(scope["path"], headers):
            await _refuse(send, 401, "a bearer token is needed", (b"www-authenticate", b"Bearer"))
            return
        kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if scope["method"] == "POST" and kind != "application/json":
            await _refuse(send, 415, f"content-type must be application/json, got {kind[:100] or 'none'}")
            return
        try:
            async with asyncio.timeout(self.timeout_s):
                messages = await self._read(headers, receive)
        except TimeoutError:
            await _refuse(send, 408, f"the body must arrive within {self.timeout_s:g} s")
            return
        if messages is None:
            await _refuse(send, 413, f"the body must be at most {self.body_bytes} bytes")
            return
        if messages[-1]["type"] == "http.disconnect":
            return  # nobody waits for an answer
        rest = iter(messages)

        async def replay() -> Any:
            return next(rest, None) or await receive()

        await self.app(scope, replay, send)

    def _known(self, path: str, headers: dict[bytes, bytes]) -> bool:
        if self.token is None or path == "/health":
            return True
        given = headers.get(b"authorization", b"")
        return hmac.compare_digest(given, f"Bearer {self.token}".encode())

    async def _read(self, headers: dict[bytes, bytes], receive: Any) -> list[Any] | None:
        """Return the whole body, which JSON needs before it can be parsed, or None where it is too large."""
        stated = headers.get(b"content-length", b"0")
        if stated.isdigit() and int(stated) > self.body_bytes:
            return None
        messages, size = [], 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self.body_bytes:
                return None
            if not message.get("more_body"):
                return messages


async def _refuse(send: Any, status: int, detail: str, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": write_json({"detail": detail}).encode()})
