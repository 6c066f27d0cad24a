"""Tools: typed Python functions with docstrings, which a policy calls by name in its completions.

A call is either one of the completion's own ``tool_calls`` or a block in its text, in the form that
most chat models write: ``<tool_call>{"name": "calculator", "arguments": {"expression": "3*4"}}</tool_call>``.
A malformed call (no JSON object, an unknown name, arguments that do not fit the schema) is answered
by an observation that says what was wrong; it never raises. A tool says that its input was at fault
by raising ``ValueError``, which the policy gets to read. Any other exception is a failure of the machine.
"""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jsonschema

from referee.verifiers.reading.marks import Marks
from referee.verifiers.reading.thinking import answer_part
from referee.verifiers.reading.tool_calls import CallBlock, call_blocks
from referee.verifiers.records import Completion, Json, Message, ToolCall, read_tool_call, text_of

_ARGUMENT = re.compile(r"^\s{2,}(\w+)(?:\s*\([^)]*\))?:\s*(.+)$")
_SCALARS: dict[Any, str] = {
    int: "integer",
    float: "number",
    str: "string",
    bool: "boolean",
    type(None): "null",
}
MAX_CALLS = 8
MAX_OBSERVATION = 4000


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that completions may call, with the JSON schema of its arguments."""

    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """The name that it is called by."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def schema(self) -> dict[str, Json]:
        """The tool as chat templates and model endpoints take it."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": _summary(self.function),
                "parameters": parameters(self.function),
            },
        }

    def call(self, arguments: dict[str, Json]) -> str:
        """Return what the tool answers, as text; say so where the arguments do not fit."""
        error = next(_validator(self.function).iter_errors(arguments), None)
        if error is not None:
            where = "".join(f"[{p!r}]" for p in error.absolute_path)
            return f"Error: {self.name} got bad arguments{where}: {error.message[:300]}"
        try:
            value = self.function(**arguments)
        except ValueError as e:
            return f"Error: {str(e)[:1000]}"
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return text if len(text) <= MAX_OBSERVATION else text[:MAX_OBSERVATION] + " [cut]"


class Toolbox:
    """The tools of an episode, by name. An empty one is false."""

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]] = ()) -> None:
        found = [t if isinstance(t, Tool) else Tool(t) for t in tools]
        self._tools: Mapping[str, Tool] = {t.name: t for t in found}
        if len(self._tools) != len(found):
            raise ValueError(f"tools must have different names, got {', '.join(t.name for t in found)}")

    def __bool__(self) -> bool:
        return bool(self._tools)

    @property
    def schemas(self) -> list[dict[str, Json]]:
        """Every tool's schema, for a chat template or an endpoint."""
        return [t.schema for t in self._tools.values()]

    def answer(self, completion: Completion, thinking: Sequence[Marks] = ()) -> tuple[Message, ...]:
        """Return one tool message for each call in a completion; none where it calls no tool."""
        calls = calls_in(completion, thinking)
        out = [self._answer(call) for call in calls[:MAX_CALLS]]
        if len(calls) > MAX_CALLS:
            out.append(Message(role="tool", content=f"Error: at most {MAX_CALLS} calls a turn"))
        return tuple(out)

    def _answer(self, call: ToolCall) -> Message:
        if call.malformed:
            text = (
                "Error: malformed tool call: write <tool_call>"
                '{"name": ..., "arguments": {...}}</tool_call> with one JSON object'
            )
        elif call.name not in self._tools:
            text = f"Error: there is no tool {call.name[:80]!r}; the tools are {', '.join(self._tools)}"
        else:
            text = self._tools[call.name].call(call.arguments)
        return Message(role="tool", content=text, name=call.name[:80], tool_call_id=call.id)


def calls_in(completion: Completion, thinking: Sequence[Marks] = ()) -> list[ToolCall]:
    """Return the calls in a completion: its messages' own, else the blocks in its text after the thinking.

    ``thinking`` declares marks of thinking beside the usual ones.
    """
    if completion.tool_calls:
        return list(completion.tool_calls)
    return [_read(block) for block in call_blocks(answer_part(text_of(completion), thinking))]


def parameters(function: Callable[..., Any]) -> dict[str, Json]:
    """Return the JSON schema of a function's arguments, from its signature and docstring.

    Raises:
        TypeError: for an argument without a type, or with one that JSON cannot carry.
    """
    hints = typing.get_type_hints(function)
    described = _argument_docs(function)
    properties: dict[str, Json] = {}
    required: list[Json] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise TypeError(f"{name} of a tool must be a plain argument, got {parameter.kind.description}")
        if name not in hints:
            raise TypeError(f"{name} of a tool must have a type, got none")
        schema = _schema(name, hints[name])
        if name in described:
            schema["description"] = described[name]
        properties[name] = schema
        if parameter.default is parameter.empty:
            required.append(name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _schema(name: str, hint: Any) -> dict[str, Json]:
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(args)}
    if origin is list or hint is list:
        return {"type": "array", **({"items": _schema(name, args[0])} if args else {})}
    if origin is dict or hint is dict:
        values: dict[str, Json] = {"additionalProperties": _schema(name, args[1])} if args else {}
        return {"type": "object", **values}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(name, a) for a in args]}
    raise TypeError(f"{name} of a tool must have a type that JSON can carry, got {hint!r}")


def _validator(function: Callable[..., Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(parameters(function))


def _summary(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n\n")[0]


def _argument_docs(function: Callable[..., Any]) -> dict[str, str]:
    doc = inspect.getdoc(function) or ""
    lines = doc.partition("Args:")[2].splitlines()
    found = (_ARGUMENT.match(line) for line in lines)
    return {m[1]: m[2].strip() for m in found if m}


def _read(block: CallBlock) -> ToolCall:
    try:
        data = json.loads(block.body) if block.closed else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return ToolCall(name="", malformed=block.body[:200] or "empty")
    call = read_tool_call({"name": data.get("name"), "arguments": data.get("arguments")})
    return replace(call, malformed=block.body[:200]) if call.malformed else call
