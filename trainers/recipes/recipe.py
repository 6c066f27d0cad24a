"""A training run as a YAML file, and the run that it describes.

    policy: {name: tiny}                        # or a name or folder that transformers loads
    problems: {family: addition, level: 1, terse: true}
    heldout: {count: 200}
    warm_start: {steps: 250}                    # supervised steps before; leave out for none
    algorithm: grpo_trl                         # a preset, and what to change in it
    options: {learning_rate: 1e-4, batch_size: 128}
    training: {steps: 200, eval_every: 20}
    rubric: {parts: {right: numeric}}           # or a rubric's file; a family judges itself

Problems come from a ``family``, a ``mixture`` of them, a ``file`` or a ``dataset`` (a name or folder for
the ``datasets`` library). With ``chat`` a text prompt becomes a user's message, after ``system`` where
there is one.

    problems: {mixture: [{family: gcd, level: 1}, {family: guess_number, weight: 2}], terse: true}
    curriculum: {rule: thompson, target: 0.5}   # chooses among the mixture, or a family's levels
    episode: {turns: 10, seconds: 60}           # games and tools: several turns, and their limits

What they turn into is in :mod:`referee.trainers.recipes.recipe_problems`.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from referee.envs.curriculum import Rule
from referee.trainers.loop.run_options import Training
from referee.trainers.loop.sft import SFT
from referee.trainers.objective.preset_check import check
from referee.trainers.objective.presets import Preset, preset
from referee.trainers.policy.policy import DTYPES, LoRA, Tiny
from referee.trainers.record.run_record import Run
from referee.verifiers.errors import UserMistake
from referee.verifiers.jsonl import to_dict, write_json
from referee.verifiers.records import Json
from referee.verifiers.rules_version import changed_rules


class RecipeError(UserMistake, ValueError):
    """A recipe that cannot be read or run. The message names the key by its path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOptions:
    """Which policy: see :mod:`referee.trainers.policy.policy` for what a name can be."""

    name: str = "tiny"
    dtype: str = "float32"
    tiny: Tiny = field(default_factory=Tiny)
    lora: LoRA | None = None
    chat_template_kwargs: dict[str, Json] = field(default_factory=dict)
    skip_special_tokens: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MixturePart:
    """A family at a level, and how often it is drawn beside the others."""

    family: str
    level: int = 0
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemOptions:
    """Where problems come from: exactly one of ``family``, ``mixture``, ``file`` and ``dataset``."""

    family: str = ""
    level: int = 0
    mixture: tuple[MixturePart, ...] = ()
    terse: bool = False
    file: str = ""
    layout: str = ""
    dataset: str = ""
    split: str = "train"
    chat: bool = False
    system: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CurriculumOptions:
    """How families and levels are chosen: see :class:`~referee.envs.curriculum.Curriculum`."""

    rule: Rule = "thompson"
    target: float = 0.5
    decay: float = 0.9
    explore: float = 0.05
    ucb: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeOptions:
    """Limits of an episode, and ``tools`` (calculator, python) in place of its family's own."""

    turns: int | None = 20
    tokens: int | None = None
    seconds: float | None = None
    context_tokens: int | None = None
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutOptions:
    """What is measured on: ``count`` problems that are kept out of training, or a ``file`` of others."""

    count: int = 200
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A training run, whole: the module's docstring shows one."""

    problems: ProblemOptions
    policy: PolicyOptions = field(default_factory=PolicyOptions)
    heldout: HeldOutOptions = field(default_factory=HeldOutOptions)
    rubric: Json = None
    warm_start: SFT | None = None
    algorithm: str = "grpo_trl"
    options: dict[str, Json] = field(default_factory=dict)
    training: Training = field(default_factory=Training)
    trackers: tuple[str, ...] = ()
    push_to_hub: str = ""
    curriculum: CurriculumOptions | None = None
    episode: EpisodeOptions | None = None

    def preset(self) -> Preset:
        """Return the algorithm with its options."""
        try:
            chosen = preset(self.algorithm)
        except ValueError as e:
            raise RecipeError(f"algorithm: {e}") from None
        changed = _typed(Preset, self.options, "options")
        try:
            return replace(chosen, **changed)
        except ValueError as e:
            raise RecipeError(f"options: {e}") from None


