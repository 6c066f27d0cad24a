"""Calling a function as its schema says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import jsonschema

from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.reading.fences import fenced_blocks
from referee.verifiers.reading.tool_calls import CLOSING, call_blocks
from referee.verifiers.records import Json, Problem, Reason, Verdict

_CITIES = ("Lima", "Oslo", "Cairo", "Hanoi", "Quito", "Perth", "Turin", "Osaka")
_NAMES = ("Ada", "Boris", "Chloe", "Deng", "Emma", "Farid")


@dataclass(frozen=True, kw_only=True)
class FunctionCall(Procedural):
    """One call that matches the schema of the right function and carries what was asked for.

    Levels: 0 one function, one argument; 1 two arguments; 2 three functions to choose from; 3 with an
    enumeration, a list and an optional argument.

    Accepts:
        - ``{"name": ..., "arguments": {...}}``, keys in any order, alone, in a fence or in ``<tool_call>``
        - an optional argument that is left out where its default was asked for
    Rejects:
        - another function; an argument missing, added or of another type (``"3"`` for 3); two calls;
          a key given twice; text around the call
    """

    name: ClassVar[str] = "function_call"
    levels: ClassVar[int] = 4

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw what is asked for, and the functions on offer."""
        makers = (_time, _weather, _transfer, _invite)
        chosen = makers[0] if level == 0 else makers[level] if level != 2 else stream.choice(makers[:3])
        request, name, arguments, schema = chosen(stream)
        offered = [schema]
        if level >= 2:
            offered = stream.shuffled([schema, *(m(stream)[3] for m in makers if m is not chosen)])[:4]
            if schema not in offered:
                offered[0] = schema
        call = json.dumps({"name": name, "arguments": arguments})
        listed = "\n".join(json.dumps(s) for s in offered)
        form = 'End with a line that holds only the call: {"name": ..., "arguments": {...}}.'
        return Draft(
            f"Functions:\n{listed}\nTask: {request}\n{form}",
            f"{listed}\n{request}\n:",
            call,
            {"schema": schema},
        )

    def extract(self, text: str) -> str | None:
        """Return the one call block, the one fence with a call, or the last line; all where two call."""
        after = text.strip()
        if blocks := call_blocks(after):
            alone = len(blocks) == 1 and blocks[0].closed and after.endswith(CLOSING)
            return blocks[0].body.strip() if alone else after
        if blocks_of_code := fenced_blocks(after):
            calls = [code for _, code in blocks_of_code if _is_call(code)]
            return calls[0].strip() if len(calls) == 1 and after.endswith("```") else after
        lines = after.split("\n")
        if after.startswith("{") or sum(map(_is_call, lines)) > 1:
            return after or None
        return lines[-1].strip() or None

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Read the call, fill its defaults in, hold it to the schema and to what was asked for."""
        schema = problem.info.get("schema")
        if not isinstance(schema, dict):
            return failure("info must hold the schema", Reason.BAD_REFERENCE)
        call = _read(answer)
        if not isinstance(call, dict) or set(call) != {"name", "arguments"}:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER, answer=answer[:1000])
        if call["name"] != schema["name"] or not isinstance(call["arguments"], dict):
            return False
        validator = jsonschema.Draft202012Validator(cast("dict[str, Any]", schema["parameters"]))
        error = next(validator.iter_errors(call["arguments"]), None)
        if error is not None:
            return Verdict(score=0.0, answer=answer[:1000], detail={"schema": error.message[:300]})
        wanted = json.loads(str(problem.answer))["arguments"]
        return _filled(call["arguments"], schema) == _filled(wanted, schema)


def _is_call(text: str) -> bool:
    return text.lstrip().startswith("{") and isinstance(_read(text), dict)


def _read(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({k for k, _ in pairs}) < len(pairs):
            raise ValueError("a key is given twice")
        return dict(pairs)

    try:
        return json.loads(text[:20_000], object_pairs_hook=once)
    except (ValueError, RecursionError):
        return None


def _filled(arguments: dict[str, Any], schema: Any) -> str:
    """Return arguments with their defaults as canonical JSON, in which true is not 1."""
    properties = schema["parameters"]["properties"]
    defaults = {k: v["default"] for k, v in properties.items() if "default" in v}
    return json.dumps({**defaults, **arguments}, sort_keys=True)


def _schema(name: str, description: str, properties: dict[str, Json], optional: tuple[str, ...] = ()) -> Any:
    required: list[Json] = [p for p in properties if p not in optional]
    return {
        "name": name,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        },
    }


def _time(stream: Stream) -> tuple[str, str, dict[str, Json], Any]:
    city = stream.choice(_CITIES)
    schema = _schema("get_time", "The local time in a city.", {"city": {"type": "string"}})
    return f"What time is it in {city}?", "get_time", {"city": city}, schema


def _weather(stream: Stream) -> tuple[str, str, dict[str, Json], Any]:
    city, days = stream.choice(_CITIES), stream.between(1, 9)
    schema = _schema(
        "get_forecast",
        "The weather in a city for some days.",
        {"city": {"type": "string"}, "days": {"type": "integer"}},
    )
    return f"Get the weather in {city} for {days} days.", "get_forecast", {"city": city, "days": days}, schema


def _transfer(stream: Stream) -> tuple[str, str, dict[str, Json], Any]:
    sender, receiver = stream.sample(_NAMES, 2)
    amount = stream.between(5, 500)
    schema = _schema(
        "transfer",
        "Send money from one person to another.",
        {"sender": {"type": "string"}, "receiver": {"type": "string"}, "amount": {"type": "integer"}},
    )
    arguments: dict[str, Json] = {"sender": sender, "receiver": receiver, "amount": amount}
    return f"{receiver} is to get {amount} from {sender}.", "transfer", arguments, schema


def _invite(stream: Stream) -> tuple[str, str, dict[str, Json], Any]:
    guests = stream.sample(_NAMES, stream.between(1, 3))
    room, day = stream.choice(("red", "green", "blue")), stream.choice(("mon", "wed", "fri"))
    minutes = stream.choice((30, 45, 90))
    schema = _schema(
        "book_room",
        "Book a room for guests.",
        {
            "room": {"enum": ["red", "green", "blue"]},
            "day": {"enum": ["mon", "tue", "wed", "thu", "fri"]},
            "guests": {"type": "array", "items": {"type": "string"}},
            "minutes": {"type": "integer", "default": 30},
        },
        ("minutes",),
    )
    names: list[Json] = list(guests)
    arguments: dict[str, Json] = {"room": room, "day": day, "guests": names, "minutes": minutes}
    day_name = {"mon": "Monday", "wed": "Wednesday", "fri": "Friday"}[day]
    request = (
        f"Book the {room} room on {day_name} for {', '.join(guests)} (in this order), {minutes} minutes."
    )
    return request, "book_room", arguments, schema
