"""`formfact serve | respond | search | ingest | documents`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from domains.spec import InvalidInput

if TYPE_CHECKING:
    from service.build import Services
    from service.keys import Caller

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
AsOf = Annotated[str | None, typer.Option(help="Date or instant to ask about; default: now.")]
Audiences = Annotated[list[str] | None, typer.Option("--audience", help="Read as these; default: all.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of the service to the command line."""
    for command in (serve, respond, search, ingest, documents):
        app.command()(command)


def serve(
    host: Annotated[str | None, typer.Option(help="Address; default FORMFACT_HOST or 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default FORMFACT_PORT or 8000.")] = None,
) -> None:
    """Prepare the home, then serve the HTTP API.

    Example: `formfact serve --port 8080`
    """
    import uvicorn

    from service.api import create_app
    from service.build import build, owned
    from service.prepare import prepare
    from service.settings import Settings

    stated = {k: v for k, v in {"host": host, "port": port}.items() if v is not None}
    settings = Settings(**stated)  # type: ignore[arg-type]
    _log_to_stderr(settings.log_level)
    console = Console(stderr=True)
    with owned(settings) as note:
        with console.status("Loading models"):
            services = build(settings)
        prepare(services, console)
        url = f"http://{settings.host}:{settings.port}"
        note.write_text(json.dumps({**json.loads(note.read_text()), "url": url}), encoding="utf-8")
        _greet(url, settings.home)
        uvicorn.run(create_app(services), host=settings.host, port=settings.port, log_level="warning", access_log=False)


def respond(
    body: Annotated[str, typer.Argument(help="The ticket; `-` reads it from standard input.")],
    subject: Annotated[str, typer.Option(help="Its subject line.")] = "",
    plan: Annotated[str | None, typer.Option(help="The customer's plan, and so on for the other slots.")] = None,
    currency: Annotated[str | None, typer.Option()] = None,
    billing_period: Annotated[str | None, typer.Option()] = None,
    region: Annotated[str | None, typer.Option()] = None,
    mode: Annotated[str, typer.Option(help="hybrid, tuned, rag or prompt.")] = "hybrid",
    as_of: AsOf = None,
    audience: Audiences = None,
    as_json: AsJson = False,
) -> None:
    """Answer a ticket.

    Example: `formfact respond "What does the Team plan cost per month?" --currency EUR --as-of 2026-06-01`
    """
    from pydantic import ValidationError

    from service.reply import RespondRequest

    slots = {"plan": plan, "currency": currency, "billing_period": billing_period, "region": region}
    ticket = {"body": sys.stdin.read() if body == "-" else body, "subject": subject}
    try:
        request = RespondRequest.model_validate({"ticket": ticket, "customer": slots, "mode": mode, "as_of": as_of})
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    with _embedded() as services:
        reply = services.pipeline.respond(request, _local(services, audience))
    if as_json:
        typer.echo(reply.model_dump_json(indent=1))
        return
    console = Console()
    console.print(f"[bold]{reply.action}[/] ({reply.reason_code}): {reply.route.reason}", highlight=False)
    for name, label in (reply.labels or {}).items():
        console.print(f"  {name}: {label.value} {label.confidence:.2f}{' (abstained)' * label.abstained}")
    console.print(f"\n{reply.answer.text}\n", markup=False, highlight=False)
    for c in reply.citations:
        console.print(f"\\[{c.n}] {c.title}, version {c.version}, from {c.effective_from}", highlight=False)


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[int, typer.Option(min=1, max=50)] = 8,
    as_of: AsOf = None,
    audience: Audiences = None,
    as_json: AsJson = False,
) -> None:
    """Find passages.

    Example: `formfact search "refund of a yearly plan" --as-of 2026-01-15 --audience public`
    """
    from service.reply import SearchRequest

    with _embedded() as services:
        found = services.pipeline.search(
            SearchRequest(query=query, limit=limit, as_of=as_of), _local(services, audience)
        )
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
        return
    table = Table("score", "document", "passage")
    for p in found.passages:
        table.add_row(f"{p.score:.3f}", f"{p.doc_id} v{p.version}", f"{p.heading}\n{p.text}")
    Console().print(table)


def ingest(
    path: Annotated[Path, typer.Argument(help="A file or a folder.")],
    doc_id: Annotated[str | None, typer.Option(help="Overrides what the file states, as do the next ones.")] = None,
    title: Annotated[str | None, typer.Option()] = None,
    effective_from: Annotated[str | None, typer.Option(help="2026-03-01, or an instant.")] = None,
    effective_to: Annotated[str | None, typer.Option()] = None,
    audience: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    """Publish documents. What a file is refused for is told; the others are published.

    Example: `formfact ingest prices-2027.csv --doc-id plan-prices --effective-from 2027-01-01 --audience public`
    """
    from ingest.commands import ingest_folder
    from ingest.metadata import stated
    from service.prepare import held

    meta = stated(
        "options",
        {
            "doc_id": doc_id,
            "title": title,
            "effective_from": effective_from,
            "effective_to": effective_to,
            "audience": audience,
        },
    )
    with _embedded() as services:
        outcomes = ingest_folder(
            path, lambda s: services.publisher.publish(s, "command line", held(services)), meta, Console()
        )
    if any(o.refusal for o in outcomes):
        raise typer.Exit(1)


def documents(audience: Audiences = None, as_json: AsJson = False) -> None:
    """List the documents and the version of each that holds now.

    Example: `formfact documents --audience public`
    """
    from retrieval.instants import now, show_instant

    with _embedded() as services:
        view = services.catalog.view(_local(services, audience).audiences, now())
        zone = services.domain.zone
    rows = [
        {"doc_id": v.doc_id, "version": v.version, "title": v.title, "from": show_instant(v.effective_from, zone) or ""}
        for v in view.versions
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("document", "version", "from", "title")
    for row in rows:
        table.add_row(str(row["doc_id"]), str(row["version"]), str(row["from"]), str(row["title"]))
    Console().print(table)


@contextmanager
def _embedded() -> Iterator[Services]:
    """The parts of this process, with the home prepared and owned while they are used."""
    from service.build import build, owned
    from service.prepare import prepare
    from service.settings import Settings

    settings = Settings()
    _log_to_stderr(settings.log_level)
    console = Console(stderr=True)
    with owned(settings):
        with console.status("Loading models"):
            services = build(settings)
        prepare(services, console)
        yield services


def _local(services: Services, audiences: list[str] | None) -> Caller:
    """Whoever sits at this machine: every scope, and the audiences that were named."""
    from service.keys import SCOPES, Caller

    known = services.domain.audiences
    if unknown := set(audiences or ()) - set(known):
        raise InvalidInput(f"--audience: nobody declared {', '.join(unknown)}.", f"Declared: {', '.join(known)}.")
    return Caller("local", frozenset(SCOPES), services.domain.readable_by(audiences or known))


def _greet(url: str, home: Path) -> None:
    key = home / "local.key"
    typer.echo(f"Formfact serves at {url} (API pages at {url}/docs). Key: {key}")
    typer.echo("Try:")
    typer.echo(
        f'  curl -s {url}/v1/respond -H "Authorization: Bearer $(cat {key})" -H "Content-Type: application/json" '
        """-d '{"ticket": {"body": "Hi, what does the Team plan cost per user if we pay monthly in euros?"}}'"""
    )


def _log_to_stderr(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
