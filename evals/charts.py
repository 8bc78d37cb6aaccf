"""The report's charts, as SVG that stands in the page: text stays text, and takes the page's colour."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence

import matplotlib as mpl

mpl.use("Agg")  # no screen is asked for
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter

from evals.arms import Group
from evals.report import Field, Report

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "formfact",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.grid": False,
}
_COLOURS = {Group.MODE: "#2f6f9f", Group.LABELS: "#8a8f98", Group.ANSWERS: "#c07a2c", Group.BOUND: "#b9bec6"}
_HARM = "#c0504d"
_WIDTH = 4.2  # inches: on a telephone the text is then as large as on a screen
_LINES = ("#2f6f9f", "#c07a2c", "#5f9e6e", "#a4508b", "#8a8f98", "#c0504d")
_VOLUMES = np.logspace(2, 6, 60)  # tickets an interval


def short(report: Report) -> str:
    """Useful and harmful answers of the arms in the short table: the picture that stands first."""
    arms = report.short
    figure, axes = plt.subplots(figsize=(_WIDTH, 0.45 * len(arms) + 0.9))
    for place, arm in enumerate(reversed(arms)):
        axes.barh(place, arm.useful.value, height=0.55, color=_COLOURS[arm.group], alpha=0.75)
        axes.barh(place, -arm.harmful.value, height=0.55, color=_HARM, alpha=0.75)
        axes.plot([arm.useful.low, arm.useful.high], [place, place], color="black", lw=1)
        axes.annotate(
            f"{arm.useful.value:.2f}", (arm.useful.high, place), (4, -3), textcoords="offset points", fontsize=9
        )
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(len(arms)), [a.arm for a in reversed(arms)])
    axes.set_xlim(-max((a.harmful.value for a in arms), default=0.0) - 0.03, 1.1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("harmful (left) and useful answers, share of all cases")
    return _svg(figure)


def scores(report: Report) -> str:
    """Useful answers of each arm with their intervals."""
    arms = report.evidence
    figure, axes = plt.subplots(figsize=(_WIDTH, 0.3 * len(arms) + 0.8))
    for place, arm in enumerate(reversed(arms)):
        found = arm.useful
        axes.plot([found.low, found.high], [place, place], color=_COLOURS[arm.group], lw=2, alpha=0.5)
        axes.plot(found.value, place, "o", color=_COLOURS[arm.group], ms=6)
        axes.annotate(f"{found.value:.2f}", (found.high, place), (4, -3), textcoords="offset points", fontsize=8)
    axes.set_yticks(range(len(arms)), [a.arm for a in reversed(arms)])
    axes.set_xlim(0, 1.1)
    axes.set_xlabel("useful answers with 95 % interval")
    axes.grid(axis="x", alpha=0.25)
    return _svg(figure)


def risk_coverage(report: Report) -> str:
    """Share of harmful answers among those given, as more and more tickets are answered."""
    figure, axes = plt.subplots(figsize=(_WIDTH, 3.2))
    shown = [a for a in report.short if a.group is Group.MODE and a.risk_coverage]
    for colour, arm in zip(_LINES, shown, strict=False):
        axes.plot(*zip(*arm.risk_coverage, strict=True), color=colour, label=arm.arm, lw=1.6)
    axes.set_xlabel("tickets answered, most certain first")
    axes.set_ylabel("of these harmful")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    if shown:
        axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def reliability(report: Report) -> str:
    """Accuracy over confidence, a panel a field; on the diagonal a label is as often right as it says."""
    return _panels(report.fields, _reliable)


def confusion(report: Report) -> str:
    """Expected against told, a panel a field."""
    return _panels(report.fields, _confused, width=3.4, height=3.2)


def latency(report: Report) -> str:
    """Seconds an answer: median, the middle half, and from the 5th to the 95th percentile."""
    arms = [a for a in report.short if a.group is Group.MODE]
    figure, axes = plt.subplots(figsize=(_WIDTH, 0.42 * len(arms) + 0.9))
    for place, arm in enumerate(reversed(arms)):
        p5, p25, p50, p75, p95 = (max(s, 1e-3) for s in arm.seconds)
        axes.plot([p5, p95], [place, place], color=_LINES[0], lw=1, alpha=0.6)
        axes.plot([p25, p75], [place, place], color=_LINES[0], lw=6, alpha=0.35, solid_capstyle="butt")
        axes.plot(p50, place, "|", color=_LINES[0], ms=11, mew=2)
    axes.set_yticks(range(len(arms)), [a.arm for a in reversed(arms)])
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("seconds an answer")
    axes.grid(axis="x", alpha=0.25)
    return _svg(figure)


def cost_against_quality(report: Report) -> str:
    """What a thousand tickets cost, and how many of them are usefully answered."""
    figure, axes = plt.subplots(figsize=(_WIDTH, 3.2))
    for arm in report.evidence:
        if arm.group is Group.BOUND:
            continue
        axes.plot(arm.cost.a_thousand, arm.useful.value, "o", color=_COLOURS[arm.group], ms=6)
        if arm.group is Group.MODE:
            place = (arm.cost.a_thousand, arm.useful.value)
            axes.annotate(arm.arm, place, (5, 3), textcoords="offset points", fontsize=8)
    axes.set_xlabel(f"{report.currency} a thousand tickets, people included")
    axes.set_ylabel("useful answers")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.25)
    return _svg(figure)


def break_even(report: Report) -> str:
    """What a thousand tickets cost over the volume that the fixed costs are spread over."""
    figure, axes = plt.subplots(figsize=(_WIDTH, 3.2))
    shown = [a for a in report.short if a.group is Group.MODE]
    for colour, arm in zip(_LINES, shown, strict=False):
        axes.plot(_VOLUMES, [arm.cost.at(float(v)) for v in _VOLUMES], color=colour, label=arm.arm, lw=1.6)
    axes.axvline(report.interval_tickets, color="#8a8f98", lw=1, ls=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("tickets a retraining interval (dotted: the price list's)")
    axes.set_ylabel(f"{report.currency} a thousand tickets")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def _panels(
    fields: Sequence[Field], draw: Callable[[Axes, Field], None], width: float = 2.3, height: float = 2.3
) -> str:
    if not fields:
        return ""
    columns = min(3, len(fields))
    rows = -(-len(fields) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(width * columns, height * rows), squeeze=False)
    for axes, field in zip(grid.flat, fields, strict=False):
        draw(axes, field)
        axes.set_title(field.name.replace("_", " "))
    for axes in list(grid.flat)[len(fields) :]:
        axes.set_visible(False)
    figure.tight_layout()
    return _svg(figure)


def _reliable(axes: Axes, field: Field) -> None:
    axes.plot([0, 1], [0, 1], color="#8a8f98", lw=1, ls=":")
    for confidence, accuracy, cases in field.reliability:
        axes.plot(confidence, accuracy, "o", color=_LINES[0], ms=3 + np.sqrt(cases), alpha=0.7)
    axes.set_xlim(0, 1.05)
    axes.set_ylim(0, 1.05)


def _confused(axes: Axes, field: Field) -> None:
    """Each cell is a rectangle that lets the page through; a picture of pixels is an address, which it refuses."""
    counts = np.array(field.confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color=_LINES[0], alpha=0.1 + 0.6 * share, lw=0))
            axes.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", fontsize=6, color="black")
    names = [label.replace("_", " ") for label in field.labels]
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=6)


def _svg(figure: Figure) -> str:
    """The figure without a background; black turns into the colour of the text around it."""
    kept = io.StringIO()
    figure.savefig(kept, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    plt.close(figure)
    found = kept.getvalue()
    found = found[found.index("<svg") :]
    found = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", found, count=1)
    found = re.sub(r"<metadata>.*?</metadata>", "", found, flags=re.S)
    return re.sub(r"(fill|stroke): #000000", r"\1: currentColor", found)


_CHARTS: Mapping[str, Callable[[Report], str]] = {
    "short": short,
    "scores": scores,
    "risk_coverage": risk_coverage,
    "latency": latency,
    "cost": cost_against_quality,
    "break_even": break_even,
    "reliability": reliability,
    "confusion": confusion,
}


def drawn(report: Report) -> dict[str, str]:
    """Every chart of a report by its name; the same report gives the same bytes."""
    with mpl.rc_context(_STYLE):
        return {name: draw(report) for name, draw in _CHARTS.items()}
