"""What is wrong with what the user gave: said in one line on stderr, with exit code 2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from referee.verifiers.protocol import name_of
from referee.verifiers.registry import make_verifier
from referee.verifiers.rubric import Rubric
from referee.verifiers.rubric_file import load_rubric


class BadInput(ValueError):
    """The user's input cannot be used; the message says why and what to do."""


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``name=value`` pairs, each value as YAML: ``places=2``, ``names=[a, b]``."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise BadInput(f"--option must be name=value, got {pair!r}")
        try:
            options[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise BadInput(f"--option {name.strip()} must have a YAML value, got {value!r}") from None
    return options


def parse_json(argument: str, text: str) -> Any:
    """Read a flag's value as JSON."""
    try:
        return json.loads(text)
    except ValueError as e:
        raise BadInput(f"{argument} must be JSON, got {text!r:.80}: {e}") from None


def load_judge(name: str, options: Sequence[str] = ()) -> Rubric:
    """Return the rubric that a YAML file holds, or one of a single part for the name of a verifier."""
    if name.endswith((".yaml", ".yml")):
        if options:
            raise BadInput(f"--option belongs to a verifier's name; write the options into {name}")
        return load_rubric(name)
    try:
        verifier = make_verifier(name, parse_options(options))
    except (ValueError, TypeError, ImportError) as e:
        raise BadInput(str(e)) from None
    if isinstance(verifier, Rubric):
        return verifier
    return Rubric({name_of(verifier): verifier})