def load_recipe(path: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe from a YAML file; each change is ``key.path=value`` and overrides the file.

    Raises:
        RecipeError: where it is not YAML, or a key in it is wrong, by the key's path.
        OSError: where it cannot be opened.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise RecipeError(f"{path}: not YAML: {' '.join(str(e).split())}") from None
    try:
        return recipe_from(change(data, changes))
    except RecipeError as e:
        raise RecipeError(f"{path}: {e}") from None


def recipe_from(data: object) -> Recipe:
    """Make a recipe from what such a file holds."""
    recipe: Recipe = _record(Recipe, data, "")
    p = recipe.problems
    if sum(bool(x) for x in (p.family, p.mixture, p.file, p.dataset)) != 1:
        raise RecipeError("problems must name exactly one of family, mixture, file and dataset")
    if recipe.curriculum is not None and not (p.family or p.mixture):
        raise RecipeError("curriculum needs problems of a family or a mixture of families")
    if recipe.policy.dtype not in DTYPES:
        raise RecipeError(f"policy.dtype must be one of {', '.join(DTYPES)}, got {recipe.policy.dtype!r}")
    if recipe.heldout.count < 0:
        raise RecipeError(f"heldout.count must be at least 0, got {recipe.heldout.count}")
    chosen = recipe.preset()
    try:
        check(chosen, critic=chosen.advantage == "gae")
    except ValueError as e:
        raise RecipeError(f"options: {e}") from None
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """Return a recipe as YAML that :func:`load_recipe` reads back."""
    return str(yaml.safe_dump(to_dict(recipe), sort_keys=False, allow_unicode=True))


def change(data: object, changes: Sequence[str]) -> object:
    """Return a recipe's mapping with ``key.path=value`` changes; values are YAML.

    >>> change({"training": {"steps": 200}}, ["training.steps=10", "algorithm=rloo"])
    {'training': {'steps': 10}, 'algorithm': 'rloo'}
    """
    if not isinstance(data, Mapping):
        return data
    out: dict[str, Any] = _copied(data)
    for text in changes:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise RecipeError(f"a change must be key.path=value, got {text!r}")
        *above, last = path.split(".")
        place = out
        for key in above:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        try:
            place[last] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise RecipeError(f"{path} must have a YAML value, got {value!r}") from None
    return out


def check_folder(recipe: Recipe, folder: Path, *, rules: Mapping[str, Json]) -> None:
    """Make sure that a folder is free for a recipe's run, or holds one that it can go on with.

    ``rules`` are the versions that the rubric judges by: see :mod:`referee.verifiers.rules_version`.

    Raises:
        RecipeError: where the folder holds a run of another recipe, or one that was paid by other rules. Its
            length and how often it measures, saves and keeps samples may differ.
    """
    path, text = folder / RECIPE, dump_recipe(recipe)
    if not path.exists() or not Run(folder, writes=False).checkpoints():
        return  # nothing is lost with what has no checkpoint
    if path.read_text(encoding="utf-8") != text:
        older = load_recipe(path)
        if _essence(older) != _essence(recipe):
            names = [f.name for f in fields(Recipe) if getattr(older, f.name) != getattr(recipe, f.name)]
            raise RecipeError(f"{folder} holds a run of another recipe ({', '.join(names)}): {_WAY_OUT}")
    before = json.loads((folder / RULES).read_text(encoding="utf-8")) if (folder / RULES).exists() else None
    if changed := changed_rules(before, rules):
        raise RecipeError(
            f"{folder} holds a run that was paid by other rules ({', '.join(changed)}), so that its rewards "
            f"may differ: {_WAY_OUT}"
        )


def run_of(
    recipe: Recipe,
    folder: Path,
    *,
    rules: Mapping[str, Json],
    overwrite: bool = False,
    writes: bool = True,
) -> Run:
    """Open a run's folder and write the recipe and the versions of the rules into it.

    With ``overwrite`` the run that is there goes; else it must be one that :func:`check_folder` lets pass.
    """
    if not overwrite:
        check_folder(recipe, folder, rules=rules)
    run = Run(folder, writes=writes)
    if writes:
        if overwrite or not run.checkpoints():
            run.clear()
        for name, text in ((RULES, write_json(dict(rules)) + "\n"), (RECIPE, dump_recipe(recipe))):
            aside = folder / f".{name}"  # a kill must not leave half of it
            aside.write_text(text, encoding="utf-8")
            aside.replace(folder / name)
    return run


RECIPE, RULES = "recipe.yaml", "rules.json"
_WAY_OUT = "choose another folder, or begin anew with --overwrite (overwrite=True)"


def _essence(recipe: Recipe) -> Recipe:
    plain = Training()
    free = ["steps", "eval_every", "save_every", "keep_checkpoints", "samples_kept", "stop_after_errors"]
    free += ["keep_best", "stop_after_measures"]
    # With a schedule the length decides every step's learning rate.
    kept = free if recipe.training.schedule == "constant" else free[1:]
    return replace(
        recipe,
        trackers=(),
        push_to_hub="",
        training=replace(recipe.training, **{n: getattr(plain, n) for n in kept}),
    )


def _record(cls: type, data: object, where: str) -> Any:
    try:
        return cls(**_typed(cls, data, where))
    except RecipeError:
        raise
    except (TypeError, ValueError) as e:
        raise RecipeError(f"{where}: {e}" if where else str(e)) from None


def _typed(cls: type, data: object, where: str) -> dict[str, Any]:
    """Return a mapping's values in the types that a record's fields state."""
    name = where or "the recipe"
    if not isinstance(data, Mapping):
        raise RecipeError(f"{name} must be a mapping, got {type(data).__name__}")
    hints = typing.get_type_hints(cls)
    known = [f.name for f in fields(cls)]
    out = {}
    for key, value in data.items():
        if key not in known:
            raise RecipeError(f"{name} has no key {key!r}; its keys are {', '.join(known)}")
        out[str(key)] = _value(hints[key], value, f"{where}.{key}" if where else str(key))
    return out


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, choices = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in choices:
            return None
        some = [c for c in choices if c is not type(None)]
        records = [c for c in some if is_dataclass(c)]
        if records or len(some) == 1:
            return _value((records or some)[0], value, where)
        return tuple(value) if isinstance(value, list) and hint is not Json else value
    if is_dataclass(hint):
        return _record(typing.cast(type, hint), value, where)
    if origin is typing.Literal:
        if value not in choices:
            raise RecipeError(f"{where} must be one of {', '.join(map(str, choices))}, got {value!r}")
        return value
    if origin is tuple and is_dataclass(choices[0]):
        listed = value if isinstance(value, list) else [value]
        return tuple(_value(choices[0], v, f"{where}[{i}]") for i, v in enumerate(listed))
    if origin is tuple:
        return tuple(value) if isinstance(value, list) else (value,)
    return _scalar(hint, value, where)


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float:
        try:
            number = float(value)  # YAML reads 1e-4 as a text
        except (TypeError, ValueError):
            raise RecipeError(f"{where} must be a number, got {value!r}") from None
        if not math.isfinite(number):
            raise RecipeError(f"{where} must be a finite number, got {number}")
        return number
    if hint in (int, bool, str) and type(value) is not hint:
        kind = {int: "a whole number", bool: "true or false", str: "a text"}[hint]
        raise RecipeError(f"{where} must be {kind}, got {value!r}")
    return value


def _copied(data: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copied(v) if isinstance(v, Mapping) else v for k, v in data.items()}
