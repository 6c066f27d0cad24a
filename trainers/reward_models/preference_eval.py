"""How far to trust a reward model: accuracy, calibration, length bias, RewardBench, ProcessBench."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from referee.trainers.reward_models.preferences import Ranking
from referee.verifiers.intervals import wilson
from referee.verifiers.learned.reward_model import sigmoid
from referee.verifiers.protocol import AnyVerifier
from referee.verifiers.scoring.asking import evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Cases whose foretold chance lies from ``low`` to ``high``: their mean chance, and what came true."""

    low: float
    high: float
    count: int
    foretold: float
    observed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReport:
    """What a reward model does on preference pairs.

    ``accuracy`` counts a tie as one half; ``low`` and ``high`` are Wilson's interval. ``ece`` is the
    expected calibration error of sigmoid(score difference), every pair taken from both sides.
    ``accuracy_chosen_longer`` and ``_shorter`` show a bias to length, as does ``length_correlation``,
    of score differences with length differences in characters. ``accuracy_of_length`` is what
    preferring the longer one would get.
    """

    pairs: int
    abstained: int
    accuracy: float
    low: float
    high: float
    ece: float
    bins: tuple[Bin, ...]
    length_correlation: float
    accuracy_chosen_longer: float
    accuracy_chosen_shorter: float
    accuracy_of_length: float

    def __str__(self) -> str:
        shown = f"{self.accuracy:.1%} ({self.low:.1%} to {self.high:.1%})"
        return f"{shown} of {self.pairs} pairs, ECE {self.ece:.3f}"


def evaluate_pairs(verifier: AnyVerifier, rankings: Sequence[Ranking], *, bins: int = 10) -> PairReport:
    """Score all completions of some rankings, and compare every pair."""
    items = [item for r in rankings for item in r.items]
    return report_pairs([v.score for v in evaluate(verifier, items)], rankings, bins=bins)


def report_pairs(
    scores: Sequence[float | None], rankings: Sequence[Ranking], *, bins: int = 10
) -> PairReport:
    """Return the report for scores of all rankings' completions, in order."""
    gaps, lengths, abstained, start = [], [], 0, 0
    wanted = sum(len(r.completions) for r in rankings)
    if wanted != len(scores):
        raise ValueError(f"scores must have one value for each of {wanted} completions, got {len(scores)}")
    for ranking in rankings:
        for i, j in ranking.pairs:
            better, worse = scores[start + i], scores[start + j]
            if better is None or worse is None:
                abstained += 1
                continue
            gaps.append(better - worse)
            lengths.append(float(len(ranking.completions[i]) - len(ranking.completions[j])))
        start += len(ranking.completions)
    won = [_won(g) for g in gaps]
    low, high = wilson(math.fsum(won), len(won))
    table, ece = calibration(
        [(sigmoid(g), 1.0) for g in gaps] + [(sigmoid(-g), 0.0) for g in gaps], bins=bins
    )
    return PairReport(
        pairs=len(gaps),
        abstained=abstained,
        accuracy=_mean(won),
        low=low,
        high=high,
        ece=ece,
        bins=table,
        length_correlation=_correlation(gaps, lengths),
        accuracy_chosen_longer=_mean([w for w, n in zip(won, lengths, strict=True) if n > 0]),
        accuracy_chosen_shorter=_mean([w for w, n in zip(won, lengths, strict=True) if n < 0]),
        accuracy_of_length=_mean([_won(n) for n in lengths]),
    )


