"""Chat templates: messages as the tokenizer writes them, and the token that ends a turn in them.

One place writes messages for a policy, so that a prompt, a demonstration and an episode read alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from referee.verifiers.records import Json, Message

_ASKED, _SAID = "question", "answer"


def render(
    tokenizer: Any,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Json]] = (),
    kwargs: Mapping[str, Json] | None = None,
    generation: bool = True,
) -> str:
    """Return messages as the tokenizer's template writes them, with the head of an answer for ``generation``.

    ``kwargs`` are the template's own switches, such as ``enable_thinking``.
    """
    return str(
        tokenizer.apply_chat_template(
            [_as_template_takes_it(m) for m in messages],
            tools=[dict(tool) for tool in tools] or None,
            add_generation_prompt=generation,
            tokenize=False,
            **(kwargs or {}),
        )
    )


def encode(
    tokenizer: Any,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Json]] = (),
    kwargs: Mapping[str, Json] | None = None,
) -> list[int]:
    """Return the tokens of messages, up to where the policy begins to write."""
    text = render(tokenizer, messages, tools=tools, kwargs=kwargs)
    return [int(i) for i in tokenizer(text, add_special_tokens=False)["input_ids"]]


def end_of_turn(tokenizer: Any) -> int | None:
    """Return the special token that the template closes an assistant's message with; None where it has none.

    It need not be the tokenizer's end of sequence: a base model's is that of documents, though its template
    ends turns with another.
    """
    if tokenizer.chat_template is None:
        return None
    return _end_of_turn(tokenizer, str(tokenizer.chat_template))


@lru_cache(maxsize=16)
def _end_of_turn(tokenizer: Any, _template: str) -> int | None:
    turns = (Message(role="user", content=_ASKED), Message(role="assistant", content=_SAID))
    try:
        text = render(tokenizer, turns, generation=False)
    except Exception:  # noqa: BLE001  # a template is a program of its own: one that takes no such talk says so
        return None
    behind = text[text.rfind(_SAID) + len(_SAID) :].lstrip()
    found = [token for token in _special(tokenizer) if token and behind.startswith(token)]
    return int(tokenizer.convert_tokens_to_ids(max(found, key=len))) if found else None


def _special(tokenizer: Any) -> list[str]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return [*tokenizer.all_special_tokens, *(str(t.content) for t in added.values())]


def _as_template_takes_it(message: Message) -> dict[str, Any]:
    """Return a message with what chat templates read beside its text: a name, and the calls of tools."""
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name:
        out["name"] = message.name
    if message.tool_call_id:
        out["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        out["tool_calls"] = [
            {"type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in message.tool_calls
        ]
    return out
