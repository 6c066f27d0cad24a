"""What scored completions come to: pass@k, majority votes and best-of-n, by problem, with intervals.

| figure | of each problem with n decided completions, c of them right |
|---|---|
| ``pass@k`` | 1 - C(n - c, k) / C(n, k), unbiased (Chen et al. 2021, equation 1) |
| ``majority@n`` | the share of the most frequent answers that are right (Wang et al. 2022); ties share |
| ``best@n by PART`` | the share of the completions with the part's highest score that are right |
| ``weighted@n by PART`` | as the majority, each answer weighed by the sum of the part's scores |

Intervals are over problems, which are what was drawn: Wilson's where all rates are 0 or 1, else the mean
-+ 1.96 s / sqrt(problems). Abstentions are in none of it; a problem counts for a k that it has
completions for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from referee.verifiers.intervals import mean_interval
from referee.verifiers.records import Problem
from referee.verifiers.scored.siblings import by_problem, right, score_of
from referee.verifiers.scoring.store import Scored

Same = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A mean over problems with its 95 % interval."""

    mean: float
    low: float
    high: float
    problems: int


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Return the chance that one of ``k`` completions passes, unbiased from ``samples`` of them.

    1 - C(n - c, k) / C(n, k)        (Chen et al. 2021, equation 1)

    >>> pass_at_k(4, 1, 2)
    0.5
    """
    if not 1 <= k <= samples or not 0 <= passed <= samples:
        raise ValueError(f"k and passed must be within the {samples} samples, got k {k} and passed {passed}")
    return 1.0 - math.comb(samples - passed, k) / math.comb(samples, k)


def rates(
    scored: Iterable[Scored],
    *,
    ks: Sequence[int] = (),
    part: str = "",
    by: str = "",
    at_least: float = 1.0,
    same: Same | None = None,
) -> dict[str, Rate]:
    """Return the figures of the module's table, by name.

    ``ks`` are those of pass@k, by default powers of two up to the most completions of a problem; ``part`` is
    the part whose answers are counted and whose score is right, in place of the total and of the first part
    with answers; ``by`` is the part that chooses and weighs; ``same`` tells equal answers, in place of equal
    texts.

    Raises:
        ValueError: where the rubric had no such part, or ``ks`` hold a number below 1.
    """
    if any(k < 1 for k in ks):
        raise ValueError(f"ks must be at least 1, got {min(ks)}")
    found: dict[str, list[float]] = {}
    groups = [[one for one in g if score_of(one, part) is not None] for g in by_problem(scored)]
    most = max(map(len, groups), default=0)
    wanted = sorted(set(ks)) or [2**i for i in range(most.bit_length()) if 2**i <= most]
    for group in groups:
        outcomes = [bool(right(one, at_least=at_least, part=part)) for one in group]
        for k in wanted:
            if k <= len(group):
                found.setdefault(f"pass@{k}", []).append(pass_at_k(len(group), sum(outcomes), k))
        if len(group) > 1:
            votes = _clusters([_answer(one, part) for one in group], same)
            _add(found, "majority@n", _elected(votes, [1.0] * len(group), outcomes))
            if by:
                weights = [score_of(one, by) for one in group]
                _add(found, f"best@n by {by}", _best(weights, outcomes))
                heard = [w or 0.0 for w in weights]
                _add(found, f"weighted@n by {by}", _elected(votes, heard, outcomes))
    return {name: _rate(values) for name, values in found.items()}


def broken_down(
    scored: Iterable[Scored], key: Callable[[Problem], str], **options: Any
) -> dict[str, dict[str, Rate]]:
    """Return the figures of each kind of problem, kinds in the order in which they came."""
    kinds: dict[str, list[Scored]] = {}
    for one in scored:
        kinds.setdefault(key(one.problem), []).append(one)
    return {kind: rates(rows, **options) for kind, rows in kinds.items()}


def source_of(problem: Problem) -> str:
    """Return where a problem is from: its info's ``source``, ``family`` or ``format``, else its id's head."""
    for name in ("source", "data_source", "dataset", "family", "format"):
        if problem.info.get(name):
            return str(problem.info[name])
    return problem.id.partition("/")[0] if "/" in problem.id else ""


def level_of(problem: Problem) -> str:
    """Return a problem's level, where its info has one."""
    return str(next((problem.info[n] for n in ("level", "difficulty") if n in problem.info), ""))


def _add(found: dict[str, list[float]], name: str, value: float | None) -> None:
    if value is not None:
        found.setdefault(name, []).append(value)


def _rate(values: Sequence[float]) -> Rate:
    mean, low, high = mean_interval(values)
    return Rate(mean=mean, low=max(0.0, low), high=min(1.0, high), problems=len(values))


def _answer(one: Scored, part: str) -> str | None:
    parts: Mapping[str, Any] = one.reward.parts
    chosen = [parts[part]] if part in parts else parts.values()
    return next((v.answer for v in chosen if v.answer is not None), None)


def _clusters(answers: Sequence[str | None], same: Same | None) -> list[int | None]:
    """Return each answer's cluster, by its number; None where there is no answer."""
    heads: list[str] = []
    known: dict[str, int] = {}
    out: list[int | None] = []
    for answer in answers:
        if answer is None:
            out.append(None)
            continue
        text = answer.strip()
        if text not in known:
            equal = (i for i, head in enumerate(heads) if same is not None and same(head, text))
            known[text] = next(equal, len(heads))
            if known[text] == len(heads):
                heads.append(text)
        out.append(known[text])
    return out


def _elected(votes: Sequence[int | None], weights: Sequence[float], outcomes: Sequence[bool]) -> float | None:
    """Return the share of the winning clusters that are right; a cluster is as right as its members."""
    totals: dict[int, float] = {}
    for vote, weight in zip(votes, weights, strict=True):
        if vote is not None:
            totals[vote] = totals.get(vote, 0.0) + weight
    if not totals:
        return None
    most = max(totals.values())
    winners = [v for v, total in totals.items() if total == most]
    shares = []
    for winner in winners:
        members = [o for v, o in zip(votes, outcomes, strict=True) if v == winner]
        shares.append(sum(members) / len(members))
    return sum(shares) / len(shares)


def _best(scores: Sequence[float | None], outcomes: Sequence[bool]) -> float | None:
    known = [(s, o) for s, o in zip(scores, outcomes, strict=True) if s is not None]
    if not known:
        return None
    most = max(s for s, _ in known)
    best = [o for s, o in known if s == most]
    return sum(best) / len(best)
