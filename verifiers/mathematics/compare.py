"""Deciding whether two answers are the same: each kind of answer by the module that knows it."""

from __future__ import annotations

from referee.verifiers.mathematics.bound_letters import one_index, readings
from referee.verifiers.mathematics.cases import same_cases
from referee.verifiers.mathematics.constants import same_family
from referee.verifiers.mathematics.lists import finite_sets, lists, logic
from referee.verifiers.mathematics.matching import Match, Matching, together
from referee.verifiers.mathematics.names import named_point, same_words, with_argument_of
from referee.verifiers.mathematics.propositions import same_truth
from referee.verifiers.mathematics.ratios import ratios, residues
from referee.verifiers.mathematics.real_sets import is_set_like
from referee.verifiers.mathematics.regions import as_sets
from referee.verifiers.mathematics.relations import relations
from referee.verifiers.mathematics.signs import both_signs
from referee.verifiers.mathematics.tree import Node, TooBig, Unreadable, rearranged
from referee.verifiers.mathematics.values import numbers
from referee.verifiers.mathematics.vectors import arrays

_SERIES = ("sum", "prod")


class Comparer(Matching):
    """Compares one answer with one reference, under one budget of work."""

    def same(self, a: Node, g: Node) -> Match:
        """Compare an answer with a reference, letters that the texts bind being whatever they are called.

        Raises:
            TooBig: where deciding would pass a bound.
        """
        if a.kind == g.kind == "num":
            return self.match(a, g)
        a, g = one_index(with_argument_of(a, g)), one_index(g)
        first = self.match(a, g)
        if first.equal:
            return first
        for answer, integers in readings(a, g):
            self.integers = integers
            reading = self.match(*answer)
            if reading.equal:
                return reading
        self.integers = frozenset()
        family = same_family(self, a, g)
        return family if family is not None and family.equal else first

    def match(self, a: Node, g: Node) -> Match:
        """Compare an answer, or a part of one, with a reference or a part of it."""
        if a == g:
            return Match(True, "structure")
        try:
            return self._match(a, g)
        except Unreadable:
            return Match(rearranged(a) == rearranged(g), "structure")

    def _match(self, a: Node, g: Node) -> Match:
        if "text" in (a.kind, g.kind):
            ordered = self.policy.lists == "ordered"
            return Match(a.kind == g.kind and same_words(a.value, g.value, ordered), "text")
        a, g = _points(both_signs(a), both_signs(g))
        if is_set_like(a) or is_set_like(g):
            return as_sets(self, a, g)
        kinds = a.kind, g.kind
        if "cases" in kinds and "rel" not in kinds:
            return Match(same_cases(self, a, g), "structure")
        if ("statement" in kinds or kinds == ("logic", "logic")) and "rel" not in kinds:
            truth = same_truth(a, g)
            if truth is not None:
                return Match(truth, "normal form")
            if "statement" in kinds:
                return Match(rearranged(a) == rearranged(g), "structure")
        if "logic" in kinds:
            return logic(self, a, g)
        if "rel" in kinds:
            return relations(self, a, g)
        if a.kind == "set" and len(a.args) == 1 and g.kind not in ("set", "seq"):
            a = a.args[0]
        if g.kind == "set" and len(g.args) == 1 and a.kind not in ("set", "seq"):
            g = g.args[0]
        kinds = a.kind, g.kind
        if "seq" in kinds:
            return lists(self, a, g)
        if "set" in kinds:
            return finite_sets(self, a, g)
        if "ratio" in kinds or "time" in kinds:
            return ratios(self, a, g)
        if "mod" in kinds:
            return residues(self, a, g)
        if (match := arrays(self, a, g)) is not None:
            return match
        if a.kind == g.kind == "fn" and a.value == g.value in _SERIES and a.args[0] == g.args[0]:
            return self._series(a, g)
        return numbers(self, a, g)

    def _series(self, a: Node, g: Node) -> Match:
        """Compare what two series add up to, or else their bounds and terms."""
        try:
            return numbers(self, a, g)
        except Unreadable:
            return together(self.match(x, y) for x, y in zip(a.args[1:], g.args[1:], strict=True))


def _points(a: Node, g: Node) -> tuple[Node, Node]:
    """Read ``A(1, 2)`` as the point where the other is one, or a pair."""
    left, right = named_point(a), named_point(g)
    if left is not None and (right is not None or g.kind in ("group", "rel")):
        a = left
    if right is not None and (left is not None or a.kind in ("group", "rel")):
        g = right
    return a, g


__all__ = ["Comparer", "Match", "TooBig"]
