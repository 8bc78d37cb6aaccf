"""`formfact domain …`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from domains.spec import load_domain

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(domain: Annotated[str, typer.Option(help="A folder of domains/, or a path.")] = "support") -> None:
    """Check a domain's definition and say what it holds.

    Example: `formfact domain check --domain support`
    """
    found = load_domain(domain)
    table = Table("field", "labels", title=f"{found.title} ({found.fingerprint})")
    for name, field in found.fields.items():
        table.add_row(name, ", ".join(field.names))
    Console().print(table)
