"""The state that an episode of tool calls leaves: replayed, and held to the one that was wanted."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from referee.verifiers.combine import Composable
from referee.verifiers.protocol import UNIT
from referee.verifiers.records import (
    Completion,
    Json,
    Problem,
    Reason,
    ToolCall,
    Verdict,
    answer_of,
    as_completion,
    has_answer,
    plain,
)
from referee.verifiers.references import bad_reference
from referee.verifiers.tool_use.source_literals import NotSource
from referee.verifiers.tool_use.written_calls import source_calls, written_calls

Compared = Literal["all", "named"]
MOST_STEPS = 1000


def attributes(world: object) -> dict[str, object]:
    """Return a world's attributes, but those whose names begin with ``_``."""
    return {name: value for name, value in vars(world).items() if not name.startswith("_")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolState(Composable):
    """Pay 1 where an episode's calls leave the state that the row wants, and no forbidden call was made.

    ``make`` returns a fresh world for ``problem.info[initial]``; the methods of it that ``tools`` names
    are the tools, and ``state`` returns its state as JSON data (by default its attributes). The
    completion's calls, all of them and in order, are made on a fresh world: how the state was reached does
    not matter. A call that cannot be read, names no tool or raises changes nothing more, as in the
    episode. Of the row, ``info`` holds

    - ``state``: the wanted state; without it ``calls``, whose own replay gives it: a list (or a list of
      turns) of ``{"name", "arguments"}`` or of source code such as ``"cd(folder='a')"``
    - ``forbidden``: calls that must not be made: names, or ``{"name", "arguments"}`` for calls with at least
      these arguments
    - ``required``: calls, named in the same way, that must be made and not fail, such as those that only read

    ``compared="named"`` holds only those keys to it that the wanted state names. Equality is JSON's: 1 is
    1.0, and true is not 1. The tools are the user's own code and run here, as they ran in the episode:
    they must be as bounded as they were there.

    Accepts:
        - any calls that end in the wanted state
    Rejects:
        - another state, a forbidden call (even one that failed), a required one that was not made, more than
          1,000 calls, an empty completion
    Abstains:
        - where no world can be made, or the row's own calls fail, and where it states neither

    >>> class Lamp:
    ...     def __init__(self): self.on = False
    ...     def switch(self, on): self.on = on
    >>> row = Problem(info={"state": {"on": True}})
    >>> verify = ToolState(make=lambda initial: Lamp(), tools=("switch",))
    >>> verify("[switch(on=False), switch(on=True)]", row).score, verify("[switch(on=False)]", row).score
    (1.0, 0.0)
    """

    make: Callable[[Json], object]
    tools: tuple[str, ...]
    state: Callable[[object], object] = attributes
    initial: str = "initial"
    wanted: str = "state"
    calls: str = "calls"
    forbidden: str = "forbidden"
    required: str = "required"
    compared: Compared = "all"
    name = "tool_state"
    range = UNIT
    rules_version = 1

    def __post_init__(self) -> None:
        for option in ("make", "state"):
            if not callable(getattr(self, option)):
                raise TypeError(f"{option} must be a function, got {getattr(self, option)!r:.80}")
        tools = (self.tools,) if isinstance(self.tools, str) else tuple(self.tools)
        if not tools or not all(isinstance(t, str) and t.isidentifier() and t[0] != "_" for t in tools):
            raise ValueError(f"tools must name methods that do not begin with _, got {self.tools!r:.80}")
        object.__setattr__(self, "tools", tools)
        if self.compared not in get_args(Compared):
            raise ValueError(
                f"compared must be one of {', '.join(get_args(Compared))}, got {self.compared!r}"
            )

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0; ``detail`` names what differs."""
        initial = problem.info.get(self.initial)
        try:
            world = self._world(initial)
            wanted = self._wanted(problem.info)
            forbidden = _named_calls(self.forbidden, problem.info.get(self.forbidden))
            required = _named_calls(self.required, problem.info.get(self.required))
            self._state(self._world(initial))
        except Exception as e:  # noqa: BLE001  # no call of the completion has been made
            return bad_reference(f"the row cannot be replayed: {type(e).__name__}: {e}")
        made = self._made(completion, problem, world)
        if not has_answer(completion, problem):
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        if len(made) > MOST_STEPS:
            return Verdict(score=0.0, reason=Reason.RESOURCE_LIMIT, detail={"fault": f"{len(made)} calls"})
        for call in made:
            if any(_is_one(call, item) for item in forbidden):
                return _wrong(f"{call.name[:80]} is forbidden")
        done: list[ToolCall] = []
        for call in made:
            try:
                self._do(world, call)
            except Exception:  # noqa: BLE001, S112  # what the tool told the model in the episode
                continue
            done.append(call)
        for item in required:
            if not any(_is_one(call, item) for call in done):
                return _wrong(f"{item[0][:80]} is required")
        try:
            left = self._state(world)
        except Exception as e:  # noqa: BLE001  # it could be read before these calls
            return _wrong(f"the calls leave no state that can be read: {type(e).__name__}")
        fault = _difference(left, wanted, self.compared)
        return Verdict(score=1.0, reason=Reason.CORRECT) if fault is None else _wrong(fault)

    def _world(self, initial: Json) -> object:
        return self.make(copy.deepcopy(initial))  # a world may keep what it is given, and change it

    def _wanted(self, info: dict[str, Json]) -> dict[str, Json]:
        if self.wanted in info:
            stated = info[self.wanted]
            if not isinstance(stated, dict):
                raise ValueError(f"{self.wanted} must be an object, got {stated!r:.80}")
            return stated
        world = self._world(info.get(self.initial))
        for call in _listed(info.get(self.calls), lambda name: self._places(world, name)):
            if call.malformed or call.name not in self.tools:
                why = call.malformed[:80] or call.name[:80]
                raise ValueError(f"{self.calls} must be calls of tools, got {why!r}")
            self._do(world, call)
        return self._state(world)

    def _made(self, completion: str | Completion, problem: Problem, world: object) -> Sequence[ToolCall]:
        if own := as_completion(completion).tool_calls:
            return own
        text = answer_of(completion, problem)
        return written_calls(text, names=self.tools, places=lambda name: self._places(world, name))

    def _places(self, world: object, name: str) -> tuple[str, ...]:
        tool = getattr(world, name, None) if name in self.tools else None  # not each world has each tool
        try:
            return tuple(inspect.signature(tool).parameters) if callable(tool) else ()
        except ValueError:  # a built-in without a signature
            return ()

    def _do(self, world: object, call: ToolCall) -> None:
        if call.name not in self.tools or call.malformed:
            raise ValueError("no call of a tool")
        getattr(world, call.name)(**copy.deepcopy(call.arguments))

    def _state(self, world: object) -> dict[str, Json]:
        state = plain("state", self.state(world))
        if not isinstance(state, dict):
            raise TypeError(f"state must return an object, got {type(state).__name__}")
        return state


def _wrong(fault: str) -> Verdict:
    return Verdict(score=0.0, reason=Reason.INCORRECT, detail={"fault": fault[:500]})


def _listed(given: Json, places: Callable[[str], tuple[str, ...]]) -> list[ToolCall]:
    """Return the calls of a row: of one turn, or of several."""
    if not isinstance(given, list):
        raise ValueError(f"state or calls must be given, got {given!r:.80}")
    out: list[ToolCall] = []
    for item in given:
        if isinstance(item, list):
            out.extend(_listed(item, places))
        elif isinstance(item, str):
            try:
                out.extend(source_calls(item, places))
            except NotSource as e:
                raise ValueError(f"{item[:80]!r} is no call: {e}") from None
        elif isinstance(item, dict) and isinstance(name := item.get("name"), str):
            arguments = item.get("arguments", {})
            out.append(ToolCall(name=name, arguments=arguments))  # type: ignore[arg-type]
        else:
            raise ValueError(f"calls must have a name and arguments, got {item!r:.80}")
    return out


def _named_calls(option: str, given: Json) -> list[tuple[str, dict[str, Json]]]:
    out = []
    for item in [] if given is None else given if isinstance(given, list) else [given]:
        name = item.get("name") if isinstance(item, dict) else item
        arguments = item.get("arguments", {}) if isinstance(item, dict) else {}
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise ValueError(f"{option} must hold names or calls, got {item!r:.80}")
        out.append((name, arguments))
    return out


def _is_one(call: ToolCall, stated: tuple[str, dict[str, Json]]) -> bool:
    name, arguments = stated
    return call.name == name and all(
        k in call.arguments and _equal(call.arguments[k], v) for k, v in arguments.items()
    )


def _difference(left: dict[str, Json], wanted: dict[str, Json], compared: Compared) -> str | None:
    for key in sorted(wanted):
        if key not in left or not _equal(left[key], wanted[key]):
            return f"{key} is {left.get(key)!r:.200}, expected {wanted[key]!r:.200}"
    more = sorted(set(left) - set(wanted)) if compared == "all" else []
    return f"{more[0]} is left over" if more else None


def _equal(a: Json, b: Json) -> bool:
    """Tell whether two JSON values are equal: 1 and 1.0 are one number, true is none."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return isinstance(a, bool) is isinstance(b, bool) and a == b
