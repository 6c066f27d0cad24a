"""Mixtures of sources with weights and epochs, and splits that cannot leak.

Whether a problem is held out is decided by a digest of what is asked (:func:`held_out`): equal prompts
fall on the same side, whichever source, seed, index or order they come in. Two disjoint ranges of
indices would not do: a family with few different problems draws the same ones again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, TypeAlias

from referee.envs.procedural import Family
from referee.envs.stream import Stream
from referee.verifiers.jsonl import key
from referee.verifiers.records import Problem

Portion: TypeAlias = Literal["train", "heldout"]
ProblemSupply: TypeAlias = "Sequence[Problem] | Callable[[int], Problem]"
MAX_DRAWS = 10_000


def held_out(problem: Problem, share: float, *, salt: str = "") -> bool:
    """Tell whether a problem is on the held-out side, a share ``share`` of all prompts.

    ``salt`` names one of many ways to split.
    """
    asked = key(Problem(prompt=problem.prompt))
    digest = blake2b(f"{salt}\n{asked}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySource:
    """A side of a family's problems at one level, as a function of an index: problems without end."""

    family: Family
    level: int = 0
    seed: int = 0
    split: Portion = "train"
    share: float = 0.2
    salt: str = ""

    def __post_init__(self) -> None:
        _check_split(self.split, self.share)

    def __call__(self, index: int) -> Problem:
        """Return problem ``index`` of this side.

        Index i looks at the problems i, i + 2^32, i + 2 2^32, ... of the stream and takes the first on
        this side, so that each is found alone.

        Raises:
            ValueError: where none is found: the family has too few different problems for this split.
        """
        for draw in range(MAX_DRAWS):
            problem = self.family.problem(self.seed, index + (draw << 32), self.level)
            if held_out(problem, self.share, salt=self.salt) is (self.split == "heldout"):
                return problem
        raise ValueError(
            f"share must leave some of {self.family.name}'s problems of level {self.level} to the "
            f"{self.split} side, got {self.share}"
        )


def split(
    problems: Sequence[Problem], share: float, *, salt: str = ""
) -> tuple[list[Problem], list[Problem]]:
    """Return the training and the held-out side of some problems; equal prompts stay together."""
    _check_split("train", share)
    sides: tuple[list[Problem], list[Problem]] = ([], [])
    for problem in problems:
        sides[held_out(problem, share, salt=salt)].append(problem)
    return sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A source of a mixture with its weight. ``epochs`` bounds how often a finite source is gone through."""

    source: ProblemSupply
    weight: float = 1.0
    epochs: int | None = None

    def __post_init__(self) -> None:
        if not self.weight > 0.0:
            raise ValueError(f"weight must be above 0, got {self.weight}")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs must be at least 1 or None, got {self.epochs}")
        if callable(self.source) and self.epochs is not None:
            raise ValueError("epochs must be None for a source without end")
        if not callable(self.source) and not len(self.source):
            raise ValueError("source must have at least one problem")

    @property
    def size(self) -> float:
        """How many problems the part gives in all; infinite where nothing bounds it."""
        if callable(self.source) or self.epochs is None:
            return float("inf")
        return self.epochs * len(self.source)

    def at(self, name: str, seed: int, position: int) -> Problem:
        """Return the part's problem number ``position``: each epoch in an order of its own."""
        if callable(self.source):
            return self.source(position)
        epoch, index = divmod(position, len(self.source))
        order = Stream(f"mixture/{seed}/{name}/{epoch}").shuffled(range(len(self.source)))
        return self.source[order[index]]


@dataclass(slots=True, kw_only=True)
class Mixture:
    """Problems drawn from named parts as often as their weights say: call it with 0, 1, 2, ...

    The part of position n is drawn from (seed, n) alone. A finite part that is used up leaves its share to
    the others; when all are, :class:`IndexError` ends an iteration over the mixture.
    """

    parts: Mapping[str, Part]
    seed: int = 0
    _names: list[str] = field(default_factory=list, repr=False)
    _places: list[int] = field(default_factory=list, repr=False)
    _used: dict[str, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("parts must have at least one part")
        self._used = dict.fromkeys(self.parts, 0)

    def __call__(self, position: int) -> Problem:
        """Return the problem at a position; equal seeds give equal sequences, asked in any order."""
        if position < 0:
            raise IndexError(f"position must be at least 0, got {position}")
        while len(self._names) <= position:
            self._draw()
        name = self._names[position]
        return self.parts[name].at(name, self.seed, self._places[position])

    __getitem__ = __call__

    def name_at(self, position: int) -> str:
        """Return the name of the part that a position's problem comes from."""
        self(position)
        return self._names[position]

    def _draw(self) -> None:
        left = [n for n, part in self.parts.items() if self._used[n] < part.size]
        if not left:
            raise IndexError(f"the mixture has {len(self._names)} problems")
        stream = Stream(f"mixture/{self.seed}/part/{len(self._names)}")
        name = stream.weighted(left, [self.parts[n].weight for n in left])
        self._names.append(name)
        self._places.append(self._used[name])
        self._used[name] += 1


def _check_split(side: str, share: float) -> None:
    if side not in ("train", "heldout"):
        raise ValueError(f"split must be train or heldout, got {side!r}")
    if not 0.0 < share < 1.0:
        raise ValueError(f"share must be above 0 and below 1, got {share}")
