"""Plots as inline SVG that takes its colours from the page, so that it is right in light and in dark."""

from __future__ import annotations

import hashlib
import io
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

# Stand-ins that matplotlib can draw with, and what the page's style sheet calls them.
_COLOURS = {
    "#010203": "var(--ink)",
    "#040506": "var(--muted)",
    "#070809": "var(--line)",
    "#0a0b0c": "var(--accent)",
    "#0d0e0f": "var(--series-2)",
    "#101112": "var(--series-3)",
    "#131415": "var(--series-4)",
    "#161718": "var(--series-5)",
}
_INK, _MUTED, _LINE, *_SERIES = _COLOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a plot: where it passes and, where they are known, the bounds of its interval."""

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def curves(
    lines: Mapping[str, Curve],
    *,
    title: str,
    x_label: str = "step",
    y_label: str = "",
    y_range: tuple[float, float] | None = None,
) -> Markup:
    """Return lines over a shared axis, each with its interval as a band; gaps where values are not finite."""
    figure, axes = _figure(4.6, 2.5)
    for colour, (label, curve) in zip(_cycle(len(lines)), lines.items(), strict=True):
        marker = "o" if len(curve.x) < 3 else None
        axes.plot(curve.x, curve.y, color=colour, linewidth=1.8, label=label, marker=marker, markersize=4)
        if curve.low is not None and curve.high is not None:
            axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if y_range is not None:
        axes.set_ylim(*y_range)
    if lines:  # one line is named too: the title seldom says what it is
        axes.legend(frameon=False, fontsize=9, labelcolor=_INK)
    ends = "; ".join(f"{name} ends at {_last(c.y)}" for name, c in lines.items())
    return _svg(figure, title, f"{title} over {x_label}: {ends}")


def histogram(values: Sequence[float], *, title: str, bins: int = 20) -> Markup:
    """Return how often each score was given: a bar for each value where there are few, else for each bin."""
    figure, axes = _figure(4.6, 2.1)
    different = sorted(set(values))
    if len(different) <= 12:
        span = (different[-1] - different[0]) if len(different) > 1 else 1.0
        gap = min((b - a for a, b in itertools.pairwise(different)), default=span)
        width = max(0.75 * gap, 0.02 * span)
        bars = axes.bar(different, [values.count(v) for v in different], width=width, color=_SERIES[0])
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=8.5, color=_MUTED, padding=2)
        if len(different) <= 6:
            axes.set_xticks(different, [f"{v:.3g}" for v in different])
        axes.margins(y=0.16)
    else:
        axes.hist(values, bins=bins, color=_SERIES[0], rwidth=0.92)
    axes.set_xlabel("score")
    axes.yaxis.set_major_formatter(lambda v, _: f"{v:,.0f}")
    return _svg(
        figure, title, f"{title}: {len(values)} scores from {different[0]:.3g} to {different[-1]:.3g}"
    )


def bars(counts: Mapping[str, int], *, title: str, y_label: str = "") -> Markup:
    """Return a bar for each name."""
    figure, axes = _figure(4.6, 2.1)
    drawn = axes.bar(list(counts), list(counts.values()), width=0.75, color=_SERIES[0])
    axes.bar_label(drawn, fmt="{:,.0f}", fontsize=8.5, color=_MUTED, padding=2)
    axes.margins(y=0.16)
    axes.set_ylabel(y_label)
    axes.yaxis.set_major_formatter(lambda v, _: f"{v:,.0f}")
    return _svg(figure, title, f"{title}: " + ", ".join(f"{k} {v}" for k, v in counts.items()))


def strips(
    rows: Mapping[str, Sequence[float]], x: Sequence[float], *, title: str, x_label: str = "step"
) -> Markup:
    """Return a strip for each name: the darker, the nearer to 1 of 0 to 1; gaps where values are not finite.

    For shares of many names over time, where lines would hide each other.
    """
    figure, axes = _figure(4.6, 0.75 + 0.24 * len(rows))
    edges = [x[0] - (x[1] - x[0] if len(x) > 1 else 1.0), *x]
    widths = [b - a for a, b in itertools.pairwise(edges)]
    for place, values in enumerate(rows.values()):
        colours = [to_rgba(_SERIES[0], min(max(v, 0.0), 1.0) if math.isfinite(v) else 0.0) for v in values]
        axes.barh([place] * len(widths), widths, left=edges[:-1], height=0.8, color=colours, linewidth=0)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(x_label)
    ends = "; ".join(f"{name} ends at {_last(values)}" for name, values in rows.items())
    return _svg(figure, title, f"{title} over {x_label}: {ends}")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    figure.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_LINE)
    axes.grid(axis="y", color=_LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_MUTED, labelsize=9, length=0)
    axes.xaxis.label.set(color=_MUTED, fontsize=9)
    axes.yaxis.label.set(color=_MUTED, fontsize=9)
    return figure, axes


def _svg(figure: Figure, title: str, description: str) -> Markup:
    """Draw a figure as an SVG element with texts as texts, named for those who cannot see it."""
    out = io.StringIO()
    salt = hashlib.sha256(description.encode()).hexdigest()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt, "font.family": "sans-serif"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<g id=\"[^\"]*\"", "<g", text)  # matplotlib numbers its groups anew in each figure
    text = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font: \1px var(--sans)", text)
    for stand_in, variable in _COLOURS.items():
        text = text.replace(stand_in, variable)
    named = f'role="img" aria-label="{escape(description)}" class="plot"'
    text = re.sub(r"<svg ([^>]*?)width=\"[^\"]*\"", rf"<svg {named} \1", text, count=1)
    text = re.sub(r"(<svg [^>]*?) height=\"[^\"]*\"", r"\1", text, count=1)
    caption = escape(title)
    return Markup(f"<figure><figcaption>{caption}</figcaption>{text}</figure>")  # noqa: S704  # escaped above


def _cycle(count: int) -> list[str]:
    return [_SERIES[i % len(_SERIES)] for i in range(count)]


def _last(values: Sequence[float]) -> str:
    finite = [v for v in values if math.isfinite(v)]
    return f"{finite[-1]:.3g}" if finite else "nothing"
