"""Whether a completion follows the countable instructions that its problem gives."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from referee.verifiers.combine import Composable
from referee.verifiers.instructions import ifeval, rlvr
from referee.verifiers.protocol import UNIT
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of
from referee.verifiers.references import bad_reference

Instruction: TypeAlias = tuple[str, dict[str, Any]]

CHECKS = {**ifeval.CHECKS, **rlvr.CHECKS}
_MAX_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions(Composable):
    """Pay 1 where every instruction is followed, or with ``partial`` the share that is.

    The instructions are read from the rows as they are published: ``info["instruction_id_list"]``
    with ``info["kwargs"]`` (IFEval), or ``func_name`` with its arguments (RLVR-IFEval), or a list of
    ``{"instruction_id": [...], "kwargs": [...]}``; the latter two in ``info["ground_truth"]`` or in
    ``problem.answer``, as JSON or as its text. Arguments that are None are left out. ``loose`` also
    tries the text without its first line, its last line, both, and each without asterisks
    (Zhou et al. 2023, section 2.2). What stands in the thinking does not count.

    Accepts:
        - ``no commas here`` for ``punctuation:no_comma``
    Rejects:
        - ``commas, here``, with the instruction's id in ``detail``
        - the empty completion, for any instruction
    Abstains:
        - where an instruction is not known, or its arguments are missing or malformed
        - where a language is to be told and langdetect is not installed (``unavailable``)
    """

    loose: bool = False
    partial: bool = False
    name = "instructions"
    range = UNIT
    rules_version = 2  # signs, lists, initials, postscripts in marks, NaN, names of languages

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the score; the ids that were not followed stand in ``detail``."""
        try:
            instructions = read_instructions(problem)
        except ValueError as e:
            return bad_reference(str(e))
        text = answer_of(completion, problem)
        if not text.strip():
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        if len(text) > _MAX_CHARACTERS:
            return Verdict(score=0.0, reason=Reason.RESOURCE_LIMIT)
        variants = _variants(text) if self.loose else [text]
        try:
            failed: list[Json] = [
                name
                for name, arguments in instructions
                if not any(CHECKS[name][0](v, **arguments) for v in variants)
            ]
        except ImportError as e:
            return Verdict(score=None, reason=Reason.UNAVAILABLE, detail={"error": str(e)})
        share = 1.0 - len(failed) / len(instructions)
        score = share if self.partial else float(not failed)
        return Verdict(score=score, detail={"not_followed": failed} if failed else {})


def read_instructions(problem: Problem) -> list[Instruction]:
    """Return a problem's instructions, each an id and its arguments.

    Raises:
        ValueError: where there are none, or one is not known or malformed.
    """
    info = problem.info
    if "instruction_id_list" in info:
        found = _paired(info["instruction_id_list"], info.get("kwargs"))
    else:
        found = _of_rows(_parsed(info.get("ground_truth", problem.answer)))
    if not found:
        raise ValueError("info must hold at least one instruction, got none")
    return [(name, _arguments(name, given)) for name, given in found]


def _paired(names: Any, kwargs: Any) -> list[tuple[Any, Any]]:
    kwargs = _parsed(kwargs)
    if not isinstance(names, list):
        raise ValueError(f"instruction_id_list must be a list, got {type(names).__name__}")
    if kwargs is None:
        kwargs = [{}] * len(names)
    if not isinstance(kwargs, list) or len(kwargs) != len(names):
        raise ValueError(f"kwargs must be a list of {len(names)} objects, one for each instruction")
    return list(zip(names, (_parsed(k) for k in kwargs), strict=True))


def _of_rows(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, list):
        return [pair for row in value for pair in _of_rows(row)]
    if not isinstance(value, dict):
        raise ValueError(f"answer must hold instructions, got {value!r:.80}")
    if "func_name" in value:
        return [(value["func_name"], {k: v for k, v in value.items() if k != "func_name"})]
    names = value.get("instruction_id_list", value.get("instruction_id"))
    return _paired([names] if isinstance(names, str) else names, value.get("kwargs"))


def _parsed(value: Any) -> Any:
    """Read a text as JSON, or as the Python literal that some rows hold in its place."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise ValueError(f"answer must hold instructions as JSON, got {value!r:.80}") from None


def _arguments(name: Any, given: Any) -> dict[str, Any]:
    """Return the arguments that a check takes, each of the kind that it needs."""
    if not isinstance(name, str) or name not in CHECKS:
        raise ValueError(f"the instruction must be one of the known ids, got {name!r:.80}")
    if given is not None and not isinstance(given, dict):
        raise ValueError(f"{name} must have its arguments in an object, got {type(given).__name__}")
    arguments = {}
    for argument, kind in CHECKS[name][1].items():
        value = (given or {}).get(argument)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # columns with missing values come as floats
        if not _fits(value, kind):
            raise ValueError(f"{name} needs {argument} to be {_wanted(kind)}, got {value!r:.80}")
        arguments[argument] = value
    return arguments


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(kind, tuple):
        return value in kind
    if kind is list:
        return isinstance(value, list) and bool(value) and all(isinstance(v, str) and v for v in value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return isinstance(value, str) and bool(value.strip())


def _wanted(kind: Any) -> str:
    if isinstance(kind, tuple):
        return "one of " + ", ".join(kind)
    return {list: "a list of texts", int: "a count", str: "a text"}[kind]


def _variants(text: str) -> list[str]:
    lines = text.split("\n")
    cut = [text, "\n".join(lines[1:]), "\n".join(lines[:-1]), "\n".join(lines[1:-1])]
    cut = [c.strip() for c in cut]
    return [c for c in cut + [c.replace("*", "") for c in cut] if c.strip()]
