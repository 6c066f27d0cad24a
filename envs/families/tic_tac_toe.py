"""Tic-tac-toe against a scripted player."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.answers import final_answer, integer
from referee.envs.game import Game, Move, lost, won
from referee.envs.procedural import Draft
from referee.envs.stream import Stream
from referee.verifiers.records import Json, Problem, Reason, Verdict

_LINES = ("012", "345", "678", "036", "147", "258", "048", "246")


@dataclass(frozen=True, kw_only=True)
class TicTacToe(Game):
    """Play X and move first, on cells 1 to 9. A win scores 1, a draw 0.5, a loss or a bad move 0.

    The scripted player prefers cells in an order of its own. Levels: 0 that is all it does; 1 it takes
    a win; 2 it also blocks. Orders are drawn until a search finds a winning game.
    """

    name: ClassVar[str] = "tic_tac_toe"
    levels: ClassVar[int] = 3

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw an order that can be beaten."""
        while True:
            order = "".join(map(str, stream.shuffled(range(9))))
            if _winning("." * 9, order, level) is not None:
                break
        return Draft(
            "Play tic-tac-toe. You are X and move first. The cells are 1 2 3 / 4 5 6 / 7 8 9. "
            "Answer with one number a turn.\n" + _show("." * 9),
            _show("." * 9) + "\n:",
            None,
            {"order": order, "skill": level},
        )

    def start(self, problem: Problem) -> Json:
        """Return the empty board."""
        return "." * 9

    def move(self, problem: Problem, state: Json, text: str) -> Move:
        """Place X, then O."""
        board = str(state)
        cell = integer(final_answer(text) or "")
        if cell is None or not 1 <= cell <= 9 or board[cell - 1] != ".":
            return Move(verdict=lost("not a free cell"))
        board = _put(board, cell - 1, "X")
        if (verdict := _ended(board)) is not None:
            return Move(verdict=verdict, observation=_show(board))
        board = _put(board, _reply(board, str(problem.info["order"]), int(str(problem.info["skill"]))), "O")
        return Move(state=board, observation=_show(board), verdict=_ended(board))

    def gold_move(self, problem: Problem, state: Json) -> str:
        """Search for a move that wins against this very player."""
        cell = _winning(str(state), str(problem.info["order"]), int(str(problem.info["skill"])))
        assert cell is not None
        return str(cell + 1)

    def random_move(self, problem: Problem, state: Json, stream: Stream) -> str:
        """Take any free cell."""
        return str(stream.choice([i for i, c in enumerate(str(state)) if c == "."]) + 1)


def _put(board: str, cell: int, mark: str) -> str:
    return board[:cell] + mark + board[cell + 1 :]


def _has_line(board: str, mark: str) -> bool:
    return any(all(board[int(c)] == mark for c in line) for line in _LINES)


def _ended(board: str) -> Verdict | None:
    if _has_line(board, "X"):
        return won()
    if _has_line(board, "O"):
        return lost("the other player has a line")
    if "." not in board:
        return Verdict(score=0.5, reason=Reason.PARTIAL, detail={"game": "a draw"})
    return None


def _reply(board: str, order: str, skill: int) -> int:
    free = [int(c) for c in order if board[int(c)] == "."]
    for mark in "OX"[:skill]:
        for cell in free:
            if _has_line(_put(board, cell, mark), mark):
                return cell
    return free[0]


def _winning(board: str, order: str, skill: int) -> int | None:
    """Return the first move from which a win can be forced against this player, or None."""
    for cell in [i for i, c in enumerate(board) if c == "."]:
        mine = _put(board, cell, "X")
        if _has_line(mine, "X"):
            return cell
        if "." not in mine:
            continue
        theirs = _put(mine, _reply(mine, order, skill), "O")
        if _ended(theirs) is None and _winning(theirs, order, skill) is not None:
            return cell
    return None


def _show(board: str) -> str:
    return "\n".join(board[i : i + 3] for i in (0, 3, 6))
