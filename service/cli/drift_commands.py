"""`formfact drift report | reference`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.cli.commands import AsJson, desk

if TYPE_CHECKING:
    from service.monitoring.outcome import DriftReport

app = typer.Typer(no_args_is_help=True)

_COLOURS = {"ok": "green", "watch": "yellow", "alarm": "bold red", "left out": "dim"}


@app.command()
def report(
    last: Annotated[int | None, typer.Option(min=1, max=1000, help="Requests; default: FORMFACT_DRIFT_WINDOW.")] = None,
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with charts to this file.")] = None,
) -> None:
    """Compare the last requests with the reference. An alarm is told in words; the exit code stays 0.

    Examples: `formfact drift report` · `formfact drift report --last 500 --html drift.html`
    """
    with desk() as asked:
        found = asked.drift(last)
    if html is not None:
        from service.monitoring.drift.page import as_html

        html.write_text(as_html(found), encoding="utf-8")
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
    else:
        _show(found, Console())


@app.command()
def reference() -> None:
    """Answer the tickets that the domain's adapter was not fitted on, and keep what drift is compared with.

    It runs in a home of its own and takes some minutes. The sealed holdout is not opened.

    Example: `formfact drift reference`
    """
    from rich.progress import track

    from service.monitoring.drift.reference import make, write
    from service.settings import Settings

    progress = Console(stderr=True)
    folder, made = make(Settings(), lambda items: iter(track(items, "Answering", console=progress, transient=True)))
    write(folder, made)
    Console().print(f"{folder}: {len(made.window)} requests, labels by {made.grounds.adapter}", highlight=False)


def _show(found: DriftReport, console: Console) -> None:
    table = Table("check", "verdict", "test", "size", "p (Holm)", "in words", title=_title(found))
    for check in found.checks:
        size = "" if check.statistic is None else f"{check.statistic:.3f}"
        p = "" if check.p_adjusted is None else f"{check.p_adjusted:.1e}"
        colour = _COLOURS[check.verdict]
        table.add_row(check.name, f"[{colour}]{check.verdict}[/]", check.test, size, p, check.words)
    console.print(table)
    for line in found.advice:
        console.print(f"- {line}", highlight=False)
    if found.unlike:
        console.print(f"Least like the reference: {', '.join(found.unlike)}", highlight=False)
    for line in found.retrain.why:
        console.print(f"Training anew is asked for by {line}", highlight=False)


def _title(found: DriftReport) -> str:
    when = f", {found.first_at} to {found.last_at}" if found.first_at else ""
    return f"{'ALARM' if found.alarm else 'no alarm'}: {found.requests} requests{when}"
