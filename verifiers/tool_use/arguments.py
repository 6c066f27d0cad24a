"""Whether the arguments of a call are those that were wanted.

A wanted value is compared by kind: ``true`` is not 1, ``"3"`` is not 3, an integer may stand for a float
of the same value and not the other way round. Lists are compared in order, dictionaries by key. Texts are
compared *as said* (case, spaces, commas, and points, hyphens and underscores between words aside; a number
keeps its sign, its point and its digits) or *exactly*. In Java and JavaScript a value may also be given as
source code in a text.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from referee.verifiers.records import Json
from referee.verifiers.tool_use.source_literals import Bare, NotSource, read_value
from referee.verifiers.tool_use.tool_schemas import ToolSchema, types_of

Texts = Literal["said", "exact"]
OMITTED = ""  # among accepted values: the argument may be left out
_TOKEN = re.compile(r"(?<!\w)[-+]?\d+(?:\.\d+)?|[^\W_]+|\*\*|[^\w\s,.\-]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


class Rules(NamedTuple):
    """How values are compared: texts as said or exactly, and whether source code may stand in a text."""

    texts: Texts = "said"
    source: bool = False


class WantedCall(NamedTuple):
    """A call that is wanted: for each argument the values that are accepted.

    ``listed`` says that the reference lists accepted values, those of nested dictionaries too.
    """

    name: str
    accepted: dict[str, list[Json]]
    listed: bool


def argument_fault(
    arguments: dict[str, Json], wanted: WantedCall, tool: ToolSchema, rules: Rules
) -> str | None:
    """Return what is wrong with a call's arguments; None where they are right."""
    for name, value in arguments.items():
        if not tool.open and name not in tool.arguments:
            return f"{name[:80]} is no argument of {tool.name}"
        if name in wanted.accepted:
            schema = tool.arguments.get(name)
            if not any(same(value, a, schema, rules, wanted.listed) for a in wanted.accepted[name]):
                return f"{name} is {value!r:.80}, expected {_shown(wanted.accepted[name])}"
        elif not any(same(value, d, tool.arguments.get(name), rules, False) for d in tool.default(name)):
            return f"{name} was not asked for"
    for name, accepted in wanted.accepted.items():
        if name not in arguments and not _omissible(name, accepted, tool, rules, wanted.listed):
            return f"{name} is missing"
    return None


def contradiction(wanted: WantedCall, tool: ToolSchema) -> str | None:
    """Return why no call that the tool takes could be the wanted one; None where one could."""
    for name in sorted(tool.required):
        accepted = wanted.accepted.get(name)
        if accepted is None or (wanted.listed and all(a == OMITTED for a in accepted)):
            return f"{name}, which {tool.name} requires, has no wanted value"
    for name, accepted in wanted.accepted.items():
        if not tool.open and name not in tool.arguments and not (wanted.listed and OMITTED in accepted):
            return f"{name} is no argument of {tool.name}"
    return None


def _omissible(name: str, accepted: list[Json], tool: ToolSchema, rules: Rules, listed: bool) -> bool:
    if name in tool.required:
        return False
    if listed and OMITTED in [a for a in accepted if isinstance(a, str)]:
        return True
    return any(
        same(d, a, tool.arguments.get(name), rules, listed) for d in tool.default(name) for a in accepted
    )


def _shown(accepted: list[Json]) -> str:
    return " or ".join(f"{a!r:.60}" for a in accepted[:3])


def same(value: Json, wanted: Json, schema: Json, rules: Rules, listed: bool) -> bool:
    """Tell whether a value is the wanted one, for an argument with this schema."""
    kinds = types_of(schema)
    if (
        rules.source
        and isinstance(value, str)
        and not (isinstance(wanted, str) and _plainly(value, wanted, rules))
    ):
        value = _from_source(value, kinds)
    if isinstance(wanted, bool) or isinstance(value, bool) or wanted is None or value is None:
        return type(value) is type(wanted) and value == wanted
    if isinstance(wanted, int | float):
        return isinstance(value, int | float) and value == wanted and _kind_of_number(value, wanted, kinds)
    if isinstance(wanted, str):
        return isinstance(value, str) and _plainly(value, wanted, rules)
    if isinstance(wanted, list):
        items = schema.get("items") if isinstance(schema, dict) else None
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(same(v, w, items, rules, listed) for v, w in zip(value, wanted, strict=True))
        )
    return isinstance(value, dict) and _same_object(value, wanted, schema, rules, listed)


def _same_object(
    value: dict[str, Json], wanted: dict[str, Json], schema: Json, rules: Rules, listed: bool
) -> bool:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    inner = properties if isinstance(properties, dict) else {}
    if not set(value) <= set(wanted):
        return False
    for key, accepted in wanted.items():
        # Accepted values are listed at each level, but where a whole value stands in their place.
        choices = accepted if listed and isinstance(accepted, list) else [accepted]
        if key in value:
            if not any(same(value[key], a, inner.get(key), rules, listed) for a in choices):
                return False
        elif not (listed and OMITTED in [a for a in choices if isinstance(a, str)]):
            return False
    return True


def _kind_of_number(value: int | float, wanted: int | float, kinds: frozenset[str]) -> bool:
    """Hold a float to where one may stand: ``5.0`` is no integer argument."""
    if isinstance(value, int):
        return True
    return "integer" not in kinds if kinds else isinstance(wanted, float)


def _plainly(value: str, wanted: str, rules: Rules) -> bool:
    if value == wanted:
        return True
    return rules.texts == "said" and bool(wanted) and _said(value) == _said(wanted)


def _said(text: str) -> tuple[str, ...]:
    """Return a text's words, numbers and signs: what is left when it is said aloud.

    >>> _said("April 1, 2024") == _said("april 1,2024")
    True
    >>> _said("-5") == _said("5"), _said("1.5") == _said("15")
    (False, False)
    """
    plain = _THOUSANDS.sub("", text.casefold().replace("'", '"').replace("’", '"'))
    tokens = tuple("^" if t == "**" else t.lstrip("+") or t for t in _TOKEN.findall(plain))
    return tokens or (text,)


def _from_source(text: str, kinds: frozenset[str]) -> Json:
    """Read a value of Java or JavaScript that stands in a text, where the argument is of such a kind."""
    if not kinds:
        return text
    try:
        value = read_value(text)
    except NotSource:
        return text
    found = _kind(value)
    if "string" in kinds:
        return value if isinstance(value, str) and not isinstance(value, Bare) else text
    return value if found in kinds or (found == "integer" and "number" in kinds) else text


def from_text(text: str, kinds: frozenset[str]) -> Json:
    """Return the value that stands as a text without quotes, where the argument is of these kinds.

    >>> from_text("5", frozenset({"integer"})), from_text("5", frozenset({"string"}))
    (5, '5')
    """
    if not kinds or "string" in kinds:
        return text
    try:
        value = read_value(text.strip())
    except NotSource:
        return text
    found = _kind(value)
    fits = found in kinds or (found == "integer" and "number" in kinds) or (value is None and "null" in kinds)
    return value if fits else text


def _kind(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "string"
