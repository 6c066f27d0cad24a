"""Packages that are not in the base install: which extra brings them, and the one sentence that says so."""

from __future__ import annotations

from referee.verifiers.errors import MissingExtra

EXTRAS: dict[str, tuple[str, ...]] = {  # extra -> the modules that it brings
    "train": ("torch", "transformers", "accelerate", "datasets", "peft"),
    "gguf": ("gguf",),
    "trl": ("trl",),
    "docker": ("docker",),
    "ray": ("ray",),
    "reasoning": ("reasoning_gym",),
    "track": ("tensorboard", "trackio", "wandb"),
    "judge": ("diskcache", "httpx", "tenacity"),
    "language": ("langdetect",),
    "serve": ("fastapi", "uvicorn"),
}
_BROUGHT_ALONG = {"pydantic": "serve", "starlette": "serve", "safetensors": "train", "tokenizers": "train"}


def missing(what: str, package: str, *, extra: str = "", install: str = "") -> MissingExtra:
    """Return the error that says that ``what`` needs ``package``, and how to get it.

    It comes with ``extra``, or by ``install``, what stands behind ``pip install``.

    >>> str(missing("referee serve", "fastapi", extra="serve"))
    "referee serve needs fastapi: pip install 'referee[serve]'"
    >>> str(missing("to_lm_eval", "lm_eval", install="lm-eval"))
    'to_lm_eval needs lm_eval: pip install lm-eval'
    """
    line = f"'referee[{extra}]'" if extra else install or package
    return MissingExtra(f"{what} needs {package}: pip install {line}")


def missing_in(error: BaseException, what: str) -> MissingExtra | None:
    """Return what to say of an import that failed for want of an extra; None where that is not why.

    The error may be wrapped: the causes behind it are looked at too.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MissingExtra):
            return cause
        if isinstance(cause, ModuleNotFoundError) and (module := (cause.name or "").partition(".")[0]):
            for extra, modules in EXTRAS.items():
                if module in modules or _BROUGHT_ALONG.get(module) == extra:
                    return missing(what, module, extra=extra)
        cause = cause.__cause__
    return None
