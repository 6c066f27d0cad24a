"""Games: families whose problems take several turns, with a state that the policy does not see.

A game is pure: ``move`` maps (problem, state, text) to the next state, so that an episode can be
replayed from its moves. That is how its verdict is found: ``game(completion, problem)`` replays the
assistant messages of the completion or, where there are none, its lines, one move each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from referee.envs.procedural import Procedural
from referee.envs.stream import Stream
from referee.verifiers.records import Completion, Json, Problem, Reason, Verdict, answer_of, as_completion

MAX_MOVES = 200

Player: TypeAlias = Callable[[Json], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What came of a move: the next state, what the policy is told, and the verdict where the game ended.

    ``reward`` is what this turn alone is paid, for games that pay as they go.
    """

    state: Json = None
    observation: str = ""
    reward: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, kw_only=True)
class Game(Procedural):
    """What the games share: ``start``, ``move``, a player who wins and one who plays at random."""

    turns: ClassVar[int] = 20

    def start(self, problem: Problem) -> Json:
        """Return the state before the first move."""
        raise NotImplementedError

    def move(self, problem: Problem, state: Json, text: str) -> Move:
        """Return what comes of a move, written as the policy wrote it after its thinking."""
        raise NotImplementedError

    def gold_move(self, problem: Problem, state: Json) -> str:
        """Return a move of a player who always wins."""
        raise NotImplementedError

    def random_move(self, problem: Problem, state: Json, stream: Stream) -> str:
        """Return a legal move drawn at random: what chance plays."""
        raise NotImplementedError

    def gold(self, problem: Problem) -> str:
        """Return the moves of a won game, one on each line."""
        return "\n".join(self.play(problem, lambda state: self.gold_move(problem, state)))

    def random(self, problem: Problem, stream: Stream) -> str:
        """Return the moves of a game played at random, one on each line."""
        return "\n".join(self.play(problem, lambda state: self.random_move(problem, state, stream)))

    def play(self, problem: Problem, player: Player) -> list[str]:
        """Return the moves of ``player`` until the game ends."""
        state, moves = self.start(problem), []
        for _ in range(self.turns):
            moves.append(player(state))
            move = self.move(problem, state, moves[-1])
            if move.verdict is not None:
                break
            state = move.state
        return moves

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Replay the moves; a game that they do not end is not won. Moves after its end forfeit it."""
        if (foreign := self.foreign(problem)) is not None:
            return foreign
        moves = moves_of(as_completion(completion), problem)
        if not moves:
            return Verdict(score=0.0, reason=Reason.NO_ANSWER)
        state = self.start(problem)
        for i, text in enumerate(moves[: self.turns], 1):
            move = self.move(problem, state, text)
            if move.verdict is not None:
                if i < len(moves):
                    return lost(f"{len(moves)} moves, and the game was over after {i}")
                return move.verdict
            state = move.state
        return lost(f"not over after {min(len(moves), self.turns)} moves")


def won(note: str = "") -> Verdict:
    """Return the verdict of a game that the policy won."""
    return Verdict(score=1.0, reason=Reason.CORRECT, detail={"game": note} if note else {})


def lost(note: str) -> Verdict:
    """Return the verdict of a game that the policy did not win."""
    return Verdict(score=0.0, reason=Reason.INCORRECT, detail={"game": note})


def moves_of(completion: Completion, problem: Problem) -> list[str]:
    """Return the moves in a completion: what its assistant messages say, else the lines of its text."""
    if completion.messages:
        said = [m.content for m in completion.messages if m.role == "assistant"][: MAX_MOVES + 1]
        return [answer_of(text, problem) for text in said]
    lines = answer_of(completion, problem).split("\n", MAX_MOVES + 1)
    return [line for line in lines if line.strip()][: MAX_MOVES + 1]
