"""What process reward models were trained to read, and how their numbers become step scores.

==========================  ======================================================================
``qwen2.5_math``            Qwen2.5-Math-PRM: chat, ``<extra_0>`` after each step; softmax over the
                            model's two classes there, [1]
``math_shepherd``           Math-Shepherd (Mistral): ``question step ки`` lines; softmax over the tokens
                            ``+`` and ``-`` there, [0]
``skywork_o1``              Skywork-o1-Open-PRM: problem, then steps that end in a newline token; sigmoid
                            of a value head there
``token_classification``    TRL's stepwise format, and what ``train_process_model`` trains:
                            prompt, then steps that end in a newline; softmax over two classes, [1]
==========================  ======================================================================

Each format says where its scores stand by the places at which it wrote the marks itself. Searching
for a mark's token would also find the marks that a completion wrote, and dropping scores that are
zero (as a widely copied example does) would drop the very steps that are surely wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from referee.verifiers.learned.loading import Kind, Loaded
from referee.verifiers.learned.text_layout import harmless, single_bos
from referee.verifiers.records import Problem

Format = Literal["qwen2.5_math", "math_shepherd", "skywork_o1", "token_classification"]
Marked = tuple[list[int], list[int]]
"""A row's tokens, and the places at which its steps' scores stand."""

QWEN_SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
QWEN_MARK = "<extra_0>"
SHEPHERD_MARK = "ки"


class StepFormat(Protocol):
    """How a process reward model reads steps and tells their scores."""

    @property
    def kind(self) -> Kind:
        """The class of model that transformers is to load."""
        ...

    def tokens(self, tokenizer: Any, problem: Problem, steps: Sequence[str]) -> Marked:
        """Return the row for some steps, and one place for each."""
        ...

    def scores(self, loaded: Loaded, tokens_BT: Any, mask_BT: Any, cache: Any) -> Any:
        """Return the score that each token stands for, a tensor (B, T, 1) of numbers from 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Qwen:
    """Qwen2.5-Math-PRM."""

    kind: Kind = "encoder"

    def tokens(self, tokenizer: Any, problem: Problem, steps: Sequence[str]) -> Marked:
        """Write the chat template around the steps, the mark's token after each."""
        mark = tokenizer.convert_tokens_to_ids(QWEN_MARK)
        if not isinstance(mark, int) or mark == tokenizer.unk_token_id:
            raise ValueError(f"the tokenizer must have the token {QWEN_MARK}, got none")
        slot = "\ue000"
        messages = [
            {"role": "system", "content": QWEN_SYSTEM},
            {"role": "user", "content": harmless(tokenizer, problem.prompt_text).replace(slot, "")},
            {"role": "assistant", "content": slot},
        ]
        head, _, tail = tokenizer.apply_chat_template(messages, tokenize=False).partition(slot)
        ids, places = _pieces(tokenizer, head, steps, [mark], special=False)
        return ids + _encode(tokenizer, tail), places

    def scores(self, loaded: Loaded, tokens_BT: Any, mask_BT: Any, cache: Any) -> Any:
        """Return softmax over the two classes, [1]."""
        out = _call(loaded.model, tokens_BT, mask_BT, cache)
        return out[0].float().softmax(-1)[..., 1:]


@dataclass(frozen=True, slots=True)
class Shepherd:
    """Math-Shepherd: a causal model that writes + or - after each step."""

    kind: Kind = "causal_lm"

    def tokens(self, tokenizer: Any, problem: Problem, steps: Sequence[str]) -> Marked:
        """Write one text, in which the places of the marks are known by their characters."""
        text, ends = harmless(tokenizer, problem.prompt_text), []
        for i, step in enumerate(steps):
            # The mark written by the completion itself would otherwise be read as a boundary.
            step = harmless(tokenizer, step).replace(SHEPHERD_MARK, "к и")
            text += ("\n" if i else " ") + step + " " + SHEPHERD_MARK
            ends.append(len(text))
        coded = tokenizer(text, return_offsets_mapping=True)
        ids = [int(i) for i in coded["input_ids"]]
        offsets = coded["offset_mapping"]
        places = [next(t for t, (start, stop) in enumerate(offsets) if start < e <= stop) for e in ends]
        return ids, places

    def scores(self, loaded: Loaded, tokens_BT: Any, mask_BT: Any, cache: Any) -> Any:
        """Return softmax over the tokens + and -, [0]."""
        signs = [int(i) for i in loaded.tokenizer("+ -", add_special_tokens=False)["input_ids"]]
        plus, minus = signs[0], signs[-1]
        logits_BTV = _call(loaded.model, tokens_BT, mask_BT, cache).logits
        return logits_BTV[..., [plus, minus]].float().softmax(-1)[..., :1]


