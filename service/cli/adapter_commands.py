"""`formfact adapters list | gate | promote | rollback | shadow`: the registry, through the running service or here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.cli.commands import AsJson, desk

if TYPE_CHECKING:
    from adapters.store import Verdict
    from service.settings import Settings
    from service.use_cases.adapter_admin import AdaptersOut

Gate = Callable[["Settings", str, str, Console], "Verdict"]  # settings, adapter, what is live, where to tell progress
Adapter = Annotated[str, typer.Argument(help="An id, a folder, or baseline:zero-shot.")]


def add_to(app: typer.Typer, gate: Gate) -> None:
    """Add the registry's commands to `formfact adapters`; `gate` judges a candidate on the development cases."""

    @app.command("list")
    def listed(as_json: AsJson = False) -> None:
        """Tell which adapters there are, which one is live, and how that came to be.

        Example: `formfact adapters list`
        """
        with desk() as asked:
            _show(asked.adapters(), as_json)

    @app.command("gate")
    def judge(adapter: Adapter) -> None:
        """Answer the development cases with an adapter and with the live one, and keep the verdict.

        Example: `formfact adapters gate /tmp/adapter`
        """
        with desk() as asked:
            live = asked.adapters().live
        if not _judged(gate, adapter, live or "").passed:
            raise typer.Exit(1)

    @app.command()
    def promote(adapter: Adapter) -> None:
        """Make an adapter live, after the gate has passed it. Running services ask it from their next request on.

        Examples: `formfact adapters promote /tmp/adapter` · `formfact adapters promote baseline:zero-shot`
        """
        with desk() as asked:
            if not adapter.startswith("baseline:"):
                adapter = _judged(gate, adapter, asked.adapters().live or "").adapter
            asked.promote(adapter)
            _show(asked.adapters(), as_json=False)

    @app.command()
    def rollback(as_json: AsJson = False) -> None:
        """Make the adapter live that was live before.

        Example: `formfact adapters rollback`
        """
        with desk() as asked:
            asked.rollback()
            _show(asked.adapters(), as_json)

    @app.command()
    def shadow(
        adapter: Annotated[str | None, typer.Argument(help="An id; none ends it.")] = None, as_json: AsJson = False
    ) -> None:
        """Let an adapter label the same tickets in the background, and compare.

        Example: `formfact adapters shadow triage@3f9c0a7b12de`
        """
        with desk() as asked:
            asked.shadow(adapter)
            _show(asked.adapters(), as_json)


def _judged(gate: Gate, adapter: str, live: str) -> Verdict:
    from service.settings import Settings

    verdict = gate(Settings(), adapter, live, Console(stderr=True))
    show_verdict(verdict, "candidate / live")
    return verdict


def show_verdict(verdict: Verdict, figures: str) -> None:
    """Print a verdict's figures under the heading `figures`, and on standard error what does not hold."""
    table = Table("figure", figures, title=f"{verdict.adapter}: {'passed' if verdict.passed else 'refused'}")
    for name, value in verdict.figures.items():
        table.add_row(name, value)
    Console().print(table)
    for reason in verdict.reasons:
        Console(stderr=True).print(reason, highlight=False)


def _show(found: AdaptersOut, as_json: bool) -> None:
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
        return
    console, table = Console(), Table("adapter", "is", "gate")
    for one in found.adapters:
        table.add_row(one.id, ", ".join(one.aliases), one.gate)
    console.print(table)
    for move in found.history[:5]:
        console.print(f"{move.at} {move.actor}: {move.alias} -> {move.target} ({move.why})", highlight=False)
    for field, told in found.agreement.items():
        console.print(f"shadow, {field}: agreed on {told['agreed']:.1%} of {told['seen']:.0f}", highlight=False)
