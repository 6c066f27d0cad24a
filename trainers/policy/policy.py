"""Policies: any causal language model with its tokenizer, or a tiny one made on the spot.

A policy's name is one of

- ``tiny``: a small Llama over characters (:class:`Tiny`), for demos, tests and studies on a CPU,
- a name or a folder that transformers loads,
- a path that ends in ``.gguf``,
- ``package:NAME``: the one GGUF file inside an installed Python package, found without importing it.

GGUF weights are dequantised and copied once into the cache folder (``$REFEREE_CACHE``, else
``~/.cache/referee``), since a model that was loaded from GGUF cannot be saved.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import io
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from referee.envs.chat_template import encode, end_of_turn
from referee.envs.dialogue import ChatDialogue, PlainDialogue, dialogue_for, text_of
from referee.verifiers.extras import missing
from referee.verifiers.learned.text_layout import single_bos
from referee.verifiers.records import Json, Message

ALPHABET = "0123456789+-*/=()<>,.:? abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\n"
BASE = "base"  # in a checkpoint of adapters: the weights that they belong to, where no name finds them
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    """A small Llama over single characters, with weights drawn from ``seed``.

    ``context`` is the greatest number of tokens of a prompt with its completion.
    """

    alphabet: str = ALPHABET
    layers: int = 3
    width: int = 128
    heads: int = 4
    context: int = 512

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width must be a multiple of twice heads, got width {self.width} and heads {self.heads}"
            )
        if not self.alphabet:
            raise ValueError("alphabet must have at least one character")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoRA:
    """Low-rank adapters (Hu et al. 2021) on every linear layer: the update is ``alpha / rank`` times B A.

    The base weights stay as they are, so that the policy with its adapters switched off is the
    reference policy and no second copy is held.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: str | tuple[str, ...] = "all-linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A causal language model and the tokenizer that goes with it.

    ``eos_ids`` are the tokens that end a completion: the one that ends a turn in its chat template, the
    tokenizer's own, and those of its generation settings. ``chat_template_kwargs`` are the template's own
    switches (``enable_thinking``). With ``skip_special_tokens`` False, special tokens that were sampled stay
    in the text that is judged; what is trained on is the same either way.
    """

    model: Any
    tokenizer: Any
    name: str = ""
    eos_ids: tuple[int, ...] = field(default=())
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    skip_special_tokens: bool = True

    def __post_init__(self) -> None:
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        if not self.eos_ids:
            stated = getattr(getattr(self.model, "generation_config", None), "eos_token_id", None)
            ids = [] if stated is None else sorted(stated) if isinstance(stated, list | tuple) else [stated]
            own = (end_of_turn(self.tokenizer), self.tokenizer.eos_token_id)
            ids = [i for i in dict.fromkeys([*own, *ids]) if i is not None]
            object.__setattr__(self, "eos_ids", tuple(ids))
        if not self.eos_ids:
            raise ValueError("the tokenizer must name an end-of-sequence token, got none")

    @property
    def pad_id(self) -> int:
        """The token that fills rows up; it is never attended to and never in a loss."""
        return int(self.tokenizer.pad_token_id)

    @property
    def has_adapters(self) -> bool:
        """True where the model is a base with LoRA adapters."""
        return hasattr(self.model, "disable_adapter")

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device(next(self.model.parameters()).device)

    def encode(self, prompt: str | Sequence[Message]) -> list[int]:
        """Return a prompt's tokens: a text as it is, messages through the chat template."""
        if isinstance(prompt, str):
            ids = [int(i) for i in self.tokenizer(prompt)["input_ids"]]
            end = self.tokenizer.eos_token_id
            if len(ids) > 1 and ids[-1] == end and not prompt.endswith(str(self.tokenizer.eos_token)):
                ids.pop()  # a tokenizer that closes every text would close the prompt
            return single_bos(self.tokenizer, ids)
        if self.tokenizer.chat_template is None:
            raise ValueError(
                "the prompt must be a text, got chat messages: "
                f"the tokenizer of {self.name or 'this policy'} has no chat template"
            )
        return encode(self.tokenizer, prompt, kwargs=self.chat_template_kwargs)

    def end_of(self, prompt: str | Sequence[Message]) -> int:
        """Return the token that ends an answer to a prompt: a turn's for messages, a text's for a text."""
        ends = (end_of_turn(self.tokenizer), self.tokenizer.eos_token_id)
        known = [i for i in (reversed(ends) if isinstance(prompt, str) else ends) if i is not None]
        return int(known[0]) if known else self.eos_ids[0]

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return a completion's text, without the end token and, by default, other special ones."""
        return text_of(
            self.tokenizer, token_ids, ends=self.eos_ids, skip_special_tokens=self.skip_special_tokens
        )

    def embeddings(self) -> list[torch.Tensor]:
        """Return the weights of the embedding and of the head, which are one where they are tied."""
        model = self.model.get_base_model() if self.has_adapters else self.model
        found = (model.get_input_embeddings(), model.get_output_embeddings())
        return [layer.weight for layer in found if layer is not None and hasattr(layer, "weight")]

    @property
    def context(self) -> int | None:
        """The most tokens that a prompt with its completion can have; None where no bound is known."""
        room = getattr(self.model.config, "max_position_embeddings", None)
        return None if room is None else int(room)

    def dialogue(self, *, stop: Sequence[str] = ()) -> PlainDialogue | ChatDialogue:
        """Return how messages of an episode are written for this policy, read up to a stop text."""
        return dialogue_for(
            self.tokenizer,
            chat_template_kwargs=self.chat_template_kwargs,
            skip_special_tokens=self.skip_special_tokens,
            stop=stop,
        )

    def save(self, folder: Path) -> None:
        """Write the model and its tokenizer so that :func:`load_policy` reads them back."""
        with _quiet():
            if self.has_adapters:
                self.model.save_pretrained(folder, selected_adapters=["default"])
            else:
                self.model.save_pretrained(folder)
            if self.has_adapters and not self.model.peft_config["default"].base_model_name_or_path:
                _save_base(self.model, folder / BASE)
        self.tokenizer.save_pretrained(folder)


