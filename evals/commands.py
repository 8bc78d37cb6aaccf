"""`formfact evals …`."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import track

from domains.commands import DomainName
from domains.spec import load_domain
from evals.compare_commands import app as compare
from evals.result_table import measured

if TYPE_CHECKING:
    from evals.run import Result

app = typer.Typer(no_args_is_help=True)
app.add_typer(compare)


@app.callback()
def evals() -> None:
    """Run the eval cases of a domain."""
    # What fails is counted and shown; a line of the log for each would stand between bars and tables.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))


@app.command()
def run(
    domain: DomainName = "support",
    cases: Annotated[
        str, typer.Option(help="dev, a .jsonl of your own, or sealed, which is opened to report and never to tune.")
    ] = "dev",
    mode: Annotated[
        str, typer.Option(help="hybrid or tuned; rag or prompt where FORMFACT_LLM names a chat model.")
    ] = "hybrid",
    failures: Annotated[bool, typer.Option(help="Tell each failed case; refused for the sealed set.")] = False,
    show: Annotated[int, typer.Option(min=0, help="Print so many drawn replies; refused for the sealed set.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write marks and replies as JSON lines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Answer every case in a home of its own, and tell the shares that are right.

    Example: `formfact evals run --cases dev --failures`
    """
    from evals.cases import is_sealed, load
    from evals.run import Share, by_tag, summary
    from evals.run import run as answer
    from service.ephemeral import apart

    spec = load_domain(domain)
    wanted = load(spec, cases)
    console = Console()
    with apart(spec) as services:
        replies = answer(services, wanted, mode)  # type: ignore[arg-type]
        results = list(track(replies, "Answering", total=len(wanted), console=Console(stderr=True), transient=True))
    told = {**summary(results), **{f"passed: {tag}": share for tag, share in by_tag(results).items()}}
    over = f"{spec.title}, {len(wanted)} {cases} cases, mode {mode}"
    found = measured(over, ("figure", "value"), ((name, str(value)) for name, value in told.items()))
    if as_json:
        shares = {name: value.share if isinstance(value, Share) else value for name, value in told.items()}
        typer.echo(found.as_json(figures=shares), nl=False)
    else:
        found.show(console)
    if failures and not is_sealed(cases):
        _tell(results, console)
    if show and not is_sealed(cases):
        _draw(results, show)
    if out:
        out.write_text("".join(_line(r) for r in results), encoding="utf-8")


@app.command()
def throughput(
    source: Annotated[Path | None, typer.Argument(help="A folder, or JSON Lines with title and text.")] = None,
    synthetic: Annotated[int, typer.Option(min=1, help="Without a source: how many invented documents.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Measure how fast documents are ingested, in a home of its own.

    Example: `formfact evals throughput domains/support/documents`
    """
    from dataclasses import asdict

    from evals.throughput import measure, submissions
    from service.build import build
    from service.settings import Settings

    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        wanted = submissions(source, synthetic, settings.limits)
        services = build(settings)
        services.publisher.upkeep.start()
        show = Console(stderr=True)
        done = measure(services, wanted, lambda items: iter(track(items, "Ingesting", console=show, transient=True)))
        services.close()
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    typer.echo(
        f"{done.documents} documents, {done.passages} passages in {done.seconds:.1f} s: "
        f"{done.passages_per_second:.0f} passages a second; "
        f"memory {done.before_mb} MB before, {done.peak_mb} MB at most"
    )


def _draw(results: list[Result], size: int) -> None:
    """Tickets and replies as Markdown, always the same ones."""
    for r in random.Random(0).sample(results, min(size, len(results))):  # noqa: S311 -- no secret depends on it
        quoted = "\n> ".join(f"{r.case.ticket.subject}\n{r.case.ticket.body}".strip().split("\n"))
        told = "passed" if r.marks.passed else "failed"
        typer.echo(
            f"\n**{r.case.id}**, {r.case.as_of}, {told}: {r.reply.action}, {r.reply.reason_code}\n\n> {quoted}\n"
        )
        typer.echo(f"```text\n{r.reply.answer.text}\n```")


def _tell(results: list[Result], console: Console) -> None:
    for r in results:
        if r.marks.passed:
            continue
        ticket = f"{r.case.ticket.subject} | {r.case.ticket.body}"
        console.print(f"\n{r.case.id} {r.case.tags} {ticket}", markup=False, highlight=False)
        console.print(f"expected {r.case.expect.model_dump(exclude_defaults=True)}", markup=False, highlight=False)
        console.print(f"got {r.reply.action} {r.reply.reason_code} {r.reply.answer.format}", markup=False)
        for c in r.reply.citations:
            console.print(f"  [{c.n}] {c.doc_id} v{c.version}: {c.quote}", markup=False, highlight=False)


def _line(result: Result) -> str:
    from dataclasses import asdict

    return json.dumps({"marks": asdict(result.marks), "reply": result.reply.model_dump(mode="json")}) + "\n"
