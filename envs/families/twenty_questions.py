"""Twenty questions over a table: find the row by asking about its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from referee.envs.answers import final_answer
from referee.envs.game import Game, Move, lost, won
from referee.envs.procedural import Draft
from referee.envs.stream import Stream
from referee.verifiers.records import Json, Problem

COLUMNS = ("flies", "swims", "furry", "big", "farm", "meat")
TABLE: dict[str, str] = {  # one digit for each column: 1 is yes
    "bat": "101001",
    "bear": "011101",
    "bee": "100010",
    "cat": "001011",
    "cow": "000110",
    "dog": "011011",
    "duck": "110010",
    "eagle": "100101",
    "fox": "001001",
    "goat": "001010",
    "hen": "000010",
    "horse": "001110",
    "moth": "101000",
    "otter": "011001",
    "shark": "010101",
    "whale": "010100",
}


@dataclass(frozen=True, kw_only=True)
class TwentyQuestions(Game):
    """Ask ``flies?`` and the like, then name the animal; the table is in the prompt.

    Levels: 2, 4, 8 and 16 animals, with as many turns as the best splitting player needs at worst.
    """

    name: ClassVar[str] = "twenty_questions"
    levels: ClassVar[int] = 4

    def draw(self, stream: Stream, level: int) -> Draft:
        """Draw the animals, and the one to find."""
        animals = sorted(stream.sample(sorted(TABLE), 2 ** (level + 1)))
        rows = [
            f"{a}: {', '.join(c for c, d in zip(COLUMNS, TABLE[a], strict=True) if d == '1')}"
            for a in animals
        ]
        turns = _depth(animals)
        short = " ".join(f"{a} {TABLE[a]}" for a in animals)
        return Draft(
            f"I think of one of these animals.\n{chr(10).join(rows)}\nIn each of {turns} turns ask "
            f"about one of {', '.join(COLUMNS)} (such as: {COLUMNS[0]}?), or name the animal.",
            f"{short}\n{turns}:",
            None,
            {"secret": stream.choice(animals), "animals": list(animals), "turns": turns},
        )

    def start(self, problem: Problem) -> Json:
        """Return the animals that are still possible, and the turns left."""
        return {"open": problem.info["animals"], "left": problem.info["turns"]}

    def move(self, problem: Problem, state: Json, text: str) -> Move:
        """Answer a question, or judge a name."""
        assert isinstance(state, dict)
        secret, left = str(problem.info["secret"]), int(str(state["left"])) - 1
        asked = (final_answer(text) or "").lower().removesuffix("?").strip()
        if asked == secret:
            return Move(verdict=won())
        if left == 0:
            return Move(verdict=lost("no turn left"))
        open_ = [str(a) for a in state["open"]] if isinstance(state["open"], list) else []
        if asked in COLUMNS:
            column = COLUMNS.index(asked)
            answer = TABLE[secret][column]
            kept: list[Json] = [a for a in open_ if TABLE[a][column] == answer]
            return Move(state={"open": kept, "left": left}, observation="yes" if answer == "1" else "no")
        rest: list[Json] = [a for a in open_ if a != asked]
        known = asked in TABLE
        reply = (
            f"It is not the {asked}."
            if known
            else f"Ask about one of {', '.join(COLUMNS)}, or name an animal."
        )
        return Move(state={"open": rest, "left": left}, observation=reply)

    def gold_move(self, problem: Problem, state: Json) -> str:
        """Ask what splits the animals best; this never looks at the secret."""
        assert isinstance(state, dict)
        assert isinstance(state["open"], list)
        animals = [str(a) for a in state["open"]]
        return animals[0] if len(animals) == 1 else f"{COLUMNS[_split(animals)]}?"

    def random_move(self, problem: Problem, state: Json, stream: Stream) -> str:
        """Ask or name anything."""
        assert isinstance(problem.info["animals"], list)
        return stream.choice([*(f"{c}?" for c in COLUMNS), *(str(a) for a in problem.info["animals"])])


def _split(animals: list[str]) -> int:
    ones = [sum(TABLE[a][i] == "1" for a in animals) for i in range(len(COLUMNS))]
    return min(range(len(COLUMNS)), key=lambda i: abs(2 * ones[i] - len(animals)))


def _depth(animals: list[str]) -> int:
    """Return the turns that the splitting player needs at worst, the name included."""
    if len(animals) == 1:
        return 1
    column = _split(animals)
    return 1 + max(_depth([a for a in animals if TABLE[a][column] == d]) for d in "01")