def _save_base(model: Any, folder: Path) -> None:
    """Write the frozen weights of a model with adapters, which no name finds."""
    base = model.get_base_model()
    state = {
        name.replace(".base_layer.", "."): value
        for name, value in base.state_dict().items()
        if ".lora_" not in name
    }
    base.save_pretrained(folder, state_dict=state)


def load_policy(
    name: str,
    *,
    dtype: str = "float32",
    tiny: Tiny | None = None,
    lora: LoRA | None = None,
    seed: int = 0,
    chat_template_kwargs: Mapping[str, Json] | None = None,
    skip_special_tokens: bool = True,
) -> Policy:
    """Load the policy called ``name`` (the module's docstring lists what a name can be).

    ``seed`` decides a tiny policy's weights and the first weights of adapters. The last two are those of
    :class:`Policy`.

    Raises:
        ValueError: for an unknown ``dtype``, a package that holds no single GGUF file, adapters that are not
            those that were saved, or a mixture of experts, whose routing training would have to replay.
        ImportError: for ``package:NAME`` where that package is not installed.
        OSError: where transformers finds no model of that name.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    if name == "tiny":
        policy = tiny_policy(tiny or Tiny(), seed=seed, dtype=dtype)
    elif (Path(name) / "adapter_config.json").is_file():
        policy, lora = _with_saved_adapters(Path(name), dtype, lora), None
    else:
        policy = _pretrained(_resolve(name), name, dtype)
    policy = replace(
        policy,
        chat_template_kwargs=dict(chat_template_kwargs or {}),
        skip_special_tokens=skip_special_tokens,
    )
    refuse_experts(policy)
    return add_adapters(policy, lora, seed=seed) if lora is not None else policy


def refuse_experts(policy: Policy) -> None:
    """Refuse a mixture of experts: other routing in the update than in the draw makes its ratios noise.

    Raises:
        ValueError: naming it.
    """
    config = policy.model.config
    for name in ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"):
        count = getattr(config, name, None)
        if isinstance(count, int) and count > 1:
            raise ValueError(
                f"policy must not be a mixture of experts, got {policy.name or type(policy.model).__name__} "
                f"with {name} {count}: its routing is not replayed in the update"
            )


def _with_saved_adapters(folder: Path, dtype: str, lora: LoRA | None) -> Policy:
    """Return a policy whose adapters, trained before, go on being trained."""
    from peft import PeftConfig, PeftModel

    saved: Any = PeftConfig.from_pretrained(str(folder))
    for name, now, before in _unlike(lora, saved) if lora is not None else ():
        raise ValueError(f"lora.{name} must be {before}, as in {folder}, or lora be left out, got {now}")
    inside = folder / BASE
    base = _pretrained(
        str(inside if inside.is_dir() else saved.base_model_name_or_path), str(folder), dtype, folder
    )
    model = PeftModel.from_pretrained(base.model, str(folder), is_trainable=True)
    return replace(base, model=model.eval())


def _unlike(lora: LoRA, saved: Any) -> Iterator[tuple[str, object, object]]:
    """Yield what adapters are asked for that is not what the saved ones have: name, asked, saved."""
    for name, before in (("rank", saved.r), ("alpha", saved.lora_alpha), ("dropout", saved.lora_dropout)):
        now = getattr(lora, name)
        if now != before:
            yield name, now, before
    # peft writes down the layers that "all-linear" came to
    if not isinstance(lora.targets, str) and set(lora.targets) != set(saved.target_modules):
        yield "targets", sorted(lora.targets), sorted(saved.target_modules)


def tiny_policy(tiny: Tiny | None = None, *, seed: int = 0, dtype: str = "float32") -> Policy:
    """Make a small Llama over characters with random weights: nothing is downloaded.

    >>> policy = tiny_policy(Tiny(alphabet="01+=", layers=1, width=16, heads=2))
    >>> policy.decode(policy.encode("1+0="))
    '1+0='
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    tiny = tiny or Tiny()
    tokenizer = character_tokenizer(tiny.alphabet)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=tiny.width,
        intermediate_size=4 * tiny.width,
        num_hidden_layers=tiny.layers,
        num_attention_heads=tiny.heads,
        num_key_value_heads=tiny.heads,
        max_position_embeddings=tiny.context,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with _seeded(seed):
        model: Any = LlamaForCausalLM(config)
    return Policy(model=model.to(DTYPES[dtype]).eval(), tokenizer=tokenizer, name="tiny")


