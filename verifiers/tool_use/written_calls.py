r"""Tool calls that a model wrote as text, in the forms that are in use.

==================  ====================================================================================
Hermes, Qwen        ``<tool_call>{"name": ..., "arguments": {...}}</tool_call>``
Qwen3-Coder         ``<tool_call><function=f><parameter=a>1</parameter></function></tool_call>``
GLM                 ``<tool_call>f <arg_key>a</arg_key><arg_value>1</arg_value></tool_call>``
Mistral             ``[TOOL_CALLS][{"name": ..., "arguments": {...}}]``, ``[TOOL_CALLS]f[ARGS]{...}``
Llama 3             ``<|python_tag|>{"name": ..., "parameters": {...}}; {...}``
Llama 3, own tools  ``<function=f>{...}</function>``
functionary         ``>>>f\n{...}``
DeepSeek            ``<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n{...}<｜tool▁call▁end｜>``
JSON                one object or a list, alone, in a fence, or a line of its own
source code         ``[f(a=1), g(b="x")]`` or ``f(a=1)``, alone, in a fence, or a line of its own
==================  ====================================================================================

Every call counts that a text holds, in the first of these forms that it uses: what is written twice is
called twice. A block between marks that cannot be read is a malformed call. Arguments are a JSON object, or
a text that holds one. Nothing is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from referee.verifiers.reading.fences import fenced_blocks
from referee.verifiers.reading.tool_calls import CLOSING, OPENING, call_blocks
from referee.verifiers.records import Json, ToolCall, plain
from referee.verifiers.tool_use.source_literals import MAX_CHARACTERS, Bare, NotSource, SourceCall, read_calls

_MISTRAL = "[TOOL_CALLS]"
_ARGS = re.compile(r"\s*+([^\s\[\]{}()]{1,200})(?:\[CALL_ID\][^\[\]]{0,80})?\[ARGS\]")
_PYTHON_TAG = "<|python_tag|>"
_FUNCTION = re.compile(r"<function=([^\s<>=]{1,200})>")
_FUNCTIONARY = re.compile(r"^>>>([^\s>]{1,200})[ \t]*\n", re.M)
_DEEPSEEK = re.compile(r"<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?")
_DEEPSEEK_END = "<｜tool▁call▁end｜>"
_NAMES, _ARGUMENTS = ("name", "function", "tool_name", "tool"), ("arguments", "parameters", "args", "input")
MOST_CALLS = 128
_READ = MOST_CALLS + 1  # one more is too many, however many more there are

_PARAMETER = re.compile(r"<parameter=([^\s<>=]{1,200})>")
_KEY = re.compile(r"<arg_key>([^<>]{1,200})</arg_key>\s*+<arg_value>")
_IS_JSON = re.compile(r"\[?\s*+\{")

Places = Callable[[str], tuple[str, ...]]
Typed = Callable[[str, str, str], Json]


class Signatures(NamedTuple):
    """What is known of functions: their arguments' names in order, and which value a text stands for."""

    places: Places
    typed: Typed
    variables: bool = False


def written_calls(
    text: str,
    *,
    names: Iterable[str] = (),
    places: Places | None = None,
    typed: Typed | None = None,
    variables: bool = False,
) -> list[ToolCall]:
    """Return the calls that a text holds, whose thinking is taken off.

    A call as source code counts where it is all of the text, or a fence or line of its own that calls one of
    ``names``. ``places`` gives the names of a function's arguments in order, for those that are given by
    place; ``typed`` the value of a function's argument that stands as text without quotes, between marks.
    Source code with a variable or an expression for an argument is malformed, but with ``variables``: there
    it stands for its own text.

    >>> [c.name for c in written_calls('<tool_call>{"name": "now", "arguments": {}}</tool_call>')]
    ['now']
    >>> written_calls("[area(base=10, height=5)]")[0].arguments
    {'base': 10, 'height': 5}
    """
    text = text.strip()
    known = Signatures(places or (lambda name: ()), typed or (lambda name, argument, value: value), variables)
    for read in (_tagged, _mistral, _functions, _functionary, _deepseek, _python_tagged):
        if (found := read(text, known)) is not None:
            return found[:_READ]
    whole = _calls(text, known)
    if whole is not None:
        return whole[:_READ]
    called = {n for name in names for n in (name, name.replace(".", "_"))}
    blocks = [code for _, code in fenced_blocks(text)]
    pieces = blocks if blocks else text.split("\n")
    out: list[ToolCall] = []
    for piece in pieces[-5000:]:
        found = _calls(piece.strip(), known) if piece.lstrip()[:1] in "[{(" or "(" in piece else None
        if found is not None and (_IS_JSON.match(piece.strip()) or any(c.name in called for c in found)):
            out.extend(found)
    return out[:_READ]