@dataclass(frozen=True, slots=True)
class Skywork:
    """Skywork-o1-Open-PRM: a causal backbone and a value head."""

    kind: Kind = "encoder"

    def tokens(self, tokenizer: Any, problem: Problem, steps: Sequence[str]) -> Marked:
        """Write the problem and the steps, each tokenised on its own with a newline token after it."""
        newline = _encode(tokenizer, "\n")[-1:]
        head = (tokenizer.bos_token or "") + harmless(tokenizer, problem.prompt_text) + "\n"
        ids, places = _pieces(tokenizer, head, steps, newline, special=False)
        return single_bos(tokenizer, ids), places

    def scores(self, loaded: Loaded, tokens_BT: Any, mask_BT: Any, cache: Any) -> Any:
        """Return sigmoid of the value head."""
        hidden_BTD = _call(loaded.model, tokens_BT, mask_BT, cache).last_hidden_state
        weight_1D, bias_1 = _value_head(loaded)
        return (hidden_BTD.float() @ weight_1D.float().T + bias_1.float()).sigmoid()


@dataclass(frozen=True, slots=True)
class TokenClassification:
    """Two classes for each token, 1 for a right step."""

    kind: Kind = "token_classification"

    def tokens(self, tokenizer: Any, problem: Problem, steps: Sequence[str]) -> Marked:
        """Write the prompt and the steps, each tokenised on its own with a newline after it."""
        head = harmless(tokenizer, problem.prompt_text)
        return _pieces(tokenizer, head, steps, _encode(tokenizer, "\n"), special=True)

    def scores(self, loaded: Loaded, tokens_BT: Any, mask_BT: Any, cache: Any) -> Any:
        """Return softmax over the two classes, [1]."""
        if cache is not None:
            base = loaded.model.base_model
            hidden_BTD = _call(base, tokens_BT, mask_BT, cache).last_hidden_state
            return loaded.model.score(hidden_BTD).float().softmax(-1)[..., 1:]
        return _call(loaded.model, tokens_BT, mask_BT, cache).logits.float().softmax(-1)[..., 1:]


FORMATS: dict[str, StepFormat] = {
    "qwen2.5_math": Qwen(),
    "math_shepherd": Shepherd(),
    "skywork_o1": Skywork(),
    "token_classification": TokenClassification(),
}


def _encode(tokenizer: Any, text: str) -> list[int]:
    return [int(i) for i in tokenizer(text, add_special_tokens=False)["input_ids"]]


def _pieces(tokenizer: Any, head: str, steps: Sequence[str], mark: list[int], *, special: bool) -> Marked:
    ids = [int(i) for i in tokenizer(head, add_special_tokens=special)["input_ids"]]
    if special and ids and ids[-1] in (tokenizer.eos_token_id, tokenizer.sep_token_id):
        ids = ids[:-1]  # the row goes on
    places = []
    for step in steps:
        ids = ids + _encode(tokenizer, harmless(tokenizer, step)) + mark
        places.append(len(ids) - 1)
    return ids, places


def _call(model: Any, tokens_BT: Any, mask_BT: Any, cache: Any) -> Any:
    if cache is None:
        return model(input_ids=tokens_BT, attention_mask=mask_BT)
    return model(input_ids=tokens_BT, attention_mask=mask_BT, past_key_values=cache, use_cache=True)


_heads: dict[str, tuple[Any, Any]] = {}


def _value_head(loaded: Loaded) -> tuple[Any, Any]:
    """Return the value head's weight and bias out of the checkpoint's files."""
    from safetensors import safe_open

    name = str(loaded.model.config._name_or_path)
    if name not in _heads:
        found: dict[str, Any] = {}
        for file in sorted(_folder(name).glob("*.safetensors")):
            with safe_open(str(file), framework="pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118  # not a mapping
                    for part in ("weight", "bias"):
                        if key.endswith(f"v_head.summary.{part}"):
                            found[part] = tensors.get_tensor(key)
        if "weight" not in found:
            raise ValueError(f"{name} must hold v_head.summary.weight, got no such tensor")
        weight = found["weight"].to(loaded.device)
        bias = found.get("bias", weight.new_zeros(1)).to(loaded.device)
        _heads[name] = (weight, bias)
    return _heads[name]


def _folder(name: str) -> Path:
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, allow_patterns=["*.safetensors"]))
