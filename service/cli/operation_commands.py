"""`formfact replay`, `formfact audit …`, `formfact reviews …`: through the running service, or here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.cli.commands import AsJson, desk

audit = typer.Typer(no_args_is_help=True)
reviews = typer.Typer(no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(replay)
    app.add_typer(audit, name="audit", help="Who published, promoted, purged, made keys.")
    app.add_typer(reviews, name="reviews", help="What reviewers said.")


def replay(
    request_id: Annotated[str, typer.Argument(help="It stands in every reply.")], as_json: AsJson = False
) -> None:
    """Answer a journalled request again, as everything was known then, and compare. Exits with 1 where they differ.

    Example: `formfact replay 01JD3Z8Q1V7M2K9T5RXW4B6C0N`
    """
    with desk() as asked:
        found = asked.replay(request_id)
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
    else:
        _compared("reply", found.same, [(d.where, str(d.then), str(d.now)) for d in found.differences])
        if found.labels_same is not None:
            told = [(d.where, str(d.then), str(d.now)) for d in found.label_differences]
            _compared("labels by the adapter", found.labels_same, told)
        for note in found.notes:
            Console().print(note, markup=False, highlight=False)
    if not found.same or found.labels_same is False:
        raise typer.Exit(1)


@audit.command("list")
def listed(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Entries, newest first.")] = 20, as_json: AsJson = False
) -> None:
    """Tell who did what, newest first.

    Example: `formfact audit list --limit 50`
    """
    with desk() as asked:
        found = asked.audit(limit, None)
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
        return
    table = Table("", "when", "who", "what", "which")
    for entry in found.latest:
        table.add_row(str(entry.entry), entry.at, entry.actor, entry.event, entry.subject)
    Console().print(table)


@audit.command()
def verify(
    expect: Annotated[str | None, typer.Option(help="A hash that was noted before: does it still stand?")] = None,
    as_json: AsJson = False,
) -> None:
    """Follow the chain of hashes from its start; exits with 1 where an entry was changed or is missing.

    Example: `formfact audit verify --expect 5f0c…`
    """
    with desk() as asked:
        found = asked.audit(0, expect)
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
    else:
        told = "every entry stands as it was written" if found.clean else found.problem
        Console().print(f"{found.entries} entries: {told}. Last hash: {found.head}", highlight=False, soft_wrap=True)
    if not found.clean:
        raise typer.Exit(1)


@reviews.command()
def export(out: Annotated[Path, typer.Argument(help="A file of JSON lines; it is written anew.")]) -> None:
    """Write judged tickets as rows that `formfact data build` takes.

    Example: `formfact reviews export reviewed.jsonl && formfact data build reviewed.jsonl --rights own`
    """
    with desk() as asked:
        found = asked.judged()
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found.rows), encoding="utf-8")
    typer.echo(f"{len(found.rows)} judged tickets: {out}")


@reviews.command()
def cases(out: Annotated[Path, typer.Argument(help="A file of JSON lines; it is written anew.")]) -> None:
    """Write judged replies as eval cases: what was right has to stay right.

    A case whose answer nobody called right carries the tag `annotate`, and is refused until `expect` is filled in.

    Example: `formfact reviews cases mine.jsonl && formfact evals run --cases mine.jsonl`
    """
    with desk() as asked:
        found = asked.judged().cases
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found), encoding="utf-8")
    typer.echo(f"{len(found)} cases, {sum('annotate' in c['tags'] for c in found)} of them to annotate: {out}")


@reviews.command()
def agreement(as_json: AsJson = False) -> None:
    """Tell how far two reviewers of the same tickets agree, by field.

    Example: `formfact reviews agreement`
    """
    with desk() as asked:
        found = asked.judged()
    if as_json:
        typer.echo(json.dumps({name: one.model_dump() for name, one in found.agreement.items()}, indent=1))
        return
    table = Table("field", "tickets judged twice", "equal", "kappa")
    for name, one in found.agreement.items():
        table.add_row(name, str(one.rows), f"{one.equal:.2f}", f"{one.kappa:.2f}")
    Console().print(table)


def _compared(what: str, same: bool, rows: list[tuple[str, str, str]]) -> None:
    console = Console()
    console.print(f"{what}: {'the same' if same else 'differs'}", highlight=False)
    if rows:
        table = Table("where", "then", "now")
        for row in rows:
            table.add_row(*(part[:200] for part in row))
        console.print(table)