def source_calls(text: str, places: Places) -> list[ToolCall]:
    """Return the calls that all of a text is as source code, without variables.

    Raises:
        NotSource: where it is none.
    """
    known = Signatures(places, lambda name, argument, value: value)
    return [_placed(call, known) for call in read_calls(text)]


def _malformed(text: str) -> ToolCall:
    return ToolCall(name="", malformed=text.strip()[:1000] or "empty")


def _tagged(text: str, known: Signatures) -> list[ToolCall] | None:
    if OPENING not in text:
        return None
    out: list[ToolCall] = []
    for block in call_blocks(text)[:_READ]:
        # A model may stop at the closing mark, which its sampler then cuts off.
        found = (
            _functions(block.body, known) or _keyed(block.body, known) or _calls(block.body.strip(), known)
        )
        out.extend(found if found is not None else [_malformed(block.body)])
    stray = text.count(CLOSING) > text.count(OPENING)
    return [*out, _malformed(CLOSING)] if stray else out


def _mistral(text: str, known: Signatures) -> list[ToolCall] | None:
    if _MISTRAL not in text:
        return None
    out: list[ToolCall] = []
    for piece in text.split(_MISTRAL)[1 : _READ + 1]:
        named = _ARGS.match(piece)
        if named is not None:
            out.append(_one(named[1], _json(piece[named.end() :].strip())))
        else:
            found = _calls(piece.strip(), known)
            out.extend(found if found is not None else [_malformed(piece)])
    return out


def _functions(text: str, known: Signatures) -> list[ToolCall] | None:
    pieces = _FUNCTION.split(text)[1 : 2 * _READ + 1]  # names and what follows them, in turn
    bodies = [piece.partition("</function>")[0].strip() for piece in pieces[1::2]]
    return [_function(name, body, known) for name, body in zip(pieces[::2], bodies, strict=True)] or None


def _function(name: str, body: str, known: Signatures) -> ToolCall:
    if body.startswith("{"):
        return _one(name, _json(body))
    return _of_texts(name, _PARAMETER.split(body), "</parameter>", known)


def _keyed(text: str, known: Signatures) -> list[ToolCall] | None:
    if "<arg_key>" not in text:
        return None
    name, *rest = _KEY.split(text)
    return [_of_texts(name.strip(), ["", *rest], "</arg_value>", known)]


def _of_texts(name: str, pieces: list[str], closing: str, known: Signatures) -> ToolCall:
    """Return a call whose arguments stand as texts: what is before the marks, then names and texts."""
    values = [piece.rpartition(closing) for piece in pieces[2::2]]
    whole = all(mark and not rest.strip() and closing not in text for text, mark, rest in values)
    if pieces[0].strip() or not whole or len(set(pieces[1::2])) < len(values):
        return ToolCall(name=name, malformed="the arguments cannot be read")
    texts = [text.removeprefix("\n").removesuffix("\n") for text, _, _ in values]
    named = zip(pieces[1::2], texts, strict=True)
    return ToolCall(name=name, arguments={key: known.typed(name, key, text) for key, text in named})


def _functionary(text: str, known: Signatures) -> list[ToolCall] | None:
    marks = list(islice(_FUNCTIONARY.finditer(text), _READ))
    ends = [m.start() for m in marks[1:]] + [len(text)] * bool(marks)
    pairs = [(m[1], text[m.end() : end].strip()) for m, end in zip(marks, ends, strict=True)]
    return [_one(name, _json(body)) for name, body in pairs if name != "all"] if marks else None


