"""Loading models once, by name, when they are first needed.

A name is a name or folder that transformers loads, or ``package:NAME``: the one model folder (with a
``config.json``), or the one GGUF file, inside an installed Python package, found without importing
it. What is loaded is kept here, outside the verifiers, so that these stay small, comparable and
picklable; a process that a verifier is sent to loads its own.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from referee.verifiers.extras import missing

Kind = Literal["encoder", "causal_lm", "sequence_classification", "token_classification"]
DTYPES = ("auto", "float32", "bfloat16", "float16")
_CLASSES: dict[str, str] = {
    "encoder": "AutoModel",
    "causal_lm": "AutoModelForCausalLM",
    "sequence_classification": "AutoModelForSequenceClassification",
    "token_classification": "AutoModelForTokenClassification",
}
MOST_LOADED = 4


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model in evaluation mode, and its tokenizer."""

    model: Any
    tokenizer: Any

    @property
    def device(self) -> Any:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def pad_id(self) -> int:
        """What rows are filled up with; where the tokenizer has no such token any will do: it is masked."""
        for token in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0):
            if token is not None:
                return int(token)
        return 0


_loaded: dict[tuple[object, ...], Loaded] = {}
_lock = threading.Lock()


def load(
    name: str, kind: Kind, *, dtype: str = "auto", device: str = "auto", trust_remote_code: bool = False
) -> Loaded:
    """Return the model called ``name``, loading it where it is not held yet.

    ``dtype`` ``auto`` is bfloat16 on a GPU and float32 elsewhere; ``device`` ``auto`` the GPU where
    there is one. At most ``MOST_LOADED`` models are held; the one that was loaded first goes first.

    Raises:
        ValueError: for an unknown dtype, or a package that holds no single model.
        ImportError: where torch, transformers or the package is not installed.
        OSError: where transformers finds no model of that name.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    key = (name, kind, dtype, device, trust_remote_code)
    with _lock:
        if key not in _loaded:
            made = _read(name, kind, dtype, device, trust_remote_code)
            while len(_loaded) >= MOST_LOADED:
                del _loaded[next(iter(_loaded))]
            _loaded[key] = made
        return _loaded[key]


def forget() -> None:
    """Let go of every model that is held, as after one was saved anew under its old name."""
    with _lock:
        _loaded.clear()


def place(name: str) -> tuple[str, str]:
    """Return what transformers loads for ``name``: a name or folder, and a GGUF file in it or nothing."""
    if not name.startswith("package:"):
        return name, ""
    package = name.removeprefix("package:")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise missing(name, package, install=f"--no-deps {package.replace('_', '-')}")
    roots = [Path(p) for p in spec.submodule_search_locations]
    folders = sorted({f.parent for r in roots for f in r.rglob("config.json") if _weights(f.parent)})
    if len(folders) == 1:
        return str(folders[0]), ""
    files = sorted(f for r in roots for f in r.rglob("*.gguf"))
    if not folders and len(files) == 1:
        return str(files[0].parent), files[0].name
    raise ValueError(f"package:{package} must hold exactly one model, got {len(folders) + len(files)}")


def _weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors")) or any(folder.glob("*.bin"))


def _read(name: str, kind: Kind, dtype: str, device: str, trust_remote_code: bool) -> Loaded:
    try:
        import torch
        import transformers
    except ImportError as e:
        raise missing("a learned verifier", "torch", extra="train") from e
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto":
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
    where, gguf = place(name)
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    if gguf:
        options["gguf_file"] = gguf
    with quiet():
        auto: Any = getattr(transformers, _CLASSES[kind])
        model = auto.from_pretrained(where, dtype=getattr(torch, dtype), **options)
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(where, **options)
    model = model.to(device).eval()
    model.requires_grad_(requires_grad=False)
    return Loaded(model, tokenizer)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' bars and reports about loading weights off the terminal."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
