"""Ways out of mazes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.records import Problem, Reason, Verdict

_MOVES = {"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)}
MAX_MOVES = 400


@dataclass(frozen=True, kw_only=True)
class Maze(Procedural):
    """Moves from S to E on a grid whose X are walls. A search proves that a way exists.

    Levels: grids of 3, 4, 5, 7 and 9 cells a side.

    Accepts:
        - any way, as letters U, D, L, R, in either case, with spaces or commas or without
    Rejects:
        - a step into a wall or off the grid; a way that ends elsewhere than on E; over 400 moves
    """

    name: ClassVar[str] = "maze"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw walls until the ends are joined and more than one step apart."""
        side = (3, 4, 5, 7, 9)[level]
        while True:
            cells = [["X" if stream.below(10) < 3 else "." for _ in range(side)] for _ in range(side)]
            start, end = stream.sample(range(side * side), 2)
            cells[start // side][start % side] = "S"
            cells[end // side][end % side] = "E"
            rows = ["".join(row) for row in cells]
            way = shortest(rows)
            if way is not None and len(way) >= min(side - 1, 4):
                break
        grid = "\n".join(rows)
        return Draft(
            f"Find a way from S to E. X is a wall, . is free.\n{grid}\n"
            "End with a line that holds only the moves: U, D, L, R.",
            f"{grid}\n:",
            way,
            {"grid": list(rows)},
        )

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Walk the way."""
        rows = problem.info.get("grid")
        if not isinstance(rows, list):
            return failure("info must hold the grid", Reason.BAD_REFERENCE)
        moves = answer[: 4 * MAX_MOVES].upper().replace(",", "").replace(" ", "")
        if len(moves) > MAX_MOVES:
            return False
        grid = [str(row) for row in rows]
        at = _find(grid, "S")
        for move in moves:
            if move not in _MOVES or (at := _step(grid, at, move)) is None:  # type: ignore
                return False
        return at == _find(grid, "E")


def shortest(rows: list[str]) -> str | None:
    """Return the first of the shortest ways from S to E, or None where there is none."""
    start, end = _find(rows, "S"), _find(rows, "E")
    ways = {start: ""}
    queue = deque([start])
    while queue:
        at = queue.popleft()
        if at == end:
            return ways[at]
        for move in _MOVES:
            there = _step(rows, at, move)
            if there is not None and there not in ways:
                ways[there] = ways[at] + move
                queue.append(there)
    return None


def _find(rows: list[str], mark: str) -> tuple[int, int]:
    return next((r, row.index(mark)) for r, row in enumerate(rows) if mark in row)


def _step(rows: list[str], at: tuple[int, int], move: str) -> tuple[int, int] | None:
    row, column = at[0] + _MOVES[move][0], at[1] + _MOVES[move][1]
    inside = 0 <= row < len(rows) and 0 <= column < len(rows[0])
    return (row, column) if inside and rows[row][column] != "X" else None
