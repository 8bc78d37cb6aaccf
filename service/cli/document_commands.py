"""`formfact ingest` and `formfact documents …`: through the running service, or in this process where there is none."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.cli.commands import AsJson, AsOf, Audiences, Revision, desk

if TYPE_CHECKING:
    from ingest.drafting import Submission
    from ingest.folder import FileOutcome
    from ingest.metadata import Metadata
    from retrieval.contents import Published
    from service.settings import Settings
    from service.use_cases.documents import IndexReport

Preview = Callable[["Settings", Path, "Metadata", Console], Sequence["FileOutcome"]]
DocId = Annotated[str, typer.Argument(help="Identifier of the document.")]

app = typer.Typer(no_args_is_help=False)


def add_to(root: typer.Typer, preview: Preview) -> None:
    """Add the commands to the command line; `preview` shows what a dry run would change."""

    def ingest(
        path: Annotated[Path, typer.Argument(help="A file or a folder.")],
        doc_id: Annotated[str | None, typer.Option(help="Overrides what the file states, as do the next ones.")] = None,
        title: Annotated[str | None, typer.Option()] = None,
        effective_from: Annotated[str | None, typer.Option(help="2026-03-01, or an instant.")] = None,
        effective_to: Annotated[str | None, typer.Option()] = None,
        audience: Annotated[list[str] | None, typer.Option()] = None,
        precedence: Annotated[int | None, typer.Option(help="Wins over lower ones where documents differ.")] = None,
        allow_widen: Annotated[bool, typer.Option(help="Let more people read the document than before.")] = False,
        allow_retitle: Annotated[bool, typer.Option(help="Let a known document have another title.")] = False,
        restrict_history: Annotated[
            bool, typer.Option(help="Hide older versions too from readers outside the new audience.")
        ] = False,
        dry_run: Annotated[bool, typer.Option(help="Say what would change, and which development cases.")] = False,
        watch: Annotated[bool, typer.Option(help="Go on, and publish each file that is changed or added.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Publish documents. What a file is refused for is told; the others are published.

        Examples: `formfact ingest prices-2027.csv --doc-id plan-prices --effective-from 2027-01-01 --audience public`
        · `formfact ingest policies/ --dry-run` · `formfact ingest policies/ --watch`
        """
        from ingest.metadata import stated

        named = {"doc_id": doc_id, "title": title, "effective_from": effective_from, "effective_to": effective_to}
        meta = stated("options", {**named, "audience": audience, "precedence": precedence})

        def with_options(submission: Submission) -> Submission:
            return replace(
                submission,
                allow_widen=allow_widen,
                allow_retitle=allow_retitle,
                restrict_history=restrict_history,
            )

        _ingest(path, meta, with_options, preview if dry_run else None, watch, as_json)

    root.command()(ingest)
    root.add_typer(app, name="documents")


def _ingest(
    path: Path,
    meta: Metadata,
    with_options: Callable[[Submission], Submission],
    preview: Preview | None,
    watch: bool,
    as_json: bool,
) -> None:
    from ingest.commands import follow, ingest_folder, show
    from service.settings import Settings

    settings, console = Settings(), Console(stderr=as_json)
    if preview is not None:
        outcomes = preview(settings, path, meta, console)
    else:
        with desk() as asked:

            def publish(submission: Submission) -> Published:
                return asked.publish(with_options(submission))

            outcomes = ingest_folder(path, publish, meta, settings.limits, console)
            if watch:
                follow(path, publish, meta, settings.limits, console)
    if as_json:
        typer.echo(json.dumps([show(o) for o in outcomes], indent=1))
    if any(o.refusal for o in outcomes):
        raise typer.Exit(1)


@app.callback(invoke_without_command=True)
def documents(
    context: typer.Context,
    audience: Audiences = None,
    as_of: AsOf = None,
    revision: Revision = None,
    as_json: AsJson = False,
) -> None:
    """List the documents and the version of each that holds; or compare, retract, erase them, or check the indexes.

    Example: `formfact documents --audience public --as-of 2027-01-01`
    """
    if context.invoked_subcommand:
        return
    with desk() as asked:
        found = asked.documents(audience, as_of, revision)
    if as_json:
        typer.echo(json.dumps([d.model_dump() for d in found], indent=1))
        return
    table = Table("document", "holds", "from", "versions", "title")
    for document in found:
        holds = next((v for v in document.versions if v.version == document.holds), None)
        began = holds.effective_from if holds else ""
        table.add_row(document.doc_id, str(document.holds or "-"), began, str(len(document.versions)), document.title)
    Console().print(table)


