"""`formfact evals …`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def evals() -> None:
    """Run the eval cases."""
