"""`formfact adapters evidence`: train the reader that judges which sentence answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from domains.spec import load_domain

SHIPPED = Path(__file__).parents[2] / "adapters" / "data" / "organisations"


def evidence(
    domain: Annotated[str, typer.Option(help="A folder of domains/, or a path.")] = "support",
    also: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of questions to learn from besides; may be repeated. Default: thirty organisations."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: evidence/adapter of the domain.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    rank: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Train the evidence reader: which sentence answers a question, whatever it says.

    It learns from the questions on the domain's own documents (`evidence/questions.jsonl`) and from those of other
    organisations; a folder of public data (`documents.jsonl`, `questions.jsonl`) may be among them.

    Examples: `formfact adapters evidence --out /tmp/reader`

    `formfact adapters evidence --also adapters/data/organisations/bank --also ../answer_sentences/selqa`
    """
    from adapters.base import SentenceBase
    from adapters.evidence import save
    from adapters.evidence_training import RECIPE, train
    from ingest.judging import judged_folder

    spec, console = load_domain(domain), Console(stderr=True)
    own = spec.folder / "evidence"
    folders = [own, *(also or sorted(p for p in SHIPPED.iterdir() if p.is_dir()))]
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("Reading documents", total=len(folders))
        shelves = []
        for folder in folders:
            shelves.append(
                judged_folder(folder, spec.folder / "documents" if folder == own else folder / "documents", spec)
            )
            bar.advance(task)
        base = SentenceBase(spec.encoder)
        chosen = replace(RECIPE, epochs=epochs or RECIPE.epochs, rank=rank or RECIPE.rank, seed=seed)
        task = bar.add_task("Training", total=1.0)
        reader = train(base, shelves, chosen, lambda what, done: bar.update(task, description=what, completed=done))
    manifest = save(reader, base, shelves, chosen, out or own / "adapter")
    Console().print(f"{manifest.id}: {manifest.answerable + manifest.unanswerable} questions", highlight=False)
