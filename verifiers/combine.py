"""Composition: small functions that make verifiers of verifiers.

The algebra of abstention, stated once. Write ``-`` for an abstention (score None) and s, t for
scores. All of these hold in any order of the parts:

    all_of(0, -) = 0            any_of(1, -) = 1            product(0, -) = 0
    all_of(s, -) = - for s > 0  any_of(s, -) = - for s < 1  product(s, -) = - for s != 0
    all_of(s, t) = min(s, t)    any_of(s, t) = max(s, t)    product(s, t) = s t
    minimum(low, -) = low, where low is the least score that any part can give; else -
    weighted_sum(.., -) = -     where the abstaining part's weight is not 0
    first_decided(-, s) = s     first_decided(-, -) = -
    gate(-, s) = -              gate(c, s) = s if c >= threshold else 0, and s is then never asked
    clip(-) = shape(-) = invert(-) = -

``all_of``, ``any_of``, ``product`` and ``gate`` short-circuit: parts run from left to right, and a
part is asked only for the completions that the parts before it left undecided, so put the cheap ones
first. They take only verifiers that score within 0 to 1: a learned model's score goes through
``clip`` or ``shape`` first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from referee.verifiers.jsonl import to_dict
from referee.verifiers.protocol import (
    UNIT,
    AnyVerifier,
    Item,
    Range,
    check_unit,
    check_verifier,
    failure,
    name_of,
    ran_out_of_time,
    range_of,
    worst_for,
)
from referee.verifiers.records import (
    Completion,
    Json,
    Problem,
    Reason,
    Verdict,
    as_completion,
)
from referee.verifiers.scoring.asking import Ask, Steps, evaluate


class Composable:
    """Operators for verifiers: ``a & b`` all_of, ``a | b`` any_of, ``~a`` invert, ``a * b`` product,
    ``0.8 * a + 0.2 * b`` weighted_sum. A verifier need not have them.
    """

    __slots__ = ()

    def __and__(self, other: AnyVerifier) -> AllOf:
        return all_of(self, other)  # type: ignore[arg-type]

    def __or__(self, other: AnyVerifier) -> AnyOf:
        return any_of(self, other)  # type: ignore[arg-type]

    def __invert__(self) -> Invert:
        return invert(self)  # type: ignore[arg-type]

    def __mul__(self, other: AnyVerifier | float) -> Product | WeightedSum:
        if isinstance(other, int | float):
            return weighted_sum((self, other))  # type: ignore[arg-type]
        return product(self, other)  # type: ignore[arg-type]

    def __rmul__(self, other: float) -> WeightedSum:
        return weighted_sum((self, other))  # type: ignore[arg-type]

    def __add__(self, other: AnyVerifier) -> WeightedSum:
        return weighted_sum(*_terms(self), *_terms(other))  # type: ignore[arg-type]


class Combinator(Composable):
    """What all combinators share: being called, and what follows from their parts."""

    __slots__ = ()

    if TYPE_CHECKING:  # at run time it would be taken for the default of the fields of that name

        @property
        def children(self) -> tuple[AnyVerifier, ...]:
            """The verifiers that this one asks."""

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask the children, and return one verdict for each item."""
        raise NotImplementedError

    def __call__(self, completion: str | Completion, problem: Problem) -> Verdict:
        """Return the verdict on one completion."""
        return evaluate(self, [Item(as_completion(completion), problem)])[0]


@dataclass(frozen=True, slots=True)
class AllOf(Combinator):
    """The least score of the parts, asking no further once it is 0."""

    children: tuple[AnyVerifier, ...]
    range = UNIT

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask each part for the items that none before it scored 0."""
        return (yield from _fold(self.children, items, stop=0.0, combine=min))


@dataclass(frozen=True, slots=True)
class AnyOf(Combinator):
    """The greatest score of the parts, asking no further once it is 1."""

    children: tuple[AnyVerifier, ...]
    range = UNIT

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask each part for the items that none before it scored 1."""
        return (yield from _fold(self.children, items, stop=1.0, combine=max))


@dataclass(frozen=True, slots=True)
class Product(Combinator):
    """The product of the parts' scores, asking no further once it is 0."""

    children: tuple[AnyVerifier, ...]
    range = UNIT

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask each part for the items that none before it scored 0."""
        return (yield from _fold(self.children, items, stop=0.0, combine=math.prod))


@dataclass(frozen=True, slots=True)
class Minimum(Combinator):
    """The least score of the parts, whatever their ranges; every part is asked."""

    children: tuple[AnyVerifier, ...]

    @property
    def range(self) -> Range:
        """From the least lower bound to the least upper bound."""
        ranges = [range_of(c) for c in self.children]
        return min(low for low, _ in ranges), min(high for _, high in ranges)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask every part for every item."""
        return (yield from _fold(self.children, items, stop=self.range[0], combine=min, lazy=False))


