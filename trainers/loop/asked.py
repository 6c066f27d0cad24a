"""What a run was asked to do, as plain values: enough to tell that another is not a going on with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass

from referee.trainers.loop.problem_source import Problems
from referee.trainers.objective.presets import Preset
from referee.verifiers.jsonl import to_dict, write_json
from referee.verifiers.records import Json, Problem
from referee.verifiers.rubric import Rubric
from referee.verifiers.rules_version import rules_of

_KNOWN_BY = 64  # problems of a function that are looked at


def asked_of(preset: Preset, rubric: Rubric, problems: Problems) -> dict[str, Json]:
    """Return a preset's options, what the rubric pays and by which rules, and a digest of the problems."""
    options = {f"preset.{k}": v for k, v in asdict(preset).items() if k not in ("name", "source")}
    parts = {name: f"{part.weight} x {_said(part.verifier)}" for name, part in rubric.parts.items()}
    return {
        **options,
        "rubric.parts": dict(parts),
        "rubric.truncation": str(rubric.truncation),
        "rubric.rules": rules_of(rubric),
        "problems": _digest(problems),
    }


def _said(verifier: object) -> str:
    """Return what a verifier is: its options where it shows them, else its name; never an address."""
    if is_dataclass(verifier):
        text = repr(verifier)
        if " at 0x" not in text:
            return text
    named = verifier if hasattr(verifier, "__qualname__") else type(verifier)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', '')}"


def _digest(problems: Problems) -> str:
    """Return a digest of problems; of a source of its own, which may remember, its kind."""
    if isinstance(problems, Sequence):
        known: list[Problem] = list(problems)
    elif callable(problems):
        known = [problems(i) for i in range(_KNOWN_BY)]
    else:
        return type(problems).__qualname__
    digest = hashlib.sha256()
    for problem in known:
        digest.update(write_json(to_dict(problem)).encode())
    return f"{len(known)} problems, {digest.hexdigest()[:16]}"
