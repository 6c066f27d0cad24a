"""One comparison: the policy it follows, the budget it works under, and what it concludes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

from referee.verifiers.mathematics.approximation import UNDECIDED
from referee.verifiers.mathematics.evaluate import Evaluator
from referee.verifiers.mathematics.forms import Form, Work
from referee.verifiers.mathematics.leniency import Leniency
from referee.verifiers.mathematics.real_sets import Sets
from referee.verifiers.mathematics.tree import Node

_RANK = ["exact rationals", "structure", "normal form", "root separation", "numeric"]


class Match(NamedTuple):
    """Whether two answers are equal, and the tier that decided."""

    equal: bool
    tier: str


NO = Match(False, "structure")


class Matching(ABC):
    """What every kind of answer is compared with: one policy, one budget of work, the forms read so far."""

    def __init__(self, policy: Leniency) -> None:
        self.policy = policy
        self.evaluator = Evaluator(Work())
        self.work = self.evaluator.work
        self.sets = Sets(self.evaluator)
        self.known: dict[int, tuple[Node, Form]] = {}  # the forms of items that are compared many times

        self.integers: frozenset[str] = frozenset()  # the letters that stand for any integer, on both sides

    @abstractmethod
    def match(self, a: Node, g: Node) -> Match:
        """Compare an answer, or a part of one, with a reference or a part of it."""

    def form(self, node: Node) -> Form:
        """Return the normal form of an expression, kept for the next time."""
        kept = self.known.get(id(node))
        if kept is None:
            kept = self.known[id(node)] = node, self.evaluator.form(node)
        return kept[1]


def rank(tier: str) -> int:
    """Return how much work a tier does, so that the greatest of several names them all."""
    return _RANK.index(tier) if tier in _RANK else 0


def together(matches: Iterable[Match]) -> Match:
    """Return the first that is refuted, else the first undecided, else that all are equal.

    Equal parts are so by the tier that did the most work.
    """
    tier, undecided = "structure", None
    for match in matches:
        if match.equal:
            tier = max(tier, match.tier, key=rank)
        elif match.tier != UNDECIDED:
            return match
        else:
            undecided = undecided or match
    return undecided or Match(True, tier)