@dataclass(frozen=True, slots=True)
class WeightedSum(Combinator):
    """The sum of weight times score. Weights are used as they are, never renormalised."""

    children: tuple[AnyVerifier, ...]
    weights: tuple[float, ...]

    @property
    def range(self) -> Range:
        """The least and greatest sum that the parts' ranges allow."""
        bounds = [
            sorted((w * low, w * high))
            for w, (low, high) in zip(self.weights, map(range_of, self.children), strict=True)
            if w
        ]
        return math.fsum(b[0] for b in bounds), math.fsum(b[1] for b in bounds)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask every part for every item."""
        answers = []
        for child in self.children:
            answers.append((yield Ask(child, items)))
        return [self._sum(verdicts) for verdicts in zip(*answers, strict=True)]

    def _weighed(self, verdicts: Sequence[Verdict]) -> list[tuple[float, AnyVerifier, Verdict]]:
        return [t for t in zip(self.weights, self.children, verdicts, strict=True) if t[0]]

    def _sum(self, verdicts: Sequence[Verdict]) -> Verdict:
        paid = [(w, v) for w, v in zip(self.weights, verdicts, strict=True) if w]
        missing = next((v for _, v in paid if v.score is None), None)
        if missing is not None:
            return _merge(self.children, verdicts, None, missing)
        low, high = self.range
        scores = [(w, worst_for(w, c, v)) for w, c, v in self._weighed(verdicts)]
        total = math.fsum(w * s for w, s in scores if s is not None)
        # The bounds of the range and the total round differently: keep the promise exact.
        return _merge(self.children, verdicts, min(max(total, low), high))


@dataclass(frozen=True, slots=True)
class Gate(Combinator):
    """``then``, where ``condition`` scores at least ``threshold``; else 0 without asking it."""

    condition: AnyVerifier
    then: AnyVerifier
    threshold: float = 1.0
    range = UNIT

    @property
    def children(self) -> tuple[AnyVerifier, ...]:
        """The condition, and what it guards."""
        return (self.condition, self.then)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask the condition for all, and the rest for those it lets through."""
        conditions = yield Ask(self.condition, items)
        opened = [i for i, v in enumerate(conditions) if v.score is not None and v.score >= self.threshold]
        passed = dict(zip(opened, (yield Ask(self.then, [items[i] for i in opened])), strict=True))
        return [passed[i] if i in passed else self._closed(v) for i, v in enumerate(conditions)]

    def _closed(self, condition: Verdict) -> Verdict:
        score = None if condition.score is None else 0.0
        reason = condition.reason if condition.score in (None, 0.0) else Reason.INCORRECT
        gate: Json = to_dict(condition)
        return Verdict(score=score, reason=reason, answer=condition.answer, detail={"gate": gate})


@dataclass(frozen=True, slots=True)
class Clip(Combinator):
    """The score, cut to at least ``low`` and at most ``high``."""

    child: AnyVerifier
    low: float
    high: float

    @property
    def children(self) -> tuple[AnyVerifier, ...]:
        """The clipped verifier."""
        return (self.child,)

    @property
    def range(self) -> Range:
        """What is left of the child's range."""
        low, high = range_of(self.child)
        return min(max(low, self.low), self.high), max(min(high, self.high), self.low)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask the child for all."""
        verdicts = yield Ask(self.child, items)
        return [_rescored(v, lambda s: min(max(s, self.low), self.high), self.range[0]) for v in verdicts]


@dataclass(frozen=True, slots=True)
class Shape(Combinator):
    """exp(-a d) of a distance d >= 0: 1 at no distance, and smoothly less the farther away."""

    distance: AnyVerifier
    a: float = 1.0
    range = UNIT

    @property
    def children(self) -> tuple[AnyVerifier, ...]:
        """The distance."""
        return (self.distance,)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask the distance for all."""
        verdicts = yield Ask(self.distance, items)
        return [_rescored(v, lambda d: math.exp(-self.a * d), 0.0) for v in verdicts]


