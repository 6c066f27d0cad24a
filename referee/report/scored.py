"""The report on a scored file: gathered in one pass, whatever the file's size."""

from __future__ import annotations

import heapq
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from referee.report import page, plots
from referee.verifiers.evidence import evidence
from referee.verifiers.jsonl import to_dict
from referee.verifiers.records import Json, Problem, Reason, Reward
from referee.verifiers.scoring import PartSummary, Scored, Summary, read_scored
from referee.verifiers.scoring.summary import Tally

SAMPLE = 10_000
SLOWEST = 12
TEXT = 20_000  # characters of a completion or prompt that the page holds

_ORDER = list(Reason)  # in which reasons are shown


@dataclass(slots=True)
class Groups:
    """Neighbours with the same problem: how often siblings agree, which is when GRPO learns nothing."""

    problem: Problem | None = None
    totals: list[float] = field(default_factory=list)
    count: int = 0
    with_siblings: int = 0
    all_equal: int = 0
    completions: int = 0

    def add(self, problem: Problem, total: float | None) -> None:
        """Count one completion."""
        if problem != self.problem:
            self.close()
            self.problem, self.totals, self.completions = problem, [], 0
            self.count += 1
        self.completions += 1
        if total is not None:
            self.totals.append(total)

    def close(self) -> None:
        """End the last group."""
        if len(self.totals) > 1:
            self.with_siblings += 1
            self.all_equal += len(set(self.totals)) == 1


@dataclass(slots=True)
class _Gathered:
    summary: Summary
    groups: Groups
    totals: list[float]
    scores: dict[str, list[float]]
    abstentions: Counter[tuple[str, str, str]]
    sample: list[tuple[int, Scored]]
    slowest: list[tuple[float, int, Scored]]
    times: list[float]
    shared: list[float]


def scored_report(source: str | Path, *, sample: int = SAMPLE, title: str = "") -> str:
    """Return the HTML page about a scored file; ``sample`` completions can be browsed in it.

    Raises:
        StoreError: at a line that is no scored completion.
        NothingToShow: where the file holds none.
    """
    source = Path(source)
    seconds = _timings(source.with_name(source.name + ".timings.jsonl"))
    found = _gather(source, seconds, sample)
    if not found.summary.completions:
        raise page.NothingToShow(f"{source} holds no scored completions")
    summary = found.summary
    data = _browsable(found.sample, seconds)
    position = {row["n"]: i for i, row in enumerate(data["rows"])}
    return page.render(
        "scored.html.j2",
        title=title or source.name,
        script="browse.js",
        data=data,
        summary=summary,
        groups=found.groups,
        measures=_measures(summary),
        reasons=[(name, _reason_shares(part)) for name, part in summary.parts.items()],
        seen_reasons=[r for r in _ORDER if any(str(r) in p.reasons for p in summary.parts.values())],
        plots=_plots(found),
        abstentions=found.abstentions.most_common(50),
        slowest=[(s, number, scored, position.get(number)) for s, number, scored in found.slowest],
        times=_time_facts(found.times),
        shared={"count": len(found.shared), "sum": sum(found.shared)},
        shown=len(found.sample),
    )


Where: TypeAlias = tuple[int, str]  # a line of the source, and a column of it


@dataclass(frozen=True, slots=True)
class _Times:
    """How long verdicts took: each one's own time, and what is only an equal share of a batch's time."""

    own: dict[Where, float] = field(default_factory=dict)
    shared: dict[Where, float] = field(default_factory=dict)


def _gather(source: Path, seconds: _Times, size: int) -> _Gathered:
    tally, groups = Tally(), Groups()
    totals: list[float] = []
    scores: dict[str, list[float]] = {}
    abstentions: Counter[tuple[str, str, str]] = Counter()
    kept: list[tuple[int, Scored]] = []
    slowest: list[tuple[float, int, Scored]] = []
    times: list[float] = []
    shared: list[float] = []
    draw = random.Random(0)  # the same file gives the same page
    for n, scored in enumerate(read_scored(source)):
        tally.add(scored.reward)
        groups.add(scored.problem, scored.reward.total)
        if scored.reward.total is not None:
            totals.append(scored.reward.total)
        for name, verdict in scored.reward.parts.items():
            if verdict.score is None:
                abstentions[name, str(verdict.reason), evidence(verdict)[:300]] += 1
            else:
                scores.setdefault(name, []).append(verdict.score)
        if len(kept) < size:
            kept.append((n, scored))
        elif (i := draw.randrange(n + 1)) < size:
            kept[i] = (n, scored)
        if (part := seconds.shared.get((scored.line, scored.column))) is not None:
            shared.append(part)
        if (taken := seconds.own.get((scored.line, scored.column))) is not None:
            times.append(taken)
            entry = (taken, n, scored)
            if len(slowest) < SLOWEST:
                heapq.heappush(slowest, entry)
            elif taken > slowest[0][0]:
                heapq.heapreplace(slowest, entry)
    groups.close()
    kept.sort(key=lambda pair: pair[0])
    slowest.sort(key=lambda entry: -entry[0])
    return _Gathered(tally.summary(), groups, totals, scores, abstentions, kept, slowest, times, shared)


