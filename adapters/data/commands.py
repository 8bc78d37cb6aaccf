"""`formfact data …` and `formfact adapters readiness`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from domains.commands import DomainName
from domains.spec import Domain, load_domain

if TYPE_CHECKING:
    from adapters.data.build import Checked

app = typer.Typer(no_args_is_help=True)

Sources = Annotated[list[Path] | None, typer.Argument(help="JSON lines or CSV; default: the domain's own tickets.")]
OwnLabels = Annotated[bool, typer.Option("--own-labels", help="Take the taxonomy from the rows, not the domain.")]
Rights = Annotated[str, typer.Option(help="By what right rows are used that state none, as own or CC-BY-4.0.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def build(
    sources: Sources = None,
    out: Annotated[Path, typer.Option(help="Folder under which the data set is written.")] = Path("datasets"),
    name: Annotated[str, typer.Option(help="Its name; a hash of its content is added.")] = "tickets",
    domain: DomainName = "support",
    own_labels: OwnLabels = False,
    rights: Rights = "",
) -> None:
    """Check annotated tickets and make a versioned data set of them, with a sealed holdout and a report.

    Examples: `formfact data build tickets.csv --rights own --out datasets` · `formfact data build`
    """
    from adapters.data.build import write
    from adapters.data.report import markdown

    checked = _checked(sources, load_domain(domain), own_labels, rights)
    text = markdown(checked, name)
    Console(stderr=True).print(Markdown(text))
    typer.echo(write(checked, name, out, text))


@app.command()
def personal(
    domain: DomainName = "support",
    part: Annotated[str, typer.Option(help="development, by which rules were made once, or test.")] = "test",
) -> None:
    """Measure how well personal data is found, on tickets that were marked by reading.

    Example: `formfact data personal`
    """
    from adapters.data.personal import detection
    from adapters.encoder import Encoder
    from adapters.message_tagger import MessageTagger

    spec = load_domain(domain)
    tickets, scrub = spec.folder / "tickets", MessageTagger(Encoder(spec.encoder)).scrub
    table = Table("kind", "found", "missed", "extra", "F2")
    for kind, found in detection(tickets / "personal.jsonl", tickets / "train.jsonl", part, scrub).items():
        table.add_row(kind, str(found.found), str(found.missed), str(found.extra), f"{found.f2:.3f}")
    Console().print(table)


def readiness(
    sources: Sources = None,
    domain: DomainName = "support",
    own_labels: OwnLabels = False,
    rights: Rights = "",
    bench: Annotated[Path | None, typer.Option(help="JSON of `formfact bench classify` on these rows.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether to tune at all: prompt, retrieve, tune, or redesign the workflow first, with the evidence.

    Examples: `formfact adapters readiness` · `formfact adapters readiness rows.jsonl --own-labels --rights own`
    """
    from adapters.readiness import assess

    compared = json.loads(bench.read_text(encoding="utf-8")) if bench else None
    found = assess(_checked(sources, load_domain(domain), own_labels, rights), compared)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    table = Table("question", "ready", "evidence")
    for answer in found.answers:
        table.add_row(answer.question, "yes" if answer.ready else "no", answer.evidence)
    console = Console()
    console.print(table)
    console.print(f"First move: [bold]{found.move}[/]: {found.why}.", highlight=False)


def _checked(paths: Sequence[Path] | None, spec: Domain, own_labels: bool, rights: str) -> Checked:
    from adapters.base import cache_by_text
    from adapters.data.build import examine
    from adapters.data.sources import annotated, sourced, taxonomy
    from adapters.encoder import Encoder
    from adapters.message_tagger import MessageTagger

    fields = None if own_labels else spec.label_names
    if paths:
        rows = tuple(s for path in paths for s in sourced(path, fields, rights))
    else:
        rows = annotated(spec.folder / "tickets", spec.label_names)
    encoder = Encoder(spec.encoder)
    with Console(stderr=True).status("Checking"):
        embed, scrub = cache_by_text(encoder.unit), MessageTagger(encoder).scrub
        return examine(rows, fields or taxonomy(rows), embed, scrub, spec.ordinal)
