"""``referee serve``: a rubric as an HTTP service."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from referee.commands.inputs import BadInput, above_0, load_judge

if TYPE_CHECKING:
    from referee.trainers.adapters.abstention import OnAbstention

TOKEN_VARIABLE = "REFEREE_TOKEN"  # noqa: S105  # the name of a variable, not a token


def serve(
    rubric: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    on_abstention: str = "raise",
    special_tokens: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    max_body_bytes: int = 16 * 1024 * 1024,
    max_items: int = 4096,
    deadline_s: float = 10.0,
    timeout_s: float = 120.0,
    concurrency: int = 64,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False,
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
    quiet:
        No line for each request; warnings and errors are said all the same.
    """
    import uvicorn

    from referee.trainers.adapters.service import ServiceLimits, to_service

    for flag, count in (
        ("--workers", workers),
        ("--max-body-bytes", max_body_bytes),
        ("--max-items", max_items),
        ("--concurrency", concurrency),
    ):
        if count < 1:
            raise BadInput(f"{flag} must be at least 1, got {count}")
    above_0("--deadline-s", deadline_s)
    above_0("--timeout-s", timeout_s)
    stand_in = _choice(on_abstention)
    judge = load_judge(rubric)
    token = os.environ.get(TOKEN_VARIABLE) or None
    try:
        app = to_service(
            judge,
            on_abstention=stand_in,
            token=token,
            workers=workers,
            special_tokens=special_tokens,
            limits=ServiceLimits(
                body_bytes=max_body_bytes, items=max_items, deadline_s=deadline_s, timeout_s=timeout_s
            ),
        )
    except (ValueError, TypeError) as e:
        raise BadInput(str(e)) from None
    _check_free(host, port)
    if token is None and not _loopback(host):
        print(  # noqa: T201  # a command speaks to its user
            f"whoever can reach {host}:{port} can use this service: set {TOKEN_VARIABLE} to ask for a token",
            file=sys.stderr,
        )
    uvicorn.run(
        app, host=host, port=port, limit_concurrency=concurrency, log_level="warning" if quiet else "info"
    )


def _check_free(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on, before the service is up."""
    if not 0 <= port <= 65_535:
        raise BadInput(f"--port must be from 0 to 65535, got {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as e:
        raise BadInput(f"--host and --port must be free to listen on, got {host}:{port}: {e}") from None


def _choice(text: str) -> OnAbstention:
    from referee.trainers.adapters.abstention import check_on_abstention

    with contextlib.suppress(ValueError):
        return check_on_abstention(float(text))
    if text != "raise":
        raise BadInput(f"--on-abstention must be raise or a finite number, got {text!r:.80}")
    return "raise"


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