@app.command()
def diff(
    doc_id: DocId,
    old: Annotated[int, typer.Argument(help="The one version.")],
    new: Annotated[int, typer.Argument(help="The other version.")],
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions of a document.

    Example: `formfact documents diff plan-prices 2 3`
    """
    with desk() as asked:
        before, after = asked.version(doc_id, old), asked.version(doc_id, new)
    facts = {
        name: [getattr(before, name), getattr(after, name)]
        for name in ("title", "effective_from", "effective_to", "audience")
        if getattr(before, name) != getattr(after, name)
    }
    was, becomes = (f"{doc_id} version {v.version}, from {v.effective_from}" for v in (before, after))
    texts = before.text.splitlines(), after.text.splitlines()
    lines = list(difflib.unified_diff(*texts, fromfile=was, tofile=becomes, n=1, lineterm=""))
    if as_json:
        typer.echo(json.dumps({"doc_id": doc_id, "changed": facts, "diff": lines}, indent=1))
        return
    console = Console()
    for name, values in facts.items():
        console.print(f"{name}: {values[0]} → {values[1]}", markup=False, highlight=False)
    for line in lines:
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        console.print(Text(line, style=colour))
    if not lines:
        console.print("The text is the same.")


@app.command()
def log(
    doc_id: Annotated[str | None, typer.Argument(help="One document; default: all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 30,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, when, newest first.

    Example: `formfact documents log plan-prices`
    """
    with desk() as asked:
        found = asked.log(doc_id, limit)
    if as_json:
        typer.echo(json.dumps([r.model_dump() for r in found], indent=1))
        return
    table = Table("revision", "at", "by", "change", "document", "version")
    for r in found:
        table.add_row(str(r.revision), r.at[:19], r.actor, r.change, r.doc_id, str(r.version or ""))
    Console().print(table)


@app.command()
def retract(
    doc_id: DocId,
    at: Annotated[str | None, typer.Option(help="From when on nothing of it holds; default: now.")] = None,
) -> None:
    """End a document at a date; its history stays.

    Example: `formfact documents retract summer-campaign --at 2026-09-01`
    """
    with desk() as asked:
        done = asked.retract(doc_id, at)
    typer.echo(f"{done.doc_id} does not hold from {done.at} on (revision {done.catalog_revision}).")


@app.command()
def purge(
    doc_id: DocId,
    version: Annotated[int | None, typer.Option(min=1, help="This version alone; default: the whole document.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase the words of a document for good: text, passages, embeddings, index entries, copies in the journal.

    Example: `formfact documents purge old-contract --yes`
    """
    what = f"{doc_id}, version {version}" if version else doc_id
    if not yes and not typer.confirm(f"Erase {what} for good?"):
        raise typer.Exit(1)
    with desk() as asked:
        done = asked.purge(doc_id, version)
    if as_json:
        typer.echo(done.model_dump_json(indent=1))
        return
    for name, value in done.model_dump().items():
        typer.echo(f"{name.replace('_', ' ')}: {value}")


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Compare catalog, dense and lexical index; exits with 1 where they differ.

    Example: `formfact documents verify`
    """
    with desk() as asked:
        report = asked.verify()
    _show_report(report, as_json)


@app.command()
def rebuild(as_json: AsJson = False) -> None:
    """Make the derived indexes anew beside the live ones, and swap.

    Example: `formfact documents rebuild`
    """
    with desk() as asked:
        report = asked.rebuild()
    _show_report(report, as_json)


def _show_report(report: IndexReport, as_json: bool) -> None:
    if as_json:
        typer.echo(report.model_dump_json(indent=1))
    else:
        told = "agree" if report.clean else "DIFFER; `formfact documents rebuild` makes the indexes anew"
        counted = f"{report.versions} versions, {report.contents} texts, {report.passages} passages"
        typer.echo(f"{counted}: catalog and indexes {told}.")
        for problem in report.problems:
            typer.echo(f"  {problem}")
    if not report.clean:
        raise typer.Exit(1)
