"""A judge's model on this machine, by transformers."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Any

from referee.verifiers.judges.chat import Messages, TooLong
from referee.verifiers.learned.loading import Loaded, load
from referee.verifiers.learned.text_layout import harmless

_generating = threading.Lock()  # one generation at a time: they would only take each other's cores


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChat:
    """A causal language model with a chat template, loaded when it is first asked.

    ``model`` is a name or folder that transformers loads, or ``package:NAME``
    (:mod:`referee.verifiers.learned.loading`). Temperature 0 is greedy; else answers are drawn from
    a generator seeded by ``seed`` and the sample's number, so that they repeat. Special tokens of this
    very model are broken wherever the messages hold them. Where its template takes no system message,
    that one goes before the first of the user's.
    """

    model: str
    dtype: str = "auto"
    device: str = "auto"
    temperature: float = 0.0
    max_new_tokens: int = 256
    seed: int = 0
    trust_remote_code: bool = False

    async def complete(self, messages: Messages, *, sample: int = 0) -> str:
        """Return the answer's text.

        Raises:
            TooLong: where the messages do not fit into the model's context.
            ImportError, OSError, ValueError: where the model cannot be loaded.
        """
        return await asyncio.to_thread(self._complete, messages, sample)

    def _complete(self, messages: Messages, sample: int) -> str:
        import torch

        loaded = load(
            self.model,
            "causal_lm",
            dtype=self.dtype,
            device=self.device,
            trust_remote_code=self.trust_remote_code,
        )
        ids = self._ids(loaded, messages)
        room = getattr(loaded.model.config, "max_position_embeddings", None)
        if room is not None and len(ids) + self.max_new_tokens > room:
            raise TooLong(f"the judge reads at most {room - self.max_new_tokens} tokens, got {len(ids)}")
        options: dict[str, Any] = {"do_sample": False}
        if self.temperature > 0:
            options = {"do_sample": True, "temperature": self.temperature, "top_p": 1.0, "top_k": 0}
        with _generating, torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed * 1_000_003 + sample)
            tokens = torch.tensor([ids], device=loaded.device)
            out = loaded.model.generate(
                tokens,
                attention_mask=torch.ones_like(tokens),
                max_new_tokens=self.max_new_tokens,
                pad_token_id=loaded.pad_id,
                **options,
            )
        return str(loaded.tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True))

    def _ids(self, loaded: Loaded, messages: Messages) -> list[int]:
        if getattr(loaded.tokenizer, "chat_template", None) is None:
            raise ValueError(f"model must have a chat template to judge, got {self.model}")
        from jinja2 import TemplateError

        safe = [{**m, "content": harmless(loaded.tokenizer, m["content"])} for m in messages]
        try:
            ids = _templated(loaded.tokenizer, safe)
        except TemplateError:  # Gemma 2 and the first Mistral models refuse a system message
            if len(safe) < 2 or safe[0]["role"] != "system":
                raise
            first = {**safe[1], "content": safe[0]["content"] + "\n\n" + safe[1]["content"]}
            ids = _templated(loaded.tokenizer, [first, *safe[2:]])
        return [int(i) for i in ids]


def _templated(tokenizer: Any, messages: Messages) -> Any:
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
