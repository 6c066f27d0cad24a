"""Small models with random weights, saved as transformers saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

CHAT = "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-*/=.:;,!?<>|_()\n ки"


def tokenizer(*, chat: bool = False, marks: tuple[str, ...] = ()) -> Any:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = [
        "<pad>",
        "<eos>",
        "<unk>",
        "<bos>",
        "<|user|>",
        "<|system|>",
        "<|assistant|>",
        "<|end|>",
        *marks,
    ]
    vocabulary = {t: i for i, t in enumerate([*special, *sorted(set(ALPHABET))])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <eos> $B", special_tokens=[("<bos>", 3), ("<eos>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", bos_token="<bos>",
        additional_special_tokens=special[4:], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    if chat:
        fast.chat_template = CHAT
    return fast


def llama(
    cls: str, folder: Path, *, labels: int = 1, chat: bool = False, marks: tuple[str, ...] = (), seed: int = 0
) -> str:
    import transformers

    tok = tokenizer(chat=chat, marks=marks)
    config = transformers.LlamaConfig(
        vocab_size=len(tok), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=256, num_labels=labels, pad_token_id=0, eos_token_id=1,
        bos_token_id=3,
    )  # fmt: skip
    torch.manual_seed(seed)
    getattr(transformers, cls)(config).save_pretrained(folder)
    tok.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Make a model of a class in a folder of its own, once for equal arguments."""
    made: dict[Any, str] = {}

    def make(cls: str, **options: Any) -> str:
        key = (cls, *sorted(options.items()))
        if key not in made:
            made[key] = llama(cls, tmp_path_factory.mktemp("model"), **options)
        return made[key]

    return make
