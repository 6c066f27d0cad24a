"""A game that pays as it goes, and tools that work or fail, where spawned processes can import them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from referee.envs.game import Game, Move, lost, won
from referee.envs.procedural import Draft, Procedural


@dataclass(frozen=True, kw_only=True)
class Doors(Game):
    """Three doors, one prize: each wrong door pays 0.25 for having been opened."""

    name: ClassVar[str] = "doors"
    levels: ClassVar[int] = 1
    turns: ClassVar[int] = 3

    def draw(self, stream, level):
        return Draft("Open door 1, 2 or 3.", "door:", None, {"secret": stream.between(1, 3)})

    def start(self, problem):
        return {"left": 2}

    def move(self, problem, state, text):
        if text == str(problem.info["secret"]):
            return Move(verdict=won())
        if state["left"] == 0:
            return Move(verdict=lost("no door left"))
        return Move(state={"left": state["left"] - 1}, observation="empty", reward=0.25)

    def gold_move(self, problem, state):
        return str(problem.info["secret"])

    def random_move(self, problem, state, stream):
        return str(stream.between(1, 3))


@dataclass(frozen=True, kw_only=True)
class ThirdDoor(Doors):
    """The prize is always behind door 3, and one door may be opened: what a tiny model can learn."""

    name: ClassVar[str] = "third_door"
    turns: ClassVar[int] = 1

    def draw(self, stream, level):
        return Draft("Open door 1, 2 or 3.", "door:", None, {"secret": 3})

    def start(self, problem):
        return {"left": 0}


@dataclass(frozen=True, kw_only=True)
class Product(Procedural):
    """Multiply two digits, with whatever tools are offered."""

    name: ClassVar[str] = "product"
    levels: ClassVar[int] = 1

    def draw(self, stream, level):
        a, b = stream.between(2, 3), stream.between(2, 3)
        return Draft(f"What is {a}*{b}?", f"{a}*{b}=", str(a * b))


def lookup(key: str, where: Literal["here", "there"] = "here", depth: int | None = None) -> str:
    """Look a word up.

    Args:
        key: the word
        where: the shelf
    """
    if key == "bad":
        raise ValueError("no such word")
    return f"{key}/{where}/{depth}"


def down(key: str) -> str:
    """Look a word up in what is not there."""
    raise ConnectionError("the shelf cannot be reached")


def submit(answer: str) -> str:
    """Take the name that the environment needs."""
    return answer
