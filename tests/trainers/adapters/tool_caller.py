"""A tiny Qwen3 in memory that writes tool calls in the form that TRL parses, taught by a few steps of SFT."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>",
           "<tool_response>", "</tool_response>")  # fmt: skip


def call(name, **arguments):
    said = json.dumps({"name": name, "arguments": arguments})
    return f"<tool_call>\n{said}\n</tool_call>"


def tool_caller(rows, tools, said, steps=80):
    """Return a model and its tokenizer that answers ``rows`` with the texts ``said``, any of them alike."""
    prompts = [row["prompt"] for row in rows]
    tokenizer = _tokenizer([*said, *(m["content"] for p in prompts for m in p)], tools)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=1,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            max_position_embeddings=4096,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    _teach(model, tokenizer, prompts, tools, said, steps)
    return model, tokenizer


def _tokenizer(texts, tools):
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    learn = trainers.BpeTrainer(
        vocab_size=1200, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = (Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja").read_text()
    shown = fast.apply_chat_template([{"role": "user", "content": ""}], tools=tools, tokenize=False)
    for special in SPECIAL:
        shown = shown.replace(special, " ")
    bpe.train_from_iterator([shown, *texts] * 3, learn)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=fast.chat_template,
    )
    # The tags of calls are plain tokens, so that they survive decoding without special tokens.
    fast.add_tokens([s for s in SPECIAL if s not in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")])
    fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    return fast


def _teach(model, tokenizer, prompts, tools, said, steps):
    """Each of ``said``, calls first, is as likely an answer to any prompt, also after a call was answered."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model.train()
    for step in range(steps):
        prompt = list(prompts[step % len(prompts)])
        if step % 2:
            function = json.loads(said[step % sum("<tool_call>" in s for s in said)].split("\n")[1])
            told = {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"type": "function", "function": function}],
            }
            prompt += [told, {"role": "tool", "name": function["name"], "content": "higher"}]
        asked = tokenizer.apply_chat_template(prompt, tools=tools, add_generation_prompt=True, tokenize=False)
        head = tokenizer(asked, add_special_tokens=False)["input_ids"]
        tails = [tokenizer(text + "<|im_end|>", add_special_tokens=False)["input_ids"] for text in said]
        longest = max(map(len, tails))
        ids = torch.tensor([head + t + [tokenizer.pad_token_id] * (longest - len(t)) for t in tails])
        labels = torch.tensor([[-100] * len(head) + t + [-100] * (longest - len(t)) for t in tails])
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
