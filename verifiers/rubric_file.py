"""A rubric as a YAML file, and back.

    parts:
      answer: {verifier: math, weight: 1.0}
      format: think_format                               # weight 1
      brevity:
        verifier: my_package.rewards:Brevity
        options: {max_words: 200}
        weight: {start: 0.0, end: 0.2, steps: 100}       # a schedule
      both: {all_of: [math, think_format], weight: 0}    # reported, not paid
    abstention: abstain                                  # or drop, renormalise
    truncation: zero                                     # or score, abstain
    thinking: ["<plan>", "</plan>"]                      # or a list of {opening, closing, prefilled}

Where a verifier may stand: a name, ``{verifier: name, options: {...}}``, or one combinator:
``all_of``, ``any_of``, ``product``, ``minimum`` and ``first_decided`` with a list; ``weighted_sum``
with a list whose entries may carry a ``weight``; ``gate: {condition, then, threshold}``,
``clip: {verifier, low, high}``, ``shape: {distance, a}``, ``invert: verifier``,
``route: {by, routes: {name: verifier}, default}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from referee.verifiers import combine
from referee.verifiers.errors import UserMistake
from referee.verifiers.protocol import AnyVerifier
from referee.verifiers.reading.marks import as_marks
from referee.verifiers.registry import make_verifier
from referee.verifiers.rubric import Part, Rubric, Schedule

T = TypeVar("T")

_LISTS: dict[str, Callable[..., AnyVerifier]] = {
    "all_of": combine.all_of,
    "any_of": combine.any_of,
    "product": combine.product,
    "minimum": combine.minimum,
    "first_decided": combine.first_decided,
}
_FORMS = ("verifier", *_LISTS, "weighted_sum", "gate", "clip", "shape", "invert", "route")


class RubricError(UserMistake, ValueError):
    """A rubric file that cannot be read. The message names the file and the key's path."""


def load_rubric(path: str | Path) -> Rubric:
    """Read a rubric from a YAML file.

    Raises:
        RubricError: where it is not YAML, or a key in it is wrong, by the key's path.
        OSError: where it cannot be opened.
    """
    try:
        return rubric_from(yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader))  # noqa: S506  # safe
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise RubricError(f"{path}: not YAML: {' '.join(str(e).split())}") from None
    except RubricError as e:
        raise RubricError(f"{path}: {e}") from None


