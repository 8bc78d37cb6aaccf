"""`formfact serve | console | respond | search`."""

from __future__ import annotations

import json
import math
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from domains.spec import InvalidInput, first_fault

if TYPE_CHECKING:
    from service.cli.protocol import Desk

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
AsOf = Annotated[str | None, typer.Option(help="Date or instant to ask about; default: now.")]
Revision = Annotated[int | None, typer.Option(help="Answer as it was known at this revision.")]
Audiences = Annotated[list[str] | None, typer.Option("--audience", help="Read as these; default: all.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of the service to the command line."""
    for command in (serve, console, respond, search):
        app.command()(command)


def serve(
    host: Annotated[str | None, typer.Option(help="Address; default FORMFACT_HOST or 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default FORMFACT_PORT or 8000.")] = None,
) -> None:
    """Prepare the home, then serve the HTTP API.

    Example: `formfact serve --port 8080`
    """
    import uvicorn

    from service.api.app import create_app
    from service.auth.safety import check
    from service.build import build
    from service.data_dir import owned
    from service.monitoring.tracing import tracing
    from service.prepare import prepare
    from service.records.housekeeping import housekeeping
    from service.settings import Settings

    stated = {k: v for k, v in {"host": host, "port": port}.items() if v is not None}
    settings = Settings(**stated)  # type: ignore[arg-type]
    check(settings)
    _log_to_stderr(settings.log_level)
    progress = Console(stderr=True)
    with owned(settings) as note:
        with progress.status("Loading models"):
            services = build(settings)
        prepare(services, progress)
        note.write_text(json.dumps({**json.loads(note.read_text()), "url": settings.url}), encoding="utf-8")
        _greet(settings.url, settings.home, services.sign_in_path())
        app = create_app(services)
        signal.signal(signal.SIGTERM, _leave)  # what uvicorn raises again when it has finished: everything is closed
        with housekeeping(services.engine, settings.journal_days), tracing(settings.otlp_url):
            uvicorn.run(
                app,
                host=settings.host,
                port=settings.port,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=math.ceil(settings.request_seconds),
            )


def console() -> None:
    """Print a link that signs a browser into the console of the running service, once, within ten minutes.

    Example: `formfact console`
    """
    from service.cli.protocol import NOT_SERVING
    from service.data_dir import owner
    from service.settings import Settings

    if owner(Settings()) is None:  # before models are loaded for nothing
        raise NOT_SERVING
    with desk() as asked:
        typer.echo(asked.link())


def respond(
    body: Annotated[str, typer.Argument(help="The ticket; `-` reads it from standard input.")],
    subject: Annotated[str, typer.Option(help="Its subject line.")] = "",
    plan: Annotated[str | None, typer.Option(help="The customer's plan, and so on for the other slots.")] = None,
    currency: Annotated[str | None, typer.Option()] = None,
    billing_period: Annotated[str | None, typer.Option()] = None,
    region: Annotated[str | None, typer.Option()] = None,
    mode: Annotated[str, typer.Option(help="hybrid, tuned, rag or prompt.")] = "hybrid",
    as_of: AsOf = None,
    revision: Revision = None,
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
        asked_at = {"as_of": as_of, "revision": revision}
        request = RespondRequest.model_validate({"ticket": ticket, "customer": slots, "mode": mode, **asked_at})
    except ValidationError as error:
        raise InvalidInput("{}: {}.".format(*first_fault(error))) from None
    with desk() as asked:
        reply = asked.respond(request, audience)
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
    revision: Revision = None,
    audience: Audiences = None,
    as_json: AsJson = False,
) -> None:
    """Find passages.

    Example: `formfact search "refund of a yearly plan" --as-of 2026-01-15 --audience public`
    """
    from service.reply import SearchRequest

    with desk() as asked:
        found = asked.search(SearchRequest(query=query, limit=limit, as_of=as_of, revision=revision), audience)
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
        return
    table = Table("score", "document", "passage")
    for p in found.passages:
        table.add_row(f"{p.score:.3f}", f"{p.doc_id} v{p.version}", f"{p.heading}\n{p.text}")
    Console().print(table)


@contextmanager
def desk() -> Iterator[Desk]:
    """The running service, or the parts of this process where there is none."""
    from service.cli.startup import open_desk
    from service.settings import Settings

    settings = Settings()
    _log_to_stderr(settings.log_level)
    with open_desk(settings, Console(stderr=True)) as opened:
        yield opened


def _leave(*_: object) -> None:
    sys.exit(0)


def _greet(url: str, home: Path, sign_in: str) -> None:
    key = home / "local.key"
    typer.echo(f"Formfact serves at {url} (API pages at {url}/docs). Key: {key}")
    typer.echo(f"Console: {url}{sign_in} (signs in once, within ten minutes; `formfact console` prints another)")
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
