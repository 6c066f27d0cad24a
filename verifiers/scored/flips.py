"""Two scorings of the same completions: which verdicts flip, and what a policy would be taught otherwise.

A verdict flips where one passes and the other does not, or one abstains. Of a group the advantages are
A_i = r_i - mean(r) over what both decided. Where completions' score functions are taken as orthogonal and
of one length, the cosine of the two expected policy gradients is

    sum_i A_i B_i / sqrt(sum_i A_i^2 sum_i B_i^2)

over all completions: 1 where both teach the same, 0 where they have nothing to do with each other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from referee.verifiers.errors import UserMistake
from referee.verifiers.intervals import wilson
from referee.verifiers.jsonl import dumps
from referee.verifiers.rubric import passes
from referee.verifiers.scoring.store import Scored


class NotTheSame(UserMistake, ValueError):
    """Two files that do not hold the same completions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A completion whose verdict is another one now, and why: the parts' reasons before and after."""

    line: int
    before: float | None
    after: float | None
    why: str
    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What differs between two scorings of ``completions`` completions."""

    completions: int
    flips: int
    low: float
    high: float
    to_right: int
    to_wrong: int
    to_abstention: int
    from_abstention: int
    signs: int
    cosine: float
    groups: int
    reasons: dict[str, int] = field(default_factory=dict)
    shown: tuple[Flip, ...] = ()

    @property
    def share(self) -> float:
        """Flips among the completions."""
        return self.flips / self.completions if self.completions else 0.0


def changes(
    before: Iterable[Scored], after: Iterable[Scored], *, at_least: float = 1.0, most: int = 50
) -> Changes:
    """Compare two scored files of the same completions; ``most`` flips are shown, the first.

    Completions are matched by what was asked and written, not by their lines; the interval of the flips'
    share is Wilson's.

    Raises:
        NotTheSame: where one holds a completion that the other lacks.
    """
    old, new = _keyed(before), _keyed(after)
    if old.keys() != new.keys():
        lacking = next(iter(old.keys() ^ new.keys()))
        where = "first" if lacking in old else "second"
        one = (old if lacking in old else new)[lacking]
        raise NotTheSame(
            f"both files must hold the same completions, got one in the {where} alone (its line {one.line}): "
            f"{one.completion.text[:60]!r}"
        )
    kinds, reasons = Counter[str](), Counter[str]()
    shown: list[Flip] = []
    for key, a in old.items():
        b = new[key]
        kind = _kind(a.reward.total, b.reward.total, at_least)
        if not kind:
            continue
        why = _why(a, b)
        kinds[kind] += 1
        reasons[why] += 1
        if len(shown) < most:
            shown.append(
                Flip(
                    line=b.line, before=a.reward.total, after=b.reward.total, why=why,
                    id=b.problem.id, text=b.completion.text[:400],
                )
            )  # fmt: skip
    flips = sum(kinds.values())
    low, high = wilson(flips, len(old))
    signs, cosine, groups = _taught(old, new)
    return Changes(
        completions=len(old),
        flips=flips,
        low=low,
        high=high,
        to_right=kinds["to_right"],
        to_wrong=kinds["to_wrong"],
        to_abstention=kinds["to_abstention"],
        from_abstention=kinds["from_abstention"],
        signs=signs,
        cosine=cosine,
        groups=groups,
        reasons=dict(reasons.most_common()),
        shown=tuple(shown),
    )


def _keyed(scored: Iterable[Scored]) -> dict[str, Scored]:
    """Return completions by what was asked and written; the third equal one is the third in both files."""
    out: dict[str, Scored] = {}
    seen = Counter[str]()
    for one in scored:
        prompt = one.problem.prompt_text
        key = "\x00".join((one.problem.id, prompt, dumps(one.completion)))
        seen[key] += 1
        out[f"{key}\x00{seen[key]}"] = one
    return out


def _kind(a: float | None, b: float | None, at_least: float) -> str:
    if a is None or b is None:
        return "" if a is b else "to_abstention" if b is None else "from_abstention"
    if passes(a, at_least) == passes(b, at_least):
        return ""
    return "to_right" if passes(b, at_least) else "to_wrong"


def _why(a: Scored, b: Scored) -> str:
    """Return the reasons of the parts that differ, ``part: old to new``; parts of one name are compared."""
    said = []
    names = dict.fromkeys([*a.reward.parts, *b.reward.parts])
    for name in names:
        old, new = a.reward.parts.get(name), b.reward.parts.get(name)
        if old is not None and new is not None and (old.score, old.reason) != (new.score, new.reason):
            said.append(f"{name}: {old.reason} to {new.reason}")
    if not said:
        before, after = (",".join(v.reason for v in x.reward.parts.values()) for x in (a, b))
        said.append(f"{before} to {after}" if before != after else "paid otherwise")
    return "; ".join(said)


def _taught(old: dict[str, Scored], new: dict[str, Scored]) -> tuple[int, float, int]:
    """Return how many advantages change their sign, the gradients' cosine, and how many groups there are."""
    groups: dict[str, list[str]] = {}
    for key, one in old.items():
        groups.setdefault(f"{one.problem.id}\x00{one.problem.prompt_text}", []).append(key)
    signs, both, mine, theirs = 0, [], [], []
    for keys in groups.values():
        known = [(old[k].reward.total, new[k].reward.total) for k in keys]
        decided = [(a, b) for a, b in known if a is not None and b is not None]
        for a, b in zip(*(_centred([p[i] for p in decided]) for i in (0, 1)), strict=True):
            signs += (a > 0) - (a < 0) != (b > 0) - (b < 0)
            both.append(a * b)
            mine.append(a * a)
            theirs.append(b * b)
    size = math.sqrt(math.fsum(mine) * math.fsum(theirs))
    cosine = math.fsum(both) / size if size else 1.0 if math.fsum(mine) == math.fsum(theirs) else 0.0
    return signs, cosine, len(groups)


def _centred(values: Sequence[float]) -> list[float]:
    if not values or max(values) - min(values) <= 1e-12:
        return [0.0] * len(values)
    mean = math.fsum(values) / len(values)
    return [v - mean for v in values]
