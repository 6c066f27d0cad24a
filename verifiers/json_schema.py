"""JSON that a model wrote, against a schema.

The threats: a text nested deep enough to overflow the stack, a number of a million digits, a duplicate
key that hides the first, a schema's pattern that backtracks for ever, a schema that fetches another
from the network or refers to itself. All are bounded here; nothing is ever fetched.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

import jsonschema
import regex
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from referee.verifiers.combine import Composable
from referee.verifiers.ecma_pattern import compile_pattern
from referee.verifiers.errors import UnreadableText
from referee.verifiers.protocol import UNIT
from referee.verifiers.reading.fences import fences
from referee.verifiers.reading.strategies import DEADLINE_S
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of, plain
from referee.verifiers.references import bad_reference

_MAX_STEPS = 50_000
_steps: ContextVar[int] = ContextVar("steps")


_PATTERNS = FormatChecker(formats=())


@_PATTERNS.checks("regex", raises=regex.error)
def _is_pattern(value: object) -> bool:
    return not isinstance(value, str) or bool(compile_pattern(value))


class _TooMuch(UnreadableText, RuntimeError):
    """The text costs more to check than is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchema(Composable):
    """Pay 1 where the answer is JSON that fits a schema: ``schema``, else ``problem.info[key]``.

    The answer is all of the text after the thinking, or its only fenced block. JSON is read strictly:
    no NaN, no duplicate keys, no trailing text. The draft is the one that the schema names in
    ``$schema``, else 2020-12. Formats are not checked, patterns are ECMA-262's, ``multipleOf`` divides
    decimals. ``max_characters`` and ``max_depth`` bound the text; a pattern is matched for at most one
    second. Without any schema, any JSON value is right where ``required`` is False.

    Accepts:
        - ``{"a": 1}`` for ``{"required": ["a"]}``, bare or in a fenced block
    Rejects:
        - ``{"b": 1}``, with the path and the message in ``detail``
        - ``{"a": 1} and more``, ``{"a": NaN}``, ``{"a": 1, "a": 2}``, ``{'a': 1}``
        - 100,000 opening brackets
        - an answer that stands only inside the thinking
    Abstains:
        - where the schema is missing, is no valid schema, or refers to another that must be fetched
    """

    schema: Any = field(default=None)
    key: str = "schema"
    required: bool = True
    max_characters: int = 200_000
    max_depth: int = 50
    name = "json_schema"
    range = UNIT
    rules_version = 2

    def __post_init__(self) -> None:
        for name in ("max_characters", "max_depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        if self.schema is not None:
            text = self.schema if isinstance(self.schema, str) else json.dumps(plain("schema", self.schema))
            object.__setattr__(self, "schema", text)  # a text, so that the verifier hashes and travels
            try:
                _validator(text)
            except (ValueError, SchemaError) as e:
                raise ValueError(f"schema must be a valid JSON schema: {_first_line(e)}") from None

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0; ``answer`` is the JSON value that was read."""
        text = self.schema
        if text is None and (given := problem.info.get(self.key)) is not None:
            text = given if isinstance(given, str) else json.dumps(given)
        if text is None and self.required:
            return bad_reference(f"info[{self.key!r}] must be a JSON schema, got None")
        try:
            validator = None if text is None else _validator(text)
        except (ValueError, SchemaError) as e:
            return bad_reference(f"info[{self.key!r}] must be a valid JSON schema: {_first_line(e)}")
        return self._judge(answer_of(completion, problem).strip(), validator)

    def _judge(self, text: str, validator: Any) -> Verdict:
        if not text:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        if len(text) > self.max_characters:
            return _limit(f"more than {self.max_characters:,} characters")
        body = _body(text)
        if _depth(body) > self.max_depth:
            return _limit(f"nested deeper than {self.max_depth}")
        try:
            value = _read(body)
        except (ValueError, RecursionError) as e:
            detail: dict[str, Json] = {"fault": f"not JSON: {_first_line(e)}"}
            return Verdict(score=0.0, reason=Reason.INCORRECT, detail=detail)
        return (
            Verdict(score=1.0, answer=value) if validator is None else _checked(validator, value, len(body))
        )


def _checked(validator: Any, value: Json, size: int) -> Verdict:
    token = _steps.set(min(2_000 + 20 * size, _MAX_STEPS))
    try:
        error = next(validator.iter_errors(value), None)
    except _TooMuch as e:
        return _limit(str(e))
    except Unresolvable as e:
        return bad_reference(f"the schema's $ref can't be resolved, and nothing is fetched: {e.ref}")
    except RecursionError:
        return _limit("too deep to check") if _ends(validator) else bad_reference("the schema never ends")
    finally:
        _steps.reset(token)
    if error is None:
        return Verdict(score=1.0, reason=Reason.CORRECT, answer=value)
    detail: dict[str, Json] = {"fault": error.message[:500], "path": error.json_path[:500]}
    return Verdict(score=0.0, reason=Reason.INCORRECT, answer=value, detail=detail)


def _ends(validator: Any) -> bool:
    """Tell whether the schema can be checked at all, on values that are not nested."""
    _steps.set(2_000)  # far more than the stack is deep
    try:
        values: tuple[Json, ...] = (None, 0, "", [], {})
        for value in values:
            next(validator.iter_errors(value), None)
    except RecursionError:
        return False
    return True


def _limit(fault: str) -> Verdict:
    return Verdict(score=0.0, reason=Reason.RESOURCE_LIMIT, detail={"fault": fault})


def _first_line(error: BaseException) -> str:
    return str(getattr(error, "message", error)).partition("\n")[0][:300]


def _body(text: str) -> str:
    """The contents of the text's only fenced block, or all of it."""
    if text.startswith(("{", "[", '"')):
        return text  # a fence may stand in its strings
    blocks = list(fences(text))
    if len(blocks) == 1 and blocks[0].closed:
        return blocks[0].content.strip()
    pieces = text.split("```")  # opened or closed in the middle of a line
    return re.sub(r"^(?:json|JSON)\b", "", pieces[1]).strip() if len(pieces) == 3 else text


def _depth(text: str) -> int:
    """The deepest nesting, counting brackets outside of strings."""
    depth = deepest = 0
    for piece in re.finditer(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', text, re.DOTALL):
        bracket = piece.group()
        if bracket in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in ("]", "}"):
            depth -= 1
    return deepest


def _read(text: str) -> Json:
    def pairs(items: list[tuple[str, Json]]) -> dict[str, Json]:
        out = dict(items)
        if len(out) != len(items):
            raise ValueError("a key is given twice")
        return out

    def refuse(name: str) -> Json:
        raise ValueError(f"{name} is not JSON")

    def real(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            raise ValueError(f"{digits[:20]} is too large")
        return value

    value: Json = json.loads(text, object_pairs_hook=pairs, parse_constant=refuse, parse_float=real)
    return value


@lru_cache(maxsize=1024)
def _validator(text: str) -> Any:
    schema = json.loads(text)
    if not isinstance(schema, dict | bool):
        raise ValueError(f"a schema is an object or a boolean, got {type(schema).__name__}")
    base = jsonschema.validators.validator_for(schema, default=Draft202012Validator)
    base.check_schema(schema, format_checker=_PATTERNS)  # type: ignore[arg-type, call-arg]
    changed = {
        "multipleOf": _multiple_of,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "uniqueItems": _unique_items,
        "$ref": _counted(base.VALIDATORS.get("$ref")),
    }
    cls = validators.extend(
        base,
        {  # type: ignore[no-untyped-call]
            k: c for k, c in changed.items() if k in base.VALIDATORS
        },
    )
    return cls(schema, registry=Registry())


def _counted(check: Any) -> Any:
    """Bound how often references are followed: two that recurse side by side double at each level."""

    def ref(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        steps = _steps.get()
        if not steps:
            raise _TooMuch("more references to follow than the text is long")
        _steps.set(steps - 1)
        yield from check(validator, value, instance, schema) or ()

    return ref


def _found(pattern: str, text: str) -> bool:
    try:
        return compile_pattern(pattern).search(text, timeout=DEADLINE_S) is not None
    except TimeoutError:
        raise _TooMuch("a pattern backtracks beyond its deadline") from None


def _multiple_of(validator: Any, value: float, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Divide decimals and not the floats nearest to them: 19.99 is a multiple of 0.01."""
    if validator.is_type(instance, "number") and Fraction(str(instance)) % Fraction(str(value)):
        yield ValidationError(f"{instance!r:.80} is not a multiple of {value!r}")


def _pattern(validator: Any, value: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _found(value, instance):
        yield ValidationError(f"{instance[:80]!r} does not match {value!r}")


def _pattern_properties(
    validator: Any, value: dict[str, Any], instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in value.items():
        for name, item in instance.items():
            if _found(pattern, name):
                yield from validator.descend(item, subschema, path=name, schema_path=pattern)


def _unique_items(validator: Any, value: bool, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Compare canonical texts, in linear time; the library compares every pair of mixed items."""
    if value and validator.is_type(instance, "array"):
        seen = {json.dumps(_canonical(item), sort_keys=True) for item in instance}
        if len(seen) != len(instance):
            yield ValidationError("the items are not unique")


def _canonical(value: Json) -> Json:
    """JSON Schema's equality: 1 and 1.0 are one number, true is not 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_canonical(v) for v in value]
    if isinstance(value, dict):
        return {k: _canonical(v) for k, v in value.items()}
    return value
