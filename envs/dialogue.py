"""From messages to tokens and back, without ever tokenising again what a policy has written.

A rollout's tokens only grow: the prompt's ids, the ids that were sampled, the ids of the observation,
the ids that were sampled next. What the policy wrote is decoded for the environment to read, and that
text is thrown away; encoding it again could give other ids (``[th][e]`` decodes to ``the`` and encodes
to ``[the]``), and training would then be on tokens that were never drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from referee.verifiers.records import Json, Message


class Dialogue(Protocol):
    """How messages are written for a policy."""

    def prompt(self, messages: Sequence[Message], tools: Sequence[dict[str, Json]] = ()) -> list[int]:
        """Return the tokens of a prompt, up to where the policy begins to write."""
        ...

    def observation(self, messages: Sequence[Message], *, ended: bool) -> list[int]:
        """Return the tokens between what the policy wrote and where it writes next.

        ``ended`` tells whether what it wrote ends in an end token.
        """
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of sampled tokens, without special tokens."""
        ...

    def ended(self, token_ids: Sequence[int]) -> bool:
        """Tell whether sampled tokens end in an end token."""
        ...


@dataclass(frozen=True, slots=True)
class _Decoding:
    tokenizer: Any

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of sampled tokens, without special tokens."""
        return str(
            self.tokenizer.decode(
                list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def ended(self, token_ids: Sequence[int]) -> bool:
        """Tell whether sampled tokens end in the end token."""
        return len(token_ids) > 0 and token_ids[-1] == self.tokenizer.eos_token_id

    def _ids(self, text: str) -> list[int]:
        return [int(i) for i in self.tokenizer(text, add_special_tokens=False)["input_ids"]]


@dataclass(frozen=True, slots=True)
class PlainDialogue(_Decoding):
    """Messages as plain text, for policies without a chat template; observations get lines of their own."""

    def prompt(self, messages: Sequence[Message], tools: Sequence[dict[str, Json]] = ()) -> list[int]:
        """Return the tokens of the contents, joined by blank lines."""
        return self._ids("\n\n".join(m.content for m in messages if m.content))

    def observation(self, messages: Sequence[Message], *, ended: bool) -> list[int]:
        """Return the tokens of the contents, each with a line break around it."""
        return self._ids("\n" + "\n".join(m.content for m in messages) + "\n")


@dataclass(frozen=True, slots=True)
class ChatDialogue(_Decoding):
    """Messages through the tokenizer's chat template.

    What the template writes around an observation is found by rendering a short conversation with and
    without it. Raises ValueError where the template does not close an assistant's message with the
    end token, or rewrites earlier messages when later ones come.
    """

    def __post_init__(self) -> None:
        if self.tokenizer.chat_template is None:
            raise ValueError("tokenizer must have a chat template: use PlainDialogue for one that has none")

    def prompt(self, messages: Sequence[Message], tools: Sequence[dict[str, Json]] = ()) -> list[int]:
        """Return the tokens of the rendered messages with the head of the assistant's answer."""
        return self._ids(self._render(messages, tools=list(tools) or None, add_generation_prompt=True))

    def observation(self, messages: Sequence[Message], *, ended: bool) -> list[int]:
        """Return the tokens of what the template writes after an assistant's end token."""
        start = (Message(role="user", content="question"), Message(role="assistant", content="answer"))
        before = self._render(start)
        after = self._render([*start, *messages], add_generation_prompt=True)
        end = str(self.tokenizer.eos_token)
        closed = before.rfind(end)
        if closed < before.rfind("answer") or not after.startswith(before[: closed + len(end)]):
            raise ValueError(f"the chat template must close an assistant's message with {end} and keep it")
        return self._ids(("" if ended else end) + after[closed + len(end) :])

    def _render(self, messages: Sequence[Message], **options: Any) -> str:
        plain = [
            {"role": m.role, "content": m.content, **({"name": m.name} if m.name else {})} for m in messages
        ]
        return str(self.tokenizer.apply_chat_template(plain, tokenize=False, **options))


def dialogue_for(tokenizer: Any) -> PlainDialogue | ChatDialogue:
    """Return the chat form where the tokenizer has a template, else the plain one."""
    return PlainDialogue(tokenizer) if tokenizer.chat_template is None else ChatDialogue(tokenizer)
