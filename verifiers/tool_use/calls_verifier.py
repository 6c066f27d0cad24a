"""ToolSchema calls against the row's own reference and tools."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

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
)
from referee.verifiers.references import bad_reference
from referee.verifiers.tool_use.arguments import (
    Rules,
    Texts,
    WantedCall,
    argument_fault,
    contradiction,
    from_text,
)
from referee.verifiers.tool_use.tool_schemas import BadTools, ToolSchema, read_tools
from referee.verifiers.tool_use.written_calls import MOST_CALLS, written_calls

_SOURCES = ("java", "javascript")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalls(Composable):
    """Pay 1 where a completion calls the tools that the row wants, each with the arguments that it wants.

    The calls are the ``tool_calls`` of the completion's messages, else those that its text holds, in any
    of the usual forms (:mod:`referee.verifiers.tool_use.written_calls`). Of the row, ``problem.info`` holds

    - ``calls``: the wanted calls, a list (or its JSON text); without it ``problem.answer`` is the list. A
      call is ``{"name": ..., "arguments": {...}}``, or in BFCL's form ``{name: {argument: [accepted
      values]}}``, where an accepted ``""`` says that the argument may be left out. An empty list: no tool
      is to be called.
    - ``tools``: the functions on offer, as an endpoint takes them; their types and defaults are read. An
      argument that is given as its default says, and one left out whose default is wanted, are right.
    - ``ordered``: true where the calls' order matters. Else they are matched one to one.
    - ``language``: ``java`` or ``javascript`` where values may be source code (``"5L"``, ``"new int[]{1}"``).

    A name may be written with ``_`` for each point (``math_factorial``). With ``texts="said"`` case, spaces,
    commas, hyphens and underscores in texts do not matter, as in BFCL, but numbers keep sign and point;
    ``texts="exact"`` compares character by character. Nothing that a model wrote is run.

    Accepts:
        - the wanted calls, in any order unless ``ordered``; an integer for a float of the same value
    Rejects:
        - another function; an argument missing, added or of another value or type (``"3"`` for 3, 1 for true)
        - a call too many or too few; the same call twice; one that cannot be read
        - any call where none is wanted, and an empty answer there
    Abstains:
        - where the row's calls or tools cannot be read, or contradict each other: a wanted call of no tool,
          without a required argument, or with one that the tool does not have

    >>> row = Problem(info={"calls": [{"area": {"base": [10], "unit": ["cm", ""]}}]})
    >>> ToolCalls()("[area(base=10)]", row).score, ToolCalls()('{"name": "area", "arguments": {}}', row).score
    (1.0, 0.0)
    """

    tools: str = "tools"
    calls: str = "calls"
    ordered: str = "ordered"
    language: str = "language"
    texts: Texts = "said"
    name = "tool_calls"
    range = UNIT
    rules_version = 1

    def __post_init__(self) -> None:
        if self.texts not in get_args(Texts):
            raise ValueError(f"texts must be one of {', '.join(get_args(Texts))}, got {self.texts!r}")

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return 1 or 0; ``answer`` holds the calls that were read, ``detail`` what is wrong with them."""
        try:
            tools = read_tools(problem.info.get(self.tools))
            wanted = wanted_calls(problem.info.get(self.calls, problem.answer), tools)
        except BadTools as e:
            return bad_reference(f"info[{self.tools!r}] {e}")
        except ValueError as e:
            return bad_reference(f"info[{self.calls!r}] {e}")
        source = problem.info.get(self.language) in _SOURCES
        names = [call.name for call in wanted]
        made = calls_of(completion, problem, tools, names, variables=source)
        answer: list[Json] = [{"name": c.name, "arguments": c.arguments} for c in made[:MOST_CALLS]]
        if not has_answer(completion, problem) or (wanted and not made):
            return Verdict(score=0.0, reason=Reason.NO_ANSWER, answer=answer)
        ordered = problem.info.get(self.ordered) is True
        fault = _fault(made, wanted, tools, Rules(self.texts, source), ordered)
        if fault is None:
            return Verdict(score=1.0, reason=Reason.CORRECT, answer=answer)
        return Verdict(score=0.0, reason=Reason.INCORRECT, answer=answer, detail={"fault": fault[:500]})


