"""A report as one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.monitoring.drift.plots import drawn
from service.monitoring.outcome import DriftReport


def as_html(report: DriftReport) -> str:
    """The page; values are escaped, the charts alone are put in as they are."""
    pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    order = {"alarm": 0, "watch": 1, "ok": 2, "left out": 3}
    checks = sorted(report.checks, key=lambda c: (order[c.verdict], c.p_adjusted if c.p_adjusted is not None else 2))
    return pages.get_template("report.html.j2").render(r=report, checks=checks, charts=drawn(report))
