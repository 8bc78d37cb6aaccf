"""The report's charts, as SVG that stands in the page: text stays text, and takes the page's colour."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from service.monitoring.outcome import DriftReport, OutcomeShare, Spread

Shown = TypeVar("Shown")

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "formfact-drift",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
}
# Both colours, and the verdicts', have a contrast of at least 3 : 1 on white and on the dark page.
_BEFORE, _NOW = "#8a8f98", "#2f7fbf"
_VERDICTS = {"ok": "#5f9e6e", "watch": "#c07a2c", "alarm": "#d0503f"}
_HIGHEST = 30.0  # -log10 of p: beyond it nobody tells the difference


def drawn(report: DriftReport) -> dict[str, str]:
    """Every chart that the report has figures for, by name; the same report gives the same bytes."""
    charts: Mapping[str, Callable[[DriftReport], Figure | None]] = {
        "overview": overview,
        "mixes": mixes,
        "confidences": confidences,
        "lengths": lengths,
    }
    with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE}):
        made = {name: draw(report) for name, draw in charts.items()}
        return {name: _svg(figure) for name, figure in made.items() if figure is not None}


def overview(report: DriftReport) -> Figure | None:
    """Each check by how large its shift is and how little chance explains it: alarms are beyond both lines."""
    told = [c for c in report.checks if c.statistic is not None and c.p_adjusted is not None]
    if not told:
        return None
    figure = Figure(figsize=(7.2, 3.6))
    axes = figure.subplots()
    for check in told:
        size = abs(check.statistic or 0.0) / check.alarm_from
        chance = min(-np.log10(max(check.p_adjusted or 0.0, 1e-300)), _HIGHEST)
        axes.plot(size, chance, "o", color=_VERDICTS[check.verdict], ms=6)
        if check.verdict != "ok":
            axes.annotate(check.name, (size, chance), (5, 3), textcoords="offset points", fontsize=7)
    axes.axvline(1, color=_BEFORE, lw=1, ls=":")
    axes.axhline(-np.log10(report.alpha), color=_BEFORE, lw=1, ls=":")
    axes.set_title("All checks: size of the shift and evidence for it")
    axes.set_xlabel("size, as a multiple of what an alarm needs")
    axes.set_ylabel("-log10 of p (Holm)")
    axes.margins(0.12)
    return figure


def mixes(report: DriftReport) -> Figure | None:
    """Shares of each value before and now, a panel a field."""
    return _panels(report.mixes, _mixed, height=2.9)


def confidences(report: DriftReport) -> Figure | None:
    """How sure the adapter was and is, a panel a field."""
    return _panels(report.confidences, _confident, height=2.2)


def lengths(report: DriftReport) -> Figure | None:
    """Characters of the tickets before and now."""
    spread = report.lengths
    if spread is None:
        return None
    figure = Figure(figsize=(4.8, 2.8))
    axes = figure.subplots()
    names = [f"{a:.0f}-{b:.0f}" for a, b in zip(spread.edges, spread.edges[1:], strict=False)]
    names[-1] = f"{spread.edges[-2]:.0f} and more"
    _pairs(axes, names, spread.reference, spread.now)
    axes.set_title("Length of tickets")
    axes.set_xlabel("characters")
    axes.set_ylabel("share of requests")
    axes.legend(frameon=False, fontsize=8)
    return figure


def _panels(shown: Mapping[str, Shown], draw: Callable[[Axes, Shown], None], height: float) -> Figure | None:
    if not shown:
        return None
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(3.1 * columns, height * rows))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (name, values) in zip(grid.flat, shown.items(), strict=False):
        draw(axes, values)
        axes.set_title(name.replace("_", " "))
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_visible(False)
    grid[0, 0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure


def _mixed(axes: Axes, values: Sequence[OutcomeShare]) -> None:
    _pairs(axes, [v.value.replace("_", " ") for v in values], [v.reference for v in values], [v.now for v in values])
    axes.set_ylabel("share of requests")


def _confident(axes: Axes, spread: Spread) -> None:
    axes.stairs(spread.reference, spread.edges, color=_BEFORE, label="reference", lw=1.6)
    axes.stairs(spread.now, spread.edges, color=_NOW, label="now", lw=1.6)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share of requests")
    axes.set_xlim(0, 1)


def _pairs(axes: Axes, names: Sequence[str], before: Sequence[float], now: Sequence[float]) -> None:
    places = np.arange(len(names))
    axes.bar(places - 0.2, before, 0.4, color=_BEFORE, label="reference")
    axes.bar(places + 0.2, now, 0.4, color=_NOW, label="now")
    axes.set_xticks(places, names, rotation=50, ha="right", rotation_mode="anchor", fontsize=7)


def _svg(figure: Figure) -> str:
    """The figure without a background; black turns into the colour of the text around it."""
    kept = io.StringIO()
    figure.savefig(kept, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    found = kept.getvalue()
    found = found[found.index("<svg") :]
    found = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", found, count=1)
    found = re.sub(r"<metadata>.*?</metadata>", "", found, flags=re.S)
    found = re.sub(r"(fill|stroke): #000000", r"\1: currentColor", found)
    return found.replace("<text ", '<text fill="currentColor" ')