def calls_of(
    completion: str | Completion,
    problem: Problem,
    tools: dict[str, ToolSchema],
    names: Iterable[str] = (),
    *,
    variables: bool = False,
) -> Sequence[ToolCall]:
    """Return the calls that a completion makes: its messages', else those in its text after the thinking.

    ``names`` are functions that may be called, beside ``tools``; ``variables`` lets names without quotes
    stand for their own text.
    """
    if own := as_completion(completion).tool_calls:
        return own
    spelt = {**{_plain_name(n): t for n, t in tools.items()}, **tools}

    def places(name: str) -> tuple[str, ...]:
        return tuple(spelt[name].arguments) if name in spelt else ()

    def typed(name: str, argument: str, text: str) -> Json:
        return from_text(text, spelt[name].types(argument) if name in spelt else frozenset())

    return written_calls(
        answer_of(completion, problem),
        names={*tools, *names},
        places=places,
        typed=typed,
        variables=variables,
    )


def wanted_calls(given: Json, tools: dict[str, ToolSchema]) -> list[WantedCall]:
    """Return a row's wanted calls.

    Raises:
        ValueError: where they cannot be read, or name no tool of the row.
    """
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise ValueError(f"must be a list of calls, got {given!r:.80}") from None
    if not isinstance(given, list):
        raise ValueError(f"must be a list of calls, got {given!r:.80}")
    if len(given) > MOST_CALLS:
        raise ValueError(f"must hold at most {MOST_CALLS} calls, got {len(given)}")
    wanted = [_wanted(item) for item in given]
    for call in wanted:
        if tools and call.name not in tools:
            raise ValueError(f"must call tools of the row, got {call.name[:80]!r}")
        if tools and (why := contradiction(call, tools[call.name])) is not None:
            raise ValueError(f"must be calls that the tools take: {why}")
    return wanted


def _wanted(item: Json) -> WantedCall:
    if isinstance(item, dict) and isinstance(inner := item.get("function"), dict) and "name" in inner:
        item = inner
    if isinstance(item, dict) and isinstance(name := item.get("name"), str):
        arguments = item.get("arguments", item.get("parameters", {}))
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except (ValueError, RecursionError):
                arguments = None
        if isinstance(arguments, dict):
            return WantedCall(name, {k: [v] for k, v in arguments.items()}, listed=False)
    elif isinstance(item, dict) and len(item) == 1:
        ((only, accepted),) = item.items()
        if isinstance(accepted, dict) and all(isinstance(v, list) and v for v in accepted.values()):
            return WantedCall(only, {k: v for k, v in accepted.items() if isinstance(v, list)}, listed=True)
    raise ValueError(f"must hold calls with a name and arguments, got {item!r:.120}")


def _plain_name(name: str) -> str:
    return name.replace(".", "_")


def _fault(
    made: Sequence[ToolCall],
    wanted: list[WantedCall],
    tools: dict[str, ToolSchema],
    rules: Rules,
    ordered: bool,
) -> str | None:
    """Return what is wrong with the calls that were made; None where they are those that were wanted."""
    if len(made) != len(wanted):
        return f"{len(made)} calls, expected {len(wanted)}"
    faults = [[_call_fault(m, w, tools, rules) for w in wanted] for m in made]
    if ordered:
        pairs = [row[i] for i, row in enumerate(faults)]
        return next((f"call {i + 1}: {fault}" for i, fault in enumerate(pairs) if fault), None)
    lost = unmatched([[f is None for f in row] for row in faults])
    if lost is None:
        return None
    alike = [f for f, w in zip(faults[lost], wanted, strict=True) if f and w.name == made[lost].name]
    return f"call {lost + 1}: {(alike or faults[lost])[0] or 'made twice'}"


def _call_fault(made: ToolCall, wanted: WantedCall, tools: dict[str, ToolSchema], rules: Rules) -> str | None:
    if made.malformed:
        return f"it cannot be read: {made.malformed[:200]}"
    if made.name != wanted.name and (made.name in tools or made.name != _plain_name(wanted.name)):
        return f"it calls {made.name[:80]!r}, expected {wanted.name!r}"
    return argument_fault(made.arguments, wanted, tools.get(wanted.name) or ToolSchema(wanted.name), rules)


def unmatched(fits: list[list[bool]]) -> int | None:
    """Return a row that cannot be matched, each with a column of its own; None where all can.

    >>> unmatched([[True, True], [True, False]]), unmatched([[True, False], [True, False]])
    (None, 1)
    """
    taken: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, fit in enumerate(fits[row]):
            if fit and column not in seen:
                seen.add(column)
                if column not in taken or place(taken[column], seen):
                    taken[column] = row
                    return True
        return False

    return next((row for row in range(len(fits)) if not place(row, set())), None)
