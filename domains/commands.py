"""`formfact domain …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from domains.seal import seal as write_seal
from domains.spec import load_domain

app = typer.Typer(no_args_is_help=True)

DomainName = Annotated[
    str, typer.Option("--domain", envvar="FORMFACT_DOMAIN", help="A folder of domains/, or a path to one.")
]

# Folders that a domain can do without, and what is then missing.
OPTIONAL_PARTS = {
    "documents": "no documents are published at start",
    "tickets": "no adapter can be trained",
    "cases": "evals, the gate and `formfact ingest --dry-run` have no cases to answer",
    "adapter": "tickets are labelled by the zero-shot baseline",
}


@app.command()
def check(domain: DomainName = "support") -> None:
    """Check a domain's definition, list its labels, and name the folders that are missing.

    Example: `formfact domain check --domain support`
    """
    found = load_domain(domain)
    table = Table("field", "labels", title=f"{found.title} ({found.fingerprint})")
    for name, field in found.fields.items():
        table.add_row(name, ", ".join(field.names))
    Console().print(table)
    for name, effect in OPTIONAL_PARTS.items():
        if not (found.folder / name).is_dir():
            Console().print(f"{found.folder / name} is missing: {effect}.", highlight=False, soft_wrap=True)


@app.command()
def seal(file: Annotated[Path, typer.Argument(help="A holdout or a file of cases.", exists=True)]) -> None:
    """Seal a file: from now on it is opened to report and never to tune, and a change of it is refused.

    Example: `formfact domain seal domains/support/tickets/holdout.jsonl`
    """
    Console().print(f"{file}: {write_seal(file)}", highlight=False)
