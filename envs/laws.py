"""The laws that every family keeps, checked by running it: ``check_env(family)`` lists what is broken.

- gold: a gold completion scores 1;
- empty, echo: an empty completion and a copy of the prompt do not;
- determinism: the same (seed, index, level) gives the same problem, the same completion the same verdict;
- json: problems and verdicts survive a round trip through their JSON lines;
- streams: two seeds share no problem's name, and their problems are not in the same order;
- foreign: a problem of another family abstains.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from referee.envs.procedural import Family
from referee.verifiers.jsonl import dumps, loads
from referee.verifiers.protocol import as_verdict
from referee.verifiers.records import Completion, Problem, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A law that does not hold: on which problem, and what was seen."""

    law: str
    problem: str
    seen: str


def check_env(family: Family, *, count: int = 50, seed: int = 0) -> list[Violation]:
    """Return the violations on ``count`` problems, spread over the levels; none where all laws hold."""
    out: list[Violation] = []
    for index in range(count):
        level = index % family.levels
        problem = family.problem(seed, index, level)
        out += _on_problem(family, problem, family.problem(seed, index, level))
    out += _on_streams(family, seed, min(count, 20))
    return out


def _on_problem(family: Family, problem: Problem, again: Problem) -> Iterator[Violation]:
    def verdict(text: str) -> Verdict:
        return as_verdict(family(Completion(text=text), problem), family)

    def violation(law: str, seen: object) -> Violation:
        return Violation(law=law, problem=problem.id, seen=repr(seen)[:500])

    gold = family.gold(problem)
    right = verdict(gold)
    if right.score != 1.0:
        yield violation("gold", (gold, right))
    if (empty := verdict("")).score != 0.0:
        yield violation("empty", empty)
    if (echo := verdict(problem.prompt_text)).score != 0.0:
        yield violation("echo", echo)
    if problem != again or family.gold(again) != gold or verdict(gold) != right:
        yield violation("determinism", again)
    for record in (problem, right):
        if loads(type(record), dumps(record)) != record:
            yield violation("json", record)
    foreign = Problem(prompt=problem.prompt, answer=problem.answer, info={"family": "another"})
    if as_verdict(family(Completion(text=gold), foreign), family).score is not None:
        yield violation("foreign", gold)


def _on_streams(family: Family, seed: int, count: int) -> Iterator[Violation]:
    for level in range(family.levels):
        first = [family.problem(seed, i, level) for i in range(count)]
        second = [family.problem(seed + 1, i, level) for i in range(count)]
        if {p.id for p in first} & {p.id for p in second} or len({p.id for p in first}) < count:
            yield Violation(law="streams", problem=first[0].id, seen="the same id twice")
        if count > 1 and [(p.prompt, p.info) for p in first] == [(p.prompt, p.info) for p in second]:
            yield Violation(law="streams", problem=first[0].id, seen="two seeds give the same problems")
