"""What a judge talks to: something that answers chat messages with a text.

``Chat`` is a protocol, so that a test, a router or another client can stand in. Built in are
:class:`referee.verifiers.judges.endpoint.Endpoint` for any OpenAI-compatible server and
:class:`referee.verifiers.judges.local.LocalChat` for a transformers model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

from referee.verifiers.errors import NotJudged

Messages: TypeAlias = "list[dict[str, str]]"


class JudgeUnavailable(NotJudged, RuntimeError):
    """No answer could be had: the server failed, timed out, or answered with something else."""


class TooLong(JudgeUnavailable):
    """The messages are longer than the judge reads."""


def to_blame(text: str, messages: Messages) -> bool:
    """Tell whether it is ``text`` that makes messages too long: it is more than half of them."""
    return 2 * len(text) > sum(len(m["content"]) for m in messages)


@runtime_checkable
class Chat(Protocol):
    """Answers chat messages.

    ``sample`` numbers independent answers to the same messages: equal numbers may be answered from a
    cache, different ones must be drawn anew.
    """

    async def complete(self, messages: Messages, *, sample: int = 0) -> str:
        """Return the answer's text.

        Raises:
            TooLong: where the messages do not fit into what the model reads.
            JudgeUnavailable: where no answer could be had.
        """
        ...


def as_chat(chat: object) -> Chat:
    """Return a chat as it is, or made from options: an ``Endpoint`` where ``base_url`` is one of them,
    else a ``LocalChat``.

    Raises:
        TypeError: where it is neither.
    """
    if isinstance(chat, Mapping):
        options: dict[str, Any] = {str(k): v for k, v in chat.items()}
        if "base_url" in options:
            from referee.verifiers.judges.endpoint import Endpoint

            return Endpoint(**options)
        from referee.verifiers.judges.local import LocalChat

        return LocalChat(**options)
    if not isinstance(chat, Chat):
        raise TypeError(
            f"chat must be an Endpoint, a LocalChat, or have a complete() method, got {type(chat).__name__}"
        )
    return chat
