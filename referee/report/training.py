"""The report on a training run: what was learnt, how it went, and completions with their verdicts."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from referee.report import page, plots
from referee.report.plots import Curve
from referee.trainers.record.headline import headline
from referee.trainers.record.monitors import alarms
from referee.trainers.record.run_record import Run
from referee.verifiers.records import Reason

SAMPLE = 6_000  # completions that the page holds
SMOOTH = 20  # steps in a moving mean
POINTS = 400  # on a curve
BINS = 60  # in a strip


def write_training_report(folder: str | Path, out: str | Path | None = None) -> Path:
    """Write the report on the run in ``folder``, by default into it, and return where it is."""
    path = Path(out) if out is not None else Path(folder) / "report.html"
    path.write_text(training_report(folder), encoding="utf-8", errors="backslashreplace")
    return path


def training_report(folder: str | Path, *, title: str = "") -> str:
    """Return the HTML page about the run in ``folder``.

    Raises:
        NothingToShow: where the folder holds no step of a run.
    """
    run = Run(folder, writes=False)
    metrics, heldout, timings = run.read("metrics"), run.read("heldout"), run.read("timings")
    if not metrics:
        raise page.NothingToShow(f"{folder} holds no step of a training run")
    recipe = run.folder / "recipe.yaml"
    parts = sorted(name.split("/")[1] for name in metrics[-1] if name.startswith("reward/"))
    return page.render(
        "training.html.j2",
        title=title or f"{run.folder.name}: a training run",
        script="browse.js",
        data=_browsable(run.read("samples")),
        name=run.folder.name,
        reward=headline(metrics),
        steps=metrics[-1]["step"],
        seconds=sum(line["step_seconds"] for line in timings) if timings else 0.0,
        heldout=_heldout_rows(heldout),
        learning=_learning(metrics, heldout, parts),
        curriculum=_curriculum(metrics),
        health=[*_health(metrics), *_cost(timings)],
        alarms=alarms(metrics, heldout),
        reasons=[_reasons(metrics, part) for part in parts],
        parts=parts,
        seen_reasons=[
            r for r in Reason if any(f"/{r}" in k for m in metrics for k in m if k.startswith("reasons/"))
        ],
        groups={k: _mean(metrics[-SMOOTH:], f"groups/{k}") for k in _GROUPS},
        recipe=recipe.read_text(encoding="utf-8") if recipe.exists() else "",
        abstained=_mean(metrics, "abstained"),
        truncated=_mean(metrics[-SMOOTH:], "truncated"),
        smooth=min(SMOOTH, len(metrics)),
    )


_GROUPS = ("no_signal", "all_solved", "all_failed", "all_partial", "identical_texts", "undecided")


def _learning(
    metrics: Sequence[Mapping[str, Any]], heldout: Sequence[Mapping[str, Any]], parts: Sequence[str]
) -> list[Markup]:
    """Reward, each part where there are several, and held-out accuracy."""
    reward = {"each step": curve(metrics, "reward", smooth=False), "moving mean": curve(metrics, "reward")}
    out = [plots.curves(reward, title="Reward", y_label="mean of a step")]
    if heldout:
        modes = [name for name in heldout[0] if name != "step"]
        measured = {
            mode: Curve(
                x=[h["step"] for h in heldout],
                y=[h[mode]["pass_at_1"] for h in heldout],
                low=[h[mode]["low"] for h in heldout],
                high=[h[mode]["high"] for h in heldout],
            )
            for mode in modes
        }
        out.append(plots.curves(measured, title="Held-out pass@1, 95 % interval", y_range=(0, 1)))
    if len(parts) > 1:
        by_part = {part: curve(metrics, f"reward/{part}") for part in parts}
        out.append(plots.curves(by_part, title="Reward by part", y_label="unweighted"))
    return out


def _curriculum(metrics: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """Which problems were asked, and how often they were solved; nothing where no curriculum chose them."""
    prefix, known = "curriculum/share/", "curriculum/rate/"
    cells = [k.removeprefix(prefix) for k in metrics[-1] if k.startswith(prefix)]
    if not cells:
        return []
    count = min(BINS, len(metrics))
    edges = [len(metrics) * i // count for i in range(count + 1)]
    bins = [metrics[a:b] for a, b in itertools.pairwise(edges)]
    x = [rows[-1]["step"] for rows in bins]

    def means(key: str) -> list[float]:
        return [_mean(rows, key) if any(key in r for r in rows) else math.nan for rows in bins]

    names = {
        cell: cell.rpartition("-")[0].replace("_", " ") + ", level " + cell.rpartition("-")[2]
        for cell in cells
    }
    asked = {name: means(prefix + cell) for cell, name in names.items()}
    passed = {name: means(known + cell) for cell, name in names.items()}
    return [
        plots.strips(asked, x, title="Problems asked: share of the groups"),
        plots.strips(passed, x, title="Pass rate, as the curriculum estimates it"),
    ]


def _health(metrics: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """What tells a healthy run from a sick one; a plot for whatever was measured."""
    share: tuple[float, float] = (0.0, 1.0)
    wanted: list[tuple[str, str, tuple[float, float] | None, dict[str, str]]] = [
        ("KL to the reference", "nats a token", None, {"KL": "kl"}),
        ("Entropy", "nats a token", None, {"entropy": "entropy"}),
        (
            "Groups without signal",
            "share",
            share,
            {
                "all": "groups/no_signal",
                "all solved": "groups/all_solved",
                "all failed": "groups/all_failed",
                "identical texts": "groups/identical_texts",
            },
        ),
        (
            "Completion length",
            "tokens",
            None,
            {"mean": "completion_tokens", "longest": "completion_tokens_max"},
        ),
        ("Truncated and abstained", "share", None, {"truncated": "truncated", "abstained": "abstained"}),
        ("Gradient norm, before clipping", "", None, {"norm": "grad_norm"}),
        ("Reward spread in a group", "std", None, {"mean of groups": "reward_group_std"}),
        ("Clipped tokens", "share", None, {"clipped": "clip_share"}),
        (
            "Effective sample size",
            "share",
            share,
            {"by sequence": "sampler/ess_sequence", "by token": "sampler/ess_token"},
        ),
        ("Distinct texts", "share", share, {"distinct": "distinct_texts"}),
        ("Verifiers that failed", "share", share, {"errors": "errors"}),
        ("Optimiser steps a batch", "", None, {"taken": "updates", "left out": "skipped"}),
        ("Learning rate", "", None, {"rate": "learning_rate"}),
    ]
    out = []
    for title, label, y_range, lines in wanted:
        drawn = {name: curve(metrics, key) for name, key in lines.items() if key in metrics[-1]}
        if title == "Clipped tokens" and not any(any(c.y) for c in drawn.values()):
            continue  # one update a batch clips nothing
        if drawn:
            out.append(plots.curves(drawn, title=title, y_label=label, y_range=y_range))
    return out


def _cost(timings: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """What the run took: sampled tokens a second, and the most memory held so far."""
    if not timings or "tokens_per_second" not in timings[-1]:
        return []
    memory = [{"step": t["step"], "gigabytes": t["peak_memory_bytes"] / 1e9} for t in timings]
    return [
        plots.curves(
            {"sampled": curve(timings, "tokens_per_second")}, title="Speed", y_label="tokens a second"
        ),
        plots.curves({"peak": curve(memory, "gigabytes", smooth=False)}, title="Memory", y_label="GB"),
    ]


def _reasons(metrics: Sequence[Mapping[str, Any]], part: str) -> Markup:
    """The share of each verdict reason of a part."""
    prefix = f"reasons/{part}/"
    names = sorted({k for m in metrics for k in m if k.startswith(prefix)}, key=_reason_order)
    totals = [sum(m.get(n, 0.0) for n in names) or 1.0 for m in metrics]
    rows = [
        {"step": m["step"], **{n: m.get(n, 0.0) / t for n in names}}
        for m, t in zip(metrics, totals, strict=True)
    ]
    lines = {n.removeprefix(prefix).replace("_", " "): curve(rows, n) for n in names}
    return plots.curves(lines, title=part, y_label="share", y_range=(0, 1))


def _reason_order(name: str) -> int:
    return list(Reason).index(Reason(name.rsplit("/", 1)[1]))


def curve(rows: Sequence[Mapping[str, Any]], key: str, *, smooth: bool = True) -> Curve:
    """Return a figure over the steps: a moving mean, and no more points than can be seen."""
    x = [r["step"] for r in rows if key in r]
    y = [float(r[key]) for r in rows if key in r]
    if smooth:
        window = max(1, min(SMOOTH, len(y) // 5))
        y = [sum(y[max(0, i + 1 - window) : i + 1]) / (i + 1 - max(0, i + 1 - window)) for i in range(len(y))]
    stride = max(1, len(x) // POINTS)
    kept = [i for i in range(len(x)) if i % stride == 0 or i == len(x) - 1]
    return Curve(x=[x[i] for i in kept], y=[y[i] for i in kept])


def _heldout_rows(heldout: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each way of measuring: before and after, as places on a scale of 0 to 100."""
    if not heldout:
        return []
    first, last = heldout[0], heldout[-1]
    return [
        {"mode": mode, "before": first[mode], "after": last[mode], "problems": first[mode]["decided"]}
        for mode in first
        if mode != "step"
    ]


