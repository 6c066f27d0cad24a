"""Truth values of formulas, and truth values that make a formula true."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Json, Problem, Reason, Verdict

_TRUTH = {"true": True, "t": True, "false": False, "f": False}
_ASSIGNED = re.compile(r"([a-e])\s*=\s*(true|false|t|f)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class BooleanLogic(Procedural):
    """The value of a formula, or (levels 4 and 5) values of its variables that make it true.

    Levels: 0 to 3 formulas over 2, 3, 5 and 8 truth values; 4 and 5 clauses over 3 and 5 variables,
    drawn around a hidden assignment, so that one exists.

    Accepts:
        - ``true``, ``False``, ``T``; at levels 4 and 5 ``a=T, b=F, c=T``, any assignment that works
    Rejects:
        - both values; an assignment that leaves a variable out, or gives it twice
    """

    name: ClassVar[str] = "boolean_logic"
    levels: ClassVar[int] = 6

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw a formula."""
        if level > 3:
            return _clauses(stream, 3 if level == 4 else 5)
        text, value = _formula(stream, (2, 3, 5, 8)[level])
        short = text.replace("True", "T").replace("False", "F")
        prompt = f"Is this true or false: {text}? End with a line that holds only True or False."
        return Draft(prompt, f"{short}:", str(value))

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Compare truth values, or try the assignment on every clause."""
        clauses = problem.info.get("clauses")
        if clauses is None:
            return _TRUTH.get(answer.lower()) == (problem.answer == "True")
        if not isinstance(clauses, list):
            return failure("info['clauses'] must be a list", Reason.BAD_REFERENCE)
        found = _ASSIGNED.findall(answer[:200])
        rest = _ASSIGNED.sub("", answer[:200]).replace(",", "").replace("and", "").strip()
        given = {name.lower(): _TRUTH[value.lower()] for name, value in found}
        if rest or len(answer) > 200 or len(given) != len(found):
            return False
        names = {literal[-1] for clause in clauses for literal in clause}  # type: ignore
        if set(given) != names and not set(given) >= names:
            return False
        return all(any(given[x[-1]] is not x.startswith("not ") for x in clause) for clause in clauses)  # type: ignore


def _formula(stream: Stream, leaves: int) -> tuple[str, bool]:
    if leaves == 1:
        value = stream.coin()
        return (f"not {not value}", value) if stream.below(4) == 0 else (str(value), value)
    split = stream.between(1, leaves - 1)
    (x, a), (y, b) = _formula(stream, split), _formula(stream, leaves - split)
    left, right = x if split == 1 else f"({x})", y if leaves - split == 1 else f"({y})"
    kind = stream.choice(("and", "or", "xor"))
    value = (a and b) if kind == "and" else (a or b) if kind == "or" else a != b
    return f"{left} {kind} {right}", value


def _clauses(stream: Stream, count: int) -> Draft:
    names = "abcde"[:count]
    hidden = {name: stream.coin() for name in names}
    clauses: list[list[str]] = []
    while len(clauses) < 2 * count:
        picked = stream.sample(names, 2)
        clause = [name if stream.coin() else f"not {name}" for name in picked]
        if any(hidden[x[-1]] is not x.startswith("not ") for x in clause):
            clauses.append(clause)
    unused = [n for n in names if not any(x[-1] == n for c in clauses for x in c)]
    clauses += [[n if hidden[n] else f"not {n}"] for n in unused]
    text = " and ".join(f"({' or '.join(c)})" for c in clauses)
    solution = ", ".join(f"{n}={'T' if v else 'F'}" for n, v in hidden.items())
    data: list[Json] = [list(c) for c in clauses]
    return Draft(
        f"Give values of {', '.join(names)} that make this true: {text}. End with a line such as a=T, b=F.",
        f"{text}:",
        solution,
        {"clauses": data},
    )
