"""Pairs of a better and a worse completion of one problem, made from scores, for DPO and its family.

| ``kind`` | pairs of a problem |
|---|---|
| ``best_worst`` | the best against the worst |
| ``ranking`` | every better one against every worse one, widest gap first |
| ``right_wrong`` | each right one against a wrong one, in turn |
| ``gold`` | the problem's reference against each wrong one (SPIN, Chen et al. 2024, takes it against all) |
| ``unpaired`` | none: each completion alone with its label, right or not (KTO, Ethayarajh et al. 2024) |

An abstention is in no pair, and what was cut off is never the better one. A text stands once a problem.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from referee.verifiers.scored.rejection import completion_of, prompt_of
from referee.verifiers.scored.siblings import by_problem, right, score_of, text_key
from referee.verifiers.scoring.store import Scored

PairKind = Literal["best_worst", "ranking", "right_wrong", "gold", "unpaired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """How pairs are made.

    ``gap`` is the least difference of scores, ``cap`` the most pairs a problem (0 for all), ``longer`` how
    many times as long the longer text of a pair may be (0 for any), ``part`` the part whose score counts,
    ``at_least`` the score that is right.
    """

    kind: PairKind = "best_worst"
    gap: float = 0.1
    cap: int = 0
    longer: float = 0.0
    part: str = ""
    at_least: float = 1.0

    def __post_init__(self) -> None:
        if not self.gap >= 0.0:
            raise ValueError(f"gap must be at least 0, got {self.gap}")
        if self.cap < 0:
            raise ValueError(f"cap must be at least 0, got {self.cap}")
        if self.longer and not self.longer >= 1.0:
            raise ValueError(f"longer must be at least 1, or 0 for any length, got {self.longer}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSummary:
    """What came of making pairs: how many, of how many problems, their gaps and lengths in characters."""

    rows: int
    problems: int
    without: int
    gap: float = 0.0
    chosen_length: float = 0.0
    rejected_length: float = 0.0

    def __str__(self) -> str:
        lengths = f"{self.chosen_length:,.0f} and {self.rejected_length:,.0f} characters"
        return (
            f"{self.rows:,} rows of {self.problems - self.without:,} problems; {self.without:,} gave none; "
            f"the median gap is {self.gap:.3g}, the median lengths are {lengths}"
        )


def pairs(
    scored: Iterable[Scored], options: PairOptions | None = None
) -> tuple[list[dict[str, Any]], PairSummary]:
    """Return rows in TRL's formats (``prompt``, ``chosen``, ``rejected``, or ``completion`` and ``label``).

    Prompts that are chat messages give messages. ``id``, and of pairs both scores, stand beside.

    Raises:
        ValueError: where the rubric had no such part.
    """
    o = options or PairOptions()
    rows: list[dict[str, Any]] = []
    gaps, better, worse, without = [], [], [], 0
    problems = by_problem(scored)
    for siblings in problems:
        known = _distinct(siblings, o.part)
        if o.kind == "unpaired":
            made = [_labelled(one, o) for one in known]
        else:
            found = [p for p in _found(known, o) if _alike(p, o.longer)]
            chosen = found[: o.cap] if o.cap else found
            made = [_row(*p) for p in chosen]
            gaps += [p[2] - p[3] for p in chosen]
            better += [len(_text(p[0])) for p in chosen]
            worse += [len(text_key(p[1])) for p in chosen]
        if o.cap:
            made = made[: o.cap]
        rows += made
        without += not made
    summary = PairSummary(
        rows=len(rows),
        problems=len(problems),
        without=without,
        gap=statistics.median(gaps) if gaps else 0.0,
        chosen_length=statistics.median(better) if better else 0.0,
        rejected_length=statistics.median(worse) if worse else 0.0,
    )
    return rows, summary


_Pair = tuple[Any, Scored, float, float]  # the better text or completion, the worse one, and their scores


def _distinct(siblings: Sequence[Scored], part: str) -> list[Scored]:
    texts: dict[str, Scored] = {}
    for one in siblings:
        if score_of(one, part) is not None:
            texts.setdefault(text_key(one), one)
    return list(texts.values())


def _found(known: Sequence[Scored], o: PairOptions) -> list[_Pair]:
    scores = {id(one): score_of(one, o.part) or 0.0 for one in known}
    ranked = sorted(known, key=lambda one: -scores[id(one)])
    good = [one for one in ranked if not one.reward.truncated]
    if o.kind == "gold":
        return list(_against_gold(ranked, scores, o))
    if o.kind == "right_wrong":
        winners = [one for one in good if right(one, at_least=o.at_least, part=o.part)]
        losers = [one for one in ranked if not right(one, at_least=o.at_least, part=o.part)]
        both = [(w, losers[i % len(losers)]) for i, w in enumerate(winners)] if losers else []
    elif o.kind == "ranking":
        both = [(a, b) for a in good for b in ranked if scores[id(a)] > scores[id(b)]]
        both.sort(key=lambda p: scores[id(p[1])] - scores[id(p[0])])
    else:
        both = [(good[0], ranked[-1])] if good and good[0] is not ranked[-1] else []
    out: list[_Pair] = [(a, b, scores[id(a)], scores[id(b)]) for a, b in both]
    return [p for p in out if p[2] - p[3] >= o.gap and p[2] > p[3]]


def _against_gold(ranked: Sequence[Scored], scores: dict[int, float], o: PairOptions) -> Iterator[_Pair]:
    """Pair what the problem itself holds as right, a solution or an answer, with what is wrong."""
    for one in ranked:
        gold = one.problem.info.get("solution") or one.problem.answer
        wrong = not right(one, at_least=o.at_least, part=o.part)
        if isinstance(gold, str) and gold.strip() and wrong and gold.strip() != text_key(one):
            yield gold, one, o.at_least, scores[id(one)]


def _alike(pair: _Pair, longer: float) -> bool:
    if not longer:
        return True
    a, b = (max(len(t), 1) for t in (_text(pair[0]), text_key(pair[1])))
    return max(a, b) / min(a, b) <= longer


def _text(better: Any) -> str:
    return better if isinstance(better, str) else text_key(better)


def _row(better: Any, worse: Scored, high: float, low: float) -> dict[str, Any]:
    chosen = completion_of(better) if isinstance(better, Scored) else _said(better, worse)
    return {
        "prompt": prompt_of(worse),
        "chosen": chosen,
        "rejected": completion_of(worse),
        "id": worse.problem.id,
        "score_chosen": high,
        "score_rejected": low,
    }


def _said(text: str, beside: Scored) -> Any:
    return text if isinstance(beside.problem.prompt, str) else [{"role": "assistant", "content": text}]


def _labelled(one: Scored, o: PairOptions) -> dict[str, Any]:
    label = bool(right(one, at_least=o.at_least, part=o.part)) and not one.reward.truncated
    return {"prompt": prompt_of(one), "completion": completion_of(one), "label": label, "id": one.problem.id}
