"""Which version of its rules a verifier judges by, so that two versions are never mixed in one file or run.

A verifier's ``rules_version`` is a whole number, 1 where it states none. It goes up by one with every change
that can turn a verdict: a class states it as a class attribute, a function carries it.

    class Brevity(Composable):
        rules_version: ClassVar[int] = 2     # since 0.2 white space no longer counts

    def brevity(completion, problem): ...
    brevity.rules_version = 2

What has parts (a combinator, a gate, a route) is as new as they are: their versions stand beside its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from referee.verifiers.protocol import name_of
from referee.verifiers.protocol import rules_version as rules_version
from referee.verifiers.records import Json
from referee.verifiers.rubric import Rubric
from referee.verifiers.scoring.plan import children_of


def rules_of(rubric: Rubric) -> dict[str, Json]:
    """Return, for each part of a rubric, the version of each verifier in it, by its name.

    Where verifiers of one name differ, theirs are a list, in the order in which the part asks them.

    >>> from referee.verifiers import Exact, Numeric, any_of
    >>> rules_of(Rubric({"right": any_of(Exact(), Numeric())}))
    {'right': {'any_of': 1, 'exact': 2, 'numeric': 2}}
    """
    return {name: _by_name(_walk(part.verifier)) for name, part in rubric.parts.items()}


def changed_rules(before: object, now: Mapping[str, Json]) -> list[str]:
    """Return what differs between the versions that were recorded and those of now, in words.

    A record of before there were versions differs in all of them.

    >>> changed_rules({"right": {"math": 1}}, {"right": {"math": 2}})
    ['right: math was 1, is now 2']
    """
    found = []
    for part, versions in now.items():
        assert isinstance(versions, dict)
        older = before.get(part) if isinstance(before, Mapping) else None
        for name, version in versions.items():
            was = older.get(name) if isinstance(older, Mapping) else None
            if was != version:
                before_it = "unrecorded" if was is None else _said(was)
                found.append(f"{part}: {name} was {before_it}, is now {_said(version)}")
    return found


def _said(version: Json) -> str:
    return ", ".join(map(str, version)) if isinstance(version, list) else str(version)


def _by_name(found: Iterator[tuple[str, int]]) -> dict[str, Json]:
    versions: dict[str, list[int]] = {}
    for name, version in found:
        versions.setdefault(name, []).append(version)
    return {name: of[0] if len({*of}) == 1 else [*of] for name, of in versions.items()}


def _walk(verifier: Any) -> Iterator[tuple[str, int]]:
    yield name_of(verifier), rules_version(verifier)
    for child in children_of(verifier):
        yield from _walk(child)
