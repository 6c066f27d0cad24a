"""Hangman: find a word letter by letter before too many guesses miss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.answers import final_answer
from referee.envs.game import Game, Move, lost, won
from referee.envs.procedural import Draft
from referee.envs.stream import Stream
from referee.verifiers.records import Json, Problem

WORDS: list[str] = (  # noqa: SIM905  # prose is easier to read and to keep sorted
    "able acid apple arrow attic badge baker beach bench berry blade bread brick bridge brush cabin "
    "cable candle carrot castle chair chalk cherry circle clock cloud coast copper coral cotton crane "
    "cream daisy dance desert donkey dragon eagle earth engine fabric falcon feather field finger flame "
    "flower forest garden ginger glass grape guitar hammer harbor helmet honey island jacket jungle "
    "kettle kitten ladder lantern lemon lizard magnet maple marble meadow mirror monkey mountain needle "
    "ocean olive orange oyster paddle palace pebble pencil pepper pillow pirate planet pocket potato "
    "quartz rabbit rainbow ribbon river rocket saddle sailor salmon shadow silver spider spring square "
    "stable summer sunset temple thunder ticket tiger timber tunnel turtle valley velvet violin walnut "
    "whale window winter wizard yellow zebra"
).split()


@dataclass(frozen=True, kw_only=True)
class Hangman(Game):
    """Guess the letters of a hidden word, or the word itself.

    Levels: 10, 6 and 3 misses are allowed. A guess that is no letter and not the word is a miss.
    """

    name: ClassVar[str] = "hangman"
    levels: ClassVar[int] = 3
    turns: ClassVar[int] = 30

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw the word."""
        word, misses = stream.choice(WORDS), (10, 6, 3)[level]
        shown = " ".join("_" * len(word))
        return Draft(
            f"Hangman: find the word {shown} ({len(word)} letters). Guess one letter a turn, or the whole "
            f"word. {misses} misses lose.",
            f"{len(word)} letters {misses} misses:",
            None,
            {"secret": word, "misses": misses},
        )

    def start(self, problem: Problem) -> Json:
        """Return the letters guessed so far, and the misses left."""
        return {"guessed": "", "left": problem.info["misses"]}

    def move(self, problem: Problem, state: Json, text: str) -> Move:
        """Uncover a letter, or count a miss."""
        assert isinstance(state, dict)
        word, guessed, left = str(problem.info["secret"]), str(state["guessed"]), int(str(state["left"]))
        guess = (final_answer(text) or "").lower()
        letter = len(guess) == 1 and guess.isascii() and guess.isalpha()
        if guess == word:
            return Move(verdict=won())
        if letter and guess in word and guess not in guessed:
            guessed += guess
            if set(word) <= set(guessed):
                return Move(verdict=won())
        else:
            left -= 1
            guessed += guess if letter and guess not in guessed else ""
            if left == 0:
                return Move(verdict=lost("no misses left"))
        shown = " ".join(c if c in guessed else "_" for c in word)
        return Move(state={"guessed": guessed, "left": left}, observation=f"{shown} ({left} misses left)")

    def gold_move(self, problem: Problem, state: Json) -> str:
        """Name a letter of the word."""
        assert isinstance(state, dict)
        return next(c for c in str(problem.info["secret"]) if c not in str(state["guessed"]))

    def random_move(self, problem: Problem, state: Json, stream: Stream) -> str:
        """Name a letter not yet named."""
        assert isinstance(state, dict)
        return stream.choice([c for c in "abcdefghijklmnopqrstuvwxyz" if c not in str(state["guessed"])])
