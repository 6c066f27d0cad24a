"""Deciding whether two answers are the same: each kind of answer by the module that knows it."""

from __future__ import annotations

from referee.verifiers.mathematics.lists import finite_sets, lists
from referee.verifiers.mathematics.matching import NO, Match, Matching
from referee.verifiers.mathematics.names import same_words
from referee.verifiers.mathematics.ratios import ratios, residues
from referee.verifiers.mathematics.real_sets import is_set_like
from referee.verifiers.mathematics.regions import as_sets
from referee.verifiers.mathematics.relations import relations
from referee.verifiers.mathematics.signs import both_signs
from referee.verifiers.mathematics.tree import Node, TooBig, Unreadable
from referee.verifiers.mathematics.values import numbers
from referee.verifiers.mathematics.vectors import arrays


class Comparer(Matching):
    """Compares one answer with one reference, under one budget of work."""

    def same(self, a: Node, g: Node) -> Match:
        """Compare an answer with a reference.

        Raises:
            TooBig: where deciding would pass a bound.
        """
        if a == g:
            return Match(True, "structure")
        try:
            return self._same(a, g)
        except Unreadable:
            return NO

    def _same(self, a: Node, g: Node) -> Match:
        if "text" in (a.kind, g.kind):
            return Match(a.kind == g.kind and same_words(a.value, g.value), "text")
        a, g = both_signs(a), both_signs(g)
        if is_set_like(a) or is_set_like(g):
            return as_sets(self, a, g)
        if "rel" in (a.kind, g.kind):
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
        return numbers(self, a, g)


__all__ = ["Comparer", "Match", "TooBig"]
