"""Shortest paths in weighted graphs."""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Json, Problem, Reason, Verdict

_NAMES = "ABCDEFGHIJ"
_BETWEEN = re.compile(r"\s*(?:->|→|-|,|\s)\s*")


@dataclass(frozen=True, kw_only=True)
class ShortestPath(Procedural):
    """A shortest path between two towns, whose roads have lengths. The graph is drawn connected.

    Levels: 3, 4, 5, 7 and 9 towns.

    Accepts:
        - any path of the least length: ``A C D``, ``ACD``, ``A-C-D``, ``A -> C -> D``
    Rejects:
        - a longer path, a road that is not there, another start or end
    """

    name: ClassVar[str] = "shortest_path"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw a random tree, then more roads."""
        count = (3, 4, 5, 7, 9)[level]
        names = stream.shuffled(_NAMES[:count])
        roads: dict[tuple[str, str], int] = {}
        for i in range(1, count):
            roads[_pair(names[i], stream.choice(names[:i]))] = stream.between(1, 9)
        for _ in range(count):
            a, b = stream.sample(names, 2)
            roads.setdefault(_pair(a, b), stream.between(1, 9))
        start, end = stream.sample(names, 2)
        listed = stream.shuffled(sorted(roads))
        towns, length = _dijkstra(roads, start, end)
        spoken = ", ".join(f"{a}-{b} {roads[a, b]}" for a, b in listed)
        short = " ".join(f"{a}{b}{roads[a, b]}" for a, b in listed)
        data: list[Json] = [[a, b, roads[a, b]] for a, b in listed]
        return Draft(
            f"Roads and their lengths: {spoken}. What is the shortest path from {start} to {end}? "
            "End with a line that holds only the towns in order, such as A B C.",
            f"{short} {start}>{end}:",
            " ".join(towns),
            {"roads": data, "start": start, "end": end, "length": length},
        )

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Walk the path and add its lengths up."""
        listed = problem.info.get("roads")
        if not isinstance(listed, list):
            return failure("info must hold the roads", Reason.BAD_REFERENCE)
        roads = {_pair(str(r[0]), str(r[1])): r[2] for r in listed if isinstance(r, list)}
        text = answer[:100]
        towns = list(text) if text.isalpha() else _BETWEEN.split(text)
        if len(towns) < 2 or towns[0] != problem.info.get("start") or towns[-1] != problem.info.get("end"):
            return False
        lengths = [roads.get(_pair(a, b)) for a, b in pairwise(towns)]
        return None not in lengths and sum(lengths) == problem.info.get("length")  # type: ignore[arg-type]


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _dijkstra(roads: dict[tuple[str, str], int], start: str, end: str) -> tuple[list[str], int]:
    """Return a shortest path and its length; the graph is connected, so there is one."""
    queue: list[tuple[int, list[str]]] = [(0, [start])]
    done: set[str] = set()
    while True:
        length, path = heapq.heappop(queue)
        if path[-1] == end:
            return path, length
        if path[-1] in done:
            continue
        done.add(path[-1])
        for (a, b), more in roads.items():
            if path[-1] in (a, b):
                heapq.heappush(queue, (length + more, [*path, b if a == path[-1] else a]))
