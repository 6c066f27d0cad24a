"""Sudoku on a grid of four by four."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.procedural import Draft, Procedural
from referee.envs.stream import Stream
from referee.verifiers.protocol import failure
from referee.verifiers.reading.strategies import search
from referee.verifiers.records import Problem, Reason, Verdict

_ROWS = [[4 * r + c for c in range(4)] for r in range(4)]
_COLUMNS = [[4 * r + c for r in range(4)] for c in range(4)]
_BOXES = [[4 * (r + i) + c + j for i in range(2) for j in range(2)] for r in (0, 2) for c in (0, 2)]
_UNITS = _ROWS + _COLUMNS + _BOXES
_PEERS = [sorted({p for unit in _UNITS if cell in unit for p in unit} - {cell}) for cell in range(16)]


@dataclass(frozen=True, kw_only=True)
class Sudoku4(Procedural):
    """The completed grid. Cells are blanked only as long as the solution stays unique.

    Levels: 1, 3, 5, 7 and at most 10 blanks.

    Accepts:
        - sixteen digits: four lines of four, or one line; spaces, commas and bars do not count
    Rejects:
        - a given digit changed, a digit twice in a row, column or box, blanks left open
    """

    name: ClassVar[str] = "sudoku4"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw a full grid, then blank cells."""
        full = _fill([0] * 16, stream)
        assert full is not None
        grid, blanks = list(full), 0
        for cell in stream.shuffled(range(16)):
            if blanks == (1, 3, 5, 7, 10)[level]:
                break
            kept, grid[cell] = grid[cell], 0
            if count(grid) == 1:
                blanks += 1
            else:
                grid[cell] = kept
        shown = _show(grid)
        return Draft(
            "Fill the grid with the digits 1 to 4, so that each row, each column and each of the four "
            f"2x2 boxes has every digit once. A dot is a blank.\n{shown}\nEnd with the four completed rows.",
            f"{shown}\n:",
            _show(full),
            {"grid": list(grid)},
        )

    def extract(self, text: str) -> str | None:
        """Return the digits of the last four lines with digits, or of the last line where it has all."""
        box = search(text, "boxed")
        lines = [line for line in (text if box is None else box).splitlines()[-50:] if line.strip()]
        cleaned = ["".join(c for c in line if c not in " ,|[]&\\*$`") for line in lines]
        if cleaned and len(cleaned[-1]) == 16:
            return cleaned[-1]
        return "".join(cleaned[-4:]) or None

    def judge(self, answer: str, problem: Problem) -> bool | Verdict:
        """Check the givens and every row, column and box."""
        givens = problem.info.get("grid")
        if not isinstance(givens, list) or len(givens) != 16:
            return failure("info must hold a grid of 16 cells", Reason.BAD_REFERENCE)
        if len(answer) != 16 or not set(answer) <= set("1234"):
            return False
        cells = [int(c) for c in answer]
        kept = all(given in (0, cell) for given, cell in zip(givens, cells, strict=True))
        return kept and all(len({cells[i] for i in unit}) == 4 for unit in _UNITS)


def count(grid: list[int], limit: int = 2) -> int:
    """Return how many solutions a grid has, counting no further than ``limit``."""
    if 0 not in grid:
        return 1
    cell = grid.index(0)
    found = 0
    for digit in _free(grid, cell):
        found += count([*grid[:cell], digit, *grid[cell + 1 :]], limit - found)
        if found >= limit:
            break
    return found


def _fill(grid: list[int], stream: Stream) -> list[int] | None:
    if 0 not in grid:
        return grid
    cell = grid.index(0)
    for digit in stream.shuffled(_free(grid, cell)):
        done = _fill([*grid[:cell], digit, *grid[cell + 1 :]], stream)
        if done is not None:
            return done
    return None


def _free(grid: list[int], cell: int) -> list[int]:
    taken = {grid[p] for p in _PEERS[cell]}
    return [d for d in (1, 2, 3, 4) if d not in taken]


def _show(grid: list[int]) -> str:
    return "\n".join("".join(str(grid[i] or ".") for i in row) for row in _ROWS)