class _Loader(yaml.SafeLoader):
    """Plain YAML, in which a key written twice is an error: the first would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, and refuse one that names a key twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is written twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def rubric_from(data: object) -> Rubric:
    """Make a rubric from what such a file holds."""
    top = _mapping(
        "the rubric", data, allowed=("parts", "abstention", "truncation", "thinking"), required=("parts",)
    )
    parts = {
        str(name): _part(f"parts.{name}", spec) for name, spec in _mapping("parts", top["parts"]).items()
    }
    policies = {name: str(top[name]) for name in ("abstention", "truncation") if name in top}
    thinking = _at("thinking", lambda: as_marks(top.get("thinking")))
    return _at("the rubric", lambda: Rubric(parts, thinking=thinking, **policies))


def _part(where: str, spec: object) -> Part:
    weight: Any = 1.0
    if isinstance(spec, Mapping):
        weight = spec.get("weight", 1.0)
        spec = {k: v for k, v in spec.items() if k != "weight"}
    if isinstance(weight, Mapping):
        fields = _mapping(
            f"{where}.weight",
            weight,
            allowed=("start", "end", "steps", "wait"),
            required=("start", "end", "steps"),
        )
        weight = _at(f"{where}.weight", lambda: Schedule(**fields))
    verifier = _verifier(where, spec, also=("weight",))
    return _at(where, lambda: Part(verifier, weight))


def _verifier(where: str, spec: object, *, also: tuple[str, ...] = ()) -> AnyVerifier:
    """Make a verifier of what stands for one; ``also`` are the keys that were read already, for messages."""
    if isinstance(spec, str):
        return _at(where, lambda: make_verifier(spec))
    form = [name for name in _FORMS if isinstance(spec, Mapping) and name in spec]
    if not isinstance(spec, Mapping) or len(form) != 1:
        raise RubricError(
            f"{where} must be a verifier's name or hold one of {', '.join(_FORMS)}; got {spec!r:.80}"
        )
    (name,) = form
    extra = ("options",) if name == "verifier" else ()
    _mapping(where, spec, allowed=(name, *extra, *also))
    inner, here = spec[name], f"{where}.{name}"
    if name == "verifier":
        if not isinstance(inner, str):
            raise RubricError(f"{here} must be a name, got {inner!r:.80}")
        options = _mapping(f"{where}.options", spec.get("options") or {})
        return _at(where, lambda: make_verifier(inner, options))
    if name in _LISTS:
        children = [_verifier(f"{here}.{i}", s) for i, s in enumerate(_sequence(here, inner))]
        return _at(here, lambda: _LISTS[name](*children))
    return _COMBINATORS[name](here, inner)


def _weighted_sum(where: str, spec: object) -> AnyVerifier:
    parts = [_part(f"{where}.{i}", s) for i, s in enumerate(_sequence(where, spec))]
    for i, part in enumerate(parts):
        if isinstance(part.weight, Schedule):
            raise RubricError(
                f"{where}.{i}.weight must be a number: only a rubric's own parts have schedules"
            )
    terms = [(part.verifier, float(part.weight)) for part in parts if not isinstance(part.weight, Schedule)]
    return _at(where, lambda: combine.weighted_sum(*terms))


def _gate(where: str, spec: object) -> AnyVerifier:
    fields = _mapping(where, spec, allowed=("condition", "then", "threshold"), required=("condition", "then"))
    condition, then = (_verifier(f"{where}.{k}", fields[k]) for k in ("condition", "then"))
    return _at(where, lambda: combine.gate(condition, then, threshold=fields.get("threshold", 1.0)))


def _clip(where: str, spec: object) -> AnyVerifier:
    fields = _mapping(where, spec, allowed=("verifier", "low", "high"), required=("verifier",))
    child = _verifier(f"{where}.verifier", fields["verifier"])
    return _at(where, lambda: combine.clip(child, fields.get("low", 0.0), fields.get("high", 1.0)))


def _shape(where: str, spec: object) -> AnyVerifier:
    fields = _mapping(where, spec, allowed=("distance", "a"), required=("distance",))
    child = _verifier(f"{where}.distance", fields["distance"])
    return _at(where, lambda: combine.shape(child, fields.get("a", 1.0)))


def _invert(where: str, spec: object) -> AnyVerifier:
    child = _verifier(where, spec)
    return _at(where, lambda: combine.invert(child))


def _route(where: str, spec: object) -> AnyVerifier:
    fields = _mapping(where, spec, allowed=("by", "routes", "default"), required=("by", "routes"))
    routes = _mapping(f"{where}.routes", fields["routes"])
    children = {str(n): _verifier(f"{where}.routes.{n}", s) for n, s in routes.items()}
    default = _verifier(f"{where}.default", fields["default"]) if "default" in fields else None
    return _at(where, lambda: combine.route(str(fields["by"]), children, default=default))


_COMBINATORS: dict[str, Callable[[str, object], AnyVerifier]] = {
    "weighted_sum": _weighted_sum,
    "gate": _gate,
    "clip": _clip,
    "shape": _shape,
    "invert": _invert,
    "route": _route,
}


def _at(where: str, make: Callable[[], T]) -> T:
    """Run a constructor; what it says of a wrong argument is said of the key."""
    try:
        return make()
    except (TypeError, ValueError, ImportError) as e:
        raise RubricError(f"{where}: {e}") from None


def _mapping(
    where: str, value: object, *, allowed: tuple[str, ...] = (), required: tuple[str, ...] = ()
) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise RubricError(f"{where} must be a mapping, got {value!r:.80}")
    if allowed and (unknown := [k for k in value if k not in allowed]):
        raise RubricError(f"{where} has no key {unknown[0]!r}; its keys are {', '.join(allowed)}")
    if missing := [k for k in required if k not in value]:
        raise RubricError(f"{where} needs the key {missing[0]!r}")
    return {str(k): v for k, v in value.items()}


def _sequence(where: str, value: object) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise RubricError(f"{where} must be a list with at least one verifier, got {value!r:.80}")
    return value
