"""From messages to tokens and back, without ever tokenising again what a policy has written.

A rollout's tokens only grow: the prompt's ids, the ids that were sampled, the ids of the observation,
the ids that were sampled next. What the policy wrote is decoded for the environment to read, and that
text is thrown away; encoding it again could give other ids (``[th][e]`` decodes to ``the`` and encodes
to ``[the]``), and training would then be on tokens that were never drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from referee.envs.chat_template import encode, end_of_turn, render
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
    skip_special_tokens: bool = True
    stop: tuple[str, ...] = ()

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of sampled tokens, without the end token and, by default, other special ones."""
        text = text_of(
            self.tokenizer, token_ids, ends=self._ends, skip_special_tokens=self.skip_special_tokens
        )
        return before_stop(text, self.stop)[0]

    def ended(self, token_ids: Sequence[int]) -> bool:
        """Tell whether sampled tokens end in an end token: that of a text, or of a turn."""
        return len(token_ids) > 0 and token_ids[-1] in self._ends

    @property
    def _ends(self) -> tuple[int | None, ...]:
        return (self.tokenizer.eos_token_id, end_of_turn(self.tokenizer))

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

    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.tokenizer.chat_template is None:
            raise ValueError("tokenizer must have a chat template: use PlainDialogue for one that has none")

    def prompt(self, messages: Sequence[Message], tools: Sequence[dict[str, Json]] = ()) -> list[int]:
        """Return the tokens of the rendered messages with the head of the assistant's answer."""
        return encode(self.tokenizer, messages, tools=tools, kwargs=self.chat_template_kwargs)

    def observation(self, messages: Sequence[Message], *, ended: bool) -> list[int]:
        """Return the tokens of what the template writes after an assistant's end token."""
        start = (Message(role="user", content="question"), Message(role="assistant", content="answer"))
        before = self._render(start, generation=False)
        after = self._render([*start, *messages], generation=True)
        token = end_of_turn(self.tokenizer)
        end = str(self.tokenizer.eos_token if token is None else self.tokenizer.convert_ids_to_tokens(token))
        closed = before.rfind(end)
        if closed < before.rfind("answer") or not after.startswith(before[: closed + len(end)]):
            raise ValueError(f"the chat template must close an assistant's message with {end} and keep it")
        return self._ids(("" if ended else end) + after[closed + len(end) :])

    def _render(self, messages: Sequence[Message], *, generation: bool) -> str:
        return render(self.tokenizer, messages, kwargs=self.chat_template_kwargs, generation=generation)


def text_of(
    tokenizer: Any, token_ids: Sequence[int], *, ends: Sequence[int | None], skip_special_tokens: bool = True
) -> str:
    """Return the text of sampled tokens: never the end token, and the other special ones where asked for."""
    ids = list(token_ids)
    while ids and ids[-1] in ends:
        ids.pop()
    return str(
        tokenizer.decode(ids, skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=False)
    )


def before_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """Return a text up to the first stop text in it, and whether there is one.

    >>> before_stop("42, Question: 1+1", ["Question:", ", "])
    ('42', True)
    """
    places = [i for i in (text.find(s) for s in stop) if i >= 0]
    return (text[: min(places)], True) if places else (text, False)


def dialogue_for(
    tokenizer: Any,
    *,
    chat_template_kwargs: Mapping[str, Json] | None = None,
    skip_special_tokens: bool = True,
    stop: Sequence[str] = (),
) -> PlainDialogue | ChatDialogue:
    """Return the chat form where the tokenizer has a template, else the plain one.

    ``skip_special_tokens`` False lets the environment read special tokens that were sampled;
    ``chat_template_kwargs`` are the template's own switches, such as ``enable_thinking``; what was written is
    read up to the first text of ``stop``.
    """
    if tokenizer.chat_template is None:
        return PlainDialogue(tokenizer, skip_special_tokens, tuple(stop))
    return ChatDialogue(tokenizer, skip_special_tokens, tuple(stop), chat_template_kwargs or {})