def calibration(foretold: Sequence[tuple[float, float]], *, bins: int = 10) -> tuple[tuple[Bin, ...], float]:
    """Return a reliability table and the expected calibration error of (chance, outcome) pairs.

    ECE = sum over bins of (count / n) |mean outcome - mean chance|     (Guo et al. 2017, equation 3)

    >>> calibration([(0.75, 1.0), (0.75, 0.0)])[1]
    0.25
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    filled: list[list[tuple[float, float]]] = [[] for _ in range(bins)]
    for chance, outcome in foretold:
        filled[min(int(chance * bins), bins - 1)].append((chance, outcome))
    table = tuple(
        Bin(
            low=i / bins,
            high=(i + 1) / bins,
            count=len(inside),
            foretold=_mean([p for p, _ in inside]),
            observed=_mean([o for _, o in inside]),
        )
        for i, inside in enumerate(filled)
        if inside
    )
    n = len(foretold)
    return table, math.fsum(b.count / n * abs(b.observed - b.foretold) for b in table) if n else 0.0


def reliability_plot(table: Sequence[Bin], file: str | Path) -> None:
    """Write a reliability plot as SVG: what was foretold against what came true."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4))
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([b.foretold for b in table], [b.observed for b in table], marker="o")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="foretold", ylabel="observed", title="Reliability")
    figure.savefig(str(file), format="svg")


def by_subset(verifier: AnyVerifier, pairs: Sequence[Ranking]) -> dict[str, list[float]]:
    """Return, for each subset, whether each pair was ordered right (a tie is one half)."""
    scores = [v.score for v in evaluate(verifier, [i for r in pairs for i in r.items])]
    out: dict[str, list[float]] = {}
    for n, pair in enumerate(pairs):
        better, worse = scores[2 * n], scores[2 * n + 1]
        if better is not None and worse is not None:
            out.setdefault(pair.subset, []).append(_won(better - worse))
    return out


def section_scores(
    outcomes: Mapping[str, Sequence[float]], sections: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Return RewardBench's section scores: the mean of the subsets' accuracies, each by its weight.

    ``sections`` maps a section to its subsets' weights (RewardBench weighs by counts that it fixed);
    subsets without pairs are left out.
    """
    out = {}
    for section, weights in sections.items():
        known = [(w, _mean(outcomes[s])) for s, w in weights.items() if outcomes.get(s)]
        if known:
            out[section] = math.fsum(w * a for w, a in known) / math.fsum(w for w, _ in known)
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """ProcessBench's figures: accuracy where a step is wrong, where none is, and their harmonic mean."""

    wrong: int
    right: int
    accuracy_wrong: float
    accuracy_right: float
    f1: float

    def __str__(self) -> str:
        wrong = f"{self.accuracy_wrong:.1%} of {self.wrong} wrong"
        return f"F1 {self.f1:.3f} ({wrong}, {self.accuracy_right:.1%} of {self.right} right)"


def process_f1(predicted: Sequence[int], labels: Sequence[int]) -> StepReport:
    """Return ProcessBench's F1: labels are the index of the first wrong step, or -1 (Zheng et al. 2024).

    >>> round(process_f1([1, 0, -1], [1, 1, -1]).f1, 3)
    0.667
    """
    if len(predicted) != len(labels):
        raise ValueError(
            f"predicted must have one value for each of {len(labels)} labels, got {len(predicted)}"
        )
    wrong = [float(p == x) for p, x in zip(predicted, labels, strict=True) if x >= 0]
    right = [float(p == x) for p, x in zip(predicted, labels, strict=True) if x < 0]
    a, b = _mean(wrong), _mean(right)
    f1 = 2 * a * b / (a + b) if a + b > 0 else 0.0
    return StepReport(wrong=len(wrong), right=len(right), accuracy_wrong=a, accuracy_right=b, f1=f1)


def _won(gap: float) -> float:
    return 0.5 if gap == 0 else float(gap > 0)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _correlation(a: Sequence[float], b: Sequence[float]) -> float:
    if len(a) < 2:
        return math.nan
    ma, mb = _mean(a), _mean(b)
    sa, sb = math.fsum((x - ma) ** 2 for x in a), math.fsum((y - mb) ** 2 for y in b)
    if not sa or not sb:
        return 0.0
    return math.fsum((x - ma) * (y - mb) for x, y in zip(a, b, strict=True)) / math.sqrt(sa * sb)