@dataclass(frozen=True, slots=True)
class Invert(Combinator):
    """1 - score."""

    child: AnyVerifier
    range = UNIT

    @property
    def children(self) -> tuple[AnyVerifier, ...]:
        """The inverted verifier."""
        return (self.child,)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask the child for all."""
        verdicts = yield Ask(self.child, items)
        return [_rescored(v, lambda s: 1.0 - s, 0.0) for v in verdicts]


@dataclass(frozen=True, slots=True)
class FirstDecided(Combinator):
    """The first part's verdict that is not an abstention."""

    children: tuple[AnyVerifier, ...]

    @property
    def range(self) -> Range:
        """The union of the parts' ranges."""
        ranges = [range_of(c) for c in self.children]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask each part for the items on which all before it abstained."""
        out = list((yield Ask(self.children[0], items)))
        for child in self.children[1:]:
            open_ = [i for i, v in enumerate(out) if v.score is None]
            for i, verdict in zip(open_, (yield Ask(child, [items[i] for i in open_])), strict=True):
                out[i] = verdict
        return out


@dataclass(frozen=True, slots=True)
class Route(Combinator):
    """For each problem the verifier that its ``info`` names; a problem that names none abstains."""

    by: str
    routes: tuple[tuple[str, AnyVerifier], ...]
    default: AnyVerifier | None = None

    @property
    def children(self) -> tuple[AnyVerifier, ...]:
        """Every route's verifier, and the default."""
        return tuple(v for _, v in self.routes) + ((self.default,) if self.default is not None else ())

    @property
    def range(self) -> Range:
        """The union of the routes' ranges."""
        ranges = [range_of(c) for c in self.children]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def steps(self, items: Sequence[Item]) -> Steps:
        """Ask each route for its own items."""
        known = dict(self.routes)
        names = [item.problem.info.get(self.by) for item in items]
        lost = Reason.BAD_REFERENCE
        out = [
            failure(f"info[{self.by!r}] must be one of {', '.join(known)}; got {n!r}", lost) for n in names
        ]
        for name, child in (*self.routes, (None, self.default)):
            if child is None:
                continue
            mine = [i for i, n in enumerate(names) if (n == name if name is not None else n not in known)]
            for i, verdict in zip(mine, (yield Ask(child, [items[i] for i in mine])), strict=True):
                out[i] = verdict
        return out


def all_of(*verifiers: AnyVerifier) -> AllOf:
    """Pay the least score; ask no further once it is 0."""
    return AllOf(_units("all_of", verifiers))


def any_of(*verifiers: AnyVerifier) -> AnyOf:
    """Pay the greatest score; ask no further once it is 1."""
    return AnyOf(_units("any_of", verifiers))


def product(*verifiers: AnyVerifier) -> Product:
    """Pay the product of the scores; ask no further once it is 0."""
    return Product(_units("product", verifiers))


def minimum(*verifiers: AnyVerifier) -> Minimum:
    """Pay the least score, of verifiers with any ranges."""
    return Minimum(_checked("minimum", verifiers))


def weighted_sum(*terms: AnyVerifier | tuple[AnyVerifier, float]) -> WeightedSum:
    """Pay the sum of weight times score; a term without a weight has weight 1."""
    pairs = [t if isinstance(t, tuple) else (t, 1.0) for t in terms]
    for _, weight in pairs:
        if not isinstance(weight, int | float) or not math.isfinite(weight):
            raise ValueError(f"weight must be a finite number, got {weight!r}")
    children = _checked("weighted_sum", [v for v, _ in pairs])
    return WeightedSum(children, tuple(float(w) for _, w in pairs))


def gate(condition: AnyVerifier, then: AnyVerifier, *, threshold: float = 1.0) -> Gate:
    """Pay ``then`` only where ``condition`` scores at least ``threshold``, and 0 elsewhere."""
    check_unit("condition", condition)
    check_unit("then", then)
    if not 0.0 < threshold <= 1.0:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}")
    return Gate(condition, then, float(threshold))


def clip(verifier: AnyVerifier, low: float = 0.0, high: float = 1.0) -> Clip:
    """Cut a score to within ``low`` and ``high``."""
    check_verifier("verifier", verifier)
    if not low <= high:
        raise ValueError(f"low must be at most high, got {low} and {high}")
    return Clip(verifier, float(low), float(high))


def shape(distance: AnyVerifier, a: float = 1.0) -> Shape:
    """Pay exp(-a d) for a distance d, which must never be negative."""
    check_verifier("distance", distance)
    if range_of(distance)[0] < 0.0:
        raise ValueError(f"distance must never be negative, got {name_of(distance)}: {range_of(distance)}")
    if not a > 0.0:
        raise ValueError(f"a must be above 0, got {a}")
    return Shape(distance, float(a))