def _browsable(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the page's script shows: completions in the order of training, thinned where there are many."""
    kept = list(samples)
    if len(kept) > SAMPLE:
        chosen = sorted(random.Random(0).sample(range(len(kept)), SAMPLE))
        kept = [kept[i] for i in chosen]
    problems: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for n, line in enumerate(kept):
        problem = {
            "id": line["id"],
            "prompt": _text(line["prompt"]),
            "answer": _text(line["answer"]),
            "info": "",
        }
        if not problems or problems[-1] != problem:
            problems.append(problem)
        reward = line["reward"] or {}
        rows.append(
            {
                "n": n,
                "line": n + 1,
                "where": f"step {line['step']}",
                "column": "",
                "problem": len(problems) - 1,
                "text": line["completion"],
                "total": reward.get("total"),
                "truncated": line["finish_reason"] == "length",
                "parts": [_part(name, verdict) for name, verdict in reward.get("parts", {}).items()],
                "seconds": None,
            }
        )
    return {"problems": problems, "rows": rows, "parts": []}


def _part(name: str, verdict: Mapping[str, Any]) -> dict[str, Any]:
    detail = verdict.get("detail")
    return {
        "name": name,
        "score": verdict["score"],
        "reason": verdict["reason"],
        "answer": verdict.get("answer"),
        "detail": json.dumps(detail, ensure_ascii=False, indent=1) if detail else "",
        "why": "",
    }


def _text(value: Any) -> str:
    if isinstance(value, list):  # chat messages
        return "\n\n".join(f"{m.get('role', '')}: {m.get('content', '')}" for m in value)
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _mean(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    values = [float(r[key]) for r in rows if key in r]
    return sum(values) / len(values) if values else 0.0
