"""``referee serve``: a rubric as an HTTP service."""

from __future__ import annotations

import ipaddress
import os
import sys

from referee.commands.inputs import load_judge
from referee.trainers.adapters.abstention import check_on_abstention
from referee.trainers.adapters.service import ServiceLimits, to_service

TOKEN_VARIABLE = "REFEREE_TOKEN"  # noqa: S105  # the name of a variable, not a token


def serve(
    rubric: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    on_abstention: str = "raise",
    special_tokens: tuple[str, ...] = (),
    max_body_bytes: int = 16 * 1024 * 1024,
    max_items: int = 4096,
    deadline_s: float = 10.0,
    timeout_s: float = 120.0,
    concurrency: int = 64,
) -> None:
    """Serve a rubric over HTTP until interrupted.

    POST /score takes a batch, /get_reward speaks OpenRLHF's shape, /v1/reward LLaMA-Factory's;
    GET /health answers, /docs describes. With the environment variable REFEREE_TOKEN set, clients
    must send it as a bearer token.

    Parameters
    ----------
    rubric:
        A rubric's YAML file, or a verifier's name (math, package.module:name, file.py:name).
    host:
        The address to listen on; only this machine can reach the default.
    port:
        The port to listen on; 0 takes a free one.
    workers:
        Worker processes that score.
    on_abstention:
        What OpenRLHF and LLaMA-Factory get where the rubric abstains: raise (status 503) or a number.
    special_tokens:
        Texts that are cut from the end of OpenRLHF's queries, such as an end-of-turn token.
    max_body_bytes:
        The largest body of a request.
    max_items:
        The most completions in a request.
    deadline_s:
        Seconds for each completion, after which its worker is ended.
    timeout_s:
        Seconds for a whole request.
    concurrency:
        The most connections at once; beyond it clients get status 503.
    """
    try:
        import uvicorn
    except ImportError as e:
        raise ImportError('serving needs FastAPI and uvicorn: pip install "referee[serve]"') from e
    token = os.environ.get(TOKEN_VARIABLE) or None
    app = to_service(
        load_judge(rubric),
        on_abstention=check_on_abstention(_choice(on_abstention)),
        token=token,
        workers=workers,
        special_tokens=special_tokens,
        limits=ServiceLimits(
            body_bytes=max_body_bytes, items=max_items, deadline_s=deadline_s, timeout_s=timeout_s
        ),
    )
    if token is None and not _loopback(host):
        print(  # noqa: T201  # a command speaks to its user
            f"whoever can reach {host}:{port} can use this service: set {TOKEN_VARIABLE} to ask for a token",
            file=sys.stderr,
        )
    uvicorn.run(app, host=host, port=port, limit_concurrency=concurrency, log_level="info")


def _choice(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