def invert(verifier: AnyVerifier) -> Invert:
    """Pay 1 - score."""
    check_unit("verifier", verifier)
    return Invert(verifier)


def first_decided(*verifiers: AnyVerifier) -> FirstDecided:
    """Take the first verdict that is not an abstention."""
    return FirstDecided(_checked("first_decided", verifiers))


def route(by: str, routes: Mapping[str, AnyVerifier], *, default: AnyVerifier | None = None) -> Route:
    """Choose the verifier for each problem by the text in its ``info[by]``."""
    if not routes:
        raise ValueError("routes must name at least one verifier")
    for name, v in routes.items():
        check_verifier(f"routes[{name!r}]", v)
    if default is not None:
        check_verifier("default", default)
    return Route(by, tuple(routes.items()), default)


def _fold(
    children: Sequence[AnyVerifier],
    items: Sequence[Item],
    *,
    stop: float,
    combine: Callable[[list[float]], float],
    lazy: bool = True,
) -> Steps:
    """Ask the parts in order. A score of ``stop`` decides an item, also beside abstentions."""
    heard: list[list[Verdict]] = [[] for _ in items]
    open_ = list(range(len(items)))
    for child in children:
        for i, verdict in zip(open_, (yield Ask(child, [items[i] for i in open_])), strict=True):
            heard[i].append(verdict)
        if lazy:
            open_ = [i for i in open_ if heard[i][-1].score != stop]
    return [_folded(children, verdicts, stop, combine) for verdicts in heard]


def _folded(
    children: Sequence[AnyVerifier],
    verdicts: list[Verdict],
    stop: float,
    combine: Callable[[list[float]], float],
) -> Verdict:
    decisive = next((v for v in verdicts if v.score == stop), None)
    if decisive is not None:
        return _merge(children, verdicts, stop, decisive)
    missing = next((v for v in verdicts if v.score is None), None)
    if missing is not None:
        return _merge(children, verdicts, None, missing)
    scores = [v.score for v in verdicts if v.score is not None]
    total = combine(scores)
    return _merge(children, verdicts, total, next((v for v in verdicts if v.score == total), None))


def _merge(
    children: Sequence[AnyVerifier],
    verdicts: Sequence[Verdict],
    score: float | None,
    decisive: Verdict | None = None,
) -> Verdict:
    """Make the combined verdict; the deciding part gives its reason, the first answer is kept."""
    same = decisive is not None and decisive.score == score
    answer = next((v.answer for v in verdicts if v.answer is not None), None)
    parts: dict[str, Json] = {}
    for child, verdict in zip(children, verdicts, strict=False):  # a short circuit asked fewer
        name, n = name_of(child), 2
        while name in parts:
            name, n = f"{name_of(child)}_{n}", n + 1
        parts[name] = to_dict(verdict)
    return Verdict(
        score=score,
        reason=decisive.reason if same and decisive is not None else None,  # type: ignore[arg-type]
        answer=answer,
        detail={"parts": parts},
    )


def _rescored(verdict: Verdict, change: Callable[[float], float], least: float) -> Verdict:
    """Return the verdict with another score; its reason is kept where the score is unchanged.

    What ran out of time has the ``least``, whichever way the change goes.
    """
    if verdict.score is None:
        return verdict
    if ran_out_of_time(verdict):
        return replace(verdict, score=least)
    score = change(verdict.score)
    if score == verdict.score:
        return verdict
    return Verdict(score=score, answer=verdict.answer, detail={**verdict.detail, "raw_score": verdict.score})


def _terms(verifier: AnyVerifier) -> list[tuple[AnyVerifier, float]]:
    if isinstance(verifier, WeightedSum):
        return list(zip(verifier.children, verifier.weights, strict=True))
    return [(verifier, 1.0)]


def _units(name: str, verifiers: Sequence[AnyVerifier]) -> tuple[AnyVerifier, ...]:
    for i, v in enumerate(_checked(name, verifiers)):
        check_unit(f"{name} part {i + 1}", v)
    return tuple(verifiers)


def _checked(name: str, verifiers: Sequence[AnyVerifier]) -> tuple[AnyVerifier, ...]:
    if not verifiers:
        raise ValueError(f"{name} must have at least one verifier")
    for i, v in enumerate(verifiers):
        check_verifier(f"{name} part {i + 1}", v)
    return tuple(verifiers)
