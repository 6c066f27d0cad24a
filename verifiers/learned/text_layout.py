"""How a prompt and a completion become the tokens that a model reads.

A model's own special tokens are never read out of what was written: in a completion they are broken
by a space, so that no text can close its turn and open another. The beginning-of-sequence token
stands once, also where both a chat template and the tokenizer would add it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from referee.verifiers.records import Completion, Message, Problem, text_of

Style = Literal["auto", "chat", "text", "pair"]
Prompt: TypeAlias = "str | Sequence[Message]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a model was trained to read.

    ``style``: ``chat`` applies the chat template, ``text`` writes the completion after the prompt
    with ``separator`` between, ``pair`` gives both to the tokenizer as two segments (BERT);
    ``auto`` is ``chat`` where there is a template, else ``text``. ``add_eos`` closes a ``text`` with
    the end token, as TRL's RewardTrainer does. Rows longer than ``max_length`` (0: what the model
    takes) lose tokens from the front, after the first token: the completion's end is kept.
    """

    style: Style = "auto"
    separator: str = ""
    add_eos: bool = False
    max_length: int = 0

    def __post_init__(self) -> None:
        if self.style not in get_args(Style):
            raise ValueError(f"style must be one of {', '.join(get_args(Style))}, got {self.style!r}")
        if self.max_length < 0:
            raise ValueError(f"max_length must be at least 0, got {self.max_length}")


PLAIN = Reading()


def read(tokenizer: Any, completion: str | Completion, problem: Problem, reading: Reading) -> list[int]:
    """Return the tokens of a problem's prompt and a completion, not yet cut to any length."""
    text = harmless(tokenizer, text_of(completion))
    style = reading.style
    if style == "auto":
        style = "chat" if getattr(tokenizer, "chat_template", None) else "text"
    if style == "chat":
        ids = _chat(tokenizer, problem.prompt, text)
    elif style == "pair":
        ids = tokenizer(_utf8(problem.prompt_text), text)["input_ids"]
    else:
        ids = tokenizer(_utf8(problem.prompt_text) + reading.separator + text)["input_ids"]
        eos = tokenizer.eos_token_id
        if reading.add_eos and eos is not None and (not ids or ids[-1] != eos):
            ids = [*ids, eos]
    return single_bos(tokenizer, [int(i) for i in ids])


def single_bos(tokenizer: Any, ids: list[int]) -> list[int]:
    """Return ``ids`` with one beginning-of-sequence token where there were more at the front."""
    bos = tokenizer.bos_token_id
    while bos is not None and len(ids) > 1 and ids[0] == bos == ids[1]:
        ids = ids[1:]
    return ids


def cut(ids: Sequence[int], longest: int) -> tuple[int, ...]:
    """Return at most ``longest`` tokens: the first, and the last ones.

    >>> cut([1, 2, 3, 4, 5], 3)
    (1, 4, 5)
    """
    if len(ids) <= longest:
        return tuple(ids)
    return tuple(ids[:1]) + (tuple(ids[-(longest - 1) :]) if longest > 1 else ())


def longest_row(loaded: Any, max_length: int = 0) -> int:
    """Return how many tokens a model takes, or ``max_length`` where that is less."""
    bounds = [
        getattr(loaded.model.config, "max_position_embeddings", None),
        loaded.tokenizer.model_max_length,
    ]
    known = [int(b) for b in (*bounds, max_length) if b and b < 10**9]
    return min(known, default=10**9)


def harmless(tokenizer: Any, text: str) -> str:
    """Return ``text`` with the tokenizer's special tokens broken by a space after their first character."""
    text = _utf8(text)
    for token in special_tokens(tokenizer):
        if len(token) > 1 and token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def special_tokens(tokenizer: Any) -> list[str]:
    """Return the texts that the tokenizer reads as special tokens, longest first."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    found = {str(t) for t in added.values() if t.special} | set(tokenizer.all_special_tokens)
    return sorted(found, key=lambda t: (-len(t), t))


def _chat(tokenizer: Any, prompt: Prompt, text: str) -> list[int]:
    messages = (
        [{"role": "user", "content": _utf8(prompt)}]
        if isinstance(prompt, str)
        else [{"role": m.role, "content": _utf8(m.content)} for m in prompt]
    )
    messages.append({"role": "assistant", "content": text})
    return list(tokenizer.apply_chat_template(messages, return_dict=False))


def _utf8(text: str) -> str:
    """Return ``text`` with lone surrogates, which no tokenizer takes, replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")
