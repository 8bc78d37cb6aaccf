"""`formfact adapters …`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from domains.seal import fingerprint, open_sealed
from domains.spec import load_domain

if TYPE_CHECKING:
    from adapters.train import Recipe

app = typer.Typer(no_args_is_help=True)

DomainName = Annotated[str, typer.Option(help="A folder of domains/, or a path.")]


@app.command()
def train(
    domain: DomainName = "support",
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: the domain's adapter/.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Default: see adapters/train.py, as for the others.")
    ] = None,
    rank: Annotated[int | None, typer.Option(min=1)] = None,
    learning_rate: Annotated[float | None, typer.Option(min=1e-6)] = None,
    seed: Annotated[int | None, typer.Option()] = None,
) -> None:
    """Train the labelling adapter on the domain's tickets, calibrate it, and write its card.

    The sealed holdout is opened once, at the end, for the card's figures.

    Example: `formfact adapters train --domain support --epochs 8 --out /tmp/adapter`
    """
    from adapters import dataset
    from adapters.encoder import Encoder
    from adapters.train import Recipe
    from adapters.train import train as run

    spec = load_domain(domain)
    tickets = spec.folder / "tickets" / "train.jsonl"
    split = dataset.split(dataset.load(tickets, spec))
    encoder = Encoder(spec.encoder)
    stated = {"epochs": epochs, "rank": rank, "learning_rate": learning_rate, "seed": seed}
    recipe = replace(Recipe(), **{k: v for k, v in stated.items() if v is not None})  # type: ignore[arg-type]
    target = out or spec.folder / "adapter"
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Training", total=1.0)
        run(
            spec,
            split,
            fingerprint(tickets),
            encoder.fingerprint,
            recipe,
            target,
            lambda what, done: bar.update(task, description=what, completed=done),
        )
    _card(domain, target, encoder, recipe)


@app.command()
def card(
    domain: DomainName = "support",
    folder: Annotated[Path | None, typer.Option(help="Adapter folder; default: the domain's adapter/.")] = None,
) -> None:
    """Measure an adapter on the sealed holdout beside the cheap methods, and write its card.

    Example: `formfact adapters card --domain support`
    """
    from adapters.encoder import Encoder
    from adapters.train import Recipe

    spec = load_domain(domain)
    _card(domain, folder or spec.folder / "adapter", Encoder(spec.encoder), Recipe())


def _card(domain: str, folder: Path, encoder: object, recipe: Recipe) -> None:
    from adapters import dataset
    from adapters.card import evaluate, verdict, write_card
    from adapters.encoder import Encoder
    from adapters.model import adapter_id

    assert isinstance(encoder, Encoder)
    spec = load_domain(domain)
    tickets = spec.folder / "tickets"
    split = dataset.split(dataset.load(tickets / "train.jsonl", spec))
    holdout = dataset.load(open_sealed(tickets / "holdout.jsonl"), spec)
    console = Console()
    with console.status("Measuring on the holdout"):
        figures = evaluate(spec, folder, encoder, split, holdout)
    facts = {
        "id": adapter_id(folder),
        "base_model": spec.encoder,
        "domain": spec.fingerprint,
        "training_data": f"{len(split.train)} tickets, {len(split.validation)} to choose by, "
        f"{len(split.calibration)} to calibrate with ({fingerprint(tickets / 'train.jsonl')})",
        "holdout": f"{len(holdout)} sealed tickets ({fingerprint(tickets / 'holdout.jsonl')})",
        "method": f"LoRA, rank {recipe.rank}, all linear layers, mean pooling, one head a field",
        "licence": "MIT",
        "command": shlex.join(["formfact", *sys.argv[1:]]),
    }
    write_card(folder, spec, figures, facts)
    for name, field in figures.items():
        console.print(f"{name}: {verdict(field)}", highlight=False)
