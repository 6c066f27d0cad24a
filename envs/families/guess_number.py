"""Guess the number: every guess is answered by higher or lower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.answers import final_answer, integer
from referee.envs.game import Game, Move, lost, won
from referee.envs.procedural import Draft
from referee.envs.stream import Stream
from referee.verifiers.records import Json, Problem


@dataclass(frozen=True, kw_only=True)
class GuessNumber(Game):
    """Name a hidden number from 1 to n in as many guesses as halving needs.

    Levels: n = 3, 7, 15, 63 and 1023, with 2, 3, 4, 6 and 10 guesses. What is no whole number costs a guess.
    """

    name: ClassVar[str] = "guess_number"
    levels: ClassVar[int] = 5

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw the number."""
        guesses = (2, 3, 4, 6, 10)[level]
        high = 2**guesses - 1
        return Draft(
            f"I think of a number from 1 to {high}. You have {guesses} guesses; after each I say higher or "
            "lower. Answer with one number a turn.",
            f"1 to {high}:",
            None,
            {"secret": stream.between(1, high), "high": high, "guesses": guesses},
        )

    def start(self, problem: Problem) -> Json:
        """Return the bounds that a halving player knows, and the guesses left."""
        return {"low": 1, "high": problem.info["high"], "left": problem.info["guesses"]}

    def move(self, problem: Problem, state: Json, text: str) -> Move:
        """Answer a guess."""
        assert isinstance(state, dict)
        secret, left = problem.info["secret"], int(str(state["left"])) - 1
        assert isinstance(secret, int)
        guess = integer(final_answer(text) or "")
        if guess == secret:
            return Move(verdict=won())
        if left == 0:
            return Move(verdict=lost("no guess left"))
        if guess is None:
            return Move(state={**state, "left": left}, observation="That is no number.")
        if guess < secret:
            low = max(guess + 1, int(str(state["low"])))
            return Move(state={**state, "left": left, "low": low}, observation="higher")
        high = min(guess - 1, int(str(state["high"])))
        return Move(state={**state, "left": left, "high": high}, observation="lower")

    def gold_move(self, problem: Problem, state: Json) -> str:
        """Halve what is left; this never looks at the secret."""
        assert isinstance(state, dict)
        return str((int(str(state["low"])) + int(str(state["high"]))) // 2)

    def random_move(self, problem: Problem, state: Json, stream: Stream) -> str:
        """Name any number."""
        return str(stream.between(1, int(str(problem.info["high"]))))
