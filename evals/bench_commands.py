"""`formfact bench …`: how the parts do on public data sets, or on your own."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import track

app = typer.Typer(no_args_is_help=True)

_CURVE = (50, 100, 300, 900)


@app.callback()
def bench() -> None:
    """Benchmarks of the parts."""


@app.command()
def classify(
    data: Annotated[Path, typer.Option(help="A folder of JSON lines with text, a label, optionally a split.")],
    label: Annotated[str | None, typer.Option(help="The field of the label; default: the one that can be.")] = None,
    arms: Annotated[str | None, typer.Option(help="With commas, by any part of their names; default: all.")] = None,
    seeds: Annotated[int, typer.Option(min=1)] = 1,
    shots: Annotated[int | None, typer.Option(min=1, help="So many rows a label, drawn anew for each seed.")] = None,
    rows: Annotated[int | None, typer.Option(min=2, help="So many rows in all, likewise.")] = None,
    curve: Annotated[bool, typer.Option("--curve", help="Learning curves at 50, 100, 300 and 900 rows.")] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of the trained arms; default: their own.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for results, report and plots; runs in it are not repeated.")
    ] = Path("bench"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Compare cheap and tuned classifiers on the same rows; settings are chosen on train, never on test.

    Examples:
    `formfact bench classify --data ../banking77 --seeds 3`

    `formfact bench classify --data ../tickets --label queue --rows 900 --arms joined,lora --seeds 3`
    """
    from evals import classify_report as report
    from evals.benchmarks import load
    from evals.classify import compare

    found = load(data, label)
    chosen, command = _arms(arms), shlex.join(["formfact", *sys.argv[1:]])
    out.mkdir(parents=True, exist_ok=True)
    curves = {}
    for size in _CURVE if curve else (rows,):
        title = f"{shots} rows a label" if shots else f"{size} rows" if size else "all rows"
        summaries = compare(found, chosen, seeds, (size, shots), epochs, out / "runs", _tracked)
        curves[size] = summaries
        stem = out / f"{found.name}-{title.replace(' ', '-')}"
        text = report.markdown(found, title, summaries, command)
        stem.with_suffix(".md").write_text(text, encoding="utf-8")
        stem.with_suffix(".json").write_text(report.as_json(found, title, summaries, command), encoding="utf-8")
        report.plot_arms(found, title, summaries, stem.with_suffix(".png"))
        typer.echo(stem.with_suffix(".json").read_text()) if as_json else Console().print(Markdown(text))
    if curve:
        report.plot_curves(found, {int(k or 0): v for k, v in curves.items()}, out / f"{found.name}-curves.png")
    Console(stderr=True).print(f"Report and plots: {out}", highlight=False)


def _tracked(pairs: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    console = Console(stderr=True)
    for arm, seed in track(pairs, "Comparing", console=console, transient=True):
        console.print(f"{arm}, seed {seed}", highlight=False)
        yield arm, seed


def _arms(stated: str | None) -> list[str]:
    from domains.spec import InvalidInput
    from evals.arms import ARMS

    if stated is None:
        return list(ARMS)
    wanted = [part.strip().casefold() for part in stated.split(",") if part.strip()]
    for part in wanted:
        if not any(part in arm.casefold() for arm in ARMS):
            raise InvalidInput(f"--arms: nothing is called {part}.", f"There are: {', '.join(ARMS)}.", "arms")
    exact = [arm for arm in ARMS if arm.casefold() in wanted]
    return [
        arm
        for arm in ARMS
        if any(p in arm.casefold() for p in wanted if p not in {e.casefold() for e in exact}) or arm in exact
    ]