def _deepseek(text: str, known: Signatures) -> list[ToolCall] | None:
    pieces = _DEEPSEEK.split(text)[1 : _READ + 1]
    out: list[ToolCall] = []
    for piece in pieces:
        name, _, rest = piece.partition(_DEEPSEEK_END)[0].strip().partition("\n")
        body = rest.strip().removeprefix("```json").removesuffix("```")
        out.append(_one(name.strip(), _json(body.strip())))
    return out or None


def _python_tagged(text: str, known: Signatures) -> list[ToolCall] | None:
    if _PYTHON_TAG not in text:
        return None
    out: list[ToolCall] = []
    for piece in text.split(_PYTHON_TAG)[1 : _READ + 1]:
        found = _calls(piece.strip(), known)
        out.extend(found if found is not None else [_malformed(piece)])
    return out


def _calls(text: str, known: Signatures) -> list[ToolCall] | None:
    """Return the calls that all of a text is, as JSON or as source code; None where it is none."""
    if not text or len(text) > MAX_CHARACTERS:
        return None
    if text.startswith("```") and len(blocks := fenced_blocks(text)) == 1 and text.endswith("```"):
        text = blocks[0][1].strip()
    if text[:1] in "[{":
        values = _values(text)
        if values is not None:
            items = [_call_of(item) for item in values]
            calls = [c for item in items if item is not None for c in item]
            return calls if all(item is not None for item in items) else None
    try:
        return [_placed(call, known) for call in read_calls(text)]
    except NotSource:
        return None


def _values(text: str) -> list[Json] | None:
    """Return the values of a text of JSON: a list's items, or objects behind each other or semicolons."""
    whole = _json(text)
    if isinstance(whole, list):
        return whole
    if isinstance(whole, dict):
        return [whole]
    pieces = [_json(piece) for piece in re.split(r";\s*+|\n(?=\{)", text)]
    return pieces if len(pieces) > 1 and all(isinstance(p, dict) for p in pieces) else None


def _json(text: str) -> Json:
    """Return a text's JSON value; None where it is none, holds a key twice or is nested too deep."""

    def once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        if len({k for k, _ in pairs}) < len(pairs):
            raise ValueError("a key is given twice")
        return dict(pairs)

    if len(text) > MAX_CHARACTERS:
        return None
    try:
        return plain("value", json.loads(text, object_pairs_hook=once))
    except (ValueError, TypeError, RecursionError):
        return None


def _call_of(item: Json) -> list[ToolCall] | None:
    """Return the calls of one JSON object: ``{"name", "arguments"}``, OpenAI's, or ``{"f": {...}}``."""
    if not isinstance(item, dict):
        return None
    inner = item.get("function")
    if (
        isinstance(inner, dict)
        and isinstance(inner.get("name"), str)
        and set(item) <= {"type", "function", "id", "index"}
    ):
        return _call_of(inner)
    name = next((item[k] for k in _NAMES if isinstance(item.get(k), str)), None)
    key = next((k for k in _ARGUMENTS if k in item), None)
    if isinstance(name, str):
        return [_one(name, item[key])] if key else ([_one(name, {})] if len(item) == 1 else None)
    if len(item) == 1:
        ((only, arguments),) = item.items()
        return [_one(only, arguments)] if isinstance(arguments, dict) else None
    return None


def _one(name: str, arguments: Json) -> ToolCall:
    if isinstance(arguments, str):
        arguments = _json(arguments)
    if not isinstance(arguments, dict):
        return ToolCall(name=name, malformed="the arguments are no JSON object")
    return ToolCall(name=name, arguments=arguments)


def _placed(call: SourceCall, known: Signatures) -> ToolCall:
    """Name the arguments that are given by place."""
    names = known.places(call.name)
    if len(call.places) > len(names) or set(names[: len(call.places)]) & set(call.named):
        return ToolCall(name=call.name, malformed="more arguments by place than the function has")
    arguments = {**dict(zip(names, call.places, strict=False)), **call.named}
    if not known.variables and any(map(_is_bare, arguments.values())):
        return ToolCall(name=call.name, malformed="an argument is no value")
    return ToolCall(name=call.name, arguments=arguments)


def _is_bare(value: Json) -> bool:
    if isinstance(value, list | dict):
        return any(map(_is_bare, value.values() if isinstance(value, dict) else value))
    return isinstance(value, Bare)
