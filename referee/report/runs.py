"""Training runs on one page: how each learnt, what each cost, and what differs in what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from referee.report import page, plots
from referee.report.plots import Curve
from referee.report.training import curve
from referee.trainers.record.best import best_step
from referee.trainers.record.headline import headline
from referee.trainers.record.monitors import alarms
from referee.trainers.record.run_record import Run

_SHOWN = (  # what is drawn, where a run has it: title, label, figure
    ("Reward", "moving mean of a step", "reward"),
    ("KL to the reference", "nats a token", "kl"),
    ("Entropy", "nats a token", "entropy"),
    ("Completion length", "tokens", "completion_tokens"),
    ("Groups without signal", "share", "groups/no_signal"),
    ("Truncated", "share", "truncated"),
    ("Gradient norm, before clipping", "", "grad_norm"),
    ("Learning rate", "", "learning_rate"),
)


def runs_report(folders: Sequence[str | Path], *, title: str = "") -> str:
    """Return the HTML page about several runs beside each other.

    Raises:
        NothingToShow: where a folder holds no step of a run.
    """
    runs = [Run(folder, writes=False) for folder in folders]
    names = _names([run.folder for run in runs])
    metrics = {name: run.read("metrics") for name, run in zip(names, runs, strict=True)}
    for name, lines in metrics.items():
        if not lines:
            raise page.NothingToShow(f"{name} holds no step of a training run")
    heldout = {name: run.read("heldout") for name, run in zip(names, runs, strict=True)}
    timings = {name: run.read("timings") for name, run in zip(names, runs, strict=True)}
    return page.render(
        "runs.html.j2",
        title=title or " and ".join(names),
        names=names,
        rows=[_row(name, metrics[name], heldout[name], timings[name]) for name in names],
        plots=[*_held_out(heldout), *_figures(metrics), *_speed(timings)],
        differences=_differences({name: run.folder for name, run in zip(names, runs, strict=True)}),
        flags={name: alarms(metrics[name], heldout[name]) for name in names},
    )


def _names(folders: Sequence[Path]) -> list[str]:
    """Return the shortest ends of the paths that tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-length:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({i})" for i, name in enumerate(names, 1)]  # one folder given twice


def _row(name: str, metrics: Any, heldout: Any, timings: Any) -> dict[str, Any]:
    best = best_step([(h["step"], h["greedy"]["pass_at_1"]) for h in heldout if "greedy" in h])
    at = {h["step"]: h["greedy"] for h in heldout if "greedy" in h}
    seconds = sum(t["step_seconds"] for t in timings)
    tokens = sum(t.get("tokens_per_second", 0.0) * t["step_seconds"] for t in timings)
    return {
        "name": name,
        "steps": metrics[-1]["step"],
        "reward": headline(metrics),
        "first": heldout[0].get("greedy") if heldout else None,
        "last": heldout[-1].get("greedy") if heldout else None,
        "best": None if best is None else (best, at[best]),
        "seconds": seconds,
        "tokens": tokens / seconds if seconds else 0.0,
        "memory": max((t.get("peak_memory_bytes", 0.0) for t in timings), default=0.0),
    }


def _held_out(heldout: dict[str, Any]) -> list[Markup]:
    drawn = {
        name: Curve(
            x=[h["step"] for h in lines],
            y=[h["greedy"]["pass_at_1"] for h in lines],
            low=[h["greedy"]["low"] for h in lines],
            high=[h["greedy"]["high"] for h in lines],
        )
        for name, lines in heldout.items()
        if lines and "greedy" in lines[0]
    }
    return [plots.curves(drawn, title="Held-out pass@1, 95 % interval", y_range=(0, 1))] if drawn else []


def _figures(metrics: dict[str, Any]) -> list[Markup]:
    out = []
    for title, label, key in _SHOWN:
        drawn = {name: curve(lines, key) for name, lines in metrics.items() if any(key in m for m in lines)}
        if drawn:
            out.append(plots.curves(drawn, title=title, y_label=label))
    return out


def _speed(timings: dict[str, Any]) -> list[Markup]:
    drawn = {
        name: curve(lines, "tokens_per_second")
        for name, lines in timings.items()
        if any("tokens_per_second" in t for t in lines)
    }
    return [plots.curves(drawn, title="Speed", y_label="sampled tokens a second")] if drawn else []


def _differences(folders: dict[str, Path]) -> list[dict[str, Any]]:
    """Return what the recipes set differently, one row a key."""
    asked = {}
    for name, folder in folders.items():
        recipe = folder / "recipe.yaml"
        asked[name] = _flat(yaml.safe_load(recipe.read_text(encoding="utf-8"))) if recipe.exists() else {}
    keys = sorted({key for flat in asked.values() for key in flat})
    rows = [{"key": key, "values": [asked[name].get(key, "–") for name in folders]} for key in keys]
    return [row for row in rows if len(set(map(str, row["values"]))) > 1]


def _flat(data: Any, path: str = "") -> dict[str, Any]:
    if isinstance(data, dict) and data:
        return {
            k: v
            for name, inner in data.items()
            for k, v in _flat(inner, f"{path}.{name}" if path else str(name)).items()
        }
    return {path: data}
