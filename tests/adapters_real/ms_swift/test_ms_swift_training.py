"""ms-swift 4.6: its GRPO from its own entry point, on a tiny model, with the rubric that a plugin file registers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from swift.arguments import RLHFArguments
from swift.pipelines import rlhf_main
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

PLUGIN = Path(__file__).parent / "swift_plugin.py"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A Qwen2 of one layer over bytes, in a folder."""
    folder = tmp_path_factory.mktemp("model")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
    )  # fmt: skip
    torch.manual_seed(0)
    tiny = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=1024, bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    tiny.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train(model, folder, answers, max_completion_length):
    rows = [
        {"messages": [{"role": "user", "content": f"{i}+1="}], "answer": a} for i, a in enumerate(answers)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = rlhf_main(
        RLHFArguments(
            rlhf_type="grpo", model=str(model), model_type="qwen2", template="qwen2_5", tuner_type="full",
            dataset=[str(folder / "rows.jsonl")], load_from_cache_file=False, split_dataset_ratio=0.0,
            external_plugins=[str(PLUGIN)], reward_funcs=["referee"], torch_dtype="float32", bf16=False,
            fp16=False, num_generations=4, per_device_train_batch_size=8, gradient_accumulation_steps=1,
            max_completion_length=max_completion_length, max_steps=2, learning_rate=1e-3, beta=0.0, logging_steps=1,
            report_to=[], save_strategy="no", eval_strategy="no", output_dir=str(folder / "out"), use_hf=True,
            gradient_checkpointing=False, seed=1,
        )
    )  # fmt: skip
    return [entry for entry in done["log_history"] if "reward" in entry]


def test_it_trains_with_the_rubric(model, tmp_path):
    logs = train(model, tmp_path, ["1"] * 8, max_completion_length=2000)
    assert len(logs) == 2
    assert all(0.0 < entry["reward"] < 1.0 for entry in logs)
    assert all(entry["grad_norm"] > 0.0 for entry in logs)


def test_abstentions_and_truncated_completions_give_no_gradient(model, tmp_path):
    for answers, length in ((["", ""] * 4, 2000), (["1"] * 8, 1)):
        logs = train(model, tmp_path, answers, max_completion_length=length)
        assert [(entry["reward"], entry["grad_norm"]) for entry in logs] == [(0.0, 0.0)] * 2
