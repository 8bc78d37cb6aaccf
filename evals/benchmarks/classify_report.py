"""The benchmark's report: a table for people, JSON for programs, and plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # no screen is asked for
from matplotlib import pyplot as plt

from evals.benchmarks.classify import Summary, recommended
from evals.benchmarks.datasets import Benchmark

_COLUMNS = ("arm", "accuracy", "macro-F1", "calibration error", "coverage at 95 %", "trainable", "s", "ms a text", "MB")


def markdown(data: Benchmark, title: str, summaries: Sequence[Summary], command: str) -> str:
    """A Markdown page: the table, the out-of-scope table where there is one, the recommendation, the command."""
    lines = [f"# {data.name}: {title}", "", f"`{command}`", ""]
    lines += [f"{len(data.test)} test rows, {len(data.labels)} labels. Mean ± half of a 95 % interval over seeds.", ""]
    lines += [_row(_COLUMNS), _row(["---"] * len(_COLUMNS))]
    lines += [_row(cells(s)) for s in summaries]
    if data.outside:
        lines += ["", f"{len(data.outside)} rows out of scope; recall where 5 % in scope is refused.", ""]
        lines += [_row(("arm", "score", "AUROC", "recall")), _row(["---"] * 4)]
        lines += [_row(found) for s in summaries for found in outside(s)]
    chosen = recommended(summaries)
    lines += ["", f"Recommended: **{chosen.arm}**, the cheapest that no paired test puts below the best.", ""]
    return "\n".join(lines)


def cells(summary: Summary) -> list[str]:
    """One row of the table."""
    return [
        summary.arm,
        *(_interval(summary, figure) for figure in ("accuracy", "macro_f1", "calibration_error")),
        f"{summary.mean('coverage_at_95_percent'):.2f}",
        f"{summary.mean('trainable_parameters'):,.0f}",
        f"{summary.mean('seconds'):.0f}",
        f"{summary.mean('milliseconds_a_text'):.1f}",
        f"{max(r.peak_mb for r in summary.runs)}",
    ]


def outside(summary: Summary) -> list[list[str]]:
    """Rows of the out-of-scope table: a score each."""
    runs = summary.runs
    return [
        [
            summary.arm,
            score,
            f"{sum(r.outside_auroc[score] for r in runs) / len(runs):.3f}",
            f"{sum(r.outside_recall[score] for r in runs) / len(runs):.3f}",
        ]
        for score in runs[0].outside_auroc
    ]


def as_json(data: Benchmark, title: str, summaries: Sequence[Summary], command: str) -> str:
    """Everything measured, but for the marks of single rows."""
    runs = [asdict(r) for s in summaries for r in s.runs]
    for run in runs:
        run.pop("right")
    told = {"data": data.name, "draw": title, "command": command, "recommended": recommended(summaries).arm}
    return json.dumps({**told, "runs": runs}, indent=1)


def plot_arms(data: Benchmark, title: str, summaries: Sequence[Summary], path: Path) -> None:
    """Accuracy of each arm with its interval, as points on a line each."""
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(summaries) + 1.2))
    for place, summary in enumerate(reversed(summaries)):
        axes.errorbar(
            summary.mean("accuracy"), place, xerr=summary.half_width("accuracy") or 0, fmt="o", color="tab:blue"
        )
    axes.set_yticks(range(len(summaries)), [s.arm for s in reversed(summaries)])
    axes.set_xlabel("accuracy on test")
    axes.set_title(f"{data.name}, {title}")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path, bbox_inches="tight", dpi=120)
    plt.close(figure)


def plot_curves(data: Benchmark, curves: Mapping[int, Sequence[Summary]], path: Path) -> None:
    """Learning curves: accuracy of each arm over the number of training rows."""
    figure, axes = plt.subplots(figsize=(7, 4.5))
    for arm in (s.arm for s in next(iter(curves.values()))):
        found = {rows: next(s for s in summaries if s.arm == arm) for rows, summaries in curves.items()}
        axes.plot(list(found), [s.mean("accuracy") for s in found.values()], marker="o", label=arm)
    axes.set_xscale("log")
    axes.set_xticks(list(curves), [str(rows) for rows in curves])
    axes.set_xlabel("training rows")
    axes.set_ylabel("accuracy on test")
    axes.set_title(data.name)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, bbox_inches="tight", dpi=120)
    plt.close(figure)


def _interval(summary: Summary, figure: str) -> str:
    half = summary.half_width(figure)
    return f"{summary.mean(figure):.4f}" + ("" if half is None else f" ± {half:.4f}")


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"
