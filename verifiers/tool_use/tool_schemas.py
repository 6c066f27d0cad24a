"""The tools of a row: their names, their arguments' types and defaults, and which of them may be left out."""

from __future__ import annotations

from dataclasses import dataclass, field

from referee.verifiers.errors import NotJudged
from referee.verifiers.records import Json

_TYPES = {
    "dict": "object", "hashmap": "object", "hashtable": "object", "object": "object",
    "tuple": "array", "list": "array", "arraylist": "array", "array": "array", "set": "array",
    "queue": "array", "stack": "array", "string": "string", "str": "string", "char": "string",
    "integer": "integer", "int": "integer", "byte": "integer", "short": "integer", "long": "integer",
    "bigint": "integer", "number": "number", "float": "number", "double": "number",
    "boolean": "boolean", "bool": "boolean", "null": "null",
}  # fmt: skip


class BadTools(NotJudged, ValueError):
    """The row's tools cannot be read."""


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """A function on offer: its arguments in order, each with its schema, and those that must be given.

    ``open`` says that it takes arguments of other names too, or that its arguments are not known.
    """

    name: str
    arguments: dict[str, Json] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    open: bool = True

    def types(self, argument: str) -> frozenset[str]:
        """Return the kinds of value that an argument may have; empty for any."""
        return types_of(self.arguments.get(argument))

    def default(self, argument: str) -> tuple[Json, ...]:
        """Return an argument's default in a tuple, empty where none is stated."""
        schema = self.arguments.get(argument)
        return (schema["default"],) if isinstance(schema, dict) and "default" in schema else ()


def types_of(schema: Json) -> frozenset[str]:
    """Return what kinds of value a schema takes: JSON's, whatever language named them; empty for any.

    >>> sorted(types_of({"type": "ArrayList"})), sorted(types_of({"type": ["string", "null"]}))
    (['array'], ['null', 'string'])
    """
    if not isinstance(schema, dict):
        return frozenset()
    stated = schema.get("type")
    names = stated if isinstance(stated, list) else [stated]
    kinds = [_TYPES.get(n.lower()) if isinstance(n, str) else None for n in names]
    return frozenset(k for k in kinds if k) if all(kinds) else frozenset()


def read_tools(given: Json) -> dict[str, ToolSchema]:
    """Return the tools of a row by name: bare, or in OpenAI's ``{"function": {...}}``.

    Raises:
        BadTools: where they are not a list of functions with different names.
    """
    if given is None:
        return {}
    if not isinstance(given, list):
        raise BadTools(f"must be a list of functions, got {given!r:.80}")
    tools = [_tool(item) for item in given]
    named = {tool.name: tool for tool in tools}
    if len(named) < len(tools):
        raise BadTools("must have different names")
    return named


def _tool(item: Json) -> ToolSchema:
    function = item.get("function", item) if isinstance(item, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadTools(f"must hold functions with a name, got {item!r:.80}")
    parameters = function.get("parameters") or {}
    properties = parameters.get("properties", {}) if isinstance(parameters, dict) else None
    required = parameters.get("required") or [] if isinstance(parameters, dict) else None
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise BadTools(f"must hold functions whose parameters are a JSON schema, got {item!r:.80}")
    more = parameters.get("additionalProperties", False) if isinstance(parameters, dict) else False
    names = frozenset(r for r in required if isinstance(r, str))
    return ToolSchema(str(function["name"]), dict(properties), names, not properties or bool(more))