def character_tokenizer(alphabet: str) -> Any:
    """Return a transformers tokenizer with one token for each character, and pad, eos and unk."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<eos>", "<unk>"]
    vocabulary = {token: i for i, token in enumerate([*special, *sorted(set(alphabet))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106  # no password
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",  # noqa: S106
        eos_token="<eos>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
        clean_up_tokenization_spaces=False,
    )


def add_adapters(policy: Policy, lora: LoRA, *, seed: int = 0) -> Policy:
    """Return the policy with trainable LoRA adapters on frozen weights."""
    from peft import LoraConfig, get_peft_model

    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    with _seeded(seed), warnings.catch_warnings():
        # peft asks transformers by an old name; there is nothing for a user to do about it.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        model = get_peft_model(policy.model, config)
    return replace(policy, model=model.eval())


def frozen_copy(model: nn.Module) -> Any:
    """Return a copy of a model that does not train: a reference policy."""
    return copy.deepcopy(model).eval().requires_grad_(requires_grad=False)


def update_average(average: nn.Module, model: nn.Module, *, decay: float) -> None:
    """Move a slow average towards the model: ``average = decay * average + (1 - decay) * model``."""
    with torch.no_grad():
        for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
            slow.lerp_(fast.to(slow.dtype), 1.0 - decay)


def restore(model: Any, folder: Path) -> None:
    """Load into a model, in place, the weights (or adapters) that :meth:`Policy.save` wrote."""
    if hasattr(model, "disable_adapter"):
        from peft import load_peft_weights, set_peft_model_state_dict

        set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"))
        return
    with _quiet():
        saved = type(model).from_pretrained(folder, dtype=next(model.parameters()).dtype)
    model.load_state_dict(saved.state_dict())


def cache_folder() -> Path:
    """Return where converted models are kept: ``$REFEREE_CACHE``, else ``~/.cache/referee``."""
    named = os.environ.get("REFEREE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "referee"


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw random weights from ``seed`` and leave torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' bars for loading, converting and writing weights off the terminal."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with redirect_stderr(io.StringIO()):  # some of them heed no switch
            yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _resolve(name: str) -> str:
    """Return a name or folder for transformers, converting GGUF weights where needed."""
    if name.startswith("package:"):
        return str(_converted(_packaged_gguf(name.removeprefix("package:"))))
    if name.endswith(".gguf"):
        path = Path(name).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"policy must be an existing .gguf file, got {name}")
        return str(_converted(path))
    return name


def _packaged_gguf(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise missing(f"policy package:{package}", package, install=f"--no-deps {package.replace('_', '-')}")
    files = sorted(f for place in spec.submodule_search_locations for f in Path(place).rglob("*.gguf"))
    if len(files) != 1:
        raise ValueError(f"package:{package} must hold exactly one .gguf file, got {len(files)}")
    return files[0]


def _converted(gguf: Path) -> Path:
    """Return a folder with the GGUF's weights in float32, made on first use."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    models: Any = AutoModelForCausalLM
    with gguf.open("rb") as file:
        stamp = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    target = cache_folder() / "models" / f"{gguf.stem}-{stamp}"
    if (target / "config.json").is_file():
        return target
    with _quiet():
        loaded = models.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    config = copy.deepcopy(loaded.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = models.from_config(config, dtype=torch.float32)
    fresh.load_state_dict(loaded.state_dict())
    fresh.tie_weights()
    fresh.generation_config = loaded.generation_config
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as made:
        fresh.save_pretrained(made)
        tokenizer.save_pretrained(made)
        if not target.exists():
            Path(made).chmod(0o755)
            os.replace(made, target)
            Path(made).mkdir()  # the context manager removes it
    return target


def _pretrained(source: str, name: str, dtype: str, tokenizer_of: Path | None = None) -> Policy:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _quiet():
        model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=DTYPES[dtype])
    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_of or source))
    return Policy(model=model.eval(), tokenizer=tokenizer, name=name)
