"""The `formfact` command, put together from each folder's `commands.py`."""

from __future__ import annotations

import sys
from typing import Any

import typer
from rich.console import Console

from domains.spec import FormfactError

app = typer.Typer(
    name="formfact",
    help="Tune for form, retrieve for facts: label support tickets, and answer them from cited documents.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
)


def _assemble() -> None:
    from adapters.commands import app as adapters
    from adapters.data.commands import app as data
    from adapters.data.commands import readiness
    from adapters.model_commands import app as models
    from domains.commands import app as domains
    from evals.benchmarks.commands import app as bench
    from evals.commands import app as evals
    from service.cli import adapter_commands, commands, document_commands, operation_commands
    from service.cli import evidence_commands as evidence
    from service.cli.drift_commands import app as drift

    app.add_typer(domains, name="domain", help="Check a domain's definition and data.")
    app.add_typer(adapters, name="adapters", help="Train and evaluate adapters.")
    app.add_typer(models, name="models", help="Chat models that run in this process.")
    app.add_typer(evals, name="evals", help="Run the eval cases.")
    app.add_typer(bench, name="bench", help="Benchmarks on public data sets, or on your own.")
    app.add_typer(drift, name="drift", help="Does what comes in still look like what the adapter was measured on?")
    commands.add_to(app)
    document_commands.add_to(app, _preview)
    operation_commands.add_to(app)
    adapters.command()(readiness)
    evidence.add_to(adapters)
    app.add_typer(data, name="data", help="Data sets: checked, versioned, with a sealed holdout.")
    adapter_commands.add_to(adapters, _gate)


def _preview(*asked: Any) -> Any:
    """What a dry run would change: the evals know, and the service may not import them."""
    from evals.preview import preview

    return preview(*asked)


def _gate(*asked: Any) -> Any:
    """Judges an adapter; likewise."""
    from evals.gate import gate

    return gate(*asked)


def main() -> None:
    """Run the command line; a named error is told in words and exits with 1."""
    _assemble()
    try:
        app()
    except FormfactError as error:
        Console(stderr=True).print(f"[bold red]formfact:[/] {error}", highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
