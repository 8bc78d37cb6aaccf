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
    decoder: Annotated[Path | None, typer.Option(help="Tune this decoder too, by QLoRA: a folder or .gguf.")] = None,
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
    chosen, command = _arms(arms, decoder is not None), shlex.join(["formfact", *sys.argv[1:]])
    out.mkdir(parents=True, exist_ok=True)
    curves = {}
    for size in _CURVE if curve else (rows,):
        title = f"{shots} rows a label" if shots else f"{size} rows" if size else "all rows"
        summaries = compare(
            found, chosen, seeds, (size, shots), epochs, out / "runs", _tracked, str(decoder) if decoder else None
        )
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


def _arms(stated: str | None, with_decoder: bool) -> list[str]:
    """The arms that are called by any part of their names, or exactly; all that can run by default."""
    from domains.spec import InvalidInput
    from evals.arms import ARMS, QLORA

    there = [arm for arm in ARMS if with_decoder or arm != QLORA]
    chosen: set[str] = set()
    for part in (p.strip().casefold() for p in (stated or "").split(",") if p.strip()):
        found = [a for a in there if a.casefold() == part] or [a for a in there if part in a.casefold()]
        if not found:
            raise InvalidInput(f"--arms: nothing is called {part}.", f"There are: {', '.join(there)}.", "arms")
        chosen |= set(found)
    return [arm for arm in there if arm in chosen] or there
