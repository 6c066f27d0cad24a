"""The choices that an algorithm and a run have, each written once; no torch is needed to read them.

A loss that is new is named here and computed in its file; presets, recipes and the checks at
construction then know it.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

Advantage: TypeAlias = Literal["group", "rloo", "reinforce", "reinforce_pp", "maxrl", "gdpo", "gae"]
Std: TypeAlias = Literal["none", "population", "sample", "batch"]
SharedBaseline: TypeAlias = Literal["none", "group"]
Baseline: TypeAlias = Literal["none", "group", "batch"]
Loss: TypeAlias = Literal["clip", "cispo", "reinforce"]
Level: TypeAlias = Literal["token", "sequence"]
Aggregation: TypeAlias = Literal["token", "sequence", "constant", "sum"]
Estimator: TypeAlias = Literal["k1", "k2", "k3"]
KLPlace: TypeAlias = Literal["loss", "reward"]
CreditUnit: TypeAlias = Literal["episode", "turn"]
CriticKind: TypeAlias = Literal["head", "model"]
ScoreNorm: TypeAlias = Literal["none", "scale", "whiten"]
RateSchedule: TypeAlias = Literal["constant", "linear", "cosine", "wsd"]
OptimizerName: TypeAlias = Literal["adamw", "adamw_8bit", "paged_adamw_8bit", "muon"]
Precision: TypeAlias = Literal["float32", "bf16"]
ReferenceKind: TypeAlias = Literal["frozen", "average"]
Correction: TypeAlias = Literal["truncate", "mask"]
OffPolicy: TypeAlias = Literal["none", "truncate", "mask"]


def one_of(argument: str, value: object, options: Any) -> None:
    """Refuse a value that is none of a Literal's.

    Raises:
        ValueError: naming the argument and what it may be.
    """
    if value not in get_args(options):
        raise ValueError(f"{argument} must be one of {', '.join(get_args(options))}, got {value!r}")


def check_options(options: Any) -> None:
    """Refuse an options record with a field that is none of its type's choices, or no finite number.

    Raises:
        ValueError: naming the field, and what it may be.
    """
    for name, hint in get_type_hints(type(options)).items():
        value = getattr(options, name)
        if get_origin(hint) is Literal:
            one_of(name, value, hint)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {value}")


def at_least(options: Any, least: int, *names: str) -> None:
    """Refuse an options record with a number of these names that is below ``least``; None is no number.

    Raises:
        ValueError: naming the field.
    """
    for name in names:
        value = getattr(options, name)
        if value is not None and not value >= least:
            raise ValueError(f"{name} must be at least {least}, got {value}")


def is_share(options: Any, *names: str) -> None:
    """Refuse an options record with a number of these names that is not from 0 to 1.

    Raises:
        ValueError: naming the field.
    """
    for name in names:
        if not 0.0 <= getattr(options, name) <= 1.0:
            raise ValueError(f"{name} must be from 0 to 1, got {getattr(options, name)}")