def _timings(path: Path) -> _Times:
    """Read the side file of timings; a broken line in it is no reason to have no report."""
    found = _Times()
    if not path.is_file():
        return found
    with path.open("rb") as file:
        for line in file:
            try:
                entry = json.loads(line)
                place, seconds = (entry["line"], entry["column"]), float(entry["seconds"])
                (found.shared if entry.get("shared") else found.own)[place] = seconds
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
    return found


def _measures(summary: Summary) -> list[dict[str, Any]]:
    """The total and each part, with their places on a shared scale."""
    named = {"total": summary.total, **summary.parts}
    finite = [v for p in named.values() for v in (p.low, p.high) if abs(v) < 1e9]  # no nan, no infinity
    low, high = min([0.0, *finite]), max([1.0, *finite])

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    return [
        {
            "name": name,
            "part": part,
            "mean": place(part.mean) if part.decided else None,
            "low": place(max(part.low, low)) if part.decided else None,
            "width": place(min(part.high, high)) - place(max(part.low, low)) if part.decided else None,
            "zero": place(0.0),
        }
        for name, part in named.items()
    ]


def _reason_shares(part: PartSummary) -> list[tuple[Reason, int, float]]:
    everything = sum(part.reasons.values())
    counted = [(r, part.reasons.get(str(r), 0)) for r in _ORDER]
    return [(r, n, 100 * n / everything) for r, n in counted if n]


def _plots(found: _Gathered) -> list[Any]:
    named = {"total": found.totals} | found.scores
    if len(found.scores) == 1 and found.totals == next(iter(found.scores.values())):
        del named["total"]
    return [plots.histogram(values, title=name) for name, values in named.items() if values]


def _time_facts(times: list[float]) -> dict[str, float]:
    if not times:
        return {}
    ordered = sorted(times)
    return {
        "median": ordered[len(ordered) // 2],
        "99 in 100 within": ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))],
        "slowest": ordered[-1],
        "sum": sum(ordered),
    }


def _browsable(sample: list[tuple[int, Scored]], seconds: _Times) -> dict[str, Any]:
    """What the page's script shows; each problem once, since siblings share it."""
    problems: list[dict[str, Any]] = []
    rows = []
    last: Problem | None = None
    for n, scored in sample:
        if scored.problem != last:
            last = scored.problem
            problems.append(_problem(last))
        rows.append(
            {
                "n": n,
                "line": scored.line,
                "column": scored.column,
                "problem": len(problems) - 1,
                "text": _cut(scored.completion.text),
                "total": scored.reward.total,
                "truncated": scored.reward.truncated,
                "parts": list(_parts(scored.reward)),
                "seconds": seconds.own.get((scored.line, scored.column)),
            }
        )
    return {"problems": problems, "rows": rows, "parts": list(sample[0][1].reward.parts) if sample else []}


def _problem(problem: Problem) -> dict[str, Any]:
    answer = problem.answer
    shown = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return {
        "id": problem.id,
        "prompt": _cut(problem.prompt_text),
        "answer": "" if answer is None else _cut(shown),
        "info": _cut(json.dumps(problem.info, ensure_ascii=False)) if problem.info else "",
    }


def _parts(reward: Reward) -> Iterator[dict[str, Any]]:
    for name, verdict in reward.parts.items():
        record = to_dict(verdict)
        detail = record.get("detail")
        yield {
            "name": name,
            "score": verdict.score,
            "reason": str(verdict.reason),
            "answer": record.get("answer"),
            "detail": _cut(_lines(detail)) if isinstance(detail, dict) else "",
            "why": evidence(verdict),
        }


def _lines(detail: dict[str, Json]) -> str:
    """Write evidence as people read it: a line for each fact."""
    lines = []
    for name, value in detail.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"{name.replace('_', ' ')}: {shown}")
    return "\n".join(lines)


def _cut(text: str) -> str:
    """Keep the beginning and the end, where the answer stands, of a very long text."""
    if len(text) <= TEXT:
        return text
    left_out = len(text) - TEXT
    return f"{text[: TEXT // 2]}\n[... {left_out:,} characters left out ...]\n{text[-TEXT // 2 :]}"
